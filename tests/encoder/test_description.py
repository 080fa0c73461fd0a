"""The fingerprint: equal when vectors may be compared, different when they may not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from encoder.description import Description

BASE = Description(
    name="a", folder=Path("/models/a"), dim=8, max_tokens=512, pooling="mean", query_prefix="query: ",
    passage_prefix="passage: ", weights_hash="0" * 64,
)  # fmt: skip


@pytest.mark.parametrize("change", [{"name": "b"}, {"folder": Path("/elsewhere")}, {"folder": None}], ids=str)
def test_name_and_folder_do_not_enter_the_fingerprint(change) -> None:
    assert replace(BASE, **change).fingerprint == BASE.fingerprint


def test_what_changes_vectors_changes_the_fingerprint() -> None:
    changes = [
        {"weights_hash": "1" * 64},
        {"pooling": "cls"},
        {"query_prefix": ""},
        {"passage_prefix": ""},
        {"query_prefix": "query: passage: ", "passage_prefix": ""},
        {"max_tokens": 256},
        {"normalised": False},
    ]
    fingerprints = {replace(BASE, **change).fingerprint for change in changes}
    assert len(fingerprints | {BASE.fingerprint}) == len(changes) + 1


def test_the_fingerprint_of_stored_vectors_stays() -> None:
    # Written down, since whatever moves it makes every site encode all its documents again.
    assert BASE.fingerprint == "b9c99b3abf8b1922"
