"""Pooling, recomputed by hand for padding on either side."""

from __future__ import annotations

import pytest
import torch

from encoder import pooling

torch.manual_seed(0)
STATES = torch.randn(3, 5, 4)
MASKS = {
    "right": torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]]),
    "left": torch.tensor([[1, 1, 1, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 0, 1]]),
}


@pytest.mark.parametrize("side", MASKS)
def test_mean_is_over_the_tokens_that_are_not_padding(side: str) -> None:
    mask = MASKS[side]
    by_hand = [[sum(STATES[b, t, d].item() for t in range(5) if mask[b, t]) / int(mask[b].sum()) for d in range(4)]
               for b in range(3)]  # fmt: skip
    torch.testing.assert_close(pooling.mean(STATES, mask), torch.tensor(by_hand))


@pytest.mark.parametrize(("side", "firsts"), [("right", (0, 0, 0)), ("left", (0, 3, 4))])
def test_cls_is_the_first_token_that_is_not_padding(side: str, firsts: tuple[int, ...]) -> None:
    by_hand = torch.stack([STATES[row, first] for row, first in enumerate(firsts)])
    torch.testing.assert_close(pooling.cls(STATES, MASKS[side]), by_hand)


@pytest.mark.parametrize(("side", "firsts"), [("right", (0, 0, 0)), ("left", (0, 3, 4))])
def test_tanh_is_a_linear_layer_and_a_tanh_on_that_token(side: str, firsts: tuple[int, ...]) -> None:
    from transformers import BertConfig
    from transformers.models.bert.modeling_bert import BertPooler

    pooler = BertPooler(BertConfig(hidden_size=4, num_attention_heads=1))
    weight, bias = pooler.dense.weight, pooler.dense.bias
    by_hand = torch.stack([torch.tanh(weight @ STATES[row, first] + bias) for row, first in enumerate(firsts)])
    torch.testing.assert_close(pooling.tanh(STATES, MASKS[side], pooler), by_hand)


def test_mean_is_summed_in_float32() -> None:
    # 300 ones: bfloat16 cannot count beyond 256
    states = torch.ones(1, 300, 1, dtype=torch.bfloat16)
    mean = pooling.mean(states, torch.ones(1, 300, dtype=torch.int64))
    assert (mean.dtype, mean.item()) == (torch.float32, 1.0)


def test_nothing_at_all_is_zeros_and_not_nan() -> None:
    mean = pooling.mean(STATES[:1], torch.zeros(1, 5, dtype=torch.int64))
    assert pooling.normalise(mean).tolist() == [[0.0] * 4]


def test_normalised_rows_keep_their_direction() -> None:
    scaled = pooling.normalise(torch.tensor([[3.0, 4.0], [0.0, -2.0]]))
    torch.testing.assert_close(scaled, torch.tensor([[0.6, 0.8], [0.0, -1.0]]))


@pytest.mark.parametrize("side", MASKS)
def test_maximum_is_over_the_tokens_that_are_not_padding(side: str) -> None:
    mask = MASKS[side]
    states = STATES - 10  # so that the zeros of a padding that is let in would be the greatest
    by_hand = [[max(states[b, t, d].item() for t in range(5) if mask[b, t]) for d in range(4)] for b in range(3)]
    torch.testing.assert_close(pooling.maximum(states * mask.unsqueeze(2), mask), torch.tensor(by_hand))


def test_maximum_of_no_token_is_zeros_and_not_infinite() -> None:
    assert pooling.maximum(STATES[:1], torch.zeros(1, 5, dtype=torch.int64)).tolist() == [[0.0] * 4]


@pytest.mark.parametrize("side", MASKS)
def test_mean_of_two_is_the_mean_over_tokens_of_the_mean_of_two_layers(side: str) -> None:
    mask, before = MASKS[side], torch.flip(STATES, dims=[2]) * 3
    layers = (STATES + before) / 2
    by_hand = torch.stack([layers[row][mask[row].bool()].mean(dim=0) for row in range(3)])
    torch.testing.assert_close(pooling.mean_of_two(STATES, before, mask), by_hand)
