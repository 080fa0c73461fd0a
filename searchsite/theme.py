"""Light or dark: as the system has it, or as whoever looks has chosen, kept in a cookie.

The server writes the choice into each page (base.html), so that it is there before anything is drawn, needs no script,
and holds for the admin as well.
"""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

COOKIE = "theme"
CHOICES = ("light", "dark")
YEAR = 365 * 24 * 3600  # seconds


def theme(request: HttpRequest) -> dict[str, str]:
    """Context processor: `theme` is "light", "dark", or "" for what the system has."""
    chosen = request.COOKIES.get(COOKIE, "")
    return {"theme": chosen if chosen in CHOICES else ""}


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Keep the `theme` that was sent; one that is not known is the system's. Then back to the page that it came from.

    That page is known by the Referer, as `set_language` knows it, too: the address in the bar may be another by now
    than that which the page was made for.
    """
    back = request.META.get("HTTP_REFERER", "")
    here = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
    response = HttpResponseRedirect(back if here else "/")
    if (chosen := request.POST.get("theme", "")) in CHOICES:
        secure = bool(settings.SESSION_COOKIE_SECURE)
        response.set_cookie(COOKIE, chosen, max_age=YEAR, secure=secure, httponly=True, samesite="Lax")
    else:
        response.delete_cookie(COOKIE, samesite="Lax")
    return response
