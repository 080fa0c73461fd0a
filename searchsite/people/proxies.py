"""Where a request comes from, told by a proxy only where the proxy's address is named in the settings."""

from __future__ import annotations

from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest


def through_proxy(request: HttpRequest) -> bool:
    """Whether the other end of the connection is a proxy of SEARCHSITE_PROXIES, whose headers are believed."""
    return _is_proxy(request.META.get("REMOTE_ADDR", ""))


def client_address(request: HttpRequest) -> str | None:
    """The IP address that asks: the other end of the connection or, behind proxies of ours, the one they saw."""
    peer = request.META.get("REMOTE_ADDR", "")
    if not _is_proxy(peer):
        return _address(peer)
    # Each proxy adds the address that it was asked from; what stands left of the first stranger, he may have made up.
    seen = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    for one in reversed(seen):
        if not _is_proxy(one):
            return _address(one) or _address(peer)
    return _address(peer)


def _is_proxy(text: str) -> bool:
    known = _address(text)
    return known is not None and any(ip_address(known) in network for network in settings.SEARCHSITE_PROXIES)


def _address(text: str) -> str | None:
    """The address as Python writes it, IPv4 also where it came as IPv6; None for what is none."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)
