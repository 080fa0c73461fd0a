"""The uploads in Django's admin: their list, the page of each, cancelling and trying again."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from searchsite.documents import uploads
from searchsite.documents.admin import upload_page
from searchsite.documents.models import State, Upload, UploadItem


class UploadList(ChangeList):
    """Counts the files of all uploads of the page at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        counts = upload_page.counts_of(upload.pk for upload in self.result_list)
        missing = upload_page.missing_of(self.result_list)
        for upload in self.result_list:
            upload.counts, upload.missing = counts.get(upload.pk, {}), missing.get(upload.pk, 0)


@admin.register(Upload)
class UploadAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("__str__", "collection", "tags_shown", "added_by", "created", "summary")
    list_filter = ("collection",)
    list_select_related = ("collection", "added_by")
    list_per_page = 50
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # files are uploaded at the documents

    def has_change_permission(self, request: HttpRequest, obj: Upload | None = None) -> bool:
        return False  # rows are read, not edited

    def has_delete_permission(self, request: HttpRequest, obj: Upload | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Upload | None = None) -> bool:
        sees_documents = ("documents.view_document", "documents.change_document")
        return any(map(request.user.has_perm, sees_documents)) or _is_own(request, obj)

    def may_steer(self, request: HttpRequest, upload: Upload) -> bool:
        """Whether they may cancel it and try again: those who may change documents, and whoever began it."""
        return request.user.has_perm("documents.change_document") or _is_own(request, upload)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return UploadList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Upload]:
        found: QuerySet[Upload] = super().get_queryset(request)
        return found.prefetch_related("tags")

    @admin.display(description=_("tags"))
    def tags_shown(self, upload: Upload) -> str:
        return ", ".join(tag.name for tag in upload.tags.all())

    @admin.display(description=_("files"))
    def summary(self, upload: Upload) -> str:
        return upload_page.summary(upload.counts, upload.missing)  # type: ignore[attr-defined]

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(
                "<int:pk>/cancel/",
                require_POST(self.admin_site.admin_view(self.cancel)),
                name="documents_upload_cancel",
            ),
            path(
                "<int:pk>/again/", require_POST(self.admin_site.admin_view(self.again)), name="documents_upload_again"
            ),
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The upload's own page, which a GET alone is answered with."""
        found = Upload.objects.select_related("collection", "added_by")
        upload = get_object_or_404(found, pk=_number(object_id))
        if not self.has_view_permission(request, upload):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Upload %s") % upload,
            "upload": upload,
            "may_steer": self.may_steer(request, upload),
            "may_add": request.user.has_perm("documents.add_document"),
            **_shown(upload, request),
        }
        return render(request, "admin/documents/upload/page.html", context)

    def cancel(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Stop what of the upload is not done."""
        upload = self._to_steer(request, pk)
        count = uploads.cancel(upload)
        self.message_user(request, ngettext("%d file was cancelled.", "%d files were cancelled.", count) % count)
        return HttpResponseRedirect(_back(upload, request))

    def again(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Queue once more one file, the one named by `item`, or all that failed or were cancelled."""
        upload = self._to_steer(request, pk)
        chosen = request.POST.get("item", "")
        if chosen:
            items = UploadItem.objects.select_related("document")
            uploads.try_item_again(get_object_or_404(items, upload=upload, pk=_number(chosen)))
            count = 1
        else:
            count = uploads.try_again(upload)
        self.message_user(request, ngettext("%d file is tried again.", "%d files are tried again.", count) % count)
        return HttpResponseRedirect(_back(upload, request))

    def _to_steer(self, request: HttpRequest, pk: int) -> Upload:
        upload = get_object_or_404(Upload, pk=pk)
        if not self.may_steer(request, upload):
            raise PermissionDenied
        return upload


def _number(text: str) -> int:
    """A number from an address or a form; 0 for anything else."""
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def _is_own(request: HttpRequest, upload: Upload | None) -> bool:
    own = upload is not None and upload.added_by_id is not None and upload.added_by_id == request.user.pk
    return own and request.user.has_perm("documents.add_document")


def _shown(upload: Upload, request: HttpRequest) -> dict[str, Any]:
    """What the page says of the upload, in a fixed number of queries."""
    counts = upload_page.counts_of([upload.pk]).get(upload.pk, {})
    state = request.GET.get("state", "")
    state = state if state in upload_page.TABS else ""
    tabs = upload_page.tabs(counts, state)
    chosen = next(tab for tab in tabs if tab.chosen)
    pages = max(1, -(-chosen.count // upload_page.A_PAGE))
    page = min(max(1, _number(request.GET.get("page", ""))), pages)
    waiting = counts.get(State.QUEUED, 0) + counts.get(State.RUNNING, 0)
    missing = upload_page.missing_of([upload]).get(upload.pk, 0)
    busy = upload_page.is_busy(upload, counts, missing)
    return {
        "summary": upload_page.summary(counts, missing),
        "segments": upload_page.segments(counts, missing),
        "missing": missing,
        "busy": busy,
        "time_left": upload_page.time_left(upload, waiting),
        "can_cancel": bool(waiting) or (missing > 0 and busy),
        "can_try_again": bool(counts.get(State.FAILED) or counts.get(State.CANCELLED)),
        "tabs": tabs,
        "state": state,
        "page": page,
        "pages": range(1, pages + 1),
        "rows": upload_page.rows(upload, state, page, request.user),
    }


def _back(upload: Upload, request: HttpRequest) -> str:
    """The page of the upload as it was looked at."""
    state, page = request.POST.get("state", ""), _number(request.POST.get("page", ""))
    looked_at = {"state": state if state in upload_page.TABS else "", "page": page if page > 1 else 0}
    asked = urlencode({name: value for name, value in looked_at.items() if value})
    return f"{upload.get_absolute_url()}?{asked}" if asked else upload.get_absolute_url()
