"""The encoder lab's pages: looking into an encoder, comparing poolings, what came of each comparison."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from encoder import EncoderError
from searchsite.documents.access import visible_collections
from searchsite.documents.admin import state_badge
from searchsite.documents.shown import percent_of, with_reason
from searchsite.encoder_sentences import translated
from searchsite.insight import poolings
from searchsite.insight.admin import figures
from searchsite.insight.admin.forms import CompareForm, look_form
from searchsite.insight.admin.look import look
from searchsite.insight.models import Comparison


@admin.register(Comparison)
class ComparisonAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Shows comparisons of collections that the user may read, and of folders."""

    list_display = ("__str__", "about", "source_shown", "state_and_result", "created")
    list_select_related = ("collection",)
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # they are queued by the form below

    def has_change_permission(self, request: HttpRequest, obj: Comparison | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Comparison]:
        found: QuerySet[Comparison] = super().get_queryset(request)
        if getattr(request.user, "is_superuser", False):
            return found
        # Of a collection that was deleted nobody knows any more who might read it.
        of_none = Q(source=Comparison.Source.FOLDER)
        return found.filter(of_none | Q(collection__in=visible_collections(request.user)))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Comparison:
        found: Comparison | None = super().get_object(request, object_id, from_field)
        if found is None:
            raise Http404  # the same for what is not there and for what may not be seen
        return found

    @admin.display(description=_("compared on"))
    def about(self, comparison: Comparison) -> str:
        return figures.about(comparison)

    @admin.display(description=_("what is asked"), ordering="source")
    def source_shown(self, comparison: Comparison) -> str:
        return str(comparison.get_source_display())

    @admin.display(description=_("state and conclusion"))
    def state_and_result(self, comparison: Comparison) -> SafeString:
        return with_reason(badge(comparison), comparison.reason or comparison.conclusion)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("look/", view(require_GET(self.look_view)), name="insight_lab"),
            path("compare/", view(require_POST(self.compare_view)), name="insight_comparison_compare"),
            path("<int:pk>/again/", view(require_POST(self.again_view)), name="insight_comparison_again"),
        ]
        return [*own, *super().get_urls()]

    def look_view(self, request: HttpRequest) -> HttpResponse:
        """A look into the encoder that the address names."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = look_form(request.GET.dict())
        context = {**self._lab(request), "title": _("Encoder lab"), "form": form}
        if form.is_bound and form.is_valid():
            asked = form.cleaned_data
            try:
                context |= look(asked["encoder"], asked["text"], asked["how"], asked["frozen"])
            except EncoderError as error:
                context["problem"] = translated(str(error))
        return render(request, "admin/insight/comparison/look.html", context)

    def _lab(self, request: HttpRequest) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {"title": _("Encoder lab"), "form": CompareForm(request.user) if may_compare(request) else None}
        return super().changelist_view(request, context | (extra_context or {}))

    def compare_view(self, request: HttpRequest) -> HttpResponse:
        """Queue what the form asks for; where that cannot be, the list with what is wrong."""
        if not (may_compare(request) and self.has_view_permission(request)):
            raise PermissionDenied
        form = CompareForm(request.user, request.POST)
        if not form.is_valid():
            return self.changelist_view(request, {"form": form})
        asked = form.cleaned_data
        poolings.queue(asked["encoder"], asked["source"], collection=asked["collection"], by=request.user)  # type: ignore[arg-type]
        self.message_user(
            request, _("The comparison is queued. It is done by the worker; the list shows how far it is.")
        )
        return HttpResponseRedirect(reverse("admin:insight_comparison_changelist"))

    def again_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Queue the same once more; what came of it before stays."""
        if not (may_compare(request) and self.has_view_permission(request)):
            raise PermissionDenied
        before = get_object_or_404(self.get_queryset(request), pk=pk)
        again = poolings.queue(
            before.encoder, before.source, collection=before.collection, folder=before.folder,
            queries=before.options.get("queries", poolings.QUERIES), by=request.user,  # type: ignore[arg-type]
        )  # fmt: skip
        self.message_user(request, _("The same is compared again."))
        return HttpResponseRedirect(reverse("admin:insight_comparison_change", args=[again.pk]))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What came of a comparison, which a GET alone is answered with."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = self.get_queryset(request).select_related("collection", "made_by")
        comparison = get_object_or_404(found, pk=int(object_id) if object_id.isdecimal() and len(object_id) < 19 else 0)
        context = {
            **self._lab(request),
            "title": _("Comparison %s") % comparison,
            "comparison": comparison,
            "about": figures.about(comparison),
            "badge": badge(comparison),
            "may_compare": may_compare(request),
            "may_delete": self.has_delete_permission(request, comparison),
            **(figures.shown(comparison.result) if comparison.result else {}),
        }
        return render(request, "admin/insight/comparison/page.html", context)

    class Media:
        js = ("searchsite/live.js",)


def may_compare(request: HttpRequest) -> bool:
    return request.user.has_perm("insight.add_comparison")


def badge(comparison: Comparison) -> SafeString:
    """Its state, and how far it is."""
    job, state = comparison.job, comparison.state
    if job is None:
        return state_badge(state, str(state.label))
    return state_badge(state, str(state.label), percent_of(job.done, job.total), job.step)
