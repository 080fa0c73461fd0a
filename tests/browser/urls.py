"""The site's addresses, and some at which each of its errors can be looked at (ROOT_URLCONF of tests and gallery)."""

from __future__ import annotations

from unittest import mock

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext
from django.views.csrf import csrf_failure

from searchsite.index.follow import IndexUnavailable
from searchsite.search import views
from searchsite.urls import urlpatterns as of_the_site

ERRORS = {400: BadRequest, 403: PermissionDenied, 500: RuntimeError}


def error(_request: HttpRequest, status: int) -> HttpResponse:
    raise ERRORS[status]("made, to be looked at")


def unavailable(request: HttpRequest) -> HttpResponse:
    reason = IndexUnavailable(gettext("The search index cannot be read. An administrator must rebuild the index."))
    with mock.patch.object(views, "search", side_effect=reason):
        return views.search_page(request)


urlpatterns = [
    path("errors/form/", login_not_required(csrf_failure)),
    path("errors/503/", unavailable),
    path("errors/<int:status>/", login_not_required(error)),
    *of_the_site,
]
