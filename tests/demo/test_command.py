"""`manage.py demo`: what can be searched when it ends. That the demo answers questions is tested in tests/meaning."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command

from searchsite.documents import jobs
from searchsite.documents.models import Collection, Document, State
from searchsite.index.models import ActiveBuild
from searchsite.management.commands import demo
from searchsite.tasks import HANDLERS

LIBRARY = [(f"python/3/{name}", name, f"# {name}\n\nWhat {name} does.") for name in ("heapq", "tempfile", "bisect")]


@pytest.fixture
def load(db, settings, monkeypatch):
    """load(wait) -> what the command printed; as many pages of each collection as a test needs."""
    settings.SEARCHSITE_TASKS = "worker"
    pages = list(demo.handbook())[:2]
    monkeypatch.setattr(demo, "handbook", lambda: iter(pages))
    monkeypatch.setattr(demo, "library", lambda: iter(LIBRARY))

    def _load(wait: str) -> str:
        out = io.StringIO()
        call_command("demo", wait=wait, stdout=out)
        return out.getvalue()

    return _load


def states(slug: str) -> list[str]:
    return list(Document.objects.filter(collection__slug=slug).values_list("state", flat=True))


def test_the_site_can_start_when_the_handbook_is_read_and_the_worker_does_the_rest(load, client):
    assert "the handbook can be searched; 3 more documents" in load("handbook")
    assert states("handbook") == [State.READY] * 2
    assert states("python") == [State.QUEUED] * 3
    assert ActiveBuild.objects.get().build.passages
    assert "3 documents are still being read" in client.get("/").content.decode()
    assert "3 more documents" in load("handbook"), "said again, where it was ended before the worker was done"
    while jobs.run_next(HANDLERS, "worker"):
        pass
    assert states("python") == [State.READY] * 3
    assert load("handbook").strip() == "Demo: loaded"


def test_all_is_waited_for_by_default_and_loaded_once(load):
    assert load("all").strip().endswith("Demo: ready")
    assert states("handbook") + states("python") == [State.READY] * 5
    Document.objects.filter(collection__slug="handbook").delete()
    Collection.objects.get(slug="python").delete()
    assert load("all").strip() == "Demo: loaded", "what somebody has emptied or deleted stays so"
    assert not Document.objects.exists()
