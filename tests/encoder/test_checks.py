"""System checks of the pooling setting."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks

from encoder.checks import check_pooling


def ids() -> list[str]:
    return [message.id for message in run_checks() if message.id.startswith("encoder.")]


@pytest.mark.parametrize(
    ("pooling", "found"),
    [("mean", []), ("cls", []), ("tanh", ["encoder.W001"]), ("max", ["encoder.E001"]), ("Mean", ["encoder.E001"])],
)
def test_check_reports(pooling: str, found: list[str], settings) -> None:
    settings.SEARCHSITE_POOLING = pooling
    assert ids() == found


def test_the_warning_says_why_and_what_to_do(settings) -> None:
    settings.SEARCHSITE_POOLING = "tanh"
    [warning] = check_pooling(None)
    assert all(part in warning.msg for part in ("next-sentence prediction", "summary", "averaging"))
    assert "'mean'" in warning.hint


def test_the_error_names_the_choices(settings) -> None:
    settings.SEARCHSITE_POOLING = "max"
    [error] = check_pooling(None)
    assert "'max'" in error.msg
    assert "mean, cls, tanh" in error.hint


@pytest.mark.parametrize("reranker", ["tokens", "none", "mine", "/path"])
def test_a_reranker_is_a_way_or_a_folder_with_a_checkpoint(reranker: str, settings, tmp_path) -> None:
    settings.SEARCHSITE_MODELS_DIR = tmp_path / "models"
    settings.SEARCHSITE_RERANKER = reranker.replace("/path", str(tmp_path / "elsewhere"))
    for folder in ("models/mine", "elsewhere"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "config.json").write_text("{}")
    assert ids() == []


@pytest.mark.parametrize("reranker", ["token", "", "not/there"])
def test_a_reranker_that_is_neither_is_refused(reranker: str, settings, tmp_path) -> None:
    settings.SEARCHSITE_MODELS_DIR = tmp_path
    settings.SEARCHSITE_RERANKER = reranker
    assert ids() == ["encoder.E002"]
