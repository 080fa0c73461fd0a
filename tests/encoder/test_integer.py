"""Layers with products of 8-bit integers: near the numbers of float32, and used only where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from encoder import local
from encoder.arranged import ArrangedLayers
from encoder.checkpoints import resolve
from encoder.integer import IntegerLayers, _bytes, _Product, computes_in_integers
from tests.encoder.checkpoints import bert_config, write_bert

TEXTS = ["cat", "", "the dog ran in the park", "big red blue house " * 30, "你 好 世 界 [SEP] cat", "cat"]

pytestmark = pytest.mark.skipif(not computes_in_integers(), reason="products of bytes are not in this processor")


def write(folder: Path, **changes) -> None:
    """A model whose layers spread as little as a trained one's."""
    torch.manual_seed(0)
    write_bert(folder, transformers.BertModel(bert_config(initializer_range=0.1, **changes)))


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return (left * right).sum(axis=1)


def test_a_product_of_bytes_is_near_that_of_the_numbers() -> None:
    torch.manual_seed(0)
    weight, bias, given = torch.randn(24, 32), torch.randn(24), torch.randint(0, 256, (50, 32)).float()
    exact = (given - 128) @ weight.T + bias
    made = _Product(weight, bias, (given - 128).mean(0)).of(given.to(torch.uint8))
    assert (made - exact).norm() < 0.01 * exact.norm()


def test_bytes_are_cut_to_their_range() -> None:
    assert _bytes(torch.tensor([-7.0, 0.4, 12.9, 255.7, 900.0])).tolist() == [0, 0, 12, 255, 255]


@pytest.mark.parametrize("hidden_act", ["gelu", "gelu_new"])
def test_vectors_and_states_are_near_those_of_float32(hidden_act: str, tmp_path: Path) -> None:
    write(tmp_path / "plain", hidden_act=hidden_act)
    description = resolve("plain", tmp_path)
    fast, exact = (local.load(description, dtype=dtype) for dtype in ("int8", "float32"))
    assert isinstance(fast.model.encoder, IntegerLayers)
    assert cosines(fast.encode_passages(TEXTS), exact.encode_passages(TEXTS)).min() > 0.999
    for near, right in zip(fast.passage_sequences(TEXTS), exact.passage_sequences(TEXTS), strict=True):
        assert np.abs(near.states - right.states).max() < 0.2


def test_a_text_has_the_same_vector_whatever_stands_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "plain")
    encoder = local.load(resolve("plain", tmp_path), dtype="int8")
    alone = np.concatenate([encoder.encode_passages([text]) for text in TEXTS])
    assert cosines(encoder.encode_passages(TEXTS), alone).min() > 0.9999


@pytest.mark.parametrize(("least", "kept"), [(0.9, IntegerLayers), (1.1, ArrangedLayers)])
def test_it_is_chosen_only_where_vectors_stay(least: float, kept: type, tmp_path: Path, monkeypatch) -> None:
    write(tmp_path / "plain")
    monkeypatch.setattr(local, "computes_in_bfloat16", lambda device: False)
    monkeypatch.setattr(local, "_LEAST_COSINE", least)
    monkeypatch.setattr(local, "_agrees", lambda encoder, exact: True)
    assert type(local.load(resolve("plain", tmp_path)).model.encoder) is kept


def test_bfloat16_comes_first_where_it_is_in_the_hardware(tmp_path: Path, monkeypatch) -> None:
    write(tmp_path / "plain")
    monkeypatch.setattr(local, "computes_in_bfloat16", lambda device: True)
    encoder = local.load(resolve("plain", tmp_path))
    assert next(encoder.model.parameters()).dtype == torch.bfloat16
    assert isinstance(encoder.model.encoder, ArrangedLayers)


def test_an_activation_that_is_no_gelu_stays_in_float32(tmp_path: Path) -> None:
    write(tmp_path / "plain", hidden_act="relu")
    assert isinstance(local.load(resolve("plain", tmp_path), dtype="int8").model.encoder, ArrangedLayers)
