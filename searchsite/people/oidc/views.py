"""To the provider of single sign-on, and back from it."""

from __future__ import annotations

import logging

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from searchsite.people.oidc import protocol
from searchsite.people.oidc.accounts import account_of
from searchsite.people.oidc.failures import SENTENCES, STATUS, SignOnFailed, Why

log = logging.getLogger(__name__)

BACKEND = "searchsite.people.oidc.backends.SingleSignOn"
LONGEST_NEXT = 8000


@login_not_required
@never_cache
def start(request: HttpRequest) -> HttpResponse:
    """A page that leads on to the provider.

    Not a redirect: our policy lets forms lead to this site only, and browsers hold that against every redirect that
    follows, also those from the provider to further ones, whose addresses nobody here knows.
    """
    if request.method != "POST":
        return redirect("sign_in")
    try:
        address = protocol.begin(request, _safe(request, request.POST.get("next", "")))
    except SignOnFailed as failure:
        return _failed(failure, request.POST.get("next", ""))
    return render(request, "people/to_provider.html", {"address": address, "provider": protocol.configured().name})


@login_not_required
@never_cache
@require_GET
def callback(request: HttpRequest) -> HttpResponse:
    """Sign in whoever the provider sends back."""
    try:
        claims, wanted = protocol.finish(request)
        logout(request)  # else the audit log would name whoever was signed in for what follows
        account = account_of(claims, protocol.configured())
    except SignOnFailed as failure:
        return _failed(failure)
    account.backend = BACKEND  # and not as an argument of login(): the audit log reads it here
    login(request, account)
    return redirect(_safe(request, wanted) or settings.LOGIN_REDIRECT_URL)


def _safe(request: HttpRequest, address: str) -> str:
    """The address if it is one of this site, else ""."""
    here = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if here and len(address) <= LONGEST_NEXT else ""


def _failed(failure: SignOnFailed, next_address: str = "") -> HttpResponse:
    """To a page of its own, so that neither reloading it nor signing in from there leads back to a used address."""
    level = logging.INFO if failure.why in (Why.EXPIRED, Why.DENIED) else logging.WARNING
    log.log(level, "signing in through %s failed: %s", protocol.configured().issuer, failure)
    query = {"next": next_address} if next_address and len(next_address) <= LONGEST_NEXT else None
    return redirect(reverse("oidc_failed", args=[failure.why.value], query=query))


@login_not_required
@never_cache
def failed(request: HttpRequest, why: str) -> HttpResponse:
    """What went wrong, in a sentence."""
    reason = next((one for one in Why if one.value == why), None)
    if reason is None:
        raise Http404
    return render(request, "people/sign_on_failed.html", {"sentence": SENTENCES[reason]}, status=STATUS[reason])
