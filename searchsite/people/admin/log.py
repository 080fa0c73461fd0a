"""The audit log in Django's admin: for superusers to read and to export, for nobody to change."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import Max, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext, pgettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from searchsite.documents.models import Collection, Role
from searchsite.people import audit, audit_csv
from searchsite.people.models import Action, Entry

KEYS = {
    "is_active": _("active"),
    "is_staff": _("staff"),
    "is_superuser": _("superuser"),
    "username": _("username"),
    "email": _("e-mail"),
    "name": _("name"),
    "slug": _("short name"),
    "description": _("description"),
    "visibility": _("who may read it"),
    "documents": _("documents"),
    "files": _("files"),
    "entries": _("entries"),
    "filter": _("filter"),
    "moved_from": _("from"),
    "changed": _("changed"),
    "kind": _("kind"),
    "role": _("role"),
    "backend": _("by"),
    "minutes": _("minutes"),
    "reason": _("reason"),
    "way": _("way"),
    "before": _("before"),
    "added": _("added"),
    "removed": _("removed"),
    "updated": _("updated"),
    "renamed": _("renamed"),
    "collection": _("collection"),
    "title": _("title"),
    "text": _("text"),
    "file": _("file"),
    "tags": _("tags"),
}
VALUES = {
    **dict(Role.choices),
    **dict(Collection.Visibility.choices),
    "person": _("person"),
    "group": _("group"),
    "ModelBackend": _("password"),
    "HeaderBackend": _("a proxy"),
    "SingleSignOn": _("single sign-on"),
    "mail": _("e-mail"),
    "closed": _("the account is not active"),
}
LISTS = ("changed", "added", "removed")  # of names; other lists are what was before, and what is now
TRANSLATED = ("visibility", "kind", "role", "backend", "way", "reason")
LEFT_OUT = ("moved_from_id",)
LONGEST = 200  # characters of one value


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("when_shown", "who", "what", "about", "in_words", "collection", "address")
    list_display_links = None
    empty_value_display = ""
    list_filter = ("action", "when")
    search_fields = ("username", "about", "collection", "address")
    search_help_text = _("A user's name, what it is about, a collection, or an IP address.")
    date_hierarchy = "when"
    list_per_page = 100
    show_full_result_count = False  # of a log that only grows
    actions = None
    fields = ("when_shown", "who", "what", "about", "in_words", "collection", "address")
    readonly_fields = fields

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Entry | None = None) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_superuser", False))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Entry | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Entry | None = None) -> bool:
        return False

    def _get_obj_does_not_exist_redirect(self, *_args: Any) -> HttpResponse:
        raise Http404

    @admin.display(description=_("when"), ordering="pk")
    def when_shown(self, entry: Entry) -> str:
        return timezone.localtime(entry.when).strftime("%Y-%m-%d %H:%M:%S")

    @admin.display(description=_("who"), ordering="username")
    def who(self, entry: Entry) -> str:
        if entry.username:
            return entry.username
        # A link to set a password is opened by somebody who is not signed in, and need not be the account's owner.
        return gettext("somebody not signed in") if entry.address else gettext("the site itself")

    @admin.display(description=_("what"), ordering="action")
    def what(self, entry: Entry) -> str:
        return str(entry.get_action_display())

    @admin.display(description=_("details"))
    def in_words(self, entry: Entry) -> str:
        return in_words(entry.details)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"title": _("Audit log"), **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        export = require_POST(self.admin_site.admin_view(self.export))
        return [path("export/", export, name="people_entry_export"), *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """What the list's filters find, as CSV. Asked for by POST, as it is written down itself."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            found: QuerySet[Entry] = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(reverse("admin:people_entry_changelist"))
        latest = found.order_by().aggregate(latest=Max("pk"))["latest"] or 0
        found = found.filter(pk__lte=latest)  # without the entry of this export
        details = {"entries": found.count(), "filter": urlencode(request.GET, doseq=True)[:LONGEST]}
        audit.record(Action.EXPORTED, about=gettext("audit log"), details={k: v for k, v in details.items() if v})
        name = f"audit-log-{timezone.localdate().isoformat()}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
        return StreamingHttpResponse(audit_csv.lines(found), content_type="text/csv; charset=utf-8", headers=headers)


def in_words(details: dict[str, Any]) -> str:
    """The details of an entry, for people to read."""
    told = (
        pgettext("a detail of an entry of the audit log", "%(what)s: %(value)s")
        % {"what": KEYS.get(key, key), "value": _words(key, value)}
        for key, value in details.items()
        if key not in LEFT_OUT
    )
    return pgettext("between details of an entry of the audit log", "; ").join(told)


def _words(key: str, value: Any) -> str:
    if isinstance(value, list):
        between = pgettext("between names", ", ") if key in LISTS else " → "
        return between.join(_one(key, one) for one in value)
    return _one(key, value)


def _one(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if key in TRANSLATED:
        return str(VALUES.get(value, value))
    if key == "changed":
        return str(KEYS.get(value, value))
    if value is None or value == "":
        return str(pgettext_lazy("no value", "nothing"))
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
