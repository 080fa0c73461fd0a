"""Who may go on: a closed site lets in only those who are signed in; a proxy of ours may say who that is."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware, RemoteUserMiddleware
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from searchsite.people.proxies import through_proxy

log = logging.getLogger(__name__)

LONGEST_NAME = 150
NOBODY = "(null)"
"""What Apache sends for nobody."""


class ClosedSite(LoginRequiredMiddleware):
    """With SEARCHSITE_REQUIRE_LOGIN, all pages but those with `login_not_required` lead to the sign-in page."""

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[Any, ...],
        view_kwargs: dict[Any, Any],
    ) -> HttpResponseBase | None:
        if not settings.SEARCHSITE_REQUIRE_LOGIN:
            return None
        return super().process_view(request, view_func, view_args, view_kwargs)


class UserHeader(RemoteUserMiddleware):
    """Signs in whom a proxy of SEARCHSITE_PROXIES names in SEARCHSITE_USER_HEADER, and out when it names nobody.

    What anybody else says in that header is taken away, so that nothing later can believe it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not settings.SEARCHSITE_USER_HEADER:
            raise MiddlewareNotUsed
        self.header = f"HTTP_{settings.SEARCHSITE_USER_HEADER.upper().replace('-', '_')}"  # type: ignore[misc]
        super().__init__(get_response)

    def process_request(self, request: HttpRequest) -> None:
        told = request.META.pop(self.header, "")
        request.__dict__.pop("headers", None)  # made of META when first asked for, and kept
        if told and through_proxy(request) and (name := name_told(told)):
            request.META[self.header] = name
            request.told_by_proxy = True  # type: ignore[attr-defined] # there is no signing out, then
        super().process_request(request)


def name_told(told: str) -> str:
    """The account's name in a header, as a form would take it; empty when there is none, or none that can be."""
    with suppress(UnicodeError):
        told = told.encode("latin-1").decode()  # WSGI hands bytes on as Latin-1, and proxies send UTF-8
    name = unicodedata.normalize("NFKC", told).strip()
    if name == NOBODY:
        return ""
    # A comma comes from two headers that were joined: one of the two the proxy has let pass.
    if len(name) > LONGEST_NAME or "," in name or not name.isprintable():
        log.warning("the proxy names a user in %s who cannot be: %.200r", settings.SEARCHSITE_USER_HEADER, name)
        return ""
    return name
