"""A Chromium for the tests here, a page that notes what goes wrong in it, and a site to look at."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from tests.browser.pages import ARGUMENTS, CHROMIUM, fill

PATIENCE = 20  # seconds


@pytest.fixture(scope="package")
def chromium() -> Iterator:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: the pages are not tried in a browser")
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread, from which Django would refuse to reach the database.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Watched:
    """A page on the live server, and whatever its console, its scripts or its policy complained of."""

    def __init__(self, page, base: str) -> None:
        self.page, self.base, self.complaints = page, base, []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)
        page.on("request", self._asked)

    def _heard(self, message) -> None:
        # That the page itself is a 404 or 503 is meant; that something it needs is missing is not.
        of_the_page = message.location.get("url", "").split("#")[0] == self.page.url.split("#")[0]
        if message.type in ("error", "warning") and not ("status of" in message.text and of_the_page):
            self.complaints.append(message.text)

    def _asked(self, request) -> None:
        if urlsplit(request.url).scheme not in ("data", "blob") and not request.url.startswith(self.base):
            self.complaints.append(f"asked another host: {request.url}")

    def open(self, address: str):
        return self.page.goto(self.base + address)

    def sign_in(self) -> None:
        self.open("/admin/login/?next=/")
        self.page.fill("#id_username", "admin")
        self.page.fill("#id_password", "admin")
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(self.base + "/")


@pytest.fixture
def answered(live_server) -> Iterator:
    """At the end of the test, waits until the server has answered all that it was asked, though nobody may listen.

    An answer that were still being made while the tables are emptied would use the connection at the same time.
    """
    yield
    urlopen(live_server.url + "/healthz", timeout=PATIENCE).close()  # now all that came before has a thread
    for thread in threading.enumerate():
        if "process_request_thread" in thread.name:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "the server still works at an answer"


@pytest.fixture
def visit(chromium, live_server, answered, request) -> Iterator:
    """visit(width=..., locale=...) -> a Watched page; at the end of the test nothing may have complained."""
    opened = []

    def _visit(width: int = 1280, height: int = 800, **options) -> Watched:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        context.set_default_timeout(10_000)
        opened.append((context, watched := Watched(context.new_page(), live_server.url)))
        return watched

    yield _visit
    for context, _watched in opened:
        context.close()
    assert [complaint for _context, watched in opened for complaint in watched.complaints] == []


@pytest.fixture
def site(transactional_db) -> dict[str, str]:
    """A filled site: page's name -> address."""
    return fill()
