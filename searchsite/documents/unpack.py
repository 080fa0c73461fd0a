"""Unpacking an archive: each file in it becomes a document, in short batches, so that a kill costs one of them."""

from __future__ import annotations

from itertools import islice

from django.core.files.base import ContentFile
from django.db import transaction

from searchsite.documents import uploads
from searchsite.documents.jobs import Progress
from searchsite.documents.models import Document, Job, State, Upload, UploadItem
from searchsite.documents.problems import Problem
from searchsite.documents.sources import Found, archives, as_source

BATCH = 20  # files; each may have as many megabytes as a file may


def unpack(job: Job, progress: Progress) -> None:
    """Take in the files of the job's archive that are not yet; what is refused has its reason in its item."""
    item = job.item
    assert item is not None, "a job to unpack names an archive"
    with item.archive.open("rb") as handle, archives.open_archive(handle, item.archive.size) as archive:
        entries = list(archives.entries(archive, item.name, item.name))
        names = set(UploadItem.objects.filter(upload=item.upload_id).values_list("name", flat=True))
        missing = (found for found in entries if as_source(found.path) not in names)
        done = len(entries) - sum(as_source(found.path) not in names for found in entries)
        progress("unpacking", done, len(entries))
        while batch := list(islice(missing, BATCH)):
            _take_in(item, batch)
            if Upload.objects.filter(pk=item.upload_id, cancelled=True).exists():
                uploads.cancel(item.upload)  # once more: whoever cancelled did not see this batch
            done += len(batch)
            progress("unpacking", done, len(entries))


def _take_in(archive: UploadItem, batch: list[Found]) -> None:
    upload = archive.upload
    items = []
    for found in batch:
        item = UploadItem(upload=upload, name=as_source(found.path), size=found.size)
        try:
            item.document = _document(found, archive)
        except Problem as problem:
            item.state, item.problem = State.FAILED, problem.as_json()
        items.append(item)
    documents = [item.document for item in items if item.document]
    with transaction.atomic():
        Document.objects.bulk_create(documents)
        for document in documents:
            document.tags.set(upload.tags.all())
        UploadItem.objects.bulk_create(items)


def _document(found: Found, archive: UploadItem) -> Document:
    """A document, not saved yet, of one file in the archive. Raises Problem."""
    if found.problem:
        raise found.problem
    assert found.open is not None, "what is not refused can be opened"
    with found.open() as part:
        content = ContentFile(part.read(), name=found.name)
    upload = archive.upload
    document = Document(collection=upload.collection, file=content, name=found.name, added_by=upload.added_by)
    document.take_in_source()  # now, so that a part that is broken is told from its neighbours
    return document
