"""The audit log's rows."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Action(models.TextChoices):
    """What was done. The values are what a CSV export says, so they stay."""

    SIGNED_IN = "signed_in", _("signed in")
    SIGN_IN_FAILED = "sign_in_failed", _("failed to sign in")
    LOCKED_OUT = "locked_out", _("was locked out")
    SIGNED_OUT = "signed_out", _("signed out")
    PASSWORD_CHANGED = "password_changed", _("changed a password")
    PASSWORD_LINK = "password_link", _("made a link to set a password")
    ACCOUNT_ADDED = "account_added", _("added an account")
    ACCOUNT_CHANGED = "account_changed", _("changed the rights of an account")
    ACCOUNT_DELETED = "account_deleted", _("deleted an account")
    GROUPS_CHANGED = "groups_changed", _("changed the groups of an account")
    COLLECTION_ADDED = "collection_added", _("added a collection")
    COLLECTION_CHANGED = "collection_changed", _("changed a collection")
    COLLECTION_DELETED = "collection_deleted", _("deleted a collection")
    MEMBER_ADDED = "member_added", _("added a member")
    MEMBER_CHANGED = "member_changed", _("changed a member's role")
    MEMBER_REMOVED = "member_removed", _("removed a member")
    UPLOADED = "uploaded", _("uploaded")
    ADDED = "document_added", _("added a document")
    CHANGED = "document_changed", _("changed a document")
    MOVED = "document_moved", _("moved a document")
    DELETED = "document_deleted", _("deleted a document")
    IMPORTED = "imported", _("imported")
    BUILD_CHOSEN = "build_chosen", _("made another build of the index serve")
    EXPORTED = "exported", _("exported")
    LOOKED = "looked", _("looked into a restricted collection, as a superuser")


class Entry(models.Model):
    """One thing that somebody did. Names are kept as they were: what they named may be gone."""

    when = models.DateTimeField(_("when"), auto_now_add=True, db_index=True)
    action = models.CharField(_("what"), max_length=20, choices=Action.choices)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("account")
    )
    username = models.CharField(_("who"), max_length=254, blank=True)
    address = models.GenericIPAddressField(_("from"), null=True)
    collection_id = models.BigIntegerField(null=True)
    collection = models.CharField(_("collection"), max_length=200, blank=True)
    about_id = models.BigIntegerField(null=True)
    about = models.CharField(_("about"), max_length=500, blank=True)
    details = models.JSONField(_("details"), default=dict)

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("entry of the audit log")
        verbose_name_plural = _("audit log")
        # Whether a look has been written down already (audit.look).
        indexes = [models.Index(fields=["user", "action", "collection_id", "about_id", "when"], name="looks")]

    def __str__(self) -> str:
        return f"#{self.pk}"

    def delete(self, *_args: Any, **_options: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("entries of the audit log are not deleted one by one")
