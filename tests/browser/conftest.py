"""A Chromium for the tests here, a page that notes what goes wrong in it, and a site to look at."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from tests.browser.pages import ADMIN, ARGUMENTS, CHROMIUM, ERRORS, fill
from tests.browser.screenshots import sign_in

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


class Filled(NamedTuple):
    """A filled site: page's name -> address, where it is served, and where its index lies."""

    addresses: dict[str, str]
    base: str
    index: Path


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
    wait_for_answers(live_server.url)


def wait_for_answers(base: str) -> None:
    urlopen(base + "/healthz", timeout=PATIENCE).close()  # now all that came before has a thread
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


@pytest.fixture(scope="package")
def tables(django_db_setup, django_db_blocker) -> Iterator[None]:
    """A database for tests: there is one if any test of this run asks for it, and else it is made."""
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    with django_db_blocker.unblock():
        own = [] if connection.introspection.table_names() else setup_databases(0, interactive=False)
    yield
    with django_db_blocker.unblock():
        teardown_databases(own, verbosity=0)


@pytest.fixture(scope="package")
def fill_quickly(tmp_path_factory) -> Callable[[], dict[str, str]]:
    """fill(), which takes seconds, once; later calls copy the tables and the index that it left."""
    from django.conf import settings
    from django.db import connection

    folder = tmp_path_factory.mktemp("filled")
    addresses: dict[str, str] = {}

    def copy_tables(back: bool) -> None:
        connection.ensure_connection()
        with closing(sqlite3.connect(folder / "tables.sqlite3")) as kept:
            source, target = (kept, connection.connection) if back else (connection.connection, kept)
            source.backup(target)

    def _fill() -> dict[str, str]:
        if connection.vendor != "sqlite":
            return fill()
        if addresses:
            copy_tables(back=True)
            shutil.copytree(folder / "index", settings.INDEX_DIR, dirs_exist_ok=True)
        else:
            addresses.update(fill())
            copy_tables(back=False)
            shutil.copytree(settings.INDEX_DIR, folder / "index")
        return dict(addresses)

    return _fill


@pytest.fixture(scope="module")
def filled(tables, fill_quickly, django_db_blocker, tmp_path_factory) -> Iterator[Filled]:
    """A filled site for all tests of a module that only look at it: filling it takes longer than a test.

    Such tests name no fixture of a database, and `looking` brings back what `fresh_site` has set for each of them.
    """
    from django.core.management import call_command
    from django.test import override_settings
    from pytest_django.live_server_helper import LiveServer

    index = tmp_path_factory.mktemp("index")
    with django_db_blocker.unblock(), override_settings(INDEX_DIR=index, ROOT_URLCONF="tests.browser.urls"):
        addresses = fill_quickly() | {name: address for name, (address, _status) in ERRORS.items()}
        server = LiveServer("localhost")
        yield Filled(addresses, server.url, index)
        server.stop()
        call_command("flush", interactive=False, verbosity=0)


@pytest.fixture
def looking(filled, fresh_site, settings, chromium) -> Iterator:
    """looking(names, script=..., **options of a context): (name, page) for each, opened, signed in where needed."""
    settings.INDEX_DIR = filled.index
    contexts = []

    def _looking(names, script="", **options) -> Iterator:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}} | options)
        context.add_init_script(script)
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("dialog", lambda dialog: dialog.accept())  # pages that send files ask before they are left
        for signed_in in (False, True):
            if signed_in:
                sign_in(page, filled.base)
            for name in names:
                if (name in ADMIN) == signed_in:
                    page.goto(filled.base + filled.addresses[name].partition("#")[0])
                    yield name, page

    yield _looking
    for context in contexts:
        context.close()
    wait_for_answers(filled.base)


@pytest.fixture
def site(transactional_db, fill_quickly) -> dict[str, str]:
    """A filled site: page's name -> address."""
    return fill_quickly()
