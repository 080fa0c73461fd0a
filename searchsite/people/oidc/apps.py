"""allauth as a library: its tables of who is whom at a provider, and its protocol. None of its pages.

Its tables are there whether or not a provider is configured: else an account that came from one could no longer be
deleted once the settings are gone.
"""

from __future__ import annotations

from allauth.account.apps import AccountConfig
from allauth.socialaccount.apps import SocialAccountConfig


class Account(AccountConfig):  # type: ignore[misc]
    """E-mail addresses, which allauth's other models want; not used here."""

    def ready(self) -> None:
        """Without the middleware and the checks, which are for allauth's own pages."""


class SocialAccount(SocialAccountConfig):  # type: ignore[misc]
    """Which account belongs to whom at the provider."""

    def ready(self) -> None:
        """Without the registry of providers: there is one, and it comes from the settings."""
