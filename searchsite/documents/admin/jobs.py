"""The jobs in Django's admin: how far they are, why they failed, trying again, cancelling."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from searchsite.documents import addresses, jobs, uploads
from searchsite.documents.access import User, editable_collections, visible_collections
from searchsite.documents.admin.within import WithinRoles
from searchsite.documents.models import Collection, Document, Job, State
from searchsite.documents.shown import percent_of, state_badge, step_label, with_reason

LABELS = {
    Job.Kind.INGEST: _("Read #%d"),
    Job.Kind.FETCH: _("Fetch #%d"),
    Job.Kind.UNPACK: _("Unpack #%d"),
    Job.Kind.REBUILD: _("Rebuild #%d"),
    Job.Kind.CALIBRATE: _("Calibration #%d"),
    Job.Kind.COMPARE: _("Comparison #%d"),
}


@admin.register(Job)
class JobAdmin(WithinRoles):
    """Shows the jobs about what the user sees, and those of the whole site, such as a rebuild of the index."""

    list_display = ("label", "about", "state_and_reason", "created", "duration")
    fields = (
        "label", "about", "state_shown", "reason_shown", "step_shown", "attempts", "created", "started", "finished",
        "duration", "worker",
    )  # fmt: skip
    readonly_fields = fields
    list_filter = ("state", "kind")
    list_select_related = ("document", "document__live_revision", "item__upload")
    actions = ("try_again", "cancel")

    def seen(self, user: User) -> Q:
        return _of_site() | _about(visible_collections(user))

    def changeable(self, user: Any) -> Q:
        """Those that may be tried again and cancelled."""
        about = _about(editable_collections(user)) if user.has_perm("documents.change_document") else Q(pk__in=[])
        return about | _of_site() if user.has_perm("index.add_build") else about

    def looked_at(self, row: Job) -> tuple[int | None, Document | None]:
        if row.item:
            return row.item.upload.collection_id, None
        return (row.document.collection_id, row.document) if row.document else (None, None)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False  # rows are read, not edited; the actions below do what may be done

    def has_delete_permission(self, request: HttpRequest, obj: Job | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        found: QuerySet[Job] = super().get_queryset(request)
        texts = ("text", "live_revision__text", "live_revision__headings", "live_revision__preformatted")
        return found.defer(*(f"document__{text}" for text in texts))

    @admin.display(description=_("job"), ordering="pk")
    def label(self, job: Job) -> SafeString:
        short = str(LABELS[Job.Kind(job.kind)]) % job.pk
        return format_html('<span class="label">{}</span>', short)

    @admin.display(description=_("document or archive"))
    def about(self, job: Job) -> str | SafeString:
        if job.item:
            return format_html('<a href="{}">{}</a>', job.item.upload.get_absolute_url(), job.item.name)
        return str(job.document or "")

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, job: Job) -> SafeString:
        return state_badge(job.state, job.get_state_display(), percent_of(job.done, job.total))

    @admin.display(description=_("state"), ordering="state")
    def state_and_reason(self, job: Job) -> SafeString:
        percent = percent_of(job.done, job.total)
        return with_reason(state_badge(job.state, job.get_state_display(), percent, job.step), job.reason)

    @admin.display(description=_("why it failed"))
    def reason_shown(self, job: Job) -> str:
        return job.reason

    @admin.display(description=_("step"))
    def step_shown(self, job: Job) -> str:
        return step_label(job.step)

    @admin.display(description=_("duration"))
    def duration(self, job: Job) -> str:
        if not (job.started and job.finished):
            return ""
        return f"{(job.finished - job.started).total_seconds():.1f}\u00a0s"

    @admin.action(description=_("Try again"), permissions=["view"])
    def try_again(self, request: HttpRequest, chosen: QuerySet[Job]) -> None:
        over = [State.FAILED, State.READY, State.CANCELLED]
        for job in self._steerable(request, chosen).filter(state__in=over).select_related("document", "item__document"):
            _queue_again(job)
        self.message_user(request, _("The jobs are queued once more."))

    @admin.action(description=_("Cancel"), permissions=["view"])
    def cancel(self, request: HttpRequest, chosen: QuerySet[Job]) -> None:
        steerable = self._steerable(request, chosen)
        count = jobs.cancel(Job.objects.filter(pk__in=steerable.values("pk")))
        self.message_user(request, ngettext("%d job was cancelled.", "%d jobs were cancelled.", count) % count)

    def _steerable(self, request: HttpRequest, chosen: QuerySet[Job]) -> QuerySet[Job]:
        if not any(map(request.user.has_perm, ("documents.change_document", "index.add_build"))):
            raise PermissionDenied
        return self.changeable_of(request, chosen)

    class Media:
        js = ("searchsite/live.js",)


def _about(collections: QuerySet[Collection]) -> Q:
    return Q(document__collection__in=collections) | Q(item__upload__collection__in=collections)


def _of_site() -> Q:
    return Q(document=None, item=None)


def _queue_again(job: Job) -> None:
    if job.item:
        uploads.try_item_again(job.item)
    elif job.document and job.kind == Job.Kind.FETCH:
        addresses.fetch_again(job.document)
    elif job.document:
        job.document.try_again()
    else:
        Job.queue(job.kind)
