"""The button that signs in through the organisation's provider, where one is configured."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings
from django.template.context import Context

register = template.Library()


@register.inclusion_tag("people/_single_sign_on.html", takes_context=True)
def single_sign_on(context: Context, next_address: str = "") -> dict[str, Any]:
    """The button; nothing without a provider. next_address: where to go once signed in."""
    return {
        "provider": settings.SEARCHSITE_OIDC and settings.SEARCHSITE_OIDC.name,
        "next": next_address,
        "csrf_token": context.get("csrf_token"),
    }


@register.simple_tag
def passwords_for_superusers_only() -> bool:
    """Whether the provider is the way in for all others (SEARCHSITE_OIDC_ONLY)."""
    return settings.SEARCHSITE_OIDC is not None and settings.SEARCHSITE_OIDC.only
