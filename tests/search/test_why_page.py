"""The page that says why a passage was found: who may see it, and that it says what the ranking did."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from searchsite.documents.models import Collection, Passage
from searchsite.index import follow
from searchsite.search import retrieve

pytestmark = pytest.mark.django_db


@pytest.fixture
def fruit(public, add):
    """A document in which apples grow, among others."""
    for text in ("Bicycles & brakes", "Clouds over rivers", "Apples are traded by the crate"):
        add(public, text)
    return add(public, "# Orchard\n\nApples <b>grow</b> here. Nobody knows why.\n", title="Orchard")


def ask(client, document, question: str, **more):
    passage = document.live_revision.passages.order_by("ordinal").first()
    return client.get(f"/documents/{document.pk}/why/", {"passage": passage.pk, "q": question, **more})


def words(response) -> str:
    """What a reader sees, its spaces tidied."""
    body = re.sub(r"<[^>]+>", "", re.search(r"<main.*</main>|\A(?!.*<main).*", response.content.decode(), re.S).group())
    return " ".join(unescape(body).split())


def said(response) -> list[str]:
    """The blocks of the passage, with marks for what is shaded ([...]) and for keywords (*...*)."""
    blocks = re.findall(r'<(p|blockquote) class="said[^>]*>(.*?)</\1>', response.content.decode(), re.S)
    marked = [re.sub(r"<span class=.shade-\d.>(.*?)</span>", r"[\1]", block, flags=re.S) for _tag, block in blocks]
    return [unescape(re.sub(r'<b class="keyword">(.*?)</b>', r"*\1*", block)).strip() for block in marked]


def test_it_says_why_the_first_result_is_the_first(client, fruit):
    question = "where do apples grow"
    response = ask(client, fruit, question)
    assert response.status_code == 200
    why = response.context["why"]
    first = retrieve.search(User(is_superuser=True, is_active=True), question).results[0].best
    assert first.passage.revision.document_id == fruit.pk
    assert why.place == 1
    assert why.cosine == pytest.approx(first.score, abs=1e-6)
    assert why.share == round(100 * first.keywords)
    assert why.cosine + why.language + why.words == pytest.approx(why.score, abs=1e-6)
    assert why.shares.total == pytest.approx(why.cosine, abs=0.005)
    assert f"{why.cosine:.2f}" in words(response)
    assert question in words(response)
    assert {word.text: word.held for word in why.keywords} == {"apples": True, "grow": True}
    assert sum(word.weight for word in why.keywords) == pytest.approx(100, abs=1)


def test_keywords_and_what_gives_most_are_marked_in_two_ways_and_nothing_of_the_text_is_lost(client, fruit):
    head, text = said(ask(client, fruit, "apples grow"))
    assert "*Apples*" in text
    assert "*grow*" in text
    assert "[" in text
    assert re.sub(r"[*\[\]]", "", text) == Passage.objects.get(revision=fruit.live_revision).text
    assert re.sub(r"[*\[\]]", "", head) == "Orchard"


def test_text_and_question_are_escaped(client, public, add):
    document = add(public, "x <script>alert(1)</script> & y", title="<i>T</i>")
    for more in ({}, {"fragment": "1"}):
        page = ask(client, document, "<script>alert(2)</script> x", **more).content.decode()
        assert "<script>alert" not in page
        assert "<i>T" not in page
        assert "style=" not in page
        assert " on" not in "".join(re.findall(r"<[^>]+>", page.split("<main")[-1]))


def test_the_conclusion_says_what_decided(client, public, add):
    add(public, "bicycles")
    document = add(public, "# Apples\n\nApples and pears grow here.", title="Apples")
    conclusion = {
        question: ask(client, document, question).context["why"].conclusion
        for question in ('"pears grow"', "apples", "apples bicycles zebra", "bicycles")
    }
    assert conclusion == {
        '"pears grow"': "exact",
        "apples": "both",
        "apples bicycles zebra": "meaning",
        "bicycles": "meaning only",
    }
    parts = add(public, "In the long list of all that was sent there are tea, chairs and carpets, and one pump QX-77B.")
    assert ask(client, parts, "QX-77B").context["why"].conclusion == "words"
    assert "it has none of your words" in words(ask(client, document, "bicycles"))


def test_a_keyword_that_stands_in_another_is_named_only_if_it_alone_is_there(client, public, add):
    add(public, "笔记本电脑丢了。 os.path.join")
    for text, expected in [
        ("大家的笔记本电脑", {"笔记本电脑": True}),
        ("大家的电脑", {"电脑": True, "笔记本电脑": False}),
        ("大家的桌子", {"笔记本电脑": False}),
    ]:
        why = ask(client, add(public, text), "笔记本电脑").context["why"]
        assert {word.text: word.held for word in why.keywords} == expected
    why = ask(client, add(public, "The path to the house"), "os.path.join").context["why"]
    assert {word.text: word.held for word in why.keywords} == {"os.path.join": False, "path": True}


def test_a_typing_error_is_told_of(client, public, add):
    document = add(public, "Apples and pears grow here.")
    page = ask(client, document, "aples")
    assert page.context["why"].share > 0
    assert "aples is not in it" in words(page)
    assert "taken for a typing error" in words(page)
    assert "taken for a typing error" not in words(ask(client, document, "apples"))


def test_the_fragment_is_the_part_that_opens_below_a_result(client, fruit):
    page = ask(client, fruit, "apples").content.decode()
    fragment = ask(client, fruit, "apples", fragment="1").content.decode()
    assert "<html" not in fragment
    assert fragment.strip().startswith('<div class="because">')
    assert fragment.strip() in page


def test_nobody_sees_what_they_may_not_read(client, add):
    private = Collection.objects.create(name="Private", slug="private", visibility=Collection.Visibility.MEMBERS)
    document = add(private, "A secret apple", title="Secret")
    member = User.objects.create_user("member")
    private.users.add(member)
    assert ask(client, document, "apple").status_code == 404
    client.force_login(User.objects.create_user("stranger"))
    assert ask(client, document, "apple").status_code == 404
    client.force_login(member)
    assert ask(client, document, "apple").status_code == 200
    client.logout()  # what was computed for the member is remembered
    assert ask(client, document, "apple").status_code == 404


def test_what_a_word_weighs_does_not_tell_how_common_it_is_in_what_is_hidden(client, add, fruit):
    private = Collection.objects.create(name="Private", slug="private", visibility=Collection.Visibility.MEMBERS)
    weights = []
    for word in ("stone", "grow"):
        hidden = add(private, "\n\n".join(f"## {n}\n\n{word}" for n in range(8)))
        weights.append([one.weight for one in ask(client, fruit, "apples grow").context["why"].keywords])
        with transaction.atomic():
            hidden.delete()
    assert weights[0] == weights[1]


@pytest.mark.parametrize("passage", ["", "0", "x", "-1", "9" * 40, "٣"])
def test_what_is_no_passage_of_the_document_is_not_found(client, fruit, passage):
    assert client.get(f"/documents/{fruit.pk}/why/", {"passage": passage, "q": "apples"}).status_code == 404


def test_a_passage_of_another_document_or_of_an_older_revision_is_not_found(client, public, add, fruit):
    other = add(public, "Pears")
    own = Passage.objects.get(revision=other.live_revision)
    assert client.get(f"/documents/{fruit.pk}/why/", {"passage": own.pk, "q": "pears"}).status_code == 404
    assert client.get(f"/documents/{other.pk}/why/", {"passage": own.pk, "q": "pears"}).status_code == 200


@pytest.mark.parametrize("question", ["", "   ", "\x00", "a" * 1001])
def test_without_a_question_there_is_nothing_to_explain(client, fruit, question):
    assert ask(client, fruit, question).status_code == 404


def test_only_reading_is_possible(client, fruit):
    assert client.post(f"/documents/{fruit.pk}/why/").status_code == 405


def test_a_passage_that_a_condition_leaves_out_has_no_place(client, fruit):
    response = ask(client, fruit, "apples before:1990")
    assert response.context["why"].place is None
    assert "not among the passages that were found" in words(response)


def test_what_is_shown_on_a_late_page_has_its_place_too(client, public, add, monkeypatch):
    """Later pages ask for more candidates than the first needs."""
    for n in range(24):
        add(public, f"Apples {' '.join(f'word{n}x{m}' for m in range(n))}", title=f"{n}")
    monkeypatch.setattr(retrieve, "DEPTH", 11)
    shown = client.get("/", {"q": "apples", "page": 3}).context["answer"].results
    assert len(shown) == 4
    places = [ask(client, one.document, "apples").context["why"].place for one in shown]
    assert None not in places
    assert 24 in places


def test_other_poolings_say_that_words_have_no_shares(client, fruit, monkeypatch):
    monkeypatch.setattr("searchsite.search.explain.shares", lambda *_args: None)
    response = ask(client, fruit, "apples grow")
    assert "have no shares in its vector" in words(response)
    assert "[" not in said(response)[1]
    assert "*Apples*" in said(response)[1]


def test_an_index_that_cannot_serve_gets_a_sentence(client, fruit, monkeypatch):
    def unavailable(*_args):
        raise follow.IndexUnavailable("It is being rebuilt.")

    monkeypatch.setattr("searchsite.search.views_why.why", unavailable)
    for more in ({}, {"fragment": "1"}):
        response = ask(client, fruit, "apples", **more)
        assert response.status_code == 503
        assert "It is being rebuilt." in words(response)


def test_each_result_has_a_link_to_it(client, fruit):
    page = client.get("/", {"q": "apples & grow"}).content.decode()
    links = [unescape(link) for link in re.findall(r'<a class="why" href="([^"]+)"', page)]
    assert links
    assert all(client.get(link).status_code == 200 for link in links)
