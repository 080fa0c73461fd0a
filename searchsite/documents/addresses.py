"""Documents that are fetched from an address: named by somebody, fetched by the worker, read like a file."""

from __future__ import annotations

import re

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction

from searchsite.documents import fetch
from searchsite.documents.access import editable_collections
from searchsite.documents.jobs import Progress
from searchsite.documents.models import Collection, Document, Job, State, Upload, UploadItem
from searchsite.documents.models.documents import MANY
from searchsite.documents.problems import Problem
from searchsite.documents.sources import as_source

SECRET = re.compile(r"//[^/?#]*@")


def add_address(upload: Upload, address: str) -> UploadItem:
    """Take one address of an upload in; what is wrong with it is kept in the item, not raised.

    One that the collection has already is fetched again, if whoever uploads may change documents.
    """
    name = as_source(without_password(address.strip()) or "?")
    item = UploadItem.objects.filter(upload=upload, name=name).first() or UploadItem(upload=upload, name=name)
    if item.document_id:
        return item
    by = upload.added_by
    try:
        item.document, is_new = document_at(upload.collection, address, by)
        if not is_new:
            if by is None or not editable_collections(by).filter(pk=upload.collection_id).exists():
                raise Problem("address_known")
            fetch_again(item.document)
        item.document.tags.add(*upload.tags.all())
        if UploadItem.objects.filter(upload=upload).count() > MANY:
            Job.objects.filter(document=item.document).update(bulk=True)
        item.state, item.problem = State.READY, None
    except Problem as problem:
        item.document, item.state, item.problem = None, State.FAILED, problem.as_json()
    item.save()
    return item


def without_password(address: str) -> str:
    """An address as it may be shown: what stands before an "@" in it may be a secret."""
    return SECRET.sub("//…@", address)


def document_at(collection: Collection, address: str, user: User | None = None) -> tuple[Document, bool]:
    """The collection's document from that address, and whether it is new; then its fetching is queued. Raises
    Problem."""
    url = fetch.check_url(address)
    document = Document(collection=collection, url=url, source=as_source(url), added_by=user)
    try:
        with transaction.atomic():
            document.save()
    except IntegrityError:
        return Document.objects.get(collection=collection, source=as_source(url)), False
    return document, True


def fetch_again(document: Document) -> None:
    """Queue fetching the document's present content; what it says until then goes on being found."""
    with transaction.atomic():
        Document.objects.filter(pk=document.pk).update(state=State.QUEUED, problem=None)
        Job.queue(Job.Kind.FETCH, [document.pk])


def fetch_document(job: Job, progress: Progress) -> None:
    """Fetch the content of the job's document, and have it read where it is new. Raises Problem."""
    assert job.document_id is not None, "a job to fetch names a document"
    document = Document.objects.filter(pk=job.document_id).first()
    if document is None:  # deleted while it waited
        return
    progress("fetching", 0, 0)
    fetched = fetch.fetch(document.url)
    progress("fetching", 1, 1)  # raises when it was cancelled meanwhile
    document.file = ContentFile(fetched.data, name=fetched.name)
    document.take_in_source()  # not within the transaction, which holds a lock that others wait for
    with transaction.atomic():
        locked = Document.objects.select_for_update(of=("self",)).select_related("live_revision")
        present = locked.filter(pk=document.pk).first()
        if present is None:
            return
        present.file, present.name, present.size = document.file.name, document.name, document.size
        present.save()
        live = present.live_revision
        if live is None or live.content_hash != present.content_hash:  # perhaps known, and never read
            Job.queue(Job.Kind.INGEST, [present.pk])
