"""Encoding: order, duplicates, windows, batches, strange texts, threads, number types."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from encoder import EncoderError, local
from encoder.batching import batches, windows
from encoder.checkpoints import resolve
from tests.encoder.checkpoints import MAX_TOKENS, VOCABULARY, WORDS, write_bert

_random = random.Random(0)
SAMPLE = [
    " ".join(_random.choices([word for word in WORDS.split() if "#" not in word], k=1 + i % 40)) for i in range(60)
]


@pytest.fixture
def encoder(tmp_path: Path):
    """It works on two batches at once, on any machine and however many processes run the tests."""
    write_bert(tmp_path / "plain")
    (tmp_path / "plain" / "searchsite.json").write_text('{"query_prefix": "big ", "passage_prefix": "small "}')
    before = torch.get_num_threads()
    yield local.load(resolve("plain", tmp_path), dtype="float32", threads=2)
    torch.set_num_threads(before)


def tokens_given(encoder, encode) -> int:
    """How many tokens, padding aside, go through the model while `encode` runs."""
    counted: list[int] = []
    forward = encoder._forward

    def count(batch):
        counted.append(sum(len(window.ids) for window in batch))
        return forward(batch)

    encoder._forward = count
    encode()
    del encoder._forward
    return sum(counted)


def states_of(encoder, words: list[str]) -> torch.Tensor:
    """(tokens, dim): the model's own last hidden states of one sequence."""
    ids = torch.tensor([[VOCABULARY.index(word) for word in ("[CLS]", *words, "[SEP]")]])
    with torch.inference_mode():
        return encoder.model(ids).last_hidden_state[0]


def unit(vector: torch.Tensor) -> np.ndarray:
    return (vector / vector.norm()).numpy()


def test_vectors_come_in_the_order_of_the_texts(encoder) -> None:
    together = encoder.encode_passages(SAMPLE)
    alone = np.concatenate([encoder.encode_passages([text]) for text in SAMPLE])
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    # and no two are so alike that another order would pass
    assert np.sort(together @ together.T, axis=1)[:, -2].max() < 0.9999


def test_each_kind_of_text_has_its_prefix(encoder) -> None:
    words = ["cat", "sat"]
    query, passage = encoder.encode_queries(["cat sat"])[0], encoder.encode_passages(["cat sat"])[0]
    np.testing.assert_allclose(query, unit(states_of(encoder, ["big", *words]).mean(dim=0)), atol=1e-5)
    np.testing.assert_allclose(passage, unit(states_of(encoder, ["small", *words]).mean(dim=0)), atol=1e-5)


def test_the_same_text_is_encoded_once(encoder) -> None:
    few, many = ["cat", "the dog ran"], ["cat", "the dog ran", "cat", "cat", "the dog ran"]
    assert tokens_given(encoder, lambda: encoder.encode_passages(few)) == (3 + 1) + (5 + 1)
    assert tokens_given(encoder, lambda: encoder.encode_passages(many)) == (3 + 1) + (5 + 1)
    vectors = encoder.encode_passages(many)
    assert (vectors[0] == vectors[2]).all()
    assert (vectors[1] == vectors[4]).all()
    assert not np.allclose(vectors[0], vectors[1], atol=0.01)


def test_products_meet_few_numbers_of_rows(tmp_path: Path) -> None:
    """Each new one costs memory that is never given back; in bfloat16 so does each new width."""
    write_bert(tmp_path / "plain")
    word = next(word for word in WORDS.split() if "#" not in word)
    expected = {width for width in (16, 32, 48, 64) if width < MAX_TOKENS}
    for dtype, last in (("float32", -(-MAX_TOKENS // 16) * 16), ("bfloat16", MAX_TOKENS)):
        encoder = local.load(resolve("plain", tmp_path), dtype=dtype)
        rows, widths_met = set(), set()
        for length in range(1, MAX_TOKENS - 4):
            ids, runs = encoder._packed(encoder._windows([" ".join([word] * length)]), apart=True)
            rows.add(len(ids))
            widths_met |= {run.width for run in runs}
        assert rows <= expected | {last, 32}
        assert dtype == "float32" or widths_met == expected | {MAX_TOKENS}


def test_no_texts_no_vectors(encoder) -> None:
    for vectors in (encoder.encode_queries([]), encoder.encode_passages([])):
        assert (vectors.shape, vectors.dtype) == ((0, 32), np.float32)


def test_a_long_text_is_the_mean_over_all_its_tokens(encoder) -> None:
    words = ["small", *SAMPLE[39].split(), *SAMPLE[38].split()]
    room = MAX_TOKENS - 2
    assert len(words) > 3 * room
    states = [states_of(encoder, words[start : start + room]) for start in range(0, len(words), room)]
    expected = unit(torch.cat(states).sum(dim=0))
    text = " ".join(words[1:])
    np.testing.assert_allclose(encoder.encode_passages([text, "cat", text])[2], expected, atol=1e-5)
    assert tokens_given(encoder, lambda: encoder.encode_passages([text])) == len(words) + 2 * len(states)


@pytest.mark.parametrize("pooling", ["cls", "tanh"])
def test_windows_of_other_poolings_weigh_by_their_tokens(pooling: str, tmp_path: Path, open_checkpoint) -> None:
    write_bert(tmp_path / "plain")
    encoder = open_checkpoint("plain", pooling)
    words = SAMPLE[39].split()
    first, last = states_of(encoder, words[: MAX_TOKENS - 2]), states_of(encoder, words[MAX_TOKENS - 2 :])
    if pooling == "tanh":
        with torch.inference_mode():
            pooled = [encoder.model.pooler(states[None])[0] for states in (first, last)]
    else:
        pooled = [first[0], last[0]]
    expected = unit(len(first) * pooled[0] + len(last) * pooled[1])
    np.testing.assert_allclose(encoder.encode_passages([" ".join(words)])[0], expected, atol=1e-5)


def test_a_text_of_exactly_the_longest_length_is_one_window(encoder) -> None:
    full = " ".join(["cat"] * (MAX_TOKENS - 3))  # with the prefix and two special tokens
    assert tokens_given(encoder, lambda: encoder.encode_passages([full])) == MAX_TOKENS
    assert tokens_given(encoder, lambda: encoder.encode_passages([full + " dog"])) == MAX_TOKENS + 3


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\0", "\ud800", "\udfff猫\ud800", "[CLS] [SEP] [PAD]", "x" * 5000])
def test_strange_texts_have_vectors(text: str, encoder) -> None:
    vectors = encoder.encode_queries([text, "cat"])
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(vectors[1], encoder.encode_queries(["cat"])[0], atol=1e-5)


def test_special_tokens_in_a_text_do_not_end_it(encoder) -> None:
    words = ["cat", "[UNK]", "[UNK]", "[UNK]", "dog"]  # "[", "SEP" and "]" are not in this vocabulary
    expected = unit(states_of(encoder, ["big", *words]).mean(dim=0))
    np.testing.assert_allclose(encoder.encode_queries(["cat [SEP] dog"])[0], expected, atol=1e-5)


def test_progress_counts_texts_up_to_all_of_them(encoder, monkeypatch) -> None:
    monkeypatch.setitem(local.BUDGET, "cpu", 64)
    seen: list[tuple[int, int]] = []
    encoder.encode_passages(SAMPLE + SAMPLE[:5], progress=lambda done, total: seen.append((done, total)))
    done = [count for count, _ in seen]
    assert {total for _, total in seen} == {65}
    assert done == sorted(done)
    assert done[-1] == 65
    assert len(seen) > 10


def taken(encode, texts: list[str]) -> tuple[np.ndarray, dict[int, list[np.ndarray]]]:
    """The vectors, and the states of each text, window for window."""
    given: dict[int, list[np.ndarray]] = {}
    vectors = encode(texts, states=lambda text, some: given.setdefault(text, []).append(some))
    return vectors, given


def test_states_are_those_of_the_text_alone(encoder) -> None:
    """Neither prefix nor special tokens nor padding; with them put back, their mean is the vector."""
    for prefix, encode in (("big", encoder.encode_queries), ("small", encoder.encode_passages)):
        vectors, given = taken(encode, SAMPLE[:15])
        assert given.keys() == set(range(15))
        for place, text in enumerate(SAMPLE[:15]):
            whole = states_of(encoder, [prefix, *text.split()])
            (states,) = given[place]
            assert states.dtype == np.float32
            np.testing.assert_allclose(states, whole[2:-1].numpy(), atol=2e-5)  # other sizes, other roundings
            put_back = torch.cat([whole[:2], torch.from_numpy(states), whole[-1:]])
            np.testing.assert_allclose(vectors[place], unit(put_back.mean(dim=0)), atol=1e-5)


def test_states_of_a_long_text_come_window_for_window_in_order(encoder, monkeypatch) -> None:
    monkeypatch.setitem(local.BUDGET, "cpu", 2 * MAX_TOKENS)
    room = MAX_TOKENS - 2
    words = ["small", *SAMPLE[39].split(), *SAMPLE[38].split()]
    long = " ".join(words[1:])
    _vectors, given = taken(encoder.encode_passages, ["cat", long, *SAMPLE[20:30]])
    expected = [states_of(encoder, words[start : start + room])[1:-1] for start in range(0, len(words), room)]
    expected[0] = expected[0][1:]
    assert [len(some) for some in given[1]] == [len(some) for some in expected]
    np.testing.assert_allclose(np.concatenate(given[1]), torch.cat(expected).numpy(), atol=1e-5)
    np.testing.assert_allclose(given[0][0], states_of(encoder, ["small", "cat"])[2:-1].numpy(), atol=1e-5)


def test_states_of_the_same_text_come_once_at_its_first_place_and_vectors_are_as_without(encoder) -> None:
    texts = ["cat", "the dog ran", "cat", "", "the dog ran"]
    seen: list[int] = []
    given: dict[int, np.ndarray] = {}
    vectors = encoder.encode_passages(
        texts, progress=lambda done, _all: seen.append(done), states=lambda text, some: given.update({text: some})
    )
    assert {text: len(some) for text, some in given.items()} == {0: 1, 1: 3, 3: 0}
    assert seen[-1] == len(texts)
    assert (vectors == encoder.encode_passages(texts)).all()


def test_several_threads_may_encode_at_once(encoder) -> None:
    alone = encoder.encode_passages(SAMPLE)
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(encoder.encode_passages, [SAMPLE] * 8):
            np.testing.assert_allclose(vectors, alone, atol=1e-6)


def test_offsets_are_the_tokens_the_model_sees(encoder) -> None:
    text = "The cats 你好"
    assert [text[start:end] for start, end in encoder.token_offsets(text)] == ["The", "cat", "s", "你", "好"]


def test_no_room_for_text_is_refused(tmp_path: Path, open_checkpoint) -> None:
    (write_bert(tmp_path / "plain") / "searchsite.json").write_text('{"max_tokens": 2}')
    with pytest.raises(EncoderError, match="max_tokens at 2"):
        open_checkpoint("plain")


@pytest.mark.parametrize(("least", "kept"), [(0.9, torch.bfloat16), (1.1, torch.float32)])
def test_bfloat16_stays_only_where_vectors_stay(least: float, kept: torch.dtype, tmp_path, monkeypatch) -> None:
    write_bert(tmp_path / "plain")
    monkeypatch.setattr(local, "computes_in_bfloat16", lambda device: True)
    monkeypatch.setattr(local, "_LEAST_COSINE", least)
    loaded = local.load(resolve("plain", tmp_path))
    assert loaded.model.dtype == kept
    exact = local.load(resolve("plain", tmp_path), dtype="float32").encode_passages(SAMPLE)
    cosines = (loaded.encode_passages(SAMPLE) * exact).sum(axis=1)
    assert cosines.min() > (0.99 if kept == torch.bfloat16 else 0.999999)


def test_float32_where_bfloat16_would_be_emulated(tmp_path: Path, monkeypatch) -> None:
    write_bert(tmp_path / "plain")
    monkeypatch.setattr(local, "computes_in_integers", lambda: False)
    monkeypatch.setattr(local, "computes_in_bfloat16", lambda device: False)
    assert local.load(resolve("plain", tmp_path)).model.dtype == torch.float32


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([], [[1, 2]]),
        ([7], [[1, 7, 2]]),
        ([7, 8, 9], [[1, 7, 8, 9, 2]]),
        ([7, 8, 9, 10], [[1, 7, 8, 9, 2], [1, 10, 2]]),
        ([7, 8, 9] * 2, [[1, 7, 8, 9, 2]] * 2),
    ],
)
def test_windows_hold_every_token_once(ids: list[int], expected: list[list[int]]) -> None:
    assert [window.ids for window in windows(0, ids, [1], [2], max_tokens=5)] == expected


def test_batches_keep_to_the_budget_and_leave_nothing_out() -> None:
    lengths = [_random.randint(1, 50) for _ in range(300)] + [500]
    grouped = list(batches(lengths, budget=200))
    assert sorted(position for batch in grouped for position in batch) == list(range(301))
    assert grouped[0] == [300]
    assert all(max(lengths[p] for p in batch) * len(batch) <= 200 for batch in grouped[1:])
    padded = sum(max(lengths[p] for p in batch) * len(batch) for batch in grouped)
    assert padded < 1.1 * sum(lengths)
    assert list(batches([], 200)) == []
