"""Codes of tokens, and the likeness that is computed from them, against MaxSim written out."""

from __future__ import annotations

import numpy as np
import pytest

from searchsite.index import space, tokens

DIM = 32


def states(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, DIM)).astype(np.float32) * 3 + 1


def placed(offset: float = 0.0) -> space.Space:
    """A space in which the tokens of each language have an offset of their own."""
    none = np.zeros((3, DIM), np.float32)
    offsets = offset * states(3, 99)
    return space.Space(none, none, 0.0, offsets, 2 * offsets)


def max_sim(question: np.ndarray, passage: np.ndarray) -> float:
    """The mean, over the question's tokens, of the cosine with the passage's token that is most like it."""
    total = 0.0
    for one in question:
        total += max(float(one @ other) / np.linalg.norm(one) / np.linalg.norm(other) for other in passage)
    return total / len(question)


@pytest.mark.parametrize("offset", [0.0, 1.0])
@pytest.mark.parametrize("language", ["en", "zh", "ru"])
def test_likenesses_are_maxsim_of_the_signs_without_the_offset_of_the_language(offset, language):
    row = {"en": 0, "zh": 1, "ru": 2}[language]
    where = placed(offset)
    question = tokens.asked(states(7, 1), language, where)
    passages = {pk: states(n, pk) for pk, n in [(5, 1), (3, 40), (9, 12)]}
    found = tokens.likenesses(question, {pk: tokens.codes(s, language, where) for pk, s in passages.items()})
    wanted = states(7, 1) - where.question_tokens[row]
    expected = {pk: max_sim(wanted, np.sign(s - where.passage_tokens[row])) for pk, s in passages.items()}
    assert found == pytest.approx(expected, abs=1e-5)
    assert list(found) == [5, 3, 9]


def test_signs_order_passages_as_the_states_do():
    """A passage that has the question's tokens, noisy, among others is told from one that has them not."""
    question, where = states(6, 1) - 1, placed()
    noise = np.random.default_rng(7).standard_normal(question.shape).astype(np.float32)
    answers = np.concatenate([states(20, 2) - 1, question + noise])
    likenesses = tokens.likenesses(
        tokens.asked(question, "en", where),
        {1: tokens.codes(states(26, 3) - 1, "en", where), 2: tokens.codes(answers, "en", where)},
    )
    assert likenesses[2] > likenesses[1] + 0.2


def test_what_has_no_codes_has_no_likeness():
    question, where = tokens.asked(states(3, 1), "en", placed()), placed()
    code = tokens.codes(states(4, 2), "en", where)
    assert tokens.likenesses(question, {1: b"", 2: code}).keys() == {2}
    assert tokens.likenesses(question, {1: b""}) == {}
    assert tokens.likenesses(question, {}) == {}
    assert tokens.likenesses(tokens.asked(states(0, 1), "en", where), {2: code}) == {}
    assert tokens.codes(states(0, 1), "en", where) == b""


def test_codes_of_two_windows_one_after_the_other_are_those_of_the_whole():
    whole = states(11, 4)
    parts = [tokens.codes(some, "en", placed()) for some in (whole[:6], whole[6:])]
    assert b"".join(parts) == tokens.codes(whole, "en", placed())
    assert len(parts[0]) == 6 * DIM // 8


def test_a_pasted_page_is_compared_by_its_first_tokens():
    long = states(tokens.MOST_ASKED + 50, 5)
    assert (tokens.asked(long, "en", placed()) == tokens.asked(long[: tokens.MOST_ASKED], "en", placed())).all()
