"""The jobs in Django's admin: how far they are, how long they take, why they failed, trying again, cancelling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from searchsite.documents import addresses, jobs, uploads
from searchsite.documents.access import User, seen_jobs, steered_jobs
from searchsite.documents.admin.within import StateTabs, WithinRoles
from searchsite.documents.models import Document, Job, State
from searchsite.documents.problems import may_pass
from searchsite.documents.shown import job_label, percent_of, spent, state_badge, step_label, with_reason
from searchsite.documents.views.asked import back
from searchsite.documents.views.listing import TABS

KINDS: dict[str, str | Promise] = {
    "": _("All kinds"),
    Job.Kind.INGEST: _("Reading"),
    Job.Kind.FETCH: _("Fetching"),
    Job.Kind.UNPACK: _("Unpacking"),
    Job.Kind.REBUILD: _("Rebuilding"),
    Job.Kind.CALIBRATE: _("Calibrating"),
    Job.Kind.COMPARE: _("Comparing"),
}
OVER = (State.FAILED, State.READY, State.CANCELLED)
STOPPED = (State.FAILED, State.CANCELLED)


class JobList(ChangeList):
    """Knows which rows of the page have buttons, and where those lead back to."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        ids = [job.pk for job in self.result_list]
        mine = Job.objects.filter(steered_jobs(request.user), pk__in=ids)
        steered = set(mine.values_list("pk", flat=True))
        for job in self.result_list:
            job.is_steered, job.back = job.pk in steered, request.get_full_path()


@admin.register(Job)
class JobAdmin(StateTabs, WithinRoles):
    """Shows the jobs about what the user sees, and those of the whole site, such as a rebuild of the index."""

    list_display = ("label", "about", "state_and_reason", "created", "duration", "buttons")
    fields = (
        "label", "about", "state_shown", "reason_shown", "step_shown", "attempts", "created", "started", "finished",
        "duration", "encoding", "worker",
    )  # fmt: skip
    readonly_fields = fields
    tabbed = {"state": TABS, "kind": KINDS}
    list_select_related = ("document", "document__live_revision", "item__upload")
    show_full_result_count = False  # the tabs say it
    actions = ("try_again", "cancel")

    def seen(self, user: User) -> Q:
        return seen_jobs(user)

    def changeable(self, user: Any) -> Q:
        return steered_jobs(user)

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

    def get_fields(self, request: HttpRequest, obj: Job | None = None) -> Any:
        """How many passages a job of the whole site encoded tells how many are hidden."""
        tells = obj is None or obj.document_id or obj.item_id or getattr(request.user, "is_superuser", False)
        return self.fields if tells else [name for name in self.fields if name != "encoding"]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return JobList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        found: QuerySet[Job] = super().get_queryset(request)
        texts = ("text", "live_revision__text", "live_revision__headings", "live_revision__preformatted")
        return found.defer(*(f"document__{text}" for text in texts))

    @admin.display(description=_("job"), ordering="pk")
    def label(self, job: Job) -> SafeString:
        return format_html('<span class="label">{}</span>', job_label(job))

    @admin.display(description=_("document or archive"), empty_value="")
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

    @admin.display(description=_("duration"), empty_value="")
    def duration(self, job: Job) -> str:
        """Of its last attempt, or so far."""
        if not job.started or job.state == State.QUEUED:
            return ""
        end = job.finished or (timezone.now() if job.state == State.RUNNING else None)
        return spent((end - job.started).total_seconds()) if end else ""

    @admin.display(description=_("encoding"))
    def encoding(self, job: Job) -> str:
        """What the encoder did for it."""
        if not job.encoded:
            return ""
        passages = ngettext("%d passage", "%d passages", job.encoded) % job.encoded
        return gettext("%(passages)s in %(time)s") % {"passages": passages, "time": spent(job.encode_seconds)}

    @admin.display(description=_("actions"), empty_value="")
    def buttons(self, job: Job) -> SafeString | str:
        """What may be done with the row: buttons that send the list's form to addresses of their own."""
        if not getattr(job, "is_steered", False):
            return ""
        if job.state in (State.QUEUED, State.RUNNING) and (job.document_id or job.item_id):
            return self._button(job, "cancel", _("Cancel"), _("Cancel: %s"))
        may_help = may_pass(job.problem["code"] if job.problem else "")
        about = job.document or job.item
        if job.state in STOPPED and may_help and (about is None or about.state in STOPPED):
            return self._button(job, "again", _("Try again"), _("Try again: %s"))
        return ""

    def _button(self, job: Any, what: str, word: Any, spoken: Any) -> SafeString:
        address = reverse(f"admin:documents_job_{what}", args=[job.pk])
        return format_html(
            '<button type="submit" class="button row-button" formaction="{}?{}" aria-label="{}">{}</button>',
            address, urlencode({"next": job.back}), str(spoken) % job_label(job), word,
        )  # fmt: skip

    @admin.action(description=_("Try again"), permissions=["view"])
    def try_again(self, request: HttpRequest, chosen: QuerySet[Job]) -> None:
        over = self._steerable(request, chosen).filter(state__in=OVER)
        for job in over.select_related("document", "item__document"):
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

    def get_urls(self) -> list[URLPattern]:
        steering: dict[str, Callable[[Job], str]] = {"again": _one_again, "cancel": _one_cancelled}
        return [*(self._steering(*one) for one in steering.items()), *super().get_urls()]

    def _steering(self, what: str, do: Callable[[Job], str]) -> URLPattern:
        def view(request: HttpRequest, object_id: int) -> HttpResponse:
            """What a button of a row does; then to where its list or page is (`next`)."""
            if not self.has_view_permission(request):
                raise PermissionDenied
            job = self.get_object(request, str(object_id))
            if job is None:
                raise Http404
            if not self.may_change(request, job):
                raise PermissionDenied
            self.message_user(request, do(job), messages.SUCCESS)
            return HttpResponseRedirect(back(request, otherwise=reverse("admin:documents_job_changelist")))

        guarded = self.admin_site.admin_view(require_POST(view))
        return path(f"<int:object_id>/{what}/", guarded, name=f"documents_job_{what}")

    class Media:
        js = ("searchsite/live.js",)


def _one_again(job: Job) -> str:
    if job.state in OVER:
        _queue_again(job)
    return gettext("%s is queued once more.") % job_label(job)


def _one_cancelled(job: Job) -> str:
    count = jobs.cancel(Job.objects.filter(pk=job.pk))
    return ngettext("%d job was cancelled.", "%d jobs were cancelled.", count) % count


def _queue_again(job: Job) -> None:
    if job.item:
        uploads.try_item_again(job.item)
    elif job.document and job.kind == Job.Kind.FETCH:
        addresses.fetch_again(job.document)
    elif job.document:
        job.document.try_again()
    else:
        Job.queue(job.kind)
