"""What is written down of collections, members and documents, whatever door they are changed through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet
from django.db.models.signals import post_delete, post_save, pre_delete, pre_save

from searchsite.documents.access import seen_as_superuser
from searchsite.documents.models import Collection, Document, Membership, Revision, Upload
from searchsite.people import audit
from searchsite.people.audit import record
from searchsite.people.models import Action, Entry

SETTINGS = ("name", "slug", "description", "visibility")
IMPORTED = ("added", "updated", "renamed", "removed")
GOING = "audited_going"


def look(user: Any, collection_ids: Iterable[int], document: Document | None = None, about: str = "") -> None:
    """Write down, once the answer is sent, that a superuser looked into members' collections that he is no member of.

    about: what was shown of the collection, where that is not a document.
    """
    if not getattr(user, "is_superuser", False):
        return
    ids = set(collection_ids)
    about_id, said = (document.pk, _title(document)) if document else (None, about)

    def write() -> None:
        for collection in seen_as_superuser(user).filter(pk__in=ids):
            audit.looked(user, collection.pk, collection, about_id, said)

    if ids:
        audit.later(write)


def document_added(document: Document) -> None:
    """A document that was handed in singly; those of an upload or an import are written down with it."""
    _about(Action.ADDED, document)


def document_changed(document: Document, changed: Iterable[str], moved_from: Collection | None = None) -> None:
    """A document that somebody edited. changed: the names of the fields."""
    if moved_from is not None:
        _about(Action.MOVED, document, {"moved_from": str(moved_from), "moved_from_id": moved_from.pk})
    if others := sorted(set(changed) - {"collection"}):
        _about(Action.CHANGED, document, {"changed": others})


def imported(collection: Collection, places: Iterable[str], counts: Mapping[str, int]) -> None:
    """A run of an import that changed something. counts: documents, by what was done with them."""
    changed = {word: counts[word] for word in IMPORTED if counts.get(word)}
    if changed:
        about = ", ".join(places)
        record(Action.IMPORTED, about=about, collection=collection, collection_id=collection.pk, details=changed)


def _about(action: Action, document: Document, details: dict[str, Any] | None = None) -> None:
    record(action, details=details, **_of_document(document, _title(document), document.collection))


def _of_document(document: Document, title: str, collection: object) -> dict[str, Any]:
    return {
        "about": title,
        "about_id": document.pk,
        "collection": collection,
        "collection_id": document.collection_id,
    }


def _title(document: Document) -> str:
    found = Revision.objects.filter(live_for=document.pk).values_list("title", flat=True).first()
    return _shown(document, found)


def _shown(document: Document, found: str | None) -> str:
    """As `shown_title`, without reading the whole text of those that are deleted by the thousand."""
    return document.title or found or document.name or document.url or f"#{document.pk}"


def _origin(origin: Any) -> type | None:
    """Which kind of thing somebody wanted to delete, when this one went with it."""
    return origin.model if isinstance(origin, QuerySet) else type(origin) if origin is not None else None


@dataclass
class Going:
    """Documents that are deleted together: what names them, read once for all, and the entries about them."""

    titles: dict[int, str]
    collections: dict[int, str]
    entries: list[Entry] = field(default_factory=list)


def _document_goes(instance: Document, origin: Any = None, **_signal: Any) -> None:
    if _origin(origin) is Collection:  # the collection's entry says it
        return
    if not isinstance(origin, QuerySet):
        _about(Action.DELETED, instance)
        return
    going: Going | None = getattr(origin, GOING, None)
    if going is None:
        going = _names_of(origin)
        setattr(origin, GOING, going)
    named = _shown(instance, going.titles.get(instance.pk)), going.collections.get(instance.collection_id, "")
    going.entries.append(audit.entry(Action.DELETED, **_of_document(instance, *named)))


def _names_of(documents: QuerySet[Document]) -> Going:
    ids = documents.order_by().values("pk")
    collections = Collection.objects.filter(document__in=ids).distinct()
    return Going(
        dict(Revision.objects.filter(live_for__in=ids).values_list("live_for", "title")),
        dict(collections.values_list("pk", "name")),
    )


def _document_gone(origin: Any = None, **_signal: Any) -> None:
    """The first of those that are deleted together is gone: by now all of them are known."""
    going: Going | None = vars(origin).pop(GOING, None) if isinstance(origin, QuerySet) else None
    if going is not None:
        Entry.objects.bulk_create(going.entries, batch_size=500)


def _collection_changes(instance: Collection, **_signal: Any) -> None:
    known = Collection.objects.filter(pk=instance.pk).first() if instance.pk else None
    instance.audited_before = known  # type: ignore[attr-defined]


def _collection_changed(instance: Collection, created: bool, **_signal: Any) -> None:
    before: Collection | None = getattr(instance, "audited_before", None)
    if created:
        _of(Action.COLLECTION_ADDED, instance, {"visibility": instance.visibility})
    elif before is not None:
        values = {name: [getattr(before, name), getattr(instance, name)] for name in SETTINGS}
        if changed := {name: pair for name, pair in values.items() if pair[0] != pair[1]}:
            _of(Action.COLLECTION_CHANGED, instance, changed)


def _collection_goes(instance: Collection, **_signal: Any) -> None:
    documents = Document.objects.filter(collection=instance).count()
    _of(Action.COLLECTION_DELETED, instance, {"documents": documents})


def _of(action: Action, collection: Collection, details: dict[str, Any]) -> None:
    record(action, collection=collection, collection_id=collection.pk, details=details)


def _membership_changes(instance: Membership, **_signal: Any) -> None:
    known = Membership.objects.filter(pk=instance.pk).first() if instance.pk else None
    instance.audited_before = known  # type: ignore[attr-defined]


def _membership_changed(instance: Membership, created: bool, **_signal: Any) -> None:
    before: Membership | None = getattr(instance, "audited_before", None)
    if before is not None and _whose(before) != _whose(instance):  # another in its place, as the admin's form can
        _membership(Action.MEMBER_REMOVED, before, before.role)
    if created or before is None or _whose(before) != _whose(instance):
        _membership(Action.MEMBER_ADDED, instance, instance.role)
    elif before.role != instance.role:
        _membership(Action.MEMBER_CHANGED, instance, [before.role, instance.role])


def _whose(membership: Membership) -> tuple[int, int | None, int | None]:
    return membership.collection_id, membership.user_id, membership.group_id


def _membership_goes(instance: Membership, origin: Any = None, **_signal: Any) -> None:
    if _origin(origin) is not Collection:
        _membership(Action.MEMBER_REMOVED, instance, instance.role)


def _membership(action: Action, membership: Membership, role: str | list[str | None]) -> None:
    record(
        action,
        about=membership,
        about_id=membership.user_id or membership.group_id,
        collection=membership.collection,
        collection_id=membership.collection_id,
        details={"kind": "person" if membership.user_id else "group", "role": role},
    )


def _upload_begun(instance: Upload, created: bool, **_signal: Any) -> None:
    if created:
        record(
            Action.UPLOADED,
            by=instance.added_by,
            about=instance,
            about_id=instance.pk,
            collection=instance.collection,
            collection_id=instance.collection_id,
            details={"files": instance.announced},
        )


def connect() -> None:
    for signal, sender, receiver in (
        (pre_delete, Document, _document_goes),
        (post_delete, Document, _document_gone),
        (pre_save, Collection, _collection_changes),
        (post_save, Collection, _collection_changed),
        (pre_delete, Collection, _collection_goes),
        (pre_save, Membership, _membership_changes),
        (post_save, Membership, _membership_changed),
        (pre_delete, Membership, _membership_goes),  # an account that is deleted has its name still
        (post_save, Upload, _upload_begun),
    ):
        signal.connect(receiver, sender=sender, dispatch_uid=f"documents.audited.{receiver.__name__}")
