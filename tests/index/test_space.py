"""The space in which questions and passages are compared."""

from __future__ import annotations

import numpy as np
import pytest

from searchsite.index import space


def random_units(n: int, dim: int = 8) -> np.ndarray:
    vectors = np.random.default_rng(n).standard_normal((n, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_without_offsets_it_is_the_plain_cosine():
    passages, question = random_units(20), random_units(3)[0]
    none = np.zeros((3, 8), np.float32)
    plain = space.Space(none, none, 0.0, none, none)
    placed = plain.place_passages(passages, ["en", "zh"] * 10)
    assert placed.shape == (20, plain.dim)
    np.testing.assert_allclose(placed @ plain.place_question(question, "zh"), passages @ question, atol=1e-6)


def test_an_offset_of_the_language_is_taken_out_and_the_constant_is_told_apart_from_the_cosine():
    """Texts that mean the same, each moved by its language: the ranking score is the cosine, plus half the bonus in
    the other language, minus half of it in one's own."""
    meaning = random_units(12)
    offsets = np.stack([3 * random_units(1)[0], 3 * random_units(2)[0], np.zeros(8, np.float32)])
    shifted = space.Space(offsets, offsets, 0.08, offsets, offsets)
    languages = ["en", "zh"] * 6
    moved = meaning + space.PASSAGE_SHIFT * offsets[[0, 1] * 6]
    placed = shifted.place_passages(moved, languages)
    np.testing.assert_allclose(placed[:, :-1], meaning, atol=1e-5)
    question = shifted.place_question(meaning[0] + space.QUESTION_SHIFT * offsets[1], "zh")
    for row, language in zip(placed, languages, strict=True):
        score = float(row @ question)
        cosine = float(row[:-1] @ question[:-1])
        assert score - cosine == pytest.approx(0.04 if language == "en" else -0.04, abs=1e-5)
        assert shifted.cosine(score, "zh", language) == pytest.approx(cosine, abs=1e-5)


def test_an_encoder_that_counts_words_does_not_know_the_languages_to_be_the_same(tmp_path, settings):
    found = space.current()
    assert not found.passages.any()
    assert found.bonus == 0
