"""The index in Django's admin: its builds, and the button that makes a new one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from searchsite.documents.access import visible_documents
from searchsite.documents.admin import state_badge
from searchsite.documents.models import Change, Job
from searchsite.index.models import ActiveBuild, Build

OF_ALL = ("passages", "size", "size_shown", "change_number")
"""What tells how much there is in all, and so how much is hidden: for superusers."""


@admin.register(Build)
class BuildAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = (
        "__str__",
        "state_shown",
        "serving",
        "passages",
        "encoder",
        "dim",
        "size_shown",
        "created",
        "finished",
    )
    actions = ("rebuild_index",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Build | None = None) -> bool:
        return False  # a build is immutable

    def has_delete_permission(self, request: HttpRequest, obj: Build | None = None) -> bool:
        return False  # old ones are tidied away by the next rebuild

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

    @admin.display(description=_("serving"), boolean=True)
    def serving(self, build: Build) -> bool:
        return ActiveBuild.objects.filter(build=build).exists()

    @admin.display(description=_("size"), ordering="size")
    def size_shown(self, build: Build) -> str:
        from django.template.defaultfilters import filesizeformat

        return filesizeformat(build.size)

    @admin.action(description=_("Rebuild the search index"), permissions=["view"])
    def rebuild_index(self, request: HttpRequest, _builds: QuerySet[Build]) -> None:
        self._queue_rebuild(request)

    def _queue_rebuild(self, request: HttpRequest) -> None:
        if not request.user.has_perm("index.add_build"):
            raise PermissionDenied
        Job.queue(Job.Kind.REBUILD)
        self.message_user(request, _("The search index is being rebuilt; the old one serves until then."))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.rebuild_view))
        return [path("rebuild/", view, name="index_build_rebuild"), *super().get_urls()]

    def rebuild_view(self, request: HttpRequest) -> HttpResponse:
        self._queue_rebuild(request)
        return HttpResponseRedirect(reverse("admin:index_build_changelist"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        active = ActiveBuild.objects.select_related("build").first()
        build = active.build if active else None
        seen = visible_documents(request.user)
        changed = Change.objects.filter(number__gt=build.change_number if build else 0)
        if not _sees_all(request):
            changed = changed.filter(document_id__in=seen.values("pk"))
        context = {
            "active": build,
            "job": Job.objects.open().filter(kind=Job.Kind.REBUILD).first(),
            "last_job": Job.objects.filter(kind=Job.Kind.REBUILD).first(),
            "changes": changed.values("document_id").distinct().count(),
            "live_documents": seen.filter(live_revision__isnull=False).count(),
            "sees_all": _sees_all(request),
            "may_rebuild": request.user.has_perm("index.add_build"),
            "title": _("Search index"),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    class Media:
        js = ("searchsite/live.js",)


def _sees_all(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))
