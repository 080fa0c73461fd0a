"""The encoder without weights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import encoder
from encoder.tiny import TinyEncoder

ROOT = Path(__file__).resolve().parents[2]


def test_texts_that_share_words_are_near() -> None:
    query = TinyEncoder().encode_queries(["cats and dogs", "语义搜索"])
    passages = TinyEncoder().encode_passages(["dogs and cats play", "trains to Berlin", "用语义来搜索文档"])
    nearest = (query @ passages.T).argmax(axis=1)
    assert nearest.tolist() == [0, 2]


def test_vectors_are_the_same_in_every_process() -> None:
    code = "from encoder.tiny import TinyEncoder as T; print(T().encode_queries(['Größe 世界']).tobytes().hex())"
    other = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={"PYTHONHASHSEED": "7"}, capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == TinyEncoder().encode_queries(["Größe 世界"]).tobytes().hex()


def test_lengths_are_one_or_zero() -> None:
    vectors = TinyEncoder().encode_passages(["one", "", " \n", "!?", "\ud800", "\0", "a" * 10_000])
    lengths = np.linalg.norm(vectors, axis=1)
    np.testing.assert_allclose(lengths, [1, 0, 0, 0, 0, 0, 1], atol=1e-6)
    assert TinyEncoder().encode_queries([]).shape == (0, 64)


def test_offsets_are_words_and_single_cjk_characters() -> None:
    text = "Hello, 世界 42!"
    assert [text[start:end] for start, end in TinyEncoder().token_offsets(text)] == ["Hello", "世", "界", "42"]


def test_progress_counts_texts() -> None:
    seen: list[tuple[int, int]] = []
    TinyEncoder().encode_passages(["a", "b", "a"], progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_states_are_the_vectors_of_the_words() -> None:
    given: dict[int, np.ndarray] = {}
    texts = ["cats and 狗", "", "!?", "cats"]
    vectors = TinyEncoder().encode_passages(texts, states=lambda text, some: given.update({text: some}))
    assert {text: some.shape for text, some in given.items()} == {0: (3, 64), 1: (0, 64), 2: (0, 64), 3: (1, 64)}
    assert (given[0][0] == given[3][0]).all()
    np.testing.assert_allclose(given[3][0] / np.linalg.norm(given[3][0]), vectors[3], atol=1e-6)
    assert (vectors == TinyEncoder().encode_queries(texts)).all()


def test_it_is_had_by_name(tmp_path: Path) -> None:
    tiny = encoder.load("tiny", tmp_path)
    assert isinstance(tiny, TinyEncoder)
    assert tiny.description.fingerprint == encoder.describe("tiny", tmp_path, "mean").fingerprint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["the cat sat", "一只猫", "a b c d e f"])
def test_a_text_is_nearest_to_itself(text: str) -> None:
    assert TinyEncoder().encode_queries([text]) @ TinyEncoder().encode_passages([text]).T == pytest.approx(1, abs=1e-6)


def test_the_parts_of_the_tokens_add_up_to_the_vector() -> None:
    texts = ["cats and 狗", "语义搜索按意思", "a b c", "one", "", "!?", "\ud800", "猫 猫"]
    found = TinyEncoder().passage_sequences(texts)
    for text, one, vector in zip(texts, found, TinyEncoder().encode_passages(texts), strict=True):
        assert one.linear
        assert (one.pooled == vector).all()
        assert list(one.offsets) == TinyEncoder().token_offsets(text)
        assert one.kinds == ("text",) * len(one.states)
        total = one.states.sum(axis=0)
        np.testing.assert_allclose(total, np.linalg.norm(total) * vector, atol=1e-5)
    assert [len(one.states) for one in found] == [3, 7, 3, 1, 0, 0, 0, 2]


def test_a_pair_of_characters_is_the_firsts() -> None:
    both, alone = TinyEncoder().passage_sequences(["语义", "语"])
    (last,) = TinyEncoder().passage_sequences(["义"])
    assert (both.states[1] == last.states[0]).all()
    assert not np.allclose(both.states[0], alone.states[0])
