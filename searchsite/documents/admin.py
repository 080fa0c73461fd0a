"""The documents in Django's admin: collections, documents with their state, uploads, jobs."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from searchsite.documents.extract.kinds import KINDS
from searchsite.documents.forms import DocumentForm, UploadForm
from searchsite.documents.models import Collection, Document, Job, State
from searchsite.documents.uploads import take_in


def state_badge(state: str, label: str, percent: int | None = None) -> SafeString:
    """A state as a coloured word, with a bar while it is being worked on."""
    if state == State.RUNNING and percent is not None:
        return format_html(
            '<span class="state state-{}">{}</span> <progress max="100" value="{}">{} %</progress>',
            state, label, percent, percent,
        )  # fmt: skip
    return format_html('<span class="state state-{}">{}</span>', state, label)


def with_reason(state: SafeString, reason: str) -> SafeString:
    """A state, and below it why it failed."""
    return format_html('{}<p class="reason">{}</p>', state, reason) if reason else state


class DeletingWhole(admin.ModelAdmin):  # type: ignore[type-arg]
    """Deletes a thing with all that belongs to it. Django would list every passage, vector and job on the page that
    asks, and want a permission for each of their models, which nobody has to have."""

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        chosen = list(objs)
        counts = {str(self.opts.verbose_name_plural): len(chosen)}
        lacking: set[str] = set()
        if self.model is Collection:
            documents = Document.objects.filter(collection__in=chosen)
            counts[str(Document._meta.verbose_name_plural)] = documents.count()
            if not request.user.has_perm("documents.delete_document"):
                lacking.add(str(Document._meta.verbose_name))
        return [str(one) for one in chosen], counts, lacking, []


@admin.register(Collection)
class CollectionAdmin(DeletingWhole):
    list_display = ("name", "visibility", "document_count", "created")
    list_filter = ("visibility",)
    search_fields = ("name", "description")
    prepopulated_fields = {"slug": ("name",)}
    filter_horizontal = ("groups", "users")
    actions = ("rebuild_index",)

    @admin.display(description=_("documents"))
    def document_count(self, collection: Collection) -> SafeString:
        address = reverse("admin:documents_document_changelist")
        count = Document.objects.filter(collection=collection).count()
        return format_html('<a href="{}?collection__id__exact={}">{}</a>', address, collection.pk, count)

    @admin.action(description=_("Rebuild the search index"), permissions=["change"])
    def rebuild_index(self, request: HttpRequest, _collections: QuerySet[Collection]) -> None:
        Job.queue(Job.Kind.REBUILD)
        self.message_user(request, _("The search index is being rebuilt; the old one serves until then."))


@admin.register(Document)
class DocumentAdmin(DeletingWhole):
    form = DocumentForm
    list_display = ("shown_title", "collection", "state_and_reason", "size_shown", "updated")
    list_filter = ("state", "collection")
    list_select_related = ("collection", "live_revision")
    search_fields = ("title", "name", "source", "live_revision__title")
    readonly_fields = (
        "name", "source", "state_shown", "reason_shown", "found_in_it", "same_content",
        "created", "updated", "added_by",
    )  # fmt: skip
    actions = ("try_again",)
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet[Document]:
        latest = Job.objects.filter(document=OuterRef("pk")).order_by("-pk")
        documents: QuerySet[Document] = super().get_queryset(request)
        return documents.defer(
            "live_revision__text", "live_revision__headings", "live_revision__preformatted"
        ).annotate(job_done=Subquery(latest.values("done")[:1]), job_total=Subquery(latest.values("total")[:1]))

    @admin.display(description=_("title"), ordering="title")
    def shown_title(self, document: Document) -> str:
        return document.shown_title

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, document: Document) -> SafeString:
        total, done = getattr(document, "job_total", None), getattr(document, "job_done", None)
        percent = 100 * (done or 0) // total if total else 0
        return state_badge(document.state, document.get_state_display(), percent)

    @admin.display(description=_("why it failed"))
    def reason_shown(self, document: Document) -> str:
        return document.reason

    @admin.display(description=_("state"), ordering="state")
    def state_and_reason(self, document: Document) -> SafeString:
        return with_reason(self.state_shown(document), document.reason or self.unread(document))

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

    def save_model(self, request: HttpRequest, obj: Document, form: Any, change: bool) -> None:
        if not change:
            obj.added_by = request.user  # type: ignore[assignment]
        if "file" in form.changed_data:
            obj.name = ""  # the new file's own
        super().save_model(request, obj, form, change)

    def get_urls(self) -> list[URLPattern]:
        upload = path("upload/", self.admin_site.admin_view(self.upload_view), name="documents_document_upload")
        return [upload, *super().get_urls()]

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """Several files at once into a collection; each file gets its own outcome."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        collections = list(Collection.objects.all()[:2])
        if len(collections) == 1:  # with several, a file put into the wrong one might be read by the wrong people
            form.initial["collection"] = collections[0]
        outcomes = []
        if request.method == "POST" and form.is_valid():
            collection = form.cleaned_data["collection"]
            outcomes = [take_in(collection, file, request.user) for file in form.cleaned_data["files"]]  # type: ignore[arg-type]
            taken = sum(outcome.ok for outcome in outcomes)
            copies = [outcome for outcome in outcomes if outcome.copy_of]
            if taken == len(outcomes) and not copies:
                message = ngettext("%d file was taken in.", "%d files were taken in.", taken) % taken
                messages.success(request, message)
                return HttpResponseRedirect(reverse("admin:documents_document_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Upload files"),
            "form": form,
            "outcomes": outcomes,
            "limit_mb": settings.SEARCHSITE_MAX_FILE_MB,
            "kinds": KINDS,
        }
        return render(request, "admin/documents/document/upload.html", context)

    class Media:
        js = ("searchsite/live.js",)


@admin.register(Job)
class JobAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("__str__", "document", "state_and_reason", "step", "attempts", "created", "duration")
    list_filter = ("state", "kind")
    list_select_related = ("document", "document__live_revision")
    actions = ("try_again",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False  # rows are read, not edited; the actions below do what may be done

    def has_delete_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, job: Job) -> SafeString:
        return state_badge(job.state, job.get_state_display(), job.percent)

    @admin.display(description=_("state"), ordering="state")
    def state_and_reason(self, job: Job) -> SafeString:
        return with_reason(self.state_shown(job), job.reason)

    @admin.display(description=_("duration"))
    def duration(self, job: Job) -> str:
        if not (job.started and job.finished):
            return ""
        return f"{(job.finished - job.started).total_seconds():.1f} s"

    @admin.action(description=_("Try again"), permissions=["view"])
    def try_again(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        if not request.user.has_perm("documents.change_document"):
            raise PermissionDenied
        for job in jobs.filter(state__in=[State.FAILED, State.READY]).select_related("document"):
            if job.document:
                job.document.try_again()
            else:
                Job.queue(job.kind)
        self.message_user(request, _("The jobs are queued once more."))

    class Media:
        js = ("searchsite/live.js",)
