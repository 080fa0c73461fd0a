"""How often passwords may be tried: django-axes, told whom to count as one, how far to count, and what to answer.

Counted are failures of one name from one address, up to SEARCHSITE_SIGN_IN_FAILURES; and those of one address with
whatever names, up to ten times that.
"""

from __future__ import annotations

import logging
import math
import unicodedata
from collections.abc import Mapping
from ipaddress import IPv6Network
from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.db.models import Max, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from searchsite.people.audit import record
from searchsite.people.models import Action, Entry
from searchsite.people.proxies import client_address

log = logging.getLogger(__name__)

OF_AN_ADDRESS = 10
"""An address may fail so many times as often as a name from it: behind one address there may be a whole office."""


class Handler(AxesDatabaseHandler):  # type: ignore[misc]
    """Axes' own, but it counts an address by a larger bound, and passwords only."""

    def is_allowed(self, request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> bool:
        """Whether a password may be tried. If so, it is counted before it is: others may be tried at the same time."""
        if not _with_password(credentials):
            return True
        if not super().is_allowed(request, credentials):
            return False
        super().user_login_failed(None, credentials, request)
        return not refused(request)

    def get_failures(self, request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> int:
        """On the scale of a name: the limit is reached when either is."""
        of_name, of_address = self.get_user_attempts(request, credentials)
        return max(_sum(of_name), _sum(of_address) // OF_AN_ADDRESS)

    def user_login_failed(
        self, sender: object, credentials: Mapping[str, Any], request: HttpRequest | None = None, **signal: Any
    ) -> None:
        """It is counted already (`is_allowed`), and forgotten when somebody signs in; this is for the log alone."""
        if request is None or not _with_password(credentials) or not locked_out(request):
            return
        request.axes_credentials = credentials  # type: ignore[attr-defined]
        if request.axes_failures_since_start is not None:  # type: ignore[attr-defined] # else it was so before
            _write_down(request, str(credentials.get("username", "")) or "?")

    def reset_user_attempts(self, request: HttpRequest, credentials: Mapping[str, Any] | None = None) -> int:
        # Not those of the address: who has one account would try others' passwords for ever, signing in in between.
        attempts: QuerySet[Any] = self.filter_user_attempts(request, credentials)[0]
        return attempts.delete()[0]

    def reset_attempts(
        self, *, ip_address: str | None = None, username: str | None = None, ip_or_username: bool = False
    ) -> int:
        number: int = super().reset_attempts(
            ip_address=_network(ip_address),
            username=name_to_count(username) if username else None,
            ip_or_username=ip_or_username,
        )
        return number


def _write_down(request: HttpRequest, name: str) -> None:
    """That a name is locked out, once of those that were tried at the same time."""
    minutes = settings.SEARCHSITE_SIGN_IN_LOCK_MINUTES
    told = {"action": Action.LOCKED_OUT, "username": name, "address": client_address(request)}
    if not Entry.objects.filter(**told, when__gt=timezone.now() - settings.AXES_COOLOFF_TIME).exists():
        log.warning("locked out for %s minutes: %r, from %s", minutes, name, told["address"])
        record(Action.LOCKED_OUT, username=name, details={"minutes": minutes})


def _with_password(credentials: Mapping[str, Any] | None) -> bool:
    """Whether it is a password that is tried, and not a proxy or a provider that vouches for somebody."""
    return credentials is None or credentials.get("password") is not None


def _sum(attempts: QuerySet[Any]) -> int:
    return attempts.aggregate(sum=Sum("failures_since_start"))["sum"] or 0


def name_to_count(username: str) -> str:
    """What all ways of writing a name have in common: one name is not tried five times in each of them."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold()).strip()[:255]


def username(request: HttpRequest, credentials: Mapping[str, Any] | None) -> str | None:
    """AXES_USERNAME_CALLABLE."""
    told = (credentials or {}).get("username")
    return name_to_count(str(told)) if told else None


def address(request: HttpRequest) -> str | None:
    """AXES_CLIENT_IP_CALLABLE."""
    return _network(client_address(request))


def _network(told: str | None) -> str | None:
    """Of an IPv6 address the first half, since one customer has all that begin with it."""
    return str(IPv6Network((told, 64), strict=False).network_address) if told and ":" in told else told


def answer(_request: HttpRequest, response: HttpResponse, _credentials: object) -> HttpResponse:
    """AXES_LOCKOUT_CALLABLE: the page has said it already, and how long it lasts."""
    return response


def locked_out(request: HttpRequest) -> bool:
    """Whether the password of this request was not tried, or was the last that may be tried for now."""
    return bool(getattr(request, "axes_locked_out", False))


def refused(request: HttpRequest | None) -> bool:
    """Whether the password of this request was not even tried."""
    if request is None or not locked_out(request):
        return False
    failures: int | None = request.axes_failures_since_start  # type: ignore[attr-defined] # None: not counted either
    return failures is None or failures > settings.SEARCHSITE_SIGN_IN_FAILURES


def minutes_left(request: HttpRequest) -> int:
    """How long at most a request that is locked out has to wait, in minutes, rounded up."""
    of_name, of_address = _handler().get_user_attempts(request, getattr(request, "axes_credentials", None))
    locking = of_name if _sum(of_name) >= settings.SEARCHSITE_SIGN_IN_FAILURES else of_address
    latest = locking.aggregate(latest=Max("attempt_time"))["latest"] or timezone.now()
    left = latest + settings.AXES_COOLOFF_TIME - timezone.now()
    return max(1, math.ceil(left.total_seconds() / 60))


def forgive(request: HttpRequest, name: str) -> None:
    """Forget the failures of a name from this address: whoever asks has shown to be its owner."""
    AxesProxyHandler.update_request(request)
    _handler().reset_user_attempts(request, {"username": name})


def _handler() -> Handler:
    handler: Handler = AxesProxyHandler.get_implementation()
    return handler
