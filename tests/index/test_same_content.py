"""The same content at two places: both are kept, linked, read once and encoded once."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from searchsite.documents import reading, revisions
from searchsite.documents.models import Collection, Document, Job, Revision, State
from searchsite.documents.uploads import take_in
from searchsite.index import backends, space
from searchsite.index.models import Vector
from searchsite.search.retrieve import search

pytestmark = pytest.mark.django_db

LONG_LINE = (
    b"Water the beans in the evening, the pears in the morning, and the quinces whenever the soil is dry to the touch."
)


@pytest.fixture
def upload(django_capture_on_commit_callbacks):
    def _upload(collection, name: str, content: bytes = LONG_LINE) -> Document:
        with django_capture_on_commit_callbacks(execute=True):
            document = take_in(collection, SimpleUploadedFile(name, content), None)
        document.refresh_from_db()
        assert document.state == State.READY, document.reason
        return document

    return _upload


@pytest.fixture
def read_and_encoded(monkeypatch):
    """Counts what is read, and how many texts are encoded."""
    counts = {"read": 0, "encoded": 0}
    space.current()  # encodes the parallel texts, which are not to be counted
    real_read, encoder = reading.read, backends.get_encoder()

    def read(*args):
        counts["read"] += 1
        return real_read(*args)

    class Counting:
        def encode_passages(self, texts, *rest, **named):
            counts["encoded"] += len(texts)
            return encoder.encode_passages(texts, *rest, **named)

        def encode_queries(self, *rest, **named):
            return encoder.encode_queries(*rest, **named)

    monkeypatch.setattr(reading, "read", read)
    monkeypatch.setattr(backends, "get_encoder", Counting)
    return counts


def test_it_is_read_and_encoded_once_and_found_twice(public, upload, read_and_encoded):
    first, second = upload(public, "beans.txt"), upload(public, "copy of beans.txt")
    assert read_and_encoded == {"read": 1, "encoded": 1}
    assert (first.shown_title, second.shown_title) == ("beans", "copy of beans")
    assert Vector.objects.count() == 2
    assert len(set(map(bytes, Vector.objects.values_list("data", flat=True)))) == 1
    answer = search(_anonymous(), "water the beans", 1)
    assert {result.document.pk for result in answer.results} == {first.pk, second.pk}


def test_a_title_of_its_own_is_encoded_anew(public, upload, read_and_encoded, django_capture_on_commit_callbacks):
    upload(public, "beans.txt")
    second = upload(public, "copy.txt")
    with django_capture_on_commit_callbacks(execute=True):
        second.title = "When to water"
        second.save()
    assert read_and_encoded == {"read": 1, "encoded": 2}


def test_the_same_bytes_under_another_ending_are_read_as_what_they_are(public, upload, read_and_encoded):
    source = b"# Beans\n\nWater the *beans* in the evening."
    first, second = upload(public, "beans.md", source), upload(public, "beans.txt", source)
    assert read_and_encoded["read"] == 2
    assert (first.live_revision.kind, second.live_revision.kind) == ("markdown", "text")


def test_typed_text_is_markdown_whatever_a_file_without_ending_held(
    public, upload, read_and_encoded, django_capture_on_commit_callbacks
):
    source = b"# Beans\n\nWater the *beans* in the evening."
    upload(public, "README", source)
    with django_capture_on_commit_callbacks(execute=True):
        typed = Document(collection=public, text=source.decode())
        typed.save()
    typed.refresh_from_db()
    assert (typed.live_revision.kind, typed.shown_title) == ("markdown", "Beans")


@pytest.mark.parametrize(
    ("first", "second", "content", "titles"),
    [
        ("report.html", "other.html", b"<title>report</title><p>Water the beans.</p>", ("report", "report")),
        (".bashrc", ".zshrc", LONG_LINE, ("bashrc", "zshrc")),
        ("a.py", "b.py", b"x = 1", ("a.py", "b.py")),
    ],
)
def test_each_copy_is_titled_by_the_file_or_by_its_own_name(public, upload, first, second, content, titles):
    assert (upload(public, first, content).shown_title, upload(public, second, content).shown_title) == titles


def test_text_is_shared_with_a_copy_that_was_given_a_title(
    public, upload, read_and_encoded, django_capture_on_commit_callbacks
):
    first = upload(public, "beans.txt")
    with django_capture_on_commit_callbacks(execute=True):
        first.title = "When to water"
        first.save()
    read_and_encoded["read"] = 0
    assert upload(public, "copy.txt").shown_title == "copy"
    assert read_and_encoded["read"] == 0


def test_typed_text_with_a_long_first_line_is_titled_by_its_beginning(public, add):
    document = add(public, LONG_LINE.decode() + " And so on, for ever.")
    assert document.shown_title == "Water the beans in the evening, the pears in the morning, an…"


def test_a_file_in_place_of_another_is_read_as_what_it_is(public, upload, django_capture_on_commit_callbacks):
    document = upload(public, "beans.txt")
    with django_capture_on_commit_callbacks(execute=True):
        document.file = SimpleUploadedFile("beans.md", b"# Beans\n\nWater the *beans*.")
        document.save()
    document.refresh_from_db()
    assert (document.name, document.live_revision.kind) == ("beans.md", "markdown")


def test_a_document_deleted_while_it_is_read_leaves_nothing(public, upload, monkeypatch, caplog):
    real = reading.read

    def read_and_delete(*args):
        extracted = real(*args)
        Document.objects.all().delete()
        return extracted

    monkeypatch.setattr(reading, "read", read_and_delete)
    document = Document(collection=public, text="Water the beans.")
    document.save()
    from searchsite.index.ingest import ingest

    ingest(Job(document_id=document.pk), lambda *_progress: None)
    assert not Revision.objects.exists()


def test_a_new_version_of_the_pipeline_reads_both_once(public, upload, read_and_encoded, monkeypatch):
    first, second = upload(public, "beans.txt"), upload(public, "copy.txt")
    monkeypatch.setattr(revisions, "VERSION", revisions.VERSION + 1)
    for document in (first, second):
        document.try_again()
    from searchsite.tasks import work

    work.func()
    assert read_and_encoded == {"read": 2, "encoded": 1}
    assert {d.live_revision.pipeline for d in Document.objects.all()} == {revisions.pipeline()}


def test_the_page_links_the_copies_that_the_reader_may_see(public, upload, client):
    hidden = Collection.objects.create(name="Hidden", slug="hidden", visibility=Collection.Visibility.MEMBERS)
    first, second, third = upload(public, "beans.txt"), upload(public, "copy.txt"), upload(hidden, "secret.txt")
    page = client.get(reverse("document", args=[first.pk])).content.decode()
    assert f'href="{second.get_absolute_url()}"' in page
    assert third.get_absolute_url() not in page
    assert "secret" not in page


def test_the_admin_links_all_copies(public, upload, admin_client):
    first, second = upload(public, "beans.txt"), upload(public, "copy.txt")
    page = admin_client.get(reverse("admin:documents_document_change", args=[first.pk])).content.decode()
    assert reverse("admin:documents_document_change", args=[second.pk]) in page


def test_uploading_a_copy_says_so_and_keeps_it(public, upload, admin_client):
    first = upload(public, "beans.txt")
    page = admin_client.post(
        reverse("upload"),
        {"collection": public.pk, "files": SimpleUploadedFile("copy.txt", LONG_LINE)},
        follow=True,
    ).content.decode()
    linked = f'<a href="{first.get_absolute_url()}">beans.txt</a>'
    assert f"The same content is already kept as “{linked}” in Public; both are kept." in page
    assert Document.objects.count() == 2


def _anonymous():
    from django.contrib.auth.models import AnonymousUser

    return AnonymousUser()
