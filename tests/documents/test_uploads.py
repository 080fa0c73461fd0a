"""Uploads, beneath their pages: tags as people write them, files that come twice, archives that are cancelled."""

from __future__ import annotations

import io
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from searchsite import tasks
from searchsite.documents import addresses, jobs, unpack, uploads
from searchsite.documents.models import Collection, Document, Job, State, Upload, UploadItem

pytestmark = pytest.mark.django_db


def archive_of(count: int) -> SimpleUploadedFile:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for n in range(count):
            archive.writestr(f"{n:03}.txt", f"text {n}")
    return SimpleUploadedFile("x.zip", packed.getvalue())


@pytest.fixture
def upload(public) -> Upload:
    return uploads.begin(public, None, "plans", announced=1)


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("plan, 2024；预算", ["plan", "2024", "预算"]),
        ("a、b，c;d\ne", ["a", "b", "c", "d", "e"]),
        ("  two   words , ,two words", ["two words"]),
        ("", []),
        ("x" * 100, ["x" * 60]),
    ],
)
def test_tags_are_separated_as_people_do_it(db, written, names):
    assert [tag.name for tag in uploads.tags_named(written)] == names


def test_a_refused_file_may_come_again_mended(upload):
    refused = uploads.add_file(upload, "a.txt", SimpleUploadedFile("a.txt", b""))
    assert "empty" in refused.reason
    item = uploads.add_file(upload, "a.txt", SimpleUploadedFile("a.txt", b"apples"))
    assert (item.pk, item.reason, item.document.name) == (refused.pk, "", "a.txt")
    assert [tag.name for tag in item.document.tags.all()] == ["plans"]


def test_the_many_wait_behind_those_that_somebody_waits_for(public):
    large, small = uploads.begin(public, None, announced=2000), uploads.begin(public, None, announced=2)
    late = uploads.add_file(large, "a.txt", SimpleUploadedFile("a.txt", b"apples"))
    soon = uploads.add_file(small, "b.txt", SimpleUploadedFile("b.txt", b"pears"))
    assert [jobs.claim(worker).document_id for worker in ("1", "2")] == [soon.document_id, late.document_id]


def test_an_archive_that_is_cancelled_stops_and_goes_on_where_it_was(upload):
    """Somebody cancels while the first batch is stored, which they do not see."""
    uploads.add_file(upload, "x.zip", archive_of(50))
    seen = []

    def unpack_and_be_cancelled(job, progress):
        def report(step, done, total):
            progress(step, done, total)
            if not seen:
                seen.append(uploads.cancel(upload))

        unpack.unpack(job, report)

    job = jobs.run_next({Job.Kind.UNPACK: unpack_and_be_cancelled}, "worker")
    job.refresh_from_db()
    assert seen == [1]
    assert job.state == State.CANCELLED
    assert Document.objects.count() == unpack.BATCH
    assert not Job.objects.open().exists(), "nor does what was unpacked meanwhile wait"
    assert uploads.counts(upload) == {State.CANCELLED: unpack.BATCH + 1}
    assert uploads.try_again(upload) == unpack.BATCH + 1
    while jobs.run_next(tasks.HANDLERS, "worker"):
        pass
    assert uploads.counts(upload) == {State.READY: 51}
    assert Document.objects.filter(tags__name="plans").count() == 50


def test_one_cancelled_archive_that_is_tried_again_is_not_cancelled_at_once(upload):
    item = uploads.add_file(upload, "x.zip", archive_of(3))
    uploads.cancel(upload)
    uploads.try_item_again(item)
    while jobs.run_next(tasks.HANDLERS, "worker"):
        pass
    assert uploads.counts(upload) == {State.READY: 4}


def test_a_running_job_ends_at_its_next_sign_of_progress(upload):
    uploads.add_file(upload, "a.txt", SimpleUploadedFile("a.txt", b"apples"))
    reached = []

    def work(job, progress):
        progress("encoding", 1, 3)
        uploads.cancel(upload)
        progress("encoding", 2, 3)
        reached.append(True)

    job = jobs.run_next({Job.Kind.INGEST: work}, "worker")
    job.refresh_from_db()
    assert (job.state, Document.objects.get().state, reached) == (State.CANCELLED, State.CANCELLED, [])


def test_an_address_given_twice_is_one_document_that_is_fetched_once(public, upload):
    for given in (upload, uploads.begin(public, None), upload):
        addresses.add_address(given, " https://example.com/a ")
    assert Document.objects.get().url == "https://example.com/a"
    assert Job.objects.get(state=State.QUEUED).kind == Job.Kind.FETCH
    assert UploadItem.objects.count() == 2
    elsewhere = uploads.begin(Collection.objects.create(name="Other", slug="other"), None)
    addresses.add_address(elsewhere, "https://example.com/a")
    assert Document.objects.count() == 2


def test_an_address_that_cannot_be_one_is_kept_with_its_reason(upload):
    item = addresses.add_address(upload, "javascript:alert(1)")
    assert item.state == State.FAILED
    assert "http://" in item.reason
    assert not Document.objects.exists()


def test_a_path_that_no_database_keeps_is_refused_like_others(upload):
    """NUL and halves of characters: PostgreSQL stores neither, in text or in JSON."""
    item = uploads.refuse(upload, "a\0b\ud800.bin", 10**12)
    item.refresh_from_db()
    assert (item.state, item.problem["code"]) == (State.FAILED, "too_large")
    assert not set("\0\ud800") & set(item.name + item.problem["params"]["name"])
