"""/healthz and /readyz."""

from __future__ import annotations

import pytest

from searchsite.documents import jobs
from searchsite.documents.models import Job
from searchsite.index import backends, build, follow, lexical_follow

pytestmark = pytest.mark.django_db


def test_health_names_what_is_degraded(client):
    health = client.get("/healthz").json()
    assert (health["status"], health["degraded"]) == ("degraded", ["worker", "index", "keywords"])
    assert health["parts"]["encoder"] == "not loaded yet"
    jobs.sign_of_life("w")
    lexical_follow.keep_up()
    build.rebuild(Job(), lambda *_progress: None)
    health = client.get("/healthz").json()
    assert (health["status"], health["degraded"]) == ("ok", [])


def test_ready_only_when_searches_work(client, public, add, settings):
    add(public, "apples")
    assert client.get("/readyz").json() == {"ready": True}
    assert client.get("/healthz").json()["parts"]["encoder"] == "ok"
    build.rebuild(Job(), lambda *_progress: None)
    follow.forget()
    for path in settings.INDEX_DIR.rglob("vectors.f16"):
        path.unlink()
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "rebuild" in response.json()["reason"]


def test_an_encoder_that_cannot_be_used(client, settings):
    settings.SEARCHSITE_ENCODER = "no-such-folder"
    backends.forget()
    response = client.get("/readyz")
    assert response.status_code == 503
    health = client.get("/healthz")
    assert health.status_code == 200
    assert "encoder" in health.json()["degraded"]
    assert str(settings.SEARCHSITE_MODELS_DIR) not in response.content.decode() + health.content.decode()
