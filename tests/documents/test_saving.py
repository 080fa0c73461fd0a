"""Saving queues the work, by whatever way a document is saved, and only when its text or title changed."""

from __future__ import annotations

import hashlib
import io
import os
import time
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction

from searchsite.documents import changes
from searchsite.documents.addresses import document_at
from searchsite.documents.models import Change, ChangeCounter, Collection, Document, Job, State
from searchsite.documents.problems import Problem
from searchsite.documents.uploads import take_in

pytestmark = pytest.mark.django_db


def queued() -> list[int]:
    return list(Job.objects.filter(state=State.QUEUED).order_by("pk").values_list("document_id", flat=True))


def test_plain_save_queues_one_job_however_often_it_is_saved(public):
    document = Document(collection=public, text="a text")
    document.save()
    document.text = "another text"
    document.save()
    assert queued() == [document.pk]


def test_saving_what_is_not_encoded_queues_nothing(public, add):
    document = add(public, "a text")
    assert document.state == State.READY
    document.source = "elsewhere"
    document.save()
    assert queued() == []
    document.title = "A title"
    document.save()
    assert queued() == [document.pk]


def test_save_with_update_fields_saves_what_follows_from_them(public, add):
    document = add(public, "a text")
    document.text = "new"
    document.save(update_fields=["text"])
    document.refresh_from_db()
    assert document.content_hash == hashlib.sha256(b"new").hexdigest()
    assert (document.state, queued()) == (State.QUEUED, [document.pk])


def test_bulk_create_queues_all(public):
    made = Document.objects.bulk_create(Document(collection=public, text=f"text {n}") for n in range(3))
    assert queued() == [document.pk for document in made]
    assert made[1].content_hash == hashlib.sha256(b"text 1").hexdigest()


@pytest.mark.parametrize("change", [{"title": "new"}, {"text": "new"}])
def test_update_of_a_queryset_queues(public, add, change):
    first, second = add(public, "one"), add(public, "two")
    Document.objects.filter(pk=first.pk).update(**change)
    assert queued() == [first.pk]
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == (State.QUEUED, State.READY)


def test_bulk_update_queues(public, add):
    documents = [add(public, "one"), add(public, "two")]
    for document in documents:
        document.title = "new " + document.text
    Document.objects.bulk_update(documents, ["title"])
    assert sorted(queued()) == [document.pk for document in documents]


def test_a_rolled_back_save_queues_nothing(public):
    with transaction.atomic():
        Document(collection=public, text="x").save()
        assert len(queued()) == 1
        transaction.set_rollback(True)
    assert queued() == []
    assert not Document.objects.exists()


def test_moving_and_deleting_tell_the_indexes_and_encode_nothing(public, add):
    document = add(public, "one")
    other = Collection.objects.create(name="Other", slug="other")
    before = ChangeCounter.objects.get().value
    document.collection = other
    document.save()
    assert changes.since(before, before + 1) == [document.pk]
    Document.objects.filter(pk=document.pk).update(collection=public)
    assert changes.since(before + 1, before + 2) == [document.pk]
    assert queued() == []
    pk = document.pk
    public.delete()  # the cascade, too
    assert changes.since(before + 2, before + 3) == [pk]
    assert ChangeCounter.objects.get().value == before + 3


def test_each_change_has_a_higher_number(db):
    assert [changes.record([5]), changes.record([6, 7]), changes.record([5])] == [1, 2, 3]
    assert changes.since(1, 3) == [5, 6, 7]
    assert Change.objects.count() == 4


def test_originals_are_stored_once_under_their_hash(public):
    content = b"the same content"
    first, second = (take_in(public, SimpleUploadedFile(name, content), None) for name in ("a.txt", "b.txt"))
    assert first.file.name == second.file.name
    assert first.file.name.endswith(hashlib.sha256(content).hexdigest())
    assert (first.name, second.name, first.size) == ("a.txt", "b.txt", len(content))
    with second.file.open() as stored:
        assert stored.read() == content


def test_a_name_with_a_path_in_it_goes_nowhere(public, settings):
    hostile = SimpleUploadedFile("x", b"hostile")
    hostile._name = "../../../etc/cron.d/evil.txt"
    document = take_in(public, hostile, None)
    assert document.name == "evil.txt"
    assert Path(document.file.path).is_relative_to(settings.DATA_DIR / "originals")
    assert document.file.name.endswith(hashlib.sha256(b"hostile").hexdigest())
    assert not list(settings.DATA_DIR.rglob("*evil*"))


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "empty"), (b"x" * (1024 * 1024 + 1), "at most 1 MB")], ids=["empty", "large"]
)
def test_what_is_refused_gets_a_sentence_and_leaves_nothing(public, settings, content, says):
    settings.SEARCHSITE_MAX_FILE_MB = 1
    with pytest.raises(Problem) as refused:
        take_in(public, SimpleUploadedFile("a.txt", content), None)
    assert says in str(refused.value)
    assert not Document.objects.exists()


def test_the_same_source_twice_in_a_collection_is_refused(public):
    Document(collection=public, text="x", source="a/b").save()
    with pytest.raises(IntegrityError), transaction.atomic():
        Document(collection=public, text="y", source="a/b").save()


def test_a_file_saved_by_plain_code(public):
    document = Document(collection=public, name="note.md")
    document.file.save("note.md", ContentFile(b"# Note\n\nText."), save=False)
    document.save()
    assert document.content_hash == hashlib.sha256(b"# Note\n\nText.").hexdigest()
    document = Document(collection=public, file=SimpleUploadedFile("n.txt", io.BytesIO(b"abc").read()))
    document.save()
    assert document.size == 3


def test_a_save_of_what_was_read_long_ago_puts_nothing_back(public, django_capture_on_commit_callbacks):
    """Read before the worker was done, moved and saved after it: what the worker wrote stays."""
    with django_capture_on_commit_callbacks(execute=True):
        document = Document(collection=public, text="apples")
        document.save()
    assert document.live_revision is None, "as it was when it was saved"
    document.collection = Collection.objects.create(name="Other", slug="other")
    document.save()
    document.refresh_from_db()
    assert (document.state, document.collection.slug) == (State.READY, "other")
    assert document.live_revision is not None


def test_half_written_originals_are_removed_when_their_writer_is_long_gone(public, settings):
    from searchsite.documents.models.documents import originals
    from searchsite.tasks import sweep_originals

    kept = take_in(public, SimpleUploadedFile("a.txt", b"whole"), None)
    incoming = Path(originals().location) / "incoming"
    old, new = incoming / "old", incoming / "new"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * 24 * 3600,) * 2)
    sweep_originals()
    assert (old.exists(), new.exists()) == (False, True)
    assert kept.file.read() == b"whole"
    new.unlink()


def test_documents_without_content_are_no_copies_of_each_other(public, settings):
    settings.SEARCHSITE_FETCH_NETWORKS = []
    first, second = (document_at(public, f"http://127.0.0.1/{n}")[0] for n in range(2))
    assert first.content_hash == second.content_hash
    assert not first.twins()


@pytest.mark.parametrize("of", ["a document", "documents", "a collection", "collections"])
def test_whatever_way_documents_are_deleted_each_is_told_to_the_indexes_once(public, add, of):
    ids = [add(public, text).pk for text in ("apples", "pears", "plums")]
    before = changes.lock().value
    gone = {"a document": ids[:1], "documents": ids[1:]}.get(of, ids)
    if of == "a document":
        Document.objects.get(pk=ids[0]).delete()
    elif of == "documents":
        Document.objects.filter(pk__in=gone).delete()
    elif of == "a collection":
        public.delete()
    else:
        Collection.objects.all().delete()
    assert sorted(Change.objects.filter(number__gt=before).values_list("document_id", flat=True)) == gone
    assert not Document.objects.filter(pk__in=gone).exists()
