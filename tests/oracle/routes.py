"""The table of all routes, and what makes requests for each; and the routes that the site has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from searchsite.people.oidc import urls as single_sign_on
from tests.oracle.asking import READERS, Maker
from tests.oracle.asking_admin import ADMIN
from tests.oracle.asking_library import LIBRARY
from tests.oracle.asking_search import search

MAKERS: dict[str, Maker] = {"search": search, **READERS, **LIBRARY, **ADMIN}
# There only where a provider is configured. They show nothing but a sentence: tests/people/test_oidc.py asks them.
SINGLE_SIGN_ON = {"oidc_start", "oidc_callback", "oidc_failed"}


def routes() -> set[str]:
    """The names of all routes of the site, with single sign-on; of those without a name their patterns."""
    patterns = [*get_resolver().url_patterns, *single_sign_on.urlpatterns]
    return set(_names(patterns, "", ""))


def known() -> set[str]:
    """The routes that are asked. "name, what" asks the same route for something else, too."""
    return {name.partition(",")[0] for name in MAKERS} | SINGLE_SIGN_ON


def _names(patterns: Any, before: str, space: str) -> Iterator[str]:
    for one in patterns:
        here = f"{before}{one.pattern}"
        if isinstance(one, URLResolver):
            yield from _names(one.url_patterns, here, f"{one.namespace}:" if one.namespace else space)
        else:
            assert isinstance(one, URLPattern)
            yield f"{space}{one.name}" if one.name else here
