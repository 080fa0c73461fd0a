"""Who belongs to a collection: its managers see and change that here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib import messages
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from searchsite.documents.access import managed_collections, visible_collections
from searchsite.documents.forms_library import MemberForm
from searchsite.documents.models import Collection, Membership, Role
from searchsite.documents.views import allowed

KNOWN_NAMES = 500  # as many are proposed


class NoManager(Exception):
    """A change would leave a collection without anybody who manages it."""


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The members; posted, `kind` ("person" or "group") says which of the two forms adds one."""
    collection = allowed.collection(request, slug, managed_collections)
    kind = request.POST.get("kind", "")
    forms = {each: MemberForm(collection, each, request.POST if each == kind else None) for each in ("person", "group")}
    if request.method == "POST" and kind in forms and forms[kind].is_valid():
        added = forms[kind].found
        try:
            with _managed(request, collection):
                added.save()
            messages.success(request, _("“%s” is a member now.") % added)
        except IntegrityError:  # added by somebody else meanwhile
            messages.warning(request, _("“%s” is a member already. Change the role in the list.") % added)
        return redirect("members", collection.slug)
    members = Membership.objects.filter(collection=collection).select_related("user", "group")
    context = {
        **allowed.standing(request, collection),
        "members": sorted(members, key=lambda one: (-Role(one.role).rank, one.group_id is None, str(one).casefold())),
        "roles": Role.choices,
        "person": forms["person"],
        "group": forms["group"],
        "known_people": _known_people(request, collection),
        "known_groups": _known_groups(request, collection),
    }
    return render(request, "library/members.html", context)


def _known_people(request: HttpRequest, collection: Collection) -> list[str]:
    """User names of those who are in a collection that the user manages, and not in this one."""
    theirs = Membership.objects.filter(collection__in=managed_collections(request.user)).values("user")
    known = User.objects.filter(pk__in=theirs, is_active=True).exclude(membership__collection=collection)
    return list(known.order_by("username").values_list("username", flat=True)[:KNOWN_NAMES])


def _known_groups(request: HttpRequest, collection: Collection) -> list[str]:
    theirs = Membership.objects.filter(collection__in=managed_collections(request.user)).values("group")
    known = Group.objects.filter(pk__in=theirs).exclude(membership__collection=collection)
    return list(known.order_by("name").values_list("name", flat=True)[:KNOWN_NAMES])


@require_POST
def change(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Give a member the posted `role`."""
    collection = allowed.collection(request, slug, managed_collections)
    role = request.POST.get("role", "")
    if role not in Role.values:
        messages.error(request, _("Choose a role."))
        return redirect("members", slug)
    try:
        with _managed(request, collection):
            member = get_object_or_404(Membership, collection=collection, pk=pk)
            changed = member.role != role
            if changed:
                member.role = role
                member.save()
        if changed:
            messages.success(request, _("The role of “%s” is changed.") % member)
    except NoManager:
        messages.error(request, _last_manager())
    return _onward(request, collection)


@require_POST
def remove(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Take a member out of the collection."""
    collection = allowed.collection(request, slug, managed_collections)
    try:
        with _managed(request, collection):
            member = get_object_or_404(Membership, collection=collection, pk=pk)
            name = str(member)
            member.delete()
        messages.success(request, _("“%s” is no longer a member.") % name)
    except NoManager:
        messages.error(request, _last_manager())
    return _onward(request, collection)


def _last_manager() -> str:
    return _("The collection would have no manager. Make somebody else a manager first.")


@contextmanager
def _managed(request: HttpRequest, collection: Collection) -> Iterator[None]:
    """A transaction at the end of which somebody manages the collection, unless a superuser made the change.

    Raises NoManager, and nothing is changed then. Two managers who remove each other wait for one another.
    """
    with transaction.atomic():
        allowed.held(request, collection, managed_collections)
        yield
        if not getattr(request.user, "is_superuser", False) and not _has_manager(collection):
            raise NoManager


def _has_manager(collection: Collection) -> bool:
    """Whether somebody manages it who can sign in; of a group without people nobody does."""
    managers = Membership.objects.filter(collection=collection, role=Role.MANAGER)
    return managers.filter(Q(user__is_active=True) | Q(group__user__is_active=True)).exists()


def _onward(request: HttpRequest, collection: Collection) -> HttpResponse:
    """To the members, or where whoever changed his own role may still be."""
    if managed_collections(request.user).filter(pk=collection.pk).exists():
        return redirect("members", collection.slug)
    if visible_collections(request.user).filter(pk=collection.pk).exists():
        return redirect("collection", collection.slug)
    return redirect("library")
