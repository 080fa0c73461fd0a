"""Fixtures for all tests. Unless a test asks for more, texts are encoded by the tiny deterministic encoder, inline."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Several processes take a file of tests each, in this order: the long ones first, so that none is left at the end.
LONG = ("meaning", "faults", "oracle", "browser", "people", "insight", "site")


def pytest_configure() -> None:
    """What is the same for all tests: pages without collected files, and a hash of a password that takes no time.

    The default takes half a second; processes that tests start have it.
    """
    from django.conf import settings
    from django.test import override_settings

    staticfiles = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    override_settings(
        STORAGES={**settings.STORAGES, "staticfiles": staticfiles},
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    ).enable()


# What of a test tells that it asks a database: a fixture, by one of these names or through others.
ASKING = {"db", "transactional_db", "django_db_setup", "live_server"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(here).parts[0] not in LONG)
    if "DATABASE_URL" in os.environ:  # three in four tests ask none, and were run with SQLite's
        config.hook.pytest_deselected(items=[item for item in items if not asks_a_database(item)])
        items[:] = [item for item in items if asks_a_database(item)]


def asks_a_database(item: pytest.Item) -> bool:
    marked = any(item.get_closest_marker(name) for name in ("django_db", "processes"))
    return marked or not ASKING.isdisjoint(getattr(item, "fixturenames", ()))


def pytest_runtest_setup(item: pytest.Item) -> None:
    from searchsite.documents.extract import ocr

    if item.get_closest_marker("ocr") and not ocr.available():
        pytest.skip("needs the OCR extra: make test-ocr")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix, tmp_path_factory) -> None:
    """SQLite's tables for tests lie in a file, as a site's do: each thread of a live server has its own connection.

    Those of a database in memory share one, and the savepoints of two answers at a time would get mixed up.
    They need not outlive the machine: nothing waits for the disk.
    """
    from django.conf import settings

    database = settings.DATABASES["default"]
    if database["ENGINE"] == "django.db.backends.sqlite3":
        database["OPTIONS"]["init_command"] += " PRAGMA synchronous=OFF;"
        database["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture(scope="session")
def index_folders(tmp_path_factory) -> Iterator[Path]:
    """Names for folders of indexes, none of which is there yet."""
    above = tmp_path_factory.mktemp("indexes")
    return (above / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def fresh_site(settings, index_folders: Iterator[Path]) -> Iterator[None]:
    """Each test has its own files and no memory of the test before."""
    from searchsite.index import backends, follow

    settings.INDEX_DIR = next(index_folders)
    follow.forget()
    backends.forget()
    yield
    follow.forget()
    backends.forget()


@pytest.fixture
def public(db):
    """A collection that everyone may read."""
    from searchsite.documents.models import Collection

    return Collection.objects.create(name="Public", slug="public", visibility=Collection.Visibility.PUBLIC)


@pytest.fixture
def add(django_capture_on_commit_callbacks):
    """add(collection, text, title=...) -> a Document, saved and worked off as a committed transaction would be."""
    from searchsite.documents.models import Document

    def _add(collection, text: str, **fields):
        with django_capture_on_commit_callbacks(execute=True):
            document = Document(collection=collection, text=text, **fields)
            document.save()
        document.refresh_from_db()
        return document

    return _add
