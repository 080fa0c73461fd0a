"""Vectors kept between runs of an evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from encoder.tiny import TinyEncoder
from searchsite.index import backends
from searchsite.index.parallel import PASSAGES, QUESTIONS
from searchsite.index.vectors import as_bytes, as_matrix
from searchsite.insight import kept

PARALLEL = {text for texts in [*PASSAGES, *QUESTIONS] for text in texts.values()}
TEXTS = ["a heron", "an otter that is longer", "b", "the willow by the river", "a heron"]


def silent(items, doing):
    yield from items


def passage_vectors(texts, watch) -> np.ndarray:
    return as_matrix([vector for vector, _codes in kept.passages_kept([(text, "en") for text in texts], watch)], 64)


class Counting(TinyEncoder):
    """Notes what it is asked to encode; interrupted, as by Ctrl-C, when it is asked for more than `most` texts."""

    def __init__(self, most: int = 1000) -> None:
        self.encoded: list[str] = []
        self.most = most

    def encode_passages(self, texts, *rest, **named):
        if texts[0] in PARALLEL:  # the site's own space is measured with them
            return super().encode_passages(texts, *rest, **named)
        if len(self.encoded) + len(texts) > self.most:
            raise KeyboardInterrupt
        self.encoded += texts
        return super().encode_passages(texts, *rest, **named)


@pytest.fixture
def counting(monkeypatch, settings, tmp_path: Path) -> Counting:
    settings.DATA_DIR = tmp_path / "data"
    found = Counting()
    monkeypatch.setattr(backends, "get_encoder", lambda: found)
    monkeypatch.setattr(kept, "BATCH", 2)
    return found


def as_the_site_has_them(texts: list[str]) -> np.ndarray:
    return as_matrix([as_bytes(vector) for vector in TinyEncoder().encode_passages(texts)], 64)


def test_they_are_what_the_site_would_read_from_its_database_in_the_order_of_the_texts(counting: Counting) -> None:
    np.testing.assert_array_equal(passage_vectors(TEXTS, silent), as_the_site_has_them(TEXTS))


def test_no_texts_have_no_vectors(counting: Counting) -> None:
    assert passage_vectors([], silent).shape == (0, 64)


def test_a_text_is_encoded_once_in_all_runs(counting: Counting) -> None:
    passage_vectors(TEXTS, silent)
    assert sorted(counting.encoded) == sorted(set(TEXTS))
    counting.encoded.clear()
    again = passage_vectors([*TEXTS[::-1], "something new"], silent)
    assert counting.encoded == ["something new"]
    np.testing.assert_array_equal(again, as_the_site_has_them([*TEXTS[::-1], "something new"]))


def test_a_run_that_is_interrupted_keeps_what_it_has_encoded(counting: Counting) -> None:
    counting.most = 3
    with pytest.raises(KeyboardInterrupt):
        passage_vectors(TEXTS, silent)
    assert len(counting.encoded) == 2, "the batch before"
    counting.most = 4
    np.testing.assert_array_equal(passage_vectors(TEXTS, silent), as_the_site_has_them(TEXTS))
    assert sorted(counting.encoded) == sorted(set(TEXTS)), "none of them twice"


@pytest.mark.parametrize("left", [1, 16, 143])
def test_half_a_record_at_the_end_is_dropped_and_what_is_before_it_kept(counting: Counting, left: int) -> None:
    passage_vectors(TEXTS, silent)
    path = kept.cache_file()
    whole = path.read_bytes()
    codes = kept.passages_kept([(counting.encoded[-1], "en")], silent)[0][1]
    record = kept.HEAD.size + 128 + len(codes)
    path.write_bytes(whole[: len(whole) - record + left])
    last = counting.encoded[-1]
    counting.encoded.clear()
    np.testing.assert_array_equal(passage_vectors(TEXTS, silent), as_the_site_has_them(TEXTS))
    assert counting.encoded == [last]
    assert path.read_bytes() == whole


def test_texts_of_similar_length_are_encoded_together_and_long_ones_not_last(counting: Counting) -> None:
    passage_vectors(["1" * n for n in (9, 4, 1, 12, 3, 2, 8, 11, 5, 7, 6, 10)], silent)
    lengths = [len(text) for text in counting.encoded]
    batches = [tuple(lengths[n : n + 2]) for n in range(0, 12, 2)]
    assert sorted(batches) == [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12)]
    first, second = sum(lengths[:6]), sum(lengths[6:])
    assert abs(first - second) < 12, "each half takes about as long: sorted, they would differ by 36"


def test_vectors_of_another_encoder_are_not_taken(counting: Counting, monkeypatch) -> None:
    passage_vectors(TEXTS, silent)
    counting.encoded.clear()
    monkeypatch.setattr(backends, "fingerprint", lambda: "0123456789abcdef")
    passage_vectors(TEXTS, silent)
    assert len(counting.encoded) == 4


def test_codes_of_tokens_are_kept_with_the_vectors_where_the_site_keeps_them(counting: Counting, settings) -> None:
    settings.SEARCHSITE_RERANKER = "none"
    assert [codes for _vector, codes in kept.passages_kept([(text, "en") for text in TEXTS], silent)] == [None] * 5
    counting.encoded.clear()
    settings.SEARCHSITE_RERANKER = "tokens"
    codes = [codes for _vector, codes in kept.passages_kept([(text, "en") for text in TEXTS], silent)]
    assert [len(one) for one in codes] == [16, 40, 8, 40, 16], "8 bytes for a word of 64 numbers"
    assert len(counting.encoded) == 4, "they need another pass"
    counting.encoded.clear()
    assert [one for _vector, one in kept.passages_kept([(text, "en") for text in TEXTS], silent)] == codes
    assert counting.encoded == []


def test_another_run_may_write_at_the_same_time(counting: Counting) -> None:
    def meanwhile(items, doing):
        for number, item in enumerate(items):
            if number == 1:
                passage_vectors(["written by another run", "a heron"], silent)
            yield item

    np.testing.assert_array_equal(passage_vectors(TEXTS, meanwhile), as_the_site_has_them(TEXTS))
    counting.encoded.clear()
    passage_vectors([*TEXTS, "written by another run"], silent)
    assert counting.encoded == []
