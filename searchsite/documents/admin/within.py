"""Django's admin within what the roles allow: its permissions open pages to staff, roles say what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, Exists, Model, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import ngettext

from searchsite.documents import audited
from searchsite.documents.access import User, visible_collections, visible_documents
from searchsite.documents.models import Document, Tag
from searchsite.documents.shown import grouped
from searchsite.documents.views.listing import TABS
from searchsite.people.admin.lookups import ByTheirOwn


class WithinRoles(ByTheirOwn):
    """Shows the rows that `seen` finds, and has those changed and deleted that `changeable` finds. Any other is not
    there: 404. A superuser's look is written down."""

    list_tells = True
    """Whether the list shows what is in collections, so that it is a look into them."""

    def seen(self, user: User) -> Q:
        raise NotImplementedError

    def changeable(self, user: User) -> Q:
        raise NotImplementedError

    def looked_at(self, row: Any) -> tuple[int | None, Document | None]:
        """Whose content a row shows: the collection's id (None: nobody's), and the document if it is one's."""
        return None, None

    def may_change(self, request: HttpRequest, row: Model) -> bool:
        return bool(self.model._default_manager.filter(self.changeable(request.user), pk=row.pk).exists())

    def changeable_of(self, request: HttpRequest, chosen: QuerySet[Any]) -> QuerySet[Any]:
        """Of the rows chosen for an action, those that the user may change; he is told how many others there are."""
        manager = self.model._default_manager
        changeable: QuerySet[Any] = manager.filter(self.changeable(request.user), pk__in=chosen.order_by().values("pk"))
        if others := chosen.count() - changeable.count():
            alone = ngettext(
                "%d is not yours to change, and was left alone.",
                "%d are not yours to change, and were left alone.",
                others,
            )
            self.message_user(request, alone % others, messages.WARNING)
        return changeable

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        visible = obj is None or self.model._default_manager.filter(self.seen(request.user), pk=obj.pk).exists()
        return visible and super().has_view_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or self.may_change(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or self.may_change(request, obj))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(self.seen(request.user))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            collection, document = self.looked_at(found)
            if collection is not None:
                audited.look(request.user, [collection], document, about=f"admin: {self.opts.model_name}")
        return found

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        shown = getattr(response, "context_data", None) or {}
        if self.list_tells and "cl" in shown and getattr(request.user, "is_superuser", False):
            collections = {self.looked_at(row)[0] for row in shown["cl"].result_list}
            audited.look(request.user, filter(None, collections), about=f"admin: list of {self.opts.model_name}s")
        return response

    def _get_obj_does_not_exist_redirect(self, *_args: Any) -> HttpResponse:
        raise Http404  # the same for what is not there and for what may not be seen

    def view_on_site(self, obj: Any) -> str | None:
        # A link of its own: Django's goes through an address that tells of anything whether it is there.
        return obj.get_absolute_url() if hasattr(obj, "get_absolute_url") else None


@dataclass(frozen=True)
class StateTab:
    label: str | Promise
    number: str
    address: str
    chosen: bool


class StateTabs(admin.ModelAdmin):  # type: ignore[type-arg]
    """Puts the states above a list, each with how many rows it leaves beside the search and the other filters.

    `tabbed`: the fields with choices of which there is a row of such tabs, each with what the choices are called.
    """

    tabbed: Mapping[str, Mapping[str, str | Promise]] = {"state": TABS}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        shown = getattr(response, "context_data", None) or {}
        if "cl" in shown:
            shown["tab_rows"] = [_tabs(shown["cl"], request, *one) for one in self.tabbed.items()]
        return response


def _tabs(
    shown: ChangeList, request: HttpRequest, field: str, labels: Mapping[str, str | Promise]
) -> tuple[str, list[StateTab]]:
    """(the field's name, its tabs)"""
    asked = f"{field}__exact"
    others = copy(shown)  # the same list, asked for whatever state
    others.filter_params = {name: value for name, value in shown.filter_params.items() if name != asked}
    found = others.get_queryset(request)
    counts = dict(found.order_by().values_list(field).annotate(count=Count("pk")))
    counts[""] = sum(counts.values())
    chosen = request.GET.get(asked, "")
    tabs = [
        StateTab(
            label,
            grouped(counts.get(value, 0)),
            shown.get_query_string({asked: value} if value else {}, remove=["p", *([] if value else [asked])]),
            value == chosen,
        )
        for value, label in labels.items()
        if counts.get(value) or value in ("", chosen)
    ]
    return field, tabs


class VisibleCollections(admin.RelatedFieldListFilter):
    """Offers the collections that the user sees."""

    def has_output(self) -> bool:
        return super().has_output() or bool(self.used_parameters)  # else Django shows all rows, not the ones asked for

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        return list(visible_collections(request.user).order_by("name").values_list("pk", "name"))


class VisibleTags(admin.RelatedFieldListFilter):
    """Offers the tags of the documents that the user sees."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        on_visible = visible_documents(request.user).filter(tags=OuterRef("pk"))
        tags = Tag.objects.filter(Exists(on_visible))
        return list(tags.order_by("name").values_list("pk", "name"))
