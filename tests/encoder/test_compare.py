"""Poolings compared: the same vectors as the encoder's own from one pass, and figures recomputed by hand."""

from __future__ import annotations

import math
from pathlib import Path

import ir_measures
import numpy as np
import pytest
import torch
from ir_measures import RR, R, nDCG

from encoder import EncoderError, compare, local
from encoder.checkpoints import resolve
from encoder.compare import POOLINGS, Pooled, figures
from encoder.loading import checkpoint
from encoder.tiny import TINY
from tests.encoder.checkpoints import MAX_TOKENS, VOCABULARY, WORDS, write_bert

TEXTS = ["cat", "the dog ran in the park", "", "cat", "a big red house sat on a small blue car", "你 好 世 界"]
LONG = " ".join(word for word in WORDS.split() if "#" not in word) + " cat sat on the mat in the sun"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    write_bert(tmp_path / "plain")
    (tmp_path / "plain" / "searchsite.json").write_text('{"query_prefix": "big ", "passage_prefix": "small "}')
    return tmp_path


def compared(models: Path, passages: list[str], queries: list[str], name: str = "plain") -> Pooled:
    return compare.compare(resolve(name, models), passages, queries, lambda _done, _total: None, "float32")


def states_of(model, words: list[str]) -> list[np.ndarray]:
    """(tokens, dim) of each layer, the last one last, of one sequence."""
    ids = torch.tensor([[VOCABULARY.index(word) for word in ("[CLS]", *words, "[SEP]")]])
    with torch.inference_mode():
        return [layer[0].numpy() for layer in model(ids, output_hidden_states=True).hidden_states]


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


@pytest.mark.parametrize("pooling", ["mean", "cls", "tanh"])
def test_the_vectors_are_those_of_the_encoder(pooling: str, models: Path) -> None:
    found = compared(models, TEXTS, TEXTS[:3])
    encoder = local.load(resolve("plain", models, pooling), dtype="float32")
    np.testing.assert_allclose(found.passages[pooling], encoder.encode_passages(TEXTS), atol=1e-5)
    np.testing.assert_allclose(found.queries[pooling], encoder.encode_queries(TEXTS[:3]), atol=1e-5)


def test_the_mean_of_a_long_text_is_the_encoders(models: Path) -> None:
    encoder = local.load(resolve("plain", models), dtype="float32")
    found = compared(models, [LONG, "cat"], [])
    np.testing.assert_allclose(found.passages["mean"], encoder.encode_passages([LONG, "cat"]), atol=1e-5)


def test_windows_of_a_long_text_make_one_vector_as_each_pooling_asks(models: Path) -> None:
    model = checkpoint(resolve("plain", models, "tanh"))
    words, room = ["small", *LONG.split()], MAX_TOKENS - 2
    assert room < len(words) < 2 * room
    first, second = states_of(model, words[:room]), states_of(model, words[room:])
    last_two = np.concatenate([(window[-1] + window[-2]) / 2 for window in (first, second)])
    with torch.inference_mode():
        tanh = model.pooler(torch.tensor(first[-1][None]))[0].numpy()
    found = {name: vectors[0] for name, vectors in compared(models, [LONG], []).passages.items()}
    np.testing.assert_allclose(found["max"], unit(np.concatenate([first[-1], second[-1]]).max(axis=0)), atol=1e-5)
    np.testing.assert_allclose(found["last2"], unit(last_two.mean(axis=0)), atol=1e-5)
    np.testing.assert_allclose(found["cls"], unit(first[-1][0]), atol=1e-5)
    np.testing.assert_allclose(found["tanh"], unit(tanh), atol=1e-5)


def test_each_text_goes_through_the_model_once_for_all_poolings(models: Path, monkeypatch) -> None:
    given: list[int] = []
    loaded = compare.checkpoint

    def counting(description):
        model = loaded(description)
        model.register_forward_pre_hook(
            lambda _module, _args, kwargs: given.append(int(kwargs["attention_mask"].sum())), with_kwargs=True
        )
        return model

    monkeypatch.setattr(compare, "checkpoint", counting)
    told: list[tuple[int, int]] = []
    description = resolve("plain", models)
    found = compare.compare(description, ["cat", "cat"], ["dog"], lambda *both: told.append(both), "float32")
    assert list(found.passages) == list(POOLINGS)
    assert sum(given) == 2 * len(["[CLS]", "prefix", "word", "[SEP]"])
    assert told[-1] == (8, 8)


def test_saturation_is_counted_before_vectors_are_scaled(models: Path) -> None:
    model = checkpoint(resolve("plain", models, "tanh"))
    passages = ["cat sat", "the dog ran"]
    with torch.inference_mode():
        tanh = np.concatenate([
            model.pooler(torch.tensor(states_of(model, ["small", *text.split()])[-1][None])).numpy()
            for text in passages
        ])  # fmt: skip
    share = (np.abs(tanh) > 0.9).mean()
    assert 0 < share < 1
    assert compared(models, passages, []).saturation == pytest.approx(share)


def test_without_a_pooler_tanh_is_left_out_and_that_is_told(tmp_path: Path) -> None:
    write_bert(tmp_path / "bare", pooler=False)
    found = compared(tmp_path, ["cat", "dog"], ["cat"], "bare")
    assert list(found.passages) == [name for name in POOLINGS if name != "tanh"]
    assert "pooler" in found.left_out["tanh"]
    assert found.saturation is None


def test_a_checkpoint_that_lacks_more_than_its_pooler_is_refused(tmp_path: Path) -> None:
    write_bert(tmp_path / "short")
    (tmp_path / "short" / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(EncoderError, match="Copy it again"):
        compared(tmp_path, ["cat"], [], "short")


def test_an_encoder_without_states_is_refused() -> None:
    with pytest.raises(EncoderError, match="tiny"):
        compare.compare(TINY, ["a", "b"], ["a"], lambda *_both: None)


def test_more_passages_than_fit_are_refused_before_a_model_is_loaded(models: Path, monkeypatch) -> None:
    monkeypatch.setattr(compare, "MOST_PASSAGES", 3)
    monkeypatch.setattr(compare, "checkpoint", None)  # calling it would be a TypeError
    with pytest.raises(EncoderError, match="4 passages are more than the 3"):
        compared(models, ["a"] * 4, [])


def test_of_longer_vectors_fewer_passages_fit() -> None:
    assert (compare.most_passages(384), compare.most_passages(768)) == (20_000, 10_000)
    assert compare.most_passages(32) == 20_000


def test_a_document_is_as_near_as_its_best_passage_and_ties_go_to_the_first() -> None:
    axes = np.eye(4, dtype=np.float32)
    passages, owners = axes[[0, 1, 2, 1, 3]], [2, 2, 5, 7, 9]
    found = compare.ranked(axes[[1, 3]], passages, owners)
    assert found.tolist() == [[2, 7, 5, 9], [9, 2, 5, 7]]


def test_at_most_ten_documents_are_found() -> None:
    vectors = np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32)
    found = compare.ranked(vectors, vectors, range(100))
    assert found.shape == (100, 10)
    np.testing.assert_array_equal(found, np.argsort(-(vectors @ vectors.T), axis=1)[:, :10])


def test_the_measures_are_those_of_ir_measures() -> None:
    random = np.random.default_rng(1)
    found = np.stack([random.permutation(30)[:10] for _ in range(40)])
    judged = [
        {int(document): int(grade) for document, grade in zip(
            random.permutation(np.arange(-3, 30))[: size], random.integers(1, 4, size), strict=True)}
        for size in random.integers(1, 15, 40)
    ]  # fmt: skip
    qrels = {str(q): {str(d): grade for d, grade in grades.items()} for q, grades in enumerate(judged)}
    run = {str(q): {str(d): -float(place) for place, d in enumerate(row)} for q, row in enumerate(found.tolist())}
    theirs = {(one.query_id, one.measure): one.value for one in ir_measures.iter_calc([nDCG @ 10, RR @ 10, R @ 10],
                                                                                     qrels, run)}  # fmt: skip
    for measure, ours in zip((nDCG @ 10, RR @ 10, R @ 10), compare.measures(found, judged), strict=True):
        np.testing.assert_allclose(ours, [theirs[str(q), measure] for q in range(40)], err_msg=str(measure))


def pooled(passages: np.ndarray, queries: np.ndarray) -> Pooled:
    scaled = passages / np.linalg.norm(passages, axis=1, keepdims=True)
    return Pooled({"mean": scaled.astype(np.float32)}, {"mean": queries.astype(np.float32)}, {}, None, "float32")


def test_random_pairs_in_all_directions_have_a_cosine_of_none_and_one_direction_one_of_one() -> None:
    random = np.random.default_rng(2)
    around = random.normal(size=(500, 64))
    isotropic = figures(pooled(around, around[:1]), range(500), [{0: 1}])["mean"]
    assert isotropic.cosine == pytest.approx(0, abs=0.02)
    assert isotropic.deviation == pytest.approx(1 / math.sqrt(64), rel=0.1)
    narrow = figures(pooled(around + 20, around[:1]), range(500), [{0: 1}])["mean"]
    assert narrow.cosine > 0.99
    for found in (isotropic, narrow):
        assert sum(found.histogram) == compare.PAIRS
        middles = found.lowest + (np.arange(20) + 0.5) * (1 - found.lowest) / 20
        width = (1 - found.lowest) / 20
        assert np.average(middles, weights=found.histogram) == pytest.approx(found.cosine, abs=width / 2)


def test_random_pairs_are_of_different_passages_and_every_passage_has_its_turn() -> None:
    one, other = compare.random_pairs(50)
    assert len(one) == 5000
    assert not (one == other).any()
    assert set(one) == set(other) == set(range(50))


def test_the_first_component_is_the_share_of_the_greatest_variance() -> None:
    random = np.random.default_rng(3)
    vectors = random.normal(size=(2000, 3)) * [3, 1, 1] + [0, 50, 0]  # the mean is no variance
    assert compare.first_component(vectors.astype(np.float32)) == pytest.approx(9 / 11, abs=0.02)
    assert compare.first_component(np.ones((5, 3), np.float32)) == 0


@pytest.mark.meaning
def test_with_real_weights_one_pass_agrees_with_the_encoder_and_mean_finds_the_answers(real_models: Path) -> None:
    passages = [
        "Cats sleep most of the day.", "The Moon orbits the Earth.", "Bread is baked from flour, water and yeast.",
        "A contract is void if one party was forced to sign it.",
    ]  # fmt: skip
    queries = ["how is bread made", "what do kittens do all day", "agreement signed under threat"]
    found = compare.compare(resolve("minilm", real_models), passages, queries, lambda *_both: None, "float32")
    for pooling in ("mean", "cls", "tanh"):
        encoder = local.load(resolve("minilm", real_models, pooling), dtype="float32")
        np.testing.assert_allclose(found.passages[pooling], encoder.encode_passages(passages), atol=1e-5)
    mean = figures(found, range(4), [{2: 1}, {0: 1}, {3: 1}])["mean"]
    assert mean.ndcg.tolist() == [1, 1, 1]
    rounded = compare.compare(resolve("minilm", real_models), passages, queries, lambda *_both: None)
    for name in POOLINGS:
        assert (found.passages[name] * rounded.passages[name]).sum(axis=1).min() > 0.999
