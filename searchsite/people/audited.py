"""What is written down of accounts, whatever door they are changed through: signing in, rights, groups, deletion."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser, Group
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save
from django.http import HttpRequest
from django.utils import timezone

from searchsite.people import throttling
from searchsite.people.audit import record
from searchsite.people.models import Action, Entry

RIGHTS = ("is_active", "is_staff", "is_superuser")
WATCHED = (*RIGHTS, "username", "email")
"""Of these a change is written down: a link to set a password is mailed to the address."""


def signed_in(user: AbstractUser, **_signal: Any) -> None:
    backend = str(getattr(user, "backend", "")).rsplit(".", 1)[-1]
    record(Action.SIGNED_IN, by=user, details={"backend": backend})


def signed_out(user: AbstractUser | None, **_signal: Any) -> None:
    if user is not None:
        record(Action.SIGNED_OUT, by=user)


def failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_signal: Any) -> None:
    """A wrong password; or, once an hour, an account that a proxy names with each request and that stays out."""
    told_by_proxy = str(credentials.get("remote_user", ""))
    if throttling.refused(request) or (told_by_proxy and _known_failure(told_by_proxy)):
        return
    record(Action.SIGN_IN_FAILED, username=str(credentials.get("username", "")) or told_by_proxy or "?")


def _known_failure(username: str) -> bool:
    lately = timezone.now() - timedelta(hours=1)
    failures = Entry.objects.filter(action=Action.SIGN_IN_FAILED, username=username, when__gt=lately)
    return failures.exists()


def before_saving(instance: AbstractUser, raw: bool = False, **_signal: Any) -> None:
    """Keep in mind what the account may do and its password, to tell afterwards what has changed."""
    known = type(instance)._default_manager.filter(pk=instance.pk).first() if instance.pk and not raw else None
    instance.audited_before = known  # type: ignore[attr-defined]


def saved(
    instance: AbstractUser,
    created: bool,
    raw: bool = False,
    update_fields: frozenset[str] | None = None,
    **_signal: Any,
) -> None:
    if raw or update_fields == frozenset({"last_login"}):
        return
    before = getattr(instance, "audited_before", None)
    if created:
        _about(Action.ACCOUNT_ADDED, instance, {name: getattr(instance, name) for name in RIGHTS})
    elif before is not None:
        pairs = {name: [getattr(before, name), getattr(instance, name)] for name in WATCHED}
        changed = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
        if changed:
            _about(Action.ACCOUNT_CHANGED, instance, changed)
        if before.password != instance.password and not _only_rehashed(update_fields):
            _about(Action.PASSWORD_CHANGED, instance)


def _only_rehashed(update_fields: frozenset[str] | None) -> bool:
    """Whether Django has only stored the same password anew, with more rounds, while its owner signed in."""
    return update_fields == frozenset({"password"})


def _about(action: Action, account: AbstractUser, details: dict[str, Any] | None = None) -> None:
    record(action, about=account.get_username(), about_id=account.pk, details=details)


def deleted(instance: AbstractUser, **_signal: Any) -> None:
    _about(Action.ACCOUNT_DELETED, instance)


def groups_changed(instance: Any, action: str, reverse: bool, pk_set: set[int] | None, **_signal: Any) -> None:
    """Groups decide who may read what, so each change is written down, from the account's side or the group's."""
    if action not in ("post_add", "post_remove", "pre_clear"):
        return
    word = {"post_add": "added", "post_remove": "removed", "pre_clear": "removed"}[action]
    if reverse:
        accounts = get_user_model()._default_manager
        members = instance.user_set.all() if action == "pre_clear" else accounts.filter(pk__in=pk_set or ())
        for account in members:
            _about(Action.GROUPS_CHANGED, account, {word: [instance.name]})
        return
    groups = instance.groups.all() if action == "pre_clear" else Group.objects.filter(pk__in=pk_set or ())
    names = sorted(groups.values_list("name", flat=True))
    if names:
        _about(Action.GROUPS_CHANGED, instance, {word: names})


def connect() -> None:
    accounts = get_user_model()
    user_logged_in.connect(signed_in, dispatch_uid="people.audited")
    user_logged_out.connect(signed_out, dispatch_uid="people.audited")
    user_login_failed.connect(failed, dispatch_uid="people.audited")
    pre_save.connect(before_saving, sender=accounts, dispatch_uid="people.audited")
    post_save.connect(saved, sender=accounts, dispatch_uid="people.audited")
    post_delete.connect(deleted, sender=accounts, dispatch_uid="people.audited")
    m2m_changed.connect(groups_changed, sender=accounts.groups.through, dispatch_uid="people.audited")
