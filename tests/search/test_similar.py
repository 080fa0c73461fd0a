"""More like this: for a document and for a passage, for who asks."""

from __future__ import annotations

import re

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from searchsite.documents.models import Collection, Document, Job, Passage
from searchsite.index import build, follow, lexical_follow
from searchsite.index.models import Vector
from searchsite.index.vectors import as_matrix
from searchsite.search import similar

pytestmark = pytest.mark.django_db


@pytest.fixture
def private(db):
    return Collection.objects.create(name="Private", slug="private", visibility=Collection.Visibility.MEMBERS)


@pytest.fixture
def member(private):
    user = User.objects.create_user("member")
    private.users.add(user)
    return user


@pytest.fixture
def like(client):
    """like(document, passage=..., page=...) -> the titles on the page, in order."""

    def _like(document: Document, **parameters) -> list[str]:
        response = client.get(f"/documents/{document.pk}/similar/", parameters)
        assert response.status_code == 200
        return [result.document.shown_title for result in response.context["answer"].results]

    return _like


def first_passage(document: Document) -> Passage:
    return Passage.objects.filter(revision=document.live_revision_id).order_by("ordinal")[0]


def nearest(document: Document) -> list[int]:
    """The other documents, the nearest first: their best passage against the mean of the document's, the slow way."""
    vectors = {
        pk: (owner, as_matrix([data], 64)[0].astype(np.float64))
        for pk, owner, data in Vector.objects.values_list("passage", "passage__revision__live_for", "data")
    }
    mean = np.mean([vector for owner, vector in vectors.values() if owner == document.pk], axis=0)
    scores = sorted(
        (-round(float(vector @ mean) / float(np.linalg.norm(mean)), 5), pk, owner)
        for pk, (owner, vector) in vectors.items()
        if owner != document.pk
    )
    return list(dict.fromkeys(owner for _score, _pk, owner in scores))


def test_documents_come_in_the_order_of_their_nearest_passage_on_pages_that_follow_each_other(client, public, add):
    asked = add(public, "# Apples\n\napples pears\n\n# Rivers\n\nrivers and clouds\n\n# Plums\n\nplums", title="asked")
    words = ["apples", "pears", "plums", "rivers", "clouds", "stones", "houses"]
    for n in range(23):
        some = [words[n * step % 7] for step in range(1, 5)]
        add(public, f"# {some[0]} {n}\n\n{' '.join(some)}\n\n# {some[1]}\n\n{some[2]} {some[3]} {some[0]}")
    for rebuilt in (False, True):
        found = []
        for page in (1, 2, 3):
            answer = client.get(f"/documents/{asked.pk}/similar/", {"page": page}).context["answer"]
            found += [result.document.pk for result in answer.results]
            assert answer.has_next == (page < 3)
        assert found == nearest(asked)
        assert len(found) == 23
        if not rebuilt:
            build.rebuild(Job(), lambda *_progress: None)
    page = client.get(f"/documents/{asked.pk}/similar/", {"page": "4"}).content.decode()
    assert "There are no more results" in page
    assert client.get(f"/documents/{asked.pk}/similar/", {"page": "x"}).context["answer"].page == 1


def test_a_passage_is_compared_by_itself(public, add, like):
    asked = add(public, "# Fruit\n\napples pears\n\n# Water\n\nrivers and clouds", title="asked")
    add(public, "apples pears and plums", title="orchard")
    add(public, "rivers, clouds and rain", title="weather")
    fruit, water = Passage.objects.filter(revision=asked.live_revision).order_by("ordinal")
    assert like(asked, passage=fruit.pk) == ["orchard", "weather"]
    assert like(asked, passage=water.pk) == ["weather", "orchard"]


def test_the_document_and_its_copies_are_not_among_them(public, private, add, like, client, member):
    asked = add(public, "apples and pears", title="asked")
    add(public, "apples and pears", title="copy")
    add(private, "apples and pears", title="copy elsewhere")
    add(public, "rivers", title="other")
    for who in (None, member):
        if who:
            client.force_login(who)
        assert like(asked) == like(asked, passage=first_passage(asked).pk) == ["other"]


def test_copies_are_looked_up_by_their_content_and_not_among_all_documents_of_the_collections(public, add, like):
    """Given both, SQLite goes through the collections."""
    document = add(public, "apples and pears")
    with CaptureQueriesContext(connection) as captured:
        like(document)
    [copies] = [one["sql"] for one in captured if '"content_hash" = ' in one["sql"]]
    assert "collection_id" not in copies


def test_what_may_not_be_seen_is_neither_shown_nor_asked_for(public, private, add, like, client, member):
    open_one = add(public, "apples", title="open")
    hidden = add(private, "apples and pears", title="secret")
    add(public, "rivers", title="rivers")
    address, passage = f"/documents/{hidden.pk}/similar/", first_passage(hidden).pk
    assert like(open_one) == ["rivers"]
    assert "secret" not in client.get(f"/documents/{open_one.pk}/similar/").content.decode()
    assert [client.get(address, asked).status_code for asked in ({}, {"passage": passage})] == [404, 404]
    client.force_login(member)
    assert like(open_one) == ["secret", "rivers"]
    assert like(hidden, passage=passage) == ["open", "rivers"]


def test_a_move_that_the_index_has_not_heard_of_is_seen(public, private, add, like):
    asked, moved = add(public, "apples", title="asked"), add(public, "apples too", title="moved")
    add(public, "rivers", title="other")
    assert like(asked) == ["moved", "other"]
    super(type(Document.objects.all()), Document.objects.filter(pk=moved.pk)).update(collection=private)
    assert like(asked) == ["other"]


def test_other_passages_and_what_is_none_are_not_found(public, add, client):
    asked, other = add(public, "apples"), add(public, "pears")
    address = f"/documents/{asked.pk}/similar/"
    assert client.get(address, {"passage": first_passage(asked).pk}).status_code == 200
    for passage in (first_passage(other).pk, 987654, 0, -1, "x", "", "9" * 40, "٣"):
        assert client.get(address, {"passage": passage}).status_code == 404, passage
    assert client.get("/documents/987654/similar/").status_code == 404
    assert client.post(address).status_code == 405
    waiting = Document(collection=public, text="not read yet")
    waiting.save()
    assert client.get(f"/documents/{waiting.pk}/similar/").status_code == 404


def test_a_document_that_is_not_encoded_is_like_nothing(public, add, client, like):
    asked = add(public, "apples")
    add(public, "apples too", title="other")
    assert like(asked) == ["other"]
    Vector.objects.filter(passage__revision=asked.live_revision).delete()
    assert like(asked) == like(asked, passage=first_passage(asked).pk) == []
    assert "There is nothing else to compare it with" in client.get(f"/documents/{asked.pk}/similar/").content.decode()


def test_a_page_is_full_although_the_document_itself_is_nearest_with_most_of_its_passages(
    public, add, like, monkeypatch
):
    monkeypatch.setattr(similar, "DEPTH", 10)
    asked = add(public, "\n\n".join(f"# Part {n}\n\napples" for n in range(60)), title="asked")
    with monkeypatch.context() as patched:
        patched.setattr(lexical_follow, "keep_up", lambda **_options: None)
        for n in range(12):
            add(public, f"rivers, and some of the apples that grow there {n}")
    assert (len(like(asked)), len(like(asked, page=2))) == (10, 2)


def test_the_vectors_of_a_long_document_are_read_in_part(public, add, like, monkeypatch):
    monkeypatch.setattr(similar, "MOST_READ", 2)
    asked = add(
        public, "\n\n".join(f"# Part {n}\n\n{'apples' if n % 2 else 'rivers'}" for n in range(4)), title="asked"
    )
    add(public, "apples", title="apples")
    add(public, "rivers", title="rivers")
    assert like(asked) == ["rivers", "apples"], "the first and the third"


def test_links_lead_from_results_and_documents_to_what_is_like_them(public, add, client):
    add(public, "# Orchard\n\napples pears", title="fruit")
    asked = add(public, "# Wood\n\nrivers and apples", title="wood")
    for address in ("/?q=rivers", asked.get_absolute_url()):
        page = client.get(address).content.decode()
        link = re.search(rf'href="(/documents/{asked.pk}/similar/[^"]*)"', page).group(1)
        similar_page = client.get(link)
        assert [one.document.title for one in similar_page.context["answer"].results] == ["fruit"]
        assert "Why this result?" not in similar_page.content.decode(), "there is no question"


def test_an_index_that_cannot_serve_says_what_to_do(client, public, add, settings):
    asked = add(public, "apples")
    build.rebuild(Job(), lambda *_progress: None)
    follow.forget()
    for path in settings.INDEX_DIR.rglob("*.json"):
        path.unlink()
    response = client.get(f"/documents/{asked.pk}/similar/")
    assert response.status_code == 503
    assert "must rebuild the index" in response.content.decode()
