"""Vectors kept between runs of an evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from encoder.tiny import TinyEncoder
from searchsite.index import backends
from searchsite.index.vectors import as_bytes, as_matrix
from searchsite.insight import vectors

TEXTS = ["a heron", "an otter that is longer", "b", "the willow by the river", "a heron"]


def silent(items, doing):
    yield from items


class Counting(TinyEncoder):
    """Notes what it is asked to encode; interrupted, as by Ctrl-C, when it is asked for more than `most` texts."""

    def __init__(self, most: int = 1000) -> None:
        self.encoded: list[str] = []
        self.most = most

    def encode_passages(self, texts, *rest, **named):
        if len(self.encoded) + len(texts) > self.most:
            raise KeyboardInterrupt
        self.encoded += texts
        return super().encode_passages(texts, *rest, **named)


@pytest.fixture
def counting(monkeypatch, settings, tmp_path: Path) -> Counting:
    settings.DATA_DIR = tmp_path / "data"
    found = Counting()
    monkeypatch.setattr(backends, "get_encoder", lambda: found)
    monkeypatch.setattr(vectors, "BATCH", 2)
    return found


def as_the_site_has_them(texts: list[str]) -> np.ndarray:
    return as_matrix([as_bytes(vector) for vector in TinyEncoder().encode_passages(texts)], 64)


def test_they_are_what_the_site_would_read_from_its_database_in_the_order_of_the_texts(counting: Counting) -> None:
    np.testing.assert_array_equal(vectors.passage_vectors(TEXTS, silent), as_the_site_has_them(TEXTS))


def test_no_texts_have_no_vectors(counting: Counting) -> None:
    assert vectors.passage_vectors([], silent).shape == (0, 64)


def test_a_text_is_encoded_once_in_all_runs(counting: Counting) -> None:
    vectors.passage_vectors(TEXTS, silent)
    assert sorted(counting.encoded) == sorted(set(TEXTS))
    counting.encoded.clear()
    again = vectors.passage_vectors([*TEXTS[::-1], "something new"], silent)
    assert counting.encoded == ["something new"]
    np.testing.assert_array_equal(again, as_the_site_has_them([*TEXTS[::-1], "something new"]))


def test_a_run_that_is_interrupted_keeps_what_it_has_encoded(counting: Counting) -> None:
    counting.most = 3
    with pytest.raises(KeyboardInterrupt):
        vectors.passage_vectors(TEXTS, silent)
    assert len(counting.encoded) == 2, "the batch before"
    counting.most = 4
    np.testing.assert_array_equal(vectors.passage_vectors(TEXTS, silent), as_the_site_has_them(TEXTS))
    assert sorted(counting.encoded) == sorted(set(TEXTS)), "none of them twice"


@pytest.mark.parametrize("left", [1, 16, 143])
def test_half_a_record_at_the_end_is_dropped_and_what_is_before_it_kept(counting: Counting, left: int) -> None:
    vectors.passage_vectors(TEXTS, silent)
    path = vectors.cache_file()
    whole = path.read_bytes()
    record = len(whole) // 4
    path.write_bytes(whole[: 3 * record + left])
    last = counting.encoded[-1]
    counting.encoded.clear()
    np.testing.assert_array_equal(vectors.passage_vectors(TEXTS, silent), as_the_site_has_them(TEXTS))
    assert counting.encoded == [last]
    assert path.read_bytes() == whole


def test_texts_of_similar_length_are_encoded_together_and_long_ones_not_last(counting: Counting) -> None:
    vectors.passage_vectors(["1" * n for n in (9, 4, 1, 12, 3, 2, 8, 11, 5, 7, 6, 10)], silent)
    lengths = [len(text) for text in counting.encoded]
    batches = [tuple(lengths[n : n + 2]) for n in range(0, 12, 2)]
    assert sorted(batches) == [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12)]
    first, second = sum(lengths[:6]), sum(lengths[6:])
    assert abs(first - second) < 12, "each half takes about as long: sorted, they would differ by 36"


def test_vectors_of_another_encoder_are_not_taken(counting: Counting, monkeypatch) -> None:
    vectors.passage_vectors(TEXTS, silent)
    counting.encoded.clear()
    monkeypatch.setattr(backends, "fingerprint", lambda: "0123456789abcdef")
    vectors.passage_vectors(TEXTS, silent)
    assert len(counting.encoded) == 4
