"""What a request is about: a thing with which the user may do what he asks for. Any other is not there: 404."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from searchsite.documents import audited
from searchsite.documents.access import User, editable_collections, editable_documents, role_in
from searchsite.documents.forms_library import meanings
from searchsite.documents.models import Collection, Document, Role, Upload

REVISION_TEXTS = tuple(f"live_revision__{name}" for name in ("text", "headings", "preformatted", "pages"))
"""What lists need not read of each document."""


def collection(request: HttpRequest, slug: str, may: Callable[[User], QuerySet[Collection]]) -> Collection:
    """The collection of that short name. may: of access.py, gives those with which the user may do it."""
    found = get_object_or_404(may(request.user), slug=slug)
    audited.look(request.user, [found.pk], about="library")
    return found


def held(request: HttpRequest, found: Collection, may: Callable[[User], QuerySet[Collection]]) -> None:
    """Lock a collection until the transaction ends, if the user may still do it: who waited may do so no more."""
    list(Collection.objects.filter(pk=found.pk).select_for_update().values_list("pk"))
    get_object_or_404(may(request.user), pk=found.pk)


def standing(request: HttpRequest, collection: Collection) -> dict[str, Any]:
    """What the head of a collection's pages shows and offers: the collection, and what the user may do there."""
    role = role_in(request.user, collection)
    return {
        "collection": collection,
        "editing": role in (Role.EDITOR, Role.MANAGER),
        "managing": role == Role.MANAGER,
        "meaning": meanings()[Collection.Visibility(collection.visibility)],
    }


def document(request: HttpRequest, pk: int) -> Document:
    """A document that the user may change."""
    documents = editable_documents(request.user).select_related("collection", "live_revision").defer(*REVISION_TEXTS)
    found = get_object_or_404(documents, pk=pk)
    audited.look(request.user, [found.collection_id], found)
    return found


def upload(request: HttpRequest, pk: int) -> Upload:
    """An upload into a collection whose documents the user may change."""
    uploads = Upload.objects.filter(collection__in=editable_collections(request.user))
    found = get_object_or_404(uploads.select_related("collection", "added_by"), pk=pk)
    audited.look(request.user, [found.collection_id], about="library")
    return found
