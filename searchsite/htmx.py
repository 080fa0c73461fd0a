"""htmx, as django-htmx brings it: its script among the static files, and whether it is what asks for a page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

from django.contrib.staticfiles.finders import BaseFinder
from django.core.checks import CheckMessage
from django.core.files.storage import FileSystemStorage, Storage
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

SCRIPT = "htmx-2.min.js"


def asks_for_part(request: HttpRequest) -> bool:
    """Whether only what it puts into a page that is there already is asked for. What it takes from its history is the
    whole page."""
    asked = request.headers
    return asked.get("HX-Request") == "true" and asked.get("HX-History-Restore-Request") != "true"


def varies(response: HttpResponse) -> HttpResponse:
    """The response, with word to caches that the part and the whole are told apart by these headers."""
    patch_vary_headers(response, ["HX-Request", "HX-History-Restore-Request"])
    return response


class Finder(BaseFinder):
    """Finds that one script as `htmx/htmx-2.min.js`: the package has ten times as much, of which nothing is used."""

    def __init__(self, app_names: Iterable[str] | None = None) -> None:
        package = find_spec("django_htmx")
        if package is None or package.origin is None:
            raise ModuleNotFoundError("django-htmx is not installed: pip install -r requirements.txt")
        self.folder = Path(package.origin).parent / "static" / "django_htmx"
        self.storage = FileSystemStorage(self.folder)
        self.storage.prefix = "htmx"  # type: ignore[attr-defined]

    def check(self, **_options: object) -> list[CheckMessage]:
        return []

    def find(self, path: str, find_all: bool = False) -> str | list[str]:  # type: ignore[override]
        found = [str(self.folder / SCRIPT)] if path == f"htmx/{SCRIPT}" else []
        return found if find_all or not found else found[0]

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Storage]]:
        yield SCRIPT, self.storage
