"""The list of uploads in Django's admin. Each has its page in the library, for those who may change its collection."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from searchsite.documents.access import User, editable_collections, visible_collections
from searchsite.documents.admin.within import VisibleCollections, WithinRoles
from searchsite.documents.models import Document, Upload
from searchsite.documents.views import upload_page


class UploadList(ChangeList):
    """Counts the files of all uploads of the page at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        counts = upload_page.counts_of(upload.pk for upload in self.result_list)
        missing = upload_page.missing_of(self.result_list)
        editable = set(editable_collections(request.user).values_list("pk", flat=True))
        for upload in self.result_list:
            upload.counts, upload.missing = counts.get(upload.pk, {}), missing.get(upload.pk, 0)
            upload.is_open = upload.collection_id in editable


@admin.register(Upload)
class UploadAdmin(WithinRoles):
    list_display = ("number", "collection", "tags_shown", "added_by", "created", "summary")
    list_display_links = None
    empty_value_display = ""
    list_filter = (("collection", VisibleCollections),)
    list_select_related = ("collection", "added_by")
    list_per_page = 50
    actions = None

    def seen(self, user: User) -> Q:
        return Q(collection__in=visible_collections(user))

    def changeable(self, user: User) -> Q:
        return Q(collection__in=editable_collections(user))

    def looked_at(self, row: Any) -> tuple[int | None, Document | None]:
        return row.collection_id, None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # files are uploaded in the library

    def has_change_permission(self, request: HttpRequest, obj: Upload | None = None) -> bool:
        return False  # rows are read, not edited

    def has_delete_permission(self, request: HttpRequest, obj: Upload | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Upload | None = None) -> bool:
        sees_documents = ("documents.view_document", "documents.change_document")
        visible = obj is None or Upload.objects.filter(self.seen(request.user), pk=obj.pk).exists()
        return visible and any(map(request.user.has_perm, sees_documents))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return UploadList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Upload]:
        return super().get_queryset(request).prefetch_related("tags")

    @admin.display(description=_("upload"), ordering="pk")
    def number(self, upload: Upload) -> SafeString | str:
        if not upload.is_open:  # type: ignore[attr-defined]
            return str(upload)
        return format_html('<a href="{}">{}</a>', upload.get_absolute_url(), upload)

    @admin.display(description=_("tags"))
    def tags_shown(self, upload: Upload) -> str:
        return ", ".join(tag.name for tag in upload.tags.all())

    @admin.display(description=_("files"))
    def summary(self, upload: Upload) -> str:
        return upload_page.summary(upload.counts, upload.missing)  # type: ignore[attr-defined]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """To the upload's page in the library."""
        if not object_id.isdecimal():
            raise Http404
        mine = Upload.objects.filter(collection__in=editable_collections(request.user))
        return HttpResponseRedirect(get_object_or_404(mine, pk=object_id).get_absolute_url())
