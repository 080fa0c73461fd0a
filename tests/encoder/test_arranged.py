"""The arranged layers give the numbers of transformers' own, and stand only where they do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor

from encoder import arranged, local
from encoder.arranged import ArrangedLayers, Run, arrange, embedded
from encoder.checkpoints import resolve
from encoder.loading import checkpoint
from tests.encoder.checkpoints import MAX_TOKENS, VOCABULARY, bert_config, write_bert, write_vocabulary

TEXTS = ["cat", "", "the dog ran in the park", "big red blue house " * 30, "你 好 世 界 [SEP] cat", "cat"]
SIZES = [
    {},
    {"num_attention_heads": 1, "num_hidden_layers": 1},
    {"hidden_size": 48, "num_attention_heads": 6, "intermediate_size": 20, "hidden_act": "relu"},
    {"num_hidden_layers": 5, "hidden_act": "gelu_new", "layer_norm_eps": 1e-3},
]


def bert(sizes: dict) -> transformers.PreTrainedModel:
    return transformers.BertModel(bert_config(**sizes))


def roberta(sizes: dict) -> transformers.PreTrainedModel:
    given = bert_config(**sizes).to_dict()
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",
             "layer_norm_eps", "initializer_range", "vocab_size")  # fmt: skip
    options = {name: given[name] for name in names}
    return transformers.XLMRobertaModel(
        transformers.XLMRobertaConfig(**options, pad_token_id=0, max_position_embeddings=MAX_TOKENS + 1)
    )


def batch(lengths: list[int]) -> dict[str, Tensor]:
    """Sequences of these lengths, padded on the right."""
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.int64)
    for row, length in enumerate(lengths):
        ids[row, :length] = torch.randint(5, len(VOCABULARY), (length,))
    return {"input_ids": ids, "attention_mask": (torch.arange(ids.shape[1]) < torch.tensor(lengths)[:, None]).long()}


@pytest.mark.parametrize("make", [bert, roberta])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("lengths", [[7], [9, 9, 9], [MAX_TOKENS, 13, 2, 1]])
def test_every_token_has_the_states_that_transformers_gives_it(make, sizes: dict, lengths: list[int]) -> None:
    torch.manual_seed(len(lengths))
    model, given = make(sizes).eval(), batch(lengths)
    real = given["attention_mask"].bool()
    with torch.inference_mode():
        before = model(**given).last_hidden_state[real]
        assert arrange(model) is not None
        after = model(**given).last_hidden_state[real]
    assert before.abs().max() > 0.5
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("make", [bert, roberta])
def test_sequences_packed_behind_each_other_do_not_see_each_other(make) -> None:
    torch.manual_seed(1)
    model, lengths = make(SIZES[0]).eval(), [9, 9, 5, 1]
    given = batch(lengths)
    runs = [Run(2, 9), Run(1, 5), Run(1, 1)]
    ids = torch.cat([row[:length] for row, length in zip(given["input_ids"], lengths, strict=True)])
    with torch.inference_mode():
        before = model(**given).last_hidden_state[given["attention_mask"].bool()]
        arrange(model)
        after = model.encoder.packed(embedded(model, torch.nn.functional.pad(ids, (0, 8)), runs), runs)
    torch.testing.assert_close(after[: len(ids)], before, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls", "tanh"])
def test_the_vectors_of_all_poolings_are_those_without_it(pooling: str, tmp_path: Path) -> None:
    write_bert(tmp_path / "plain")
    description = resolve("plain", tmp_path, pooling)
    encoder = local.load(description, dtype="float32")
    assert isinstance(encoder.model.encoder, ArrangedLayers)
    expected = local.Encoder(description, checkpoint(description)).encode_passages(TEXTS)
    np.testing.assert_allclose(encoder.encode_passages(TEXTS), expected, atol=1e-5)


def test_in_bfloat16_all_of_it_computes_in_bfloat16(tmp_path: Path) -> None:
    write_bert(tmp_path / "plain")
    encoder = local.load(resolve("plain", tmp_path), dtype="bfloat16")
    assert isinstance(encoder.model.encoder, ArrangedLayers)
    assert {values.dtype for values in encoder.model.parameters()} == {torch.bfloat16}


def test_no_weight_is_held_twice(tmp_path: Path) -> None:
    write_bert(tmp_path / "plain")
    description = resolve("plain", tmp_path)

    def held(model: transformers.PreTrainedModel) -> int:
        return sum(values.numel() for values in model.parameters())

    assert held(local.load(description, dtype="float32").model) == held(checkpoint(description))


def test_layers_that_come_to_something_else_are_left_as_they_were(tmp_path: Path, monkeypatch) -> None:
    write_bert(tmp_path / "plain")
    description = resolve("plain", tmp_path)
    monkeypatch.setattr(arranged, "_attended", lambda _queries, _keys, values, _bias: values)
    encoder = local.load(description, dtype="float32")
    assert not isinstance(encoder.model.encoder, ArrangedLayers)
    expected = local.Encoder(description, checkpoint(description)).encode_passages(TEXTS)
    np.testing.assert_allclose(encoder.encode_passages(TEXTS), expected, atol=1e-5)


def test_what_is_no_bert_is_left_as_it_is(tmp_path: Path) -> None:
    model = transformers.DistilBertModel(
        transformers.DistilBertConfig(vocab_size=len(VOCABULARY), dim=32, hidden_dim=64, n_layers=2, n_heads=2)
    )
    assert arranged.arrange(model) is None
    model.save_pretrained(write_vocabulary(tmp_path / "relative"))
    assert local.load(resolve("relative", tmp_path), dtype="float32").encode_passages(["cat"]).shape == (1, 32)


def test_a_decoder_which_looks_back_only_is_left_as_it_is() -> None:
    assert arrange(transformers.BertModel(bert_config(is_decoder=True))) is None
