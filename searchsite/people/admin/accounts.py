"""Accounts and groups in Django's admin.

Who is staff, superuser, in which group and with which permissions decides what may be read and changed: only superusers
decide it. Staff with auth.change_user look after the accounts that are neither staff nor superuser, and no others.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from searchsite.people.admin.lookups import ByTheirOwn
from searchsite.people.audit import record
from searchsite.people.links import days_valid, password_path
from searchsite.people.models import Action

ONLY_SUPERUSERS_CHANGE = ("is_staff", "is_superuser", "groups", "user_permissions")

*_ABOVE, _PERMISSIONS, _DATES = UserAdmin.fieldsets or ()

for _model in (User, Group):
    admin.site.unregister(_model)


@admin.register(User)
class AccountAdmin(ByTheirOwn, UserAdmin):  # type: ignore[type-arg]
    change_form_template = "people/admin_account.html"
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_staff", "is_superuser")
    readonly_fields = ("last_login", "date_joined")  # what happened is not for anybody to change
    fieldsets = (
        *_ABOVE,
        (_PERMISSIONS[0], {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        (_("Single permissions"), {"fields": ("user_permissions",), "classes": ("collapse",)}),  # many, seldom needed
        _DATES,
    )

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_look_after(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_look_after(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if _is_superuser(request) else (*fields, *ONLY_SUPERUSERS_CHANGE)

    def get_urls(self) -> list[URLPattern]:
        link = self.admin_site.admin_view(self.password_link)
        return [path("<id>/link/", link, name="auth_user_password_link"), *super().get_urls()]

    @method_decorator(never_cache)
    def password_link(self, request: HttpRequest, id: str) -> HttpResponse:
        """Ask, then make a link with which the account's owner sets its password; it is shown this once."""
        account = self.get_object(request, unquote(id))
        if account is None or not self.has_change_permission(request, account):
            raise Http404
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("A link to set a password"),
            "account": account,
            "days": days_valid(),
            "opts": self.opts,
        }
        if request.method == "POST" and account.is_active:
            record(Action.PASSWORD_LINK, about=account.get_username(), about_id=account.pk)
            context["link"] = request.build_absolute_uri(password_path(account))
        return TemplateResponse(request, "people/admin_password_link.html", context)


@admin.register(Group)
class GroupsAdmin(ByTheirOwn, GroupAdmin):
    """A group's members read what it may read, so groups are superusers' to make and change."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return _is_superuser(request)


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and getattr(request.user, "is_superuser", False))


def _may_look_after(request: HttpRequest, account: User | None) -> bool:
    """Whether `account` is one that a staff member who is no superuser may change; without one: whether any is."""
    return _is_superuser(request) or account is None or not (account.is_staff or account.is_superuser)
