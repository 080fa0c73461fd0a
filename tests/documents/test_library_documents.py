"""What editors do with documents in the library: add, edit, delete, try again; with one, and with many at once."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from searchsite.documents import uploads
from searchsite.documents.models import Collection, Document, Job, Membership, Role, State, Tag
from searchsite.people.models import Action, Entry

pytestmark = pytest.mark.django_db


@pytest.fixture
def commit(django_capture_on_commit_callbacks):
    """Within it, what is saved is worked off as a committed transaction would be."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


@pytest.fixture
def papers(db) -> Collection:
    return Collection.objects.create(name="Papers", slug="papers")


@pytest.fixture
def hidden(db) -> Collection:
    """A collection in which nobody here has a role."""
    return Collection.objects.create(name="Hidden", slug="hidden")


@pytest.fixture
def editor(client, papers) -> User:
    """Signed in."""
    user = User.objects.create_user("editor")
    Membership.objects.create(collection=papers, user=user, role=Role.EDITOR)
    client.force_login(user)
    return user


@pytest.fixture
def other(editor) -> Collection:
    """Another collection that the editor may change."""
    made = Collection.objects.create(name="Other", slug="other")
    Membership.objects.create(collection=made, user=editor, role=Role.MANAGER)
    return made


@pytest.fixture
def elsewhere(hidden, add) -> Document:
    """A document that the editor may not even see."""
    return add(hidden, "secret plans")


def act(client, do: str, documents, **fields) -> str:
    """Choose these documents on the page of `papers`, and what is to be done; returns the page that comes."""
    data = {"do": do, "document": [document.pk for document in documents], **fields}
    response = client.post(reverse("documents_change", args=["papers"]), data, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def wrote(action: Action) -> list[str]:
    """What the audit log holds of an action: about what it was."""
    return sorted(Entry.objects.filter(action=action).values_list("about", flat=True))


def test_a_text_that_is_typed_in_is_found_and_written_down(client, editor, papers, commit):
    data = {"title": "", "text": "# Quinces\n\nThey are yellow.", "tags": "fruit, 2026"}
    with commit():
        response = client.post(reverse("document_add", args=["papers"]), data)
    document = Document.objects.get()
    assert response["Location"] == document.get_absolute_url()
    assert (document.collection, document.added_by, document.state) == (papers, editor, State.READY)
    assert sorted(document.tags.values_list("name", flat=True)) == ["2026", "fruit"]
    assert "Quinces" in client.get("/", {"q": "yellow quinces"}).content.decode()
    assert Entry.objects.get(action=Action.ADDED).about_id == document.pk
    refused = client.post(reverse("document_add", args=["papers"]), {"text": "  ", "tags": "never"})
    assert refused.status_code == 200
    assert "Type a text." in refused.content.decode()
    assert not Tag.objects.filter(name="never").exists()


def test_a_typed_text_is_edited_and_read_again(client, editor, papers, add, commit):
    document = add(papers, "First version.")
    address = reverse("document_edit", args=[document.pk])
    assert "First version." in client.get(address).content.decode()
    data = {"collection": papers.pk, "title": "Notes", "text": "Second version.", "tags": ""}
    with commit():
        page = client.post(address, data, follow=True).content.decode()
    document.refresh_from_db()
    assert (document.title, document.live_revision.text.strip()) == ("Notes", "Second version.")
    assert "have been read" in page
    assert Entry.objects.get(action=Action.CHANGED).details == {"changed": ["text", "title"]}


def test_a_file_stays_when_no_other_is_chosen_and_can_be_replaced(client, editor, papers, commit):
    with commit():
        document = uploads.add_file(uploads.begin(papers, editor), "a.txt", SimpleUploadedFile("x", b"apples")).document
    address = reverse("document_edit", args=[document.pk])
    data = {"collection": papers.pk, "title": "Fruit", "tags": ""}
    with commit():
        client.post(address, data)
    kept = Document.objects.get()
    assert (kept.title, kept.name, kept.file.name) == ("Fruit", "a.txt", document.file.name)
    with commit():
        client.post(address, {**data, "file": SimpleUploadedFile("pears.md", b"# Pears\n\nGreen.")})
    changed = Document.objects.get()
    assert (changed.name, changed.state) == ("pears.md", State.READY)
    assert "Green." in changed.live_revision.text
    refused = client.post(address, {**data, "file": SimpleUploadedFile("....", b"text")})
    assert refused.status_code == 200
    assert refused.context["form"].errors["file"]


def test_a_fetched_document_keeps_what_was_fetched(client, editor, papers, add):
    document = add(papers, "apples", url="https://example.com/a", source="https://example.com/a")
    address = reverse("document_edit", args=[document.pk])
    page = client.get(address).content.decode()
    assert "https://example.com/a" in page
    client.post(address, {"collection": papers.pk, "title": "Fruit", "tags": "", "text": "mine"})
    document.refresh_from_db()
    assert (document.title, document.text) == ("Fruit", "apples")


def test_a_document_is_moved_among_the_collections_that_one_may_change(client, editor, papers, other, hidden, add):
    document = add(papers, "apples")
    address = reverse("document_edit", args=[document.pk])
    page = client.get(address).content.decode()
    assert "Other" in page
    assert "Hidden" not in page
    data = {"title": "", "text": "apples", "tags": ""}
    refused = client.post(address, {**data, "collection": hidden.pk})
    assert refused.context["form"].errors["collection"] == client.post(
        address, {**data, "collection": 10**9}
    ).context["form"].errors["collection"]  # fmt: skip
    client.post(address, {**data, "collection": other.pk})
    assert Document.objects.get().collection == other
    assert not Job.objects.filter(state=State.QUEUED).exists(), "it is not read again"
    entry = Entry.objects.get(action=Action.MOVED)
    assert (entry.collection, entry.details["moved_from"]) == ("Other", "Papers")


@pytest.mark.parametrize("meanwhile", ["deleted", "moved"])
def test_what_was_deleted_or_moved_meanwhile_is_not_saved_again(
    client, editor, papers, hidden, add, monkeypatch, meanwhile
):
    document = add(papers, "apples")

    def goes_meanwhile(_document) -> None:
        monkeypatch.undo()
        found = Document.objects.filter(pk=document.pk)
        found.delete() if meanwhile == "deleted" else found.update(collection=hidden)

    monkeypatch.setattr(Document, "take_in_source", goes_meanwhile)
    data = {"collection": papers.pk, "title": "", "text": "pears", "tags": ""}
    assert client.post(reverse("document_edit", args=[document.pk]), data).status_code == 404
    left = list(Document.objects.values_list("text", "collection"))
    assert left == ([] if meanwhile == "deleted" else [("apples", hidden.pk)])


def test_a_document_is_deleted_only_after_asking(client, editor, papers, add):
    document = add(papers, "# Apples\n\nThey are red.")
    address = reverse("document_delete", args=[document.pk])
    assert "Apples" in client.get(address).content.decode()
    assert Document.objects.exists()
    page = client.post(address, follow=True).content.decode()
    assert "“Apples” was deleted." in page
    assert not Document.objects.exists()
    entry = Entry.objects.get(action=Action.DELETED)
    assert (entry.username, entry.about, entry.collection) == ("editor", "Apples", "Papers")


@pytest.mark.parametrize("role", ["stranger", "outsider", "reader"])
def test_for_who_may_not_change_it_there_is_no_page_to_do_so(client, public, add, role):
    document = add(public, "apples")
    if role != "stranger":
        user = User.objects.create_user(role, is_staff=True)
        client.force_login(user)
        if role == "reader":
            Membership.objects.create(collection=public, user=user, role=Role.READER)
    Document.objects.update(state=State.CANCELLED)
    reading = client.get(document.get_absolute_url()).content.decode()
    for name in ("document_edit", "document_delete", "document_again"):
        address = reverse(name, args=[document.pk])
        assert address not in reading
        assert client.post(address, {"text": "mine", "collection": public.pk}).status_code == 404
        if name != "document_again":
            assert client.get(address).status_code == 404
    assert client.post(reverse("documents_change", args=["public"]), {"do": "again", "all": "on"}).status_code == 404
    assert Document.objects.values_list("text", "state").get() == ("apples", State.CANCELLED)


def test_editors_find_the_ways_to_change_it_on_its_page(client, editor, papers, add):
    document = add(papers, "apples")
    page = client.get(document.get_absolute_url()).content.decode()
    for name in ("document_edit", "document_delete"):
        assert reverse(name, args=[document.pk]) in page


def test_nothing_is_changed_by_reading_or_without_a_token(client, editor, papers, add):
    document = add(papers, "apples")
    changing = [reverse("document_again", args=[document.pk]), reverse("documents_change", args=["papers"])]
    for address in changing:
        assert client.get(address).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(editor)
    for address in (*changing, *(reverse(name, args=[document.pk]) for name in ("document_edit", "document_delete"))):
        assert strict.post(address, {"do": "delete", "confirmed": "yes", "all": "on"}).status_code == 403
    assert Document.objects.exists()


def test_fetching_again_is_offered_where_a_document_has_an_address(client, editor, papers, add):
    add(papers, "pears")
    client.force_login(editor)
    page = reverse("collection", args=[papers.slug])
    assert 'value="fetch"' not in client.get(page).content.decode()
    add(papers, "plums", title="Plums", url="https://example.com/a", source="a")
    assert 'value="fetch"' in client.get(page, {"title": "pears"}).content.decode(), "also on another page of the list"


def test_many_are_tried_again_and_fetched_again(client, editor, papers, add):
    failed, typed = add(papers, "apples"), add(papers, "pears")
    fetched = add(papers, "plums", url="https://example.com/a", source="a")
    Document.objects.update(state=State.FAILED)
    assert "2 documents are being read again." in act(client, "again", [failed, typed])
    assert set(Job.objects.filter(state=State.QUEUED).values_list("document", flat=True)) == {failed.pk, typed.pk}
    page = act(client, "fetch", [fetched, typed])
    assert "1 document is being fetched again. 1 has no address and was left alone." in page
    assert "2 jobs were cancelled." in act(client, "cancel", [failed, fetched])
    assert set(Document.objects.filter(state=State.CANCELLED)) == {failed, fetched}


def test_many_are_deleted_only_after_asking(client, editor, papers, add, elsewhere):
    first, second, third = (add(papers, f"# {name}\n\nText.") for name in ("Apples", "Pears", "Plums"))
    asked = act(client, "delete", [first, second, elsewhere])
    assert "Delete 2 documents?" in asked
    assert "Pears" in asked
    assert "Plums" not in asked
    assert "secret" not in asked
    assert Document.objects.count() == 4
    fields = {"do": "delete", "confirmed": "yes", "documents": f"{first.pk},{second.pk},{elsewhere.pk},x"}
    page = client.post(reverse("documents_change", args=["papers"]), fields, follow=True).content.decode()
    assert "2 documents were deleted." in page
    assert set(Document.objects.all()) == {third, elsewhere}
    assert wrote(Action.DELETED) == ["Apples", "Pears"]


def test_many_are_moved_and_those_whose_source_is_there_stay(client, editor, papers, other, hidden, add):
    free, taken = add(papers, "apples", source="a.md"), add(papers, "pears", source="b.md")
    typed = add(papers, "plums")
    add(other, "pears, too", source="b.md")
    for nowhere in (hidden.pk, "", "x", papers.pk):
        assert "Choose the collection" in act(client, "move", [free], to=nowhere)
    page = act(client, "move", [free, taken, typed], to=other.pk)
    assert "2 documents were moved to Other." in page
    assert "1 stays" in page
    assert set(Document.objects.filter(collection=other)) >= {free, typed}
    assert Document.objects.get(pk=taken.pk).collection == papers
    assert len(wrote(Action.MOVED)) == 2


def test_many_are_tagged_and_untagged(client, editor, papers, add, elsewhere):
    first, second, third = (add(papers, text) for text in ("apples", "pears", "plums"))
    elsewhere.tags.add(Tag.objects.create(name="2026"))
    first.tags.add(Tag.objects.create(name="fruit"))
    assert "The tags of 1 document were changed." in act(client, "tag", [first, second, elsewhere], tags="fruit")
    assert "The tags of 2 documents were changed." in act(client, "tag", [first, second], tags="2026，fruit")
    assert set(Document.objects.filter(tags__name="fruit")) == {first, second}
    page = act(client, "untag", [first, third, elsewhere], tags="2026, never")
    assert "The tags of 1 document were changed." in page
    assert set(Document.objects.filter(tags__name="2026")) == {second, elsewhere}
    assert not Tag.objects.filter(name="never").exists()
    assert "Type the tags first" in act(client, "tag", [first], tags=" , ")
    assert len(wrote(Action.CHANGED)) == 4


def test_all_of_the_list_are_those_that_it_shows_on_every_page(client, editor, papers):
    Document.objects.bulk_create(Document(collection=papers, title=f"Plan {n}", text=str(n)) for n in range(60))
    Document.objects.bulk_create(Document(collection=papers, title=f"Note {n}", text=str(n)) for n in range(3))
    Document.objects.filter(title="Plan 7").update(state=State.READY)
    page = act(client, "cancel", [], all="on", title="plan", state="queued", page="2")
    assert "59 jobs were cancelled." in page
    assert Document.objects.filter(state=State.CANCELLED, title__startswith="Plan").count() == 59
    assert Document.objects.filter(state=State.QUEUED, title__startswith="Note").count() == 3


def test_too_many_none_and_nonsense_are_answered_with_a_sentence(client, editor, papers, add, monkeypatch):
    from searchsite.documents.views import bulk

    document, other = add(papers, "apples"), add(papers, "pears")
    assert "Tick the documents first." in act(client, "again", [])
    assert "Tick the documents first." in act(client, "delete", [Document(pk=10**15)])
    act(client, "explode", [document])
    monkeypatch.setattr(bulk, "MOST", 1)
    assert "At most 1 documents" in act(client, "delete", [document, other])
    assert "At most 1 documents" in act(client, "delete", [], all="on", confirmed="yes")
    assert Document.objects.filter(state=State.READY).count() == 2


def test_one_comes_back_to_the_list_one_looked_at(client, editor, papers, add):
    document = add(papers, "apples")
    looked_at = {"do": "again", "document": document.pk, "state": "ready", "title": "a&b", "page": "3"}
    address = client.post(reverse("documents_change", args=["papers"]), looked_at)["Location"]
    assert address == "/collections/papers/?state=ready&title=a%26b&page=3"


def test_deleting_many_asks_the_database_no_more_for_each_than_what_is_written_down(client, editor, papers):
    counts = []
    for number in (100, 200):
        Document.objects.bulk_create(Document(collection=papers, title=f"{n}", text=str(n)) for n in range(number))
        data = {"do": "delete", "confirmed": "yes", "all": "on"}
        with CaptureQueriesContext(connection) as asked:
            client.post(reverse("documents_change", args=["papers"]), data)
        counts.append(len(asked))
        assert not Document.objects.exists()
    assert counts[1] - counts[0] < 3 * 100


def test_a_superusers_look_at_a_document_to_change_it_is_written_down(client, papers, add):
    document = add(papers, "# Apples\n\nThey are red.")
    client.force_login(User.objects.create_superuser("root"))
    client.get(reverse("document_edit", args=[document.pk]))
    entry = Entry.objects.get(action=Action.LOOKED)
    assert (entry.about_id, entry.about, entry.collection) == (document.pk, "Apples", "Papers")
