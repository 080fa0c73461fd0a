"""The library: which collections it lists to whom, what a collection's page shows, its settings, a new one."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from searchsite.documents import uploads
from searchsite.documents.forms_library import slug_for
from searchsite.documents.models import Collection, Document, Job, Membership, Role, State, Tag
from searchsite.people.models import Action, Entry

pytestmark = pytest.mark.django_db


@pytest.fixture
def papers(db) -> Collection:
    """A collection for its members."""
    return Collection.objects.create(name="Papers", slug="papers", description="Of old.")


@pytest.fixture
def sign_in(client, papers):
    """sign_in("editor") -> signs somebody in who has this role in `papers`; "outsider": none."""

    def _sign_in(role: str) -> User:
        user = User.objects.create_user(role, is_superuser=role == "superuser")
        if role in Role.values:
            Membership.objects.create(collection=papers, user=user, role=role)
        client.force_login(user)
        return user

    return _sign_in


def shown(client, name: str, *args, **query) -> str:
    response = client.get(reverse(name, args=args), query)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize(
    ("role", "listed"),
    [("stranger", []), ("outsider", []), ("reader", ["Papers"]), ("editor", ["Papers"]), ("superuser", ["Papers"])],
)
def test_the_library_lists_what_one_may_see(client, papers, public, sign_in, role, listed):
    if role != "stranger":
        sign_in(role)
    page = client.get(reverse("library"))
    assert [shelf.collection.name for shelf in page.context["shelves"]] == [*listed, "Public"]
    assert ("Papers" in page.content.decode()) == bool(listed)


def test_the_library_counts_what_can_be_found_and_tells_editors_what_waits(client, papers, add, sign_in):
    add(papers, "# One\n\nApples are red.\n\n# Two\n\nPears are green.")
    add(papers, "Quinces.")
    waiting, failed = Document(collection=papers, text="w"), Document(collection=papers, text="f")
    waiting.save()
    failed.save()
    Document.objects.filter(pk=failed.pk).update(state=State.FAILED, problem={"code": "damaged", "params": {}})
    sign_in("reader")
    (shelf,) = client.get(reverse("library")).context["shelves"]
    assert (shelf.role, shelf.documents, shelf.passages, shelf.waiting, shelf.failed) == (Role.READER, 2, 3, 0, 0)
    Membership.objects.update(role=Role.EDITOR)
    (shelf,) = client.get(reverse("library")).context["shelves"]
    assert (shelf.role, shelf.documents, shelf.passages, shelf.waiting, shelf.failed) == (Role.EDITOR, 2, 3, 1, 1)


def test_the_library_asks_as_many_queries_for_many_collections_as_for_few(client, papers, add, sign_in):
    sign_in("manager")
    counts = []
    for number in (0, 20):
        for n in range(number):
            other = Collection.objects.create(name=f"C{n}", slug=f"c{n}", visibility=Collection.Visibility.PUBLIC)
            Document(collection=other, text=f"text {n}").save()
        client.get(reverse("library"))
        with CaptureQueriesContext(connection) as asked:
            client.get(reverse("library"))
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_readers_see_what_can_be_read_and_no_states(client, papers, add, sign_in):
    document = add(papers, "# Apples\n\nThey are red.")
    document.tags.add(Tag.objects.create(name="fruit"))
    Document(collection=papers, title="Secret draft", text="not read yet").save()
    sign_in("reader")
    page = shown(client, "collection", "papers")
    assert f'href="{document.get_absolute_url()}"' in page
    assert "fruit" in page
    assert "Secret draft" not in page
    assert "Secret draft" not in shown(client, "collection", "papers", state="queued")
    for told in ('class="state', "checkbox", "Upload files", reverse("members", args=["papers"])):
        assert told not in page
    Membership.objects.update(role=Role.EDITOR)
    page = shown(client, "collection", "papers")
    assert "Secret draft" in page
    assert "state-queued" in page
    assert reverse("document_add", args=["papers"]) in page
    assert reverse("members", args=["papers"]) not in page


def test_editors_see_why_a_document_failed_and_how_far_one_is(client, papers, add, sign_in):
    failed, running = add(papers, "apples"), add(papers, "pears")
    problem = {"code": "no_text_layer", "params": {}}
    Document.objects.filter(pk=failed.pk).update(state=State.FAILED, problem=problem)
    Document.objects.filter(pk=running.pk).update(state=State.RUNNING)
    Job.objects.filter(document=running).update(state=State.RUNNING, step="encoding", done=1, total=4)
    sign_in("editor")
    page = shown(client, "collection", "papers")
    failed.refresh_from_db()
    assert failed.reason in page.replace("&#x27;", "'")
    assert 'value="25"' in page
    assert "encoding" in page
    page = shown(client, "collection", "papers", state="failed")
    assert "apples" in page
    assert "pears" not in page


def test_documents_are_found_by_their_title(client, papers, add, sign_in):
    add(papers, "# Apples\n\nThey are red.")
    add(papers, "# Pears\n\nApples are red.", title="预算 2026")
    sign_in("reader")
    for title, there, away in (("appl", "Apples</a>", "预算"), ("预算", "预算 2026", "Apples</a>")):
        page = shown(client, "collection", "papers", title=title)
        assert there in page
        assert away not in page
    assert "none of these" in shown(client, "collection", "papers", title="pears")
    for odd in ("\0", "%", "'", "x" * 5000):
        assert client.get(reverse("collection", args=["papers"]), {"title": odd}).status_code == 200


def test_many_documents_have_pages_which_keep_what_was_asked(client, papers, sign_in):
    sign_in("editor")
    Document.objects.bulk_create(Document(collection=papers, title=f"Plan {n:03}", text=str(n)) for n in range(120))
    page = shown(client, "collection", "papers", title="plan", page=2)
    assert page.count('name="document"') == 50
    assert "Page 2 of 3" in page
    assert "title=plan&amp;page=3" in page
    for odd in ("99", "-1", "x", "9" * 400, "٣"):
        assert client.get(reverse("collection", args=["papers"]), {"page": odd}).status_code == 200


def test_a_collections_page_asks_as_many_queries_for_many_documents_as_for_few(client, papers, sign_in):
    sign_in("editor")
    counts = []
    for number in (2, 45):
        for n in range(number):
            document = Document(collection=papers, text=f"text {number} {n}")
            document.save()
            document.tags.add(Tag.objects.get_or_create(name=f"tag {n}")[0])
            uploads.begin(papers, None)
        shown(client, "collection", "papers")
        with CaptureQueriesContext(connection) as asked:
            shown(client, "collection", "papers")
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_a_question_on_its_page_is_asked_of_the_collection_alone(client, papers, public, add, sign_in):
    inside, _outside = add(papers, "Apples are red."), add(public, "Apples are red, too.")
    sign_in("reader")
    answer = client.get(reverse("collection", args=["papers"]), {"q": "red apples"}, follow=True)
    assert [result.document.pk for result in answer.context["answer"].results] == [inside.pk]


@pytest.mark.parametrize("role", ["stranger", "outsider", "reader", "editor", "manager", "superuser"])
def test_each_page_is_there_for_those_who_may_do_what_it_is_for(client, papers, sign_in, role):
    if role != "stranger":
        sign_in(role)
    may = {"stranger": 0, "outsider": 0, "reader": 1, "editor": 2, "manager": 3, "superuser": 4}[role]
    needed = {"collection": 1, "document_add": 2, "members": 3, "collection_settings": 3}
    for name, rank in needed.items():
        answers = client.get(reverse(name, args=["papers"])), client.get(reverse(name, args=["none"]))
        assert [answer.status_code for answer in answers] == [200 if may >= rank else 404, 404], name
        if may < rank:
            told = [answer.content.decode().replace("papers", "none") for answer in answers]
            assert _without_tokens(told[0]) == _without_tokens(told[1]), "and does not tell that it is there"
            assert client.post(reverse(name, args=["papers"]), {"name": "Mine", "text": "x"}).status_code in (404, 405)
    assert Collection.objects.get(pk=papers.pk).name == "Papers"
    assert not Document.objects.exists()


def _without_tokens(page: str) -> str:
    return "\n".join(line for line in page.splitlines() if "csrfmiddlewaretoken" not in line)


def test_a_manager_changes_the_settings_and_not_the_short_name(client, papers, sign_in):
    sign_in("manager")
    data = {"name": "Archive", "description": "All of it.", "visibility": "signed_in", "slug": "archive"}
    response = client.post(reverse("collection_settings", args=["papers"]), data, follow=True)
    assert "settings are saved" in response.content.decode()
    changed = Collection.objects.get()
    assert (changed.name, changed.slug, changed.visibility) == ("Archive", "papers", "signed_in")
    entry = Entry.objects.get(action=Action.COLLECTION_CHANGED)
    assert (entry.username, set(entry.details)) == ("manager", {"name", "description", "visibility"})
    refused = client.post(reverse("collection_settings", args=["papers"]), {**data, "name": "", "visibility": "x"})
    assert set(refused.context["form"].errors) == {"name", "visibility"}
    assert refused.context["collection"].name == "Archive", "what was typed is not shown as if it were saved"


def test_whoever_makes_a_collection_becomes_its_manager(client, db):
    user = User.objects.create_user("maker")
    client.force_login(user)
    assert client.get(reverse("collection_new")).status_code == 404
    assert reverse("collection_new") not in shown(client, "library")
    user.user_permissions.add(Permission.objects.get(codename="add_collection"))
    assert reverse("collection_new") in shown(client, "library")
    data = {"name": "预算", "slug": "", "description": "", "visibility": "members"}
    assert client.post(reverse("collection_new"), data)["Location"] == reverse("collection", args=["collection"])
    made = Collection.objects.get()
    assert (made.name, made.slug) == ("预算", "collection")
    assert list(made.memberships.values_list("user", "role")) == [(user.pk, Role.MANAGER)]
    assert {entry.username for entry in Entry.objects.filter(action=Action.COLLECTION_ADDED)} == {"maker"}
    twice = client.post(reverse("collection_new"), {**data, "slug": "not valid"})
    assert set(twice.context["form"].errors) == {"name", "slug"}
    assert Collection.objects.count() == 1


def test_what_everyone_means_is_said_as_it_is_on_this_site(client, papers, sign_in, settings):
    sign_in("manager")
    assert "Everyone who can reach this site" in shown(client, "collection_settings", "papers")
    settings.SEARCHSITE_REQUIRE_LOGIN = True
    page = shown(client, "collection_settings", "papers")
    assert "Everyone who can reach this site" not in page
    assert page.count("Everyone who has an account here") == 2


def test_where_there_is_nothing_to_search_editors_are_led_to_uploading(client, papers, sign_in):
    sign_in("reader")
    assert reverse("upload") not in shown(client, "search")
    Membership.objects.update(role=Role.EDITOR)
    page = shown(client, "search")
    assert f'<li><a href="{reverse("upload")}">' in page
    assert reverse("collection_new") not in page


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Leave & travel", "leave-travel"), ("预算", "collection"), ("2026 预算", "2026"), ("Ｈａｎｄ book", "hand-book")],
)
def test_a_short_name_is_made_from_the_name(db, name, slug):
    assert slug_for(name) == slug
    for taken in (slug, f"{slug}-2"):
        Collection.objects.create(name=taken, slug=taken)
    assert slug_for(name) == f"{slug}-3"
    assert len(slug_for("many words " * 20)) <= 60


def test_a_superusers_look_into_a_members_collection_is_written_down(client, papers, public, sign_in):
    superuser = sign_in("superuser")
    client.get(reverse("collection", args=["papers"]))
    client.get(reverse("collection", args=["public"]))
    entry = Entry.objects.get(action=Action.LOOKED)
    assert (entry.user_id, entry.collection, entry.about) == (superuser.pk, "Papers", "library")


def test_the_ways_to_the_library_are_offered_to_those_who_find_something_there(client, papers, sign_in):
    assert reverse("library") not in shown(client, "search")
    user = sign_in("reader")
    page = shown(client, "search")
    assert f'href="{reverse("library")}"' in page
    assert f'href="{reverse("upload")}"' not in page
    Membership.objects.all().delete()
    assert reverse("library") not in shown(client, "search")
    group = Group.objects.create(name="writers")
    user.groups.add(group)
    Membership.objects.create(collection=papers, group=group, role=Role.EDITOR)
    assert f'href="{reverse("upload")}"' in shown(client, "search")
