"""Addresses of pages, as people paste them and as servers redirect to them, made fit to be asked for."""

import re
import unicodedata
from ipaddress import IPv6Address
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from searchsite.documents.problems import Problem

LONGEST_URL = 2000  # characters
LONGEST_HOST = 253
HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
# What RFC 3986 lets stand in a path; a query has two more.
IN_PATH = "/%:@!$&'()*+,;=~"
IN_QUERY = IN_PATH + "?"
NO_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def check_url(url: str) -> str:
    """The address in ASCII, without its fragment: http or https, a host, no user or password, at most 2000 characters.

    Raises Problem("unusable_address").
    """
    url = url.strip()
    # urlsplit would drop some control characters in silence, and so read another address than whoever checks it.
    if len(url) > LONGEST_URL or any(unicodedata.category(c) == "Cc" for c in url):
        raise Problem("unusable_address")
    try:
        clean = _clean(urlsplit(url))
    except ValueError as error:
        raise Problem("unusable_address") from error
    if len(clean) > LONGEST_URL:
        raise Problem("unusable_address")
    return clean


def host_of(url: str) -> str:
    """The host of a checked address."""
    return urlsplit(url).hostname or ""


def _clean(parts: SplitResult) -> str:
    """Raises ValueError for what is no address of a page."""
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or parts.port == 0:
        raise ValueError
    host = _host(parts.hostname or "")
    netloc = host if parts.port is None else f"{host}:{parts.port}"
    query = quote(NO_ESCAPE.sub("%25", parts.query), safe=IN_QUERY)
    path = quote(NO_ESCAPE.sub("%25", parts.path), safe=IN_PATH)
    return urlunsplit((parts.scheme, netloc, path or "/", query, ""))


def _host(host: str) -> str:
    """A host as it stands in an address, in ASCII. Raises ValueError."""
    import idna

    if ":" in host and "%" not in host:
        return f"[{IPv6Address(host).compressed}]"
    if not host.isascii():
        host = idna.encode(host, uts46=True).decode("ascii")
    host = host.removesuffix(".")
    # Which address the host is, in whatever spelling, only its resolution tells (network.py).
    if len(host) > LONGEST_HOST or not HOST.fullmatch(host):
        raise ValueError
    return host
