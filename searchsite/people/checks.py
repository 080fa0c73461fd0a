"""What `manage.py check` says of how people are let in."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register


@register
def proxies_are_named(**_options: Any) -> list[CheckMessage]:
    """Behind a proxy that is not named, all people seem to come from its one address, and are locked out together."""
    if not settings.USE_X_FORWARDED_HOST or settings.SEARCHSITE_PROXIES:
        return []
    return [
        Warning(
            "The site is behind a proxy (SEARCHSITE_BEHIND_PROXY), and SEARCHSITE_PROXIES does not say which.",
            hint="Name the proxy's address, such as SEARCHSITE_PROXIES=127.0.0.1/32. Without it everybody seems to "
            "come from the proxy's address: the audit log says so, and one who tries passwords locks all out.",
            id="people.W001",
        )
    ]
