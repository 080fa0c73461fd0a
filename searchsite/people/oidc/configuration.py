"""The provider of single sign-on, from the environment. Imported by the settings, so it imports no models."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from searchsite import environment as env

LONGEST_ISSUER = 200
"""What fits beside each account."""


@dataclass(frozen=True)
class Configuration:
    """A provider, and what is taken from it.

    issuer: its address, without a slash at the end. groups_claim: the claim that names somebody's groups; empty where
    groups are looked after here. only: passwords are for superusers alone.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str
    groups_claim: str
    scopes: tuple[str, ...]
    only: bool


def read() -> Configuration | None:
    """The provider of the settings, None without one; raises ImproperlyConfigured for half of one."""
    issuer = env.text("SEARCHSITE_OIDC_ISSUER").strip().rstrip("/")
    client_id = env.text("SEARCHSITE_OIDC_CLIENT_ID").strip()
    client_secret = env.text("SEARCHSITE_OIDC_CLIENT_SECRET").strip()
    name = env.text("SEARCHSITE_OIDC_NAME").strip()
    groups_claim = env.text("SEARCHSITE_OIDC_GROUPS_CLAIM").strip()
    scopes = env.text("SEARCHSITE_OIDC_SCOPES", "openid profile email").split()
    only = env.yes_no("SEARCHSITE_OIDC_ONLY")
    needed = {
        "SEARCHSITE_OIDC_ISSUER": issuer,
        "SEARCHSITE_OIDC_CLIENT_ID": client_id,
        "SEARCHSITE_OIDC_CLIENT_SECRET": client_secret,
    }
    missing = [setting for setting, value in needed.items() if not value]
    if len(missing) == len(needed) and not only:
        return None
    if missing:
        raise ImproperlyConfigured(
            f"single sign-on needs {', '.join(missing)} too. Set all of {', '.join(needed)}, "
            "or none of them (and no SEARCHSITE_OIDC_ONLY)."
        )
    _check(issuer)
    return Configuration(
        issuer=issuer,
        client_id=client_id,
        client_secret=client_secret,
        name=name or str(urlsplit(issuer).hostname),
        groups_claim=groups_claim,
        scopes=tuple(dict.fromkeys(["openid", *scopes])),
        only=only,
    )


def _check(issuer: str) -> None:
    try:
        parts = urlsplit(issuer)
        usable = parts.hostname and not (parts.query or parts.fragment or parts.username or parts.password)
    except ValueError:
        usable = False
    if not usable or len(issuer) > LONGEST_ISSUER or not trustworthy(issuer):
        raise ImproperlyConfigured(
            f"the setting SEARCHSITE_OIDC_ISSUER is {issuer!r}, which cannot be used. It must be the address of the "
            "provider as it names itself, such as https://login.example.com/realms/staff: https (http only on this "
            f"computer), without a query, of at most {LONGEST_ISSUER} characters."
        )


def trustworthy(address: str) -> bool:
    """Whether what is read from there cannot be changed on the way: https, or this computer itself."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and _loopback(parts.hostname)))


def _loopback(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False
