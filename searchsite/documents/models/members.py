"""Who belongs to a collection, and what they may do with it."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    """Each may do what those before it may."""

    READER = "reader", _("reader")
    EDITOR = "editor", _("editor")
    MANAGER = "manager", _("manager")

    @property
    def rank(self) -> int:
        return list(Role).index(self)

    @classmethod
    def from_rank(cls, rank: int) -> list[Role]:
        """The roles that may do what the one of that rank may."""
        return list(cls)[rank:]


class Membership(models.Model):
    """A person or a group (one of the two) with a role in a collection."""

    collection = models.ForeignKey(
        "documents.Collection", models.CASCADE, related_name="memberships", verbose_name=_("collection")
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, verbose_name=_("person"))
    group = models.ForeignKey(Group, models.CASCADE, null=True, blank=True, verbose_name=_("group"))
    role = models.CharField(_("role"), max_length=10, choices=Role.choices, default=Role.READER)
    created = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        verbose_name = _("member")
        verbose_name_plural = _("members")
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=True, group__isnull=False) | Q(user__isnull=False, group__isnull=True),
                name="a_person_or_a_group",
                violation_error_message=_("Name a person or a group, one of the two."),
            ),
            models.UniqueConstraint(
                fields=["collection", "user"],
                name="one_role_a_person",
                violation_error_message=_("This person is a member already."),
            ),
            models.UniqueConstraint(
                fields=["collection", "group"],
                name="one_role_a_group",
                violation_error_message=_("This group is a member already."),
            ),
        ]

    def __str__(self) -> str:
        return str(self.user or self.group)
