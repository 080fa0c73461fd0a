"""Moving the chosen documents of the admin's list to another collection, and changing their tags."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from searchsite.documents import many
from searchsite.documents.access import editable_collections, editable_documents
from searchsite.documents.admin.within import WithinRoles
from searchsite.documents.models import Document
from searchsite.documents.views import bulk, listing
from searchsite.documents.views.asked import number

TITLES_SHOWN = 20


class ManyAtOnce(WithinRoles):
    """Each action first shows a page that says which documents are meant, and asks what is to be done with them."""

    @admin.action(description=_("Move to another collection…"), permissions=["change"])
    def move(self, request: HttpRequest, chosen: QuerySet[Document]) -> TemplateResponse | None:
        ids = self._ids(request, chosen)
        collections = editable_collections(request.user).order_by("name")
        if ids and "confirmed" not in request.POST:
            return self._ask(request, ids, "move", {"collections": collections})
        target = collections.filter(pk=number(request.POST.get("to", ""))).first()
        if ids and target is None:
            self.message_user(request, _("Choose the collection that they are to be moved to."), messages.WARNING)
        elif ids and target is not None:
            others = list(editable_documents(request.user).filter(pk__in=ids).exclude(collection=target).values("pk"))
            count = many.move(editable_documents(request.user), [one["pk"] for one in others], target)
            level, said = bulk.moved(count, len(others), target)
            self.message_user(request, said, level)
        return None

    @admin.action(description=_("Change tags…"), permissions=["change"])
    def tag(self, request: HttpRequest, chosen: QuerySet[Document]) -> TemplateResponse | None:
        ids = self._ids(request, chosen)
        if ids and "confirmed" not in request.POST:
            return self._ask(request, ids, "tag", {})
        adding = request.POST.get("do") != "untag"
        tags = bulk.named(request, adding=adding) if ids else []
        if ids and not tags:
            self.message_user(request, _("Type the tags first, separated by commas."), messages.WARNING)
        elif ids:
            count = many.change_tags(editable_documents(request.user), ids, tags, adding=adding)
            said = ngettext("The tags of %d document were changed.", "The tags of %d documents were changed.", count)
            self.message_user(request, said % count)
        return None

    def _ids(self, request: HttpRequest, chosen: QuerySet[Document]) -> list[int]:
        """The ids of those that the user may change; he is told of the others, and where they are too many for once."""
        mine = self.changeable_of(request, chosen).order_by("pk")
        ids = list(mine.values_list("pk", flat=True)[: bulk.MOST + 1])
        if len(ids) <= bulk.MOST:
            return ids
        many_more = gettext("At most %d documents can be changed at once. Narrow the list by its state or by titles.")
        self.message_user(request, many_more % bulk.MOST, messages.WARNING)
        return []

    def _ask(self, request: HttpRequest, ids: list[int], action: str, more: dict[str, Any]) -> TemplateResponse:
        count = len(ids)
        titles = {
            "move": ngettext("Move %d document", "Move %d documents", count),
            "tag": ngettext("Change the tags of %d document", "Change the tags of %d documents", count),
        }
        context = {
            **self.admin_site.each_context(request),
            "title": titles[action] % count,
            "opts": self.opts,
            "action": action,
            "ids": ids,
            "ticks": ACTION_CHECKBOX_NAME,
            "titles": listing.titles(ids, TITLES_SHOWN),
            "others": max(0, count - TITLES_SHOWN),
            **more,
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/documents/document/many.html", context)
