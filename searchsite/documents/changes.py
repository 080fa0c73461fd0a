"""The change log: which documents' findable content, collection or existence changed, in what order.

Every number is taken from one row that stays locked until the transaction commits. So numbers become visible in
their order, and a follower that has seen n has seen all below n. An entry names a document and nothing else: a
follower looks up what is true of that document now, so reading an entry twice or late does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.signals import pre_delete

from searchsite.documents.models.changes import Change, ChangeCounter


def record(document_ids: Iterable[int]) -> int:
    """Record a change of each document in the caller's transaction; returns its number."""
    ids = list(document_ids)
    with transaction.atomic():
        counter = lock()
        counter.value += 1
        counter.save(update_fields=["value"])
        Change.objects.bulk_create([Change(number=counter.value, document_id=pk) for pk in ids], batch_size=500)
    return counter.value


def lock() -> ChangeCounter:
    """The counter's row, locked until the transaction ends. Whoever locks documents too, locks it before them."""
    ChangeCounter.objects.get_or_create(pk=1)
    return ChangeCounter.objects.select_for_update().get(pk=1)


def since(number: int, upto: int) -> list[int]:
    """The ids of the documents that changed after `number`, up to and including `upto`."""
    changed = Change.objects.filter(number__gt=number, number__lte=upto)
    return sorted(set(changed.values_list("document_id", flat=True)))


def _document_deleted(instance: Any, origin: Any = None, **_signal: Any) -> None:
    # Sent inside the deletion's transaction. Documents, and a collection with its own, have been recorded at once for
    # all of them (models.documents.lock_for_deletion); many collections have not.
    collection = apps.get_model("documents", "Collection")
    of = origin.model if isinstance(origin, QuerySet) else type(origin)
    if of is not type(instance) and not isinstance(origin, collection):
        record([instance.pk])


def connect() -> None:
    pre_delete.connect(
        _document_deleted, sender=apps.get_model("documents", "Document"), dispatch_uid="documents.changes"
    )
