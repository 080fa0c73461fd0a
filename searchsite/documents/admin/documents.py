"""The documents in Django's admin, with their state, tags and addresses."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from searchsite.documents import addresses, jobs
from searchsite.documents.admin import uploading
from searchsite.documents.admin.collections import DeletingWhole
from searchsite.documents.admin.shown import percent_of, state_badge, with_reason
from searchsite.documents.forms import DocumentForm, Original
from searchsite.documents.models import Document, Job, State


@admin.register(Document)
class DocumentAdmin(DeletingWhole):
    form = DocumentForm
    list_display = ("shown_title", "collection", "state_and_reason", "tags_shown", "size_shown", "updated")
    list_filter = ("state", "collection", "tags")
    list_select_related = ("collection", "live_revision")
    search_fields = ("title", "name", "source", "url", "live_revision__title")
    readonly_fields = (
        "name", "source", "address", "state_shown", "reason_shown", "found_in_it", "same_content",
        "created", "updated", "added_by",
    )  # fmt: skip
    actions = ("try_again", "fetch_again", "cancel")
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        latest = Job.objects.filter(document=OuterRef("pk")).order_by("-pk")
        documents: QuerySet[Document] = super().get_queryset(request)
        progress = {f"job_{name}": Subquery(latest.values(name)[:1]) for name in ("done", "total", "step")}
        unneeded = ("live_revision__text", "live_revision__headings", "live_revision__preformatted")
        return documents.defer(*unneeded).annotate(**progress).prefetch_related("tags")

    def get_fields(self, request: HttpRequest, obj: Document | None = None) -> Any:
        fields = super().get_fields(request, obj)
        if obj and not self.has_change_permission(request, obj):  # who only looks sees the file by its name, too
            return ["file_shown" if name == "file" else name for name in fields]
        return fields

    @admin.display(description=_("file"))
    def file_shown(self, document: Document) -> SafeString | str:
        if not document.file:
            return ""
        original = Original(document)
        return format_html('<a href="{}">{}</a>', original.url, original)

    @admin.display(description=_("title"), ordering="title")
    def shown_title(self, document: Document) -> str:
        return document.shown_title

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, document: Document) -> SafeString:
        done, total, step = (getattr(document, f"job_{name}", None) for name in ("done", "total", "step"))
        return state_badge(document.state, document.get_state_display(), percent_of(done, total), step or "")

    @admin.display(description=_("why it failed"))
    def reason_shown(self, document: Document) -> str:
        return document.reason

    @admin.display(description=_("state"), ordering="state")
    def state_and_reason(self, document: Document) -> SafeString:
        return with_reason(self.state_shown(document), document.reason or self.unread(document))

    @admin.display(description=_("tags"))
    def tags_shown(self, document: Document) -> str:
        return ", ".join(tag.name for tag in document.tags.all())

    @admin.display(description=_("address"))
    def address(self, document: Document) -> str | SafeString:
        """Where it was fetched from, as a link that does not tell the host where it was followed."""
        if not document.url.startswith(("http://", "https://")):
            return document.url
        return format_html('<a href="{}" rel="noopener noreferrer" class="address">{}</a>', document.url, document.url)

    def unread(self, document: Document) -> str:
        """Which pages could not be read; empty when all were."""
        revision = document.live_revision
        if revision is None or not revision.unread:
            return ""
        return gettext("Pages without a text layer, not read: %(pages)s. The OCR extra reads them.") % {
            "pages": revision.unread_pages
        }

    @admin.display(description=_("found in it"))
    def found_in_it(self, document: Document) -> str:
        """Kind, language, author and date, as far as they are known."""
        revision = document.live_revision
        if revision is None:
            return ""
        written = date_format(revision.written) if revision.written else ""
        facts = [revision.kind, revision.language, revision.author, written, self.unread(document)]
        return " · ".join(filter(None, facts))

    @admin.display(description=_("same content"))
    def same_content(self, document: Document) -> SafeString:
        """Links to the other documents with exactly this content."""
        links = (
            (reverse("admin:documents_document_change", args=[twin.pk]), twin.name or twin.shown_title, twin.collection)
            for twin in document.twins()[:20]
        )
        return format_html_join(", ", '<a href="{}">{}</a> ({})', links)

    @admin.display(description=_("size"), ordering="size")
    def size_shown(self, document: Document) -> str:
        from django.template.defaultfilters import filesizeformat

        return filesizeformat(document.size)

    @admin.action(description=_("Try again"), permissions=["change"])
    def try_again(self, request: HttpRequest, documents: QuerySet[Document]) -> None:
        count = 0
        for document in documents:
            document.try_again()
            count += 1
        self.message_user(
            request,
            ngettext("%d document is being read again.", "%d documents are being read again.", count) % count,
        )

    @admin.action(description=_("Fetch again"), permissions=["change"])
    def fetch_again(self, request: HttpRequest, documents: QuerySet[Document]) -> None:
        chosen = list(documents)
        fetched = [document for document in chosen if document.url]
        for document in fetched:
            addresses.fetch_again(document)
        count, others = len(fetched), len(chosen) - len(fetched)
        said = [ngettext("%d document is being fetched again.", "%d documents are being fetched again.", count) % count]
        if others:
            alone = ngettext("%d has no address and was left alone.", "%d have no address and were left alone.", others)
            said.append(alone % others)
        self.message_user(request, " ".join(said), messages.WARNING if others else messages.SUCCESS)

    @admin.action(description=_("Cancel"), permissions=["change"])
    def cancel(self, request: HttpRequest, documents: QuerySet[Document]) -> None:
        count = jobs.cancel(Job.objects.filter(document__in=documents.order_by().values("pk")))
        self.message_user(request, ngettext("%d job was cancelled.", "%d jobs were cancelled.", count) % count)

    def save_model(self, request: HttpRequest, obj: Document, form: Any, change: bool) -> None:
        if not change:
            obj.added_by = request.user  # type: ignore[assignment]
        if "file" in form.changed_data:
            obj.name = ""  # the new file's own
        super().save_model(request, obj, form, change)

    def get_urls(self) -> list[URLPattern]:
        again = require_POST(self.admin_site.admin_view(self.again))
        own = [path("<int:pk>/again/", again, name="documents_document_again")]
        return [*uploading.urls(self), *own, *super().get_urls()]

    def again(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Have one document read again, from its page here or, named by `next`, the one for readers."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        document = get_object_or_404(Document, pk=pk)
        if document.state not in (State.QUEUED, State.RUNNING):
            document.try_again()
        back = request.POST.get("next", "")
        if url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
            return HttpResponseRedirect(back)  # the page shows that it waits
        self.message_user(
            request, ngettext("%d document is being read again.", "%d documents are being read again.", 1) % 1
        )
        return HttpResponseRedirect(reverse("admin:documents_document_change", args=[pk]))

    class Media:
        js = ("searchsite/live.js",)
