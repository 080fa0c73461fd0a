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
