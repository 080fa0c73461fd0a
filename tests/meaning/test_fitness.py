"""Which real encoders fit the handbook, half of it in English and half in Chinese."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from searchsite.demo import stdlib
from searchsite.documents.models import Document
from searchsite.index import backends, fitness, space

pytestmark = pytest.mark.meaning
HANDBOOK = Path(stdlib.__file__).parent / "handbook"


@pytest.fixture
def handbook(public, settings, django_capture_on_commit_callbacks):
    """handbook(languages, encoder): its pages in these languages are live, and that encoder was put in.

    They are read with the tiny encoder: what is measured needs the passages, and no vectors of them.
    """
    settings.SEARCHSITE_MODELS_DIR = Path(os.environ["SEARCHSITE_TEST_MODELS_DIR"])

    def _handbook(languages: str, encoder: str) -> None:
        pages = [path for language in languages.split() for path in sorted(HANDBOOK.glob(f"{language}-*.md"))]
        with django_capture_on_commit_callbacks(execute=True):
            for page in pages:
                Document(collection=public, text=page.read_text(encoding="utf-8"), source=page.name).save()
        assert Document.objects.filter(live_revision__isnull=False).count() == len(pages) >= 20
        settings.SEARCHSITE_ENCODER = encoder
        backends.forget()
        backends.description()  # its files are made ready, as `manage.py encoder prepare` does

    return _handbook


@pytest.mark.parametrize(
    ("languages", "encoder", "expected"),
    [
        ("en zh", "minilm", ["W001"]),
        ("zh", "minilm", ["W001"]),
        ("en", "minilm", []),
        ("en zh", "e5-small", []),
        ("zh", "e5-small", []),
    ],
)
def test_an_english_encoder_does_not_fit_the_chinese_handbook_and_a_multilingual_one_does(
    handbook, languages, encoder, expected
):
    handbook(languages, encoder)
    fitness.keep_up()
    assert not backends.is_loaded()
    assert [finding.id for finding in fitness.findings()] == expected
    if expected:
        [finding] = fitness.findings()
        assert "minilm" in finding.sentence
        assert "Chinese" in finding.sentence


@pytest.mark.parametrize(("encoder", "meet"), [("e5-small", True), ("minilm", False)])
def test_whether_english_and_chinese_meet_is_taken_from_what_the_encoder_was_seen_to_know(
    handbook, encoder, meet, monkeypatch
):
    handbook("en zh", encoder)
    fitness.keep_up()
    assert bool(space.current().bonus) == meet
    monkeypatch.setattr(fitness, "UNKNOWN", 1.0)  # as if it knew all letters, and nothing of what they mean
    assert [finding.id for finding in fitness.findings()] == ([] if meet else ["W002"])
