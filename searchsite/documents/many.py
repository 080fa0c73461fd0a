"""Moving many documents to another collection, and changing their tags: in short transactions, whoever asks for it.

Each function takes the documents that somebody may change as a query, and looks them up in it again a few at a time:
what went away, or to another collection, meanwhile is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db import transaction
from django.db.models import Q, QuerySet

from searchsite.documents import audited, changes
from searchsite.documents.models import Collection, Document, Tag

IN_A_TRANSACTION = 100
UNNEEDED = ("text", *(f"live_revision__{name}" for name in ("text", "headings", "preformatted", "pages")))


def parts(ids: Sequence[int], size: int = IN_A_TRANSACTION) -> Iterator[Sequence[int]]:
    """The ids, so many at a time."""
    for first in range(0, len(ids), size):
        yield ids[first : first + size]


def move(documents: QuerySet[Document], ids: Sequence[int], target: Collection) -> int:
    """Move these to another collection; returns how many went. One whose source is there already stays where it is."""
    count = 0
    for some in parts(ids):
        with transaction.atomic():
            changes.lock()  # else one that somebody moves away at this moment would be fetched back from there
            there = Document.objects.filter(collection=target).exclude(source="").values("source")
            moving = documents.filter(pk__in=some).exclude(collection=target)
            moving = moving.exclude(~Q(source="") & Q(source__in=there)).select_related("collection", "live_revision")
            count += _move_all(list(moving.defer(*UNNEEDED).order_by("pk")), target)
    return count


def _move_all(moving: list[Document], target: Collection) -> int:
    first: dict[str, Document] = {}  # of two from the same source, out of two collections, the second stays
    for one in moving:
        first.setdefault(one.source, one)
    moved = [one for one in moving if not one.source or first[one.source] is one]
    count = Document.objects.filter(pk__in=[one.pk for one in moved]).update(collection=target)
    for document in moved:
        before, document.collection = document.collection, target
        audited.document_changed(document, ["collection"], moved_from=before)
    return count


def change_tags(documents: QuerySet[Document], ids: Sequence[int], tags: Sequence[Tag], *, adding: bool) -> int:
    """Put the tags on these, or take them off; returns how many had not, or had, one of them."""
    count = 0
    for some in parts(ids):
        with transaction.atomic():
            count += len(_changed_tags(documents.filter(pk__in=some), tags, adding))
    return count


def _changed_tags(documents: QuerySet[Document], tags: Sequence[Tag], adding: bool) -> list[Document]:
    through = Document.tags.through.objects
    every = list(documents.select_related("collection", "live_revision").defer(*UNNEEDED))
    chosen = through.filter(document__in=[one.pk for one in every], tag__in=tags)
    there = set(chosen.values_list("document_id", "tag_id"))
    if adding:
        lacking = {(one.pk, tag.pk) for one in every for tag in tags} - there
        rows = [Document.tags.through(document_id=pk, tag_id=tag) for pk, tag in sorted(lacking)]
        through.bulk_create(rows, ignore_conflicts=True)
        touched = {pk for pk, _tag_id in lacking}
    else:
        chosen.delete()
        touched = {pk for pk, _tag_id in there}
    changed = [one for one in every if one.pk in touched]
    for document in changed:
        audited.document_changed(document, ["tags"])
    return changed
