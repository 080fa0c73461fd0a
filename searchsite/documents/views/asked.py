"""What a request asks for, read from its parameters: whatever they hold, it is a number, a word or a place here."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme


def number(text: str) -> int:
    """A number from an address or a form; 0 for anything else."""
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def line(text: str, most: int = 300) -> str:
    """A line that somebody typed, as databases take it, of so many characters at most."""
    return text.replace("\0", " ").strip()[:most]


def back(request: HttpRequest, otherwise: str) -> str:
    """Where `next` leads, posted or in the address, if that is on this site."""
    asked = request.POST.get("next", "") or request.GET.get("next", "")
    safe = url_has_allowed_host_and_scheme(asked, {request.get_host()}, require_https=request.is_secure())
    return asked if safe else otherwise
