"""Taking in what somebody hands in: each file becomes a document, or is kept in mind with the reason why it did not."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.core.files import File
from django.db import transaction
from django.db.models import Case, CharField, Count, F, Q, QuerySet, Value, When

from searchsite.documents import jobs
from searchsite.documents.extract import safe_name
from searchsite.documents.models import Collection, Document, Job, State, Tag, Upload, UploadItem
from searchsite.documents.models.documents import MANY
from searchsite.documents.problems import Problem, megabytes
from searchsite.documents.sources import as_path, as_source

TAG_BREAK = re.compile(r"[,，、;；\n]")
LONGEST_TAG = 60
DELETED = "deleted"  # the state of an item whose document is gone
SHOWN = Case(
    When(document__isnull=False, then=F("document__state")),
    When(Q(document=None, archive="", state=State.READY), then=Value(DELETED)),
    default=F("state"),
    output_field=CharField(),
)


def check_size(name: str, size: int, limit_mb: int | None = None) -> None:
    """Raise Problem for an empty file or one over the limit (of a file, unless another is given), before anything is
    stored."""
    limit = limit_mb or settings.SEARCHSITE_MAX_FILE_MB
    if size == 0:
        raise Problem("empty_file", name=name)
    if size > limit * 1024 * 1024:
        raise Problem("too_large", name=name, size=megabytes(size), limit=limit)


def take_in(collection: Collection, file: File[Any], user: User | None) -> Document:
    """Store one file as a document, whose reading is queued. Raises Problem."""
    document = _stored(collection, file, user)
    document.save()
    return document


def _stored(collection: Collection, file: File[Any], user: User | None) -> Document:
    """A document whose file is stored, and which is not saved yet: storing would hold a lock that others wait for."""
    name = safe_name(file.name or "")
    check_size(name, file.size or 0)
    document = Document(collection=collection, file=file, name=name, added_by=user)
    document.take_in_source()
    return document


def begin(collection: Collection, user: User | AnonymousUser | None, tags: str = "", announced: int = 0) -> Upload:
    """An upload to add to; `announced`: how many files are to come."""
    with transaction.atomic():
        by = user if isinstance(user, User) else None
        upload = Upload.objects.create(collection=collection, added_by=by, announced=announced)
        upload.tags.set(tags_named(tags))
    return upload


def tags_named(text: str) -> list[Tag]:
    """The tags of a list as people write it: "plan, 2024；预算". New ones are made."""
    names = dict.fromkeys(" ".join(part.split())[:LONGEST_TAG] for part in TAG_BREAK.split(text))
    return [Tag.objects.get_or_create(name=name)[0] for name in names if name]


def add_file(upload: Upload, path: str, file: File[Any]) -> UploadItem:
    """Take one file of an upload in; what is wrong with it is kept in the item, not raised.

    path: its name with its folders, as it was handed in. A file that comes once more under the same path, because the
    answer to the first was lost on the way, changes nothing; one that was refused is tried again.
    """
    name = as_source(path or "?")
    item = UploadItem.objects.filter(upload=upload, name=name).first() or UploadItem(upload=upload, name=name)
    if item.pk and not item.problem:
        return item
    item.announced, item.size, item.problem, item.state = True, file.size or 0, None, State.READY
    try:
        if _is_archive(path):
            _take_in_archive(item, file)
        else:
            file.name = safe_name(path)
            document = _stored(upload.collection, file, upload.added_by)
            with transaction.atomic():
                document.save()
                document.tags.set(upload.tags.all())
                item.document = document
                item.save()
                if upload.announced > MANY:
                    Job.objects.filter(document=document).update(bulk=True)
    except Problem as problem:
        item.document, item.state, item.problem = None, State.FAILED, problem.as_json()
        item.save()
    return item


def refuse(upload: Upload, path: str, size: int) -> UploadItem:
    """Keep in mind a file that was not even sent, because its size in bytes is over the limit.

    Of a size that is not, nothing is kept: the item is returned without being saved, and without a problem.
    """
    name = as_source(path or "?")
    item = UploadItem.objects.filter(upload=upload, name=name).first() or UploadItem(upload=upload, name=name)
    if item.pk:
        return item
    try:
        check_size(as_path(path), size, settings.SEARCHSITE_MAX_ARCHIVE_MB if _is_archive(path) else None)
    except Problem as problem:
        item.announced, item.size, item.state, item.problem = True, size, State.FAILED, problem.as_json()
        item.save()
    return item


def _is_archive(path: str) -> bool:
    return path.lower().endswith(".zip")


def _take_in_archive(item: UploadItem, file: File[Any]) -> None:
    """Store an archive, whose unpacking is queued. Raises Problem."""
    check_size(item.name, file.size or 0, settings.SEARCHSITE_MAX_ARCHIVE_MB)
    item.archive.save("upload", file, save=False)
    item.state = State.QUEUED
    with transaction.atomic():
        item.save()
        jobs.add([Job(kind=Job.Kind.UNPACK, item=item)])


def shown_items(upload: Upload) -> QuerySet[Any]:
    """The items with `shown`: the state of the document, of the archive, "failed" for one that was refused, or
    "deleted" where the document is gone."""
    return UploadItem.objects.filter(upload=upload).annotate(shown=SHOWN)


def counts(upload: Upload) -> dict[str, int]:
    """How many items there are of each shown state."""
    found = shown_items(upload).order_by().values_list("shown").annotate(count=Count("pk"))
    return dict(found.values_list("shown", "count"))


def cancel(upload: Upload) -> int:
    """Stop what of the upload is not done: what waits or runs is cancelled, and unpacking ends. What is ready stays,
    and so does what was moved to another collection, which other people look after.

    Returns how many jobs were cancelled; their documents can be tried again.
    """
    Upload.objects.filter(pk=upload.pk).update(cancelled=True)
    theirs = Q(document__upload_items__upload=upload, document__collection=upload.collection_id)
    return jobs.cancel(Job.objects.filter(Q(item__upload=upload) | theirs))


def try_again(upload: Upload) -> int:
    """Queue once more what failed or was cancelled; returns how much that is. Refused files must be handed in again."""
    Upload.objects.filter(pk=upload.pk).update(cancelled=False)
    again = [State.FAILED, State.CANCELLED]
    stopped = list(UploadItem.objects.filter(upload=upload, state__in=again).exclude(archive=""))
    for item in stopped:
        try_item_again(item)
    documents = Document.objects.filter(collection=upload.collection_id, upload_items__upload=upload)
    return len(stopped) + documents.filter(state__in=again).try_again()


def try_item_again(item: UploadItem) -> None:
    """Queue an item's work once more, whatever came of it before; nothing for a file that was refused, or for a
    document that was moved to another collection."""
    if item.document:
        if item.document.collection_id == item.upload.collection_id:
            item.document.try_again()
    elif item.archive:
        with transaction.atomic():
            Upload.objects.filter(pk=item.upload_id).update(cancelled=False)  # or what is unpacked would be cancelled
            UploadItem.objects.filter(pk=item.pk).update(state=State.QUEUED, problem=None)
            jobs.add([Job(kind=Job.Kind.UNPACK, item=item)])
