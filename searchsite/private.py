"""No cache that several people share may keep a page: what is on it depends on who asks."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_cache_control, patch_vary_headers

FOR_PROBES = ("/healthz", "/readyz")


def private(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: answers are private to whoever asked, and browsers ask anew each time, as what one may see changes.

    Files that are the same for all (static/) are served before it, and probes are told nothing of anybody.
    """
    header = settings.SEARCHSITE_USER_HEADER

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.path_info not in FOR_PROBES:
            patch_vary_headers(response, ["Cookie", *([header] if header else [])])
            if "no-store" not in response.get("Cache-Control", ""):
                patch_cache_control(response, private=True, no_cache=True)
        return response

    return answer
