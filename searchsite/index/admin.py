"""The index in Django's admin: its builds, the button that makes a new one, and those to let an earlier one serve."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from searchsite.documents.access import visible_documents
from searchsite.documents.admin import state_badge
from searchsite.documents.models import Job
from searchsite.documents.shown import grouped, labelled, spent
from searchsite.index import serving
from searchsite.index.models import ActiveBuild, Build
from searchsite.people import audit
from searchsite.people.models import Action

OF_ALL = ("passages", "passages_shown", "size", "size_shown", "change_number")
"""What tells how much there is in all, and so how much is hidden: for superusers."""


class BuildList(ChangeList):
    """Knows which of its builds serves, and what keeps each of the others from it."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        active = ActiveBuild.objects.select_related("build").first()
        may = request.user.has_perm("index.add_build")
        for build in self.result_list:
            build.serves = active is not None and active.build_id == build.pk
            build.obstacle = serving.obstacle(build, active) if may else None


@admin.register(Build)
class BuildAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = (
        "__str__",
        "state_shown",
        "serving",
        "passages_shown",
        "encoder",
        "kind_shown",
        "recall_shown",
        "size_shown",
        "created",
        "duration",
        "buttons",
    )
    actions = ("rebuild_index",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Build | None = None) -> bool:
        return False  # a build is immutable

    def has_delete_permission(self, request: HttpRequest, obj: Build | None = None) -> bool:
        return False  # old ones are tidied away by the next rebuild

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BuildList

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        columns = list(super().get_list_display(request))
        return columns if _sees_all(request) else [name for name in columns if name not in OF_ALL]

    def get_exclude(self, request: HttpRequest, obj: Build | None = None) -> Any:
        return None if _sees_all(request) else OF_ALL

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        of_all = lookup.partition("__")[0] in OF_ALL and not _sees_all(request)
        return not of_all and super().lookup_allowed(lookup, value, request)

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, build: Build) -> SafeString:
        return state_badge(build.state, build.get_state_display())

    @admin.display(description=_("serving"), empty_value="")
    def serving(self, build: Any) -> str:
        return gettext("serves now") if build.serves else ""  # no cross for the others: nothing is wrong with them

    @admin.display(description=_("passages"), ordering="passages")
    def passages_shown(self, build: Build) -> SafeString:
        return labelled(grouped(build.passages), gettext("passages"))

    @admin.display(description=_("kind"), ordering="kind")
    def kind_shown(self, build: Build) -> str:
        return gettext("exact") if build.kind == "exact" else build.kind

    @admin.display(description=_("size"), ordering="size")
    def size_shown(self, build: Build) -> str:
        return filesizeformat(build.size)

    @admin.display(description=_("recall"), ordering="recall", empty_value="")
    def recall_shown(self, build: Build) -> SafeString | str:
        """The share of the nearest passages that it finds."""
        if build.state != Build.State.READY:
            return ""
        percent = number_format(round(100 * build.recall, 1), 1) if build.recall is not None else "100"
        return labelled(f"{percent}\u00a0%", gettext("recall"))

    @admin.display(description=_("duration"), empty_value="")
    def duration(self, build: Build) -> str:
        return spent((build.finished - build.created).total_seconds()) if build.finished else ""

    @admin.display(description=_("actions"), empty_value="")
    def buttons(self, build: Any) -> SafeString | str:
        """A button that makes it serve, or what keeps it from that."""
        if build.obstacle is None or build.serves or build.state != Build.State.READY:
            return ""
        if build.obstacle:
            return format_html('<span class="reason">{}</span>', build.obstacle)
        address, spoken = reverse("admin:index_build_activate", args=[build.pk]), gettext("Use build %s") % build
        return format_html(
            '<button type="submit" class="button row-button" formaction="{}" aria-label="{}">{}</button>',
            address, spoken, _("Use this build"),
        )  # fmt: skip

    @admin.action(description=_("Rebuild the search index"), permissions=["view"])
    def rebuild_index(self, request: HttpRequest, _builds: QuerySet[Build]) -> None:
        self._queue_rebuild(request)

    def _queue_rebuild(self, request: HttpRequest) -> None:
        if not request.user.has_perm("index.add_build"):
            raise PermissionDenied
        Job.queue(Job.Kind.REBUILD)
        self.message_user(request, _("The search index is being rebuilt; the old one serves until then."))

    def get_urls(self) -> list[URLPattern]:
        rebuild, activate = (
            self.admin_site.admin_view(require_POST(view)) for view in (self.rebuild_view, self.activate_view)
        )
        return [
            path("rebuild/", rebuild, name="index_build_rebuild"),
            path("<int:object_id>/activate/", activate, name="index_build_activate"),
            *super().get_urls(),
        ]

    def rebuild_view(self, request: HttpRequest) -> HttpResponse:
        self._queue_rebuild(request)
        return HttpResponseRedirect(reverse("admin:index_build_changelist"))

    def activate_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Make this build serve, if it can; written down in the audit log."""
        if not request.user.has_perm("index.add_build"):
            raise PermissionDenied
        try:
            build, before = serving.serve(object_id)
        except Build.DoesNotExist:
            raise Http404 from None
        except serving.CannotServe as why:
            said = gettext("Build %s cannot serve.") % f"#{object_id}"
            self.message_user(request, f"{said} {why}", messages.ERROR)
        else:
            audit.record(Action.BUILD_CHOSEN, about=build, about_id=build.pk, details={"before": str(before or "")})
            self.message_user(request, gettext("Build %s serves now.") % build, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:index_build_changelist"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        row = ActiveBuild.objects.select_related("build").first()
        build = row.build if row else None
        may_rebuild = request.user.has_perm("index.add_build")
        context = {
            "active": build,
            "active_recall": self.recall_shown(build) if build else "",
            "recall_label": capfirst(gettext("recall")),
            "previous": serving.previous(row) if may_rebuild else None,
            "went_back": serving.went_back(row),
            "job": Job.objects.open().filter(kind=Job.Kind.REBUILD).first(),
            "last_job": Job.objects.filter(kind=Job.Kind.REBUILD).first(),
            "changes": serving.changed_since(build, request.user),
            "live_documents": visible_documents(request.user).filter(live_revision__isnull=False).count(),
            "sees_all": _sees_all(request),
            "may_rebuild": may_rebuild,
            "title": _("Search index"),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    class Media:
        js = ("searchsite/live.js",)


def _sees_all(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))
