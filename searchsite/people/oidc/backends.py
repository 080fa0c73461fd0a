"""Django's authentication backends for sites with a provider of single sign-on."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest


class SingleSignOn(ModelBackend):
    """Of whom the provider has vouched for. When the settings are gone, so are their sessions."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:  # type: ignore[override]
        """Nobody: a password means nothing here."""
        return None


class SuperusersPassword(ModelBackend):
    """Passwords, for superusers alone: the way in that is left when the provider is down (SEARCHSITE_OIDC_ONLY)."""

    def user_can_authenticate(self, user: User | AnonymousUser | None) -> bool:
        return super().user_can_authenticate(user) and bool(getattr(user, "is_superuser", False))
