"""The library: the collections that somebody may see, and making a new one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Count, Max, Q, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from searchsite.documents.access import User, editable_collections, managed_collections, visible_collections
from searchsite.documents.forms_library import NewCollectionForm, meanings
from searchsite.documents.models import Collection, Document, Membership, Role, State


@dataclass(frozen=True)
class Shelf:
    """A collection as the library lists it. Counts of documents and passages that can be found, and the time of their
    last change; `waiting` and `failed` only for those who may do something about it, else 0."""

    collection: Collection
    role: Role
    documents: int
    passages: int
    changed: datetime | None
    waiting: int
    failed: int


@require_safe
def library(request: HttpRequest) -> HttpResponse:
    """Every collection that the user sees."""
    found = shelves(request.user)
    return render(request, "library/library.html", {"shelves": found, "busy": any(shelf.waiting for shelf in found)})


def shelves(user: User) -> list[Shelf]:
    """The collections that the user sees, by name, in a fixed number of queries."""
    collections = list(visible_collections(user).order_by("name"))
    editable = set(editable_collections(user).values_list("pk", flat=True))
    managed = set(managed_collections(user).values_list("pk", flat=True))
    live = Q(live_revision__isnull=False)
    documents = Document.objects.filter(collection__in=collections).order_by().values("collection")
    counted = documents.annotate(
        live=Count("pk", filter=live),
        passages=Sum("passage_count", filter=live),
        changed=Max("updated", filter=live),
    )
    counts = {row["collection"]: row for row in counted}
    states = documents.annotate(
        waiting=Count("pk", filter=Q(state__in=[State.QUEUED, State.RUNNING])),
        failed=Count("pk", filter=Q(state=State.FAILED)),
    )
    open_work = {row["collection"]: row for row in states}
    found = []
    for collection in collections:
        pk = collection.pk
        row: Mapping[str, Any] = counts.get(pk, {})
        work: Mapping[str, Any] = open_work.get(pk, {}) if pk in editable else {}
        found.append(
            Shelf(
                collection=collection,
                role=Role.MANAGER if pk in managed else Role.EDITOR if pk in editable else Role.READER,
                documents=row.get("live", 0),
                passages=row.get("passages") or 0,
                changed=row.get("changed"),
                waiting=work.get("waiting", 0),
                failed=work.get("failed", 0),
            )
        )
    return found


@require_http_methods(["GET", "HEAD", "POST"])
def new_collection(request: HttpRequest) -> HttpResponse:
    """Make a collection, of which its maker becomes a manager."""
    user = request.user
    if not user.is_authenticated or not user.has_perm("documents.add_collection"):
        raise Http404
    form = NewCollectionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            collection = form.save()
            Membership(collection=collection, user=user, role=Role.MANAGER).save()
        messages.success(request, _("“%s” is made. Documents can be added now.") % collection)
        return redirect("collection", collection.slug)
    return render(request, "library/new_collection.html", {"form": form, "meanings": meanings()})
