"""manage.py encoder."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from encoder import packaged
from tests.encoder.checkpoints import write_bert


@pytest.fixture
def site(settings, tmp_path: Path):
    settings.SEARCHSITE_MODELS_DIR = tmp_path
    settings.SEARCHSITE_POOLING = "cls"
    settings.SEARCHSITE_ENCODER = "plain"
    return settings


def said(action: str) -> str:
    out = StringIO()
    call_command("encoder", action, stdout=out)
    return out.getvalue()


def test_describe_prints_the_description_and_its_fingerprint(site, tmp_path: Path) -> None:
    from encoder import describe

    write_bert(tmp_path / "plain")
    printed = said("describe")
    assert describe("plain", tmp_path, "cls").fingerprint in printed
    assert "'cls'" in printed
    assert str(tmp_path / "plain") in printed


def test_prepare_shows_progress_and_then_only_that_it_is_ready(site, tmp_path: Path, monkeypatch) -> None:
    site.SEARCHSITE_ENCODER = "minilm"
    source = write_bert(tmp_path / "package")
    monkeypatch.setattr(packaged, "package_file", lambda *args: source)
    monkeypatch.setattr(packaged, "MINILM_SHA256", {})
    first = said("prepare").splitlines()
    assert first[0].startswith("[0/2] copying")
    assert first[-1].startswith("minilm is ready in")
    assert said("prepare").splitlines() == first[-1:]


def test_a_failure_is_a_sentence(site) -> None:
    with pytest.raises(CommandError, match='no encoder "plain"'):
        said("prepare")
