"""A BERT that is read without transformers has the states that transformers gives it; what is not ordinary is left."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from encoder import local
from encoder.bert import ordinary_bert
from encoder.checkpoints import resolve
from encoder.loading import checkpoint
from tests.encoder.checkpoints import MAX_TOKENS, VOCABULARY, bert_config, write_bert

ROOT = Path(__file__).resolve().parents[2]
SIZES = [
    {},
    {"num_attention_heads": 4, "num_hidden_layers": 3, "intermediate_size": 20},
    {"hidden_act": "relu", "layer_norm_eps": 1e-3, "type_vocab_size": 1},
]


def states(model, lengths: list[int]) -> torch.Tensor:
    """Of the tokens that are no padding, of random sequences of these lengths."""
    torch.manual_seed(len(lengths))
    ids = torch.randint(5, len(VOCABULARY), (len(lengths), max(lengths)))
    mask = (torch.arange(ids.shape[1]) < torch.tensor(lengths)[:, None]).long()
    with torch.inference_mode():
        return model(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("lengths", [[7], [5, 5], [MAX_TOKENS, 13, 2, 1]])
def test_every_token_has_the_states_that_transformers_gives_it(sizes: dict, lengths: list[int], tmp_path: Path) -> None:
    torch.manual_seed(1)
    theirs = transformers.BertModel(bert_config(**sizes)).eval()
    write_bert(tmp_path / "plain", theirs)
    ours = ordinary_bert(resolve("plain", tmp_path))
    assert ours is not None
    expected = states(theirs, lengths)
    assert expected.abs().max() > 0.5
    torch.testing.assert_close(states(ours, lengths), expected, atol=5e-5, rtol=1e-4)


@pytest.mark.parametrize("pooling", ["mean", "cls", "tanh"])
@pytest.mark.parametrize("stored", [torch.float32, torch.float16, torch.bfloat16])
def test_vectors_are_those_with_transformers(pooling: str, stored: torch.dtype, tmp_path: Path) -> None:
    torch.manual_seed(2)
    write_bert(tmp_path / "plain", transformers.BertModel(bert_config()).to(stored))
    description = resolve("plain", tmp_path, pooling)
    assert ordinary_bert(description) is not None
    texts = ["the cat sat on the mat", "猫 dog", "", "big red house " * 20]
    expected = local.Encoder(description, checkpoint(description)).encode_passages(texts)
    np.testing.assert_allclose(local.load(description, "float32").encode_passages(texts), expected, atol=1e-5)


def test_the_encoder_of_a_classifier_is_read_without_its_head(tmp_path: Path) -> None:
    torch.manual_seed(3)
    theirs = transformers.BertForSequenceClassification(bert_config()).eval()
    write_bert(tmp_path / "headed", theirs)
    ours = ordinary_bert(resolve("headed", tmp_path, "tanh"))
    assert ours is not None
    torch.testing.assert_close(states(ours, [9, 4]), states(theirs.bert, [9, 4]), atol=1e-5, rtol=1e-5)


def test_no_weight_is_copied_in_reading(tmp_path: Path) -> None:
    file = write_bert(tmp_path / "plain") / "model.safetensors"
    model = ordinary_bert(resolve("plain", tmp_path))
    assert model is not None
    mapped = [
        range(*(int(address, 16) for address in line.split()[0].split("-")))
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith(str(file))
    ]
    assert all(any(weight.data_ptr() in pages for pages in mapped) for weight in model.parameters())


@pytest.mark.parametrize(
    "changes",
    [
        {"model_type": "roberta"},
        {"hidden_act": "gelu_new"},
        {"position_embedding_type": "relative_key"},
        {"is_decoder": True},
        {"pruned_heads": {"0": [1]}},
        {"num_hidden_layers": 3},
        {"vocab_size": len(VOCABULARY) + 1},
        {"num_attention_heads": 5},
        {"layer_norm_eps": "small"},
        {"hidden_size": None},
    ],
)
def test_what_the_configuration_says_otherwise_is_left(changes: dict, tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "other")
    description = resolve("other", tmp_path)
    assert ordinary_bert(description) is not None
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))
    assert ordinary_bert(description) is None


def test_what_lacks_weights_is_left(tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "holed")
    state = load_file(folder / "model.safetensors")
    without_pooler = {key: weight for key, weight in state.items() if not key.startswith("pooler.")}
    save_file(without_pooler, folder / "model.safetensors", {"format": "pt"})
    assert ordinary_bert(resolve("holed", tmp_path, "mean")) is not None
    assert ordinary_bert(resolve("holed", tmp_path, "tanh")) is None
    without_pooler.pop("encoder.layer.1.output.dense.bias")
    save_file(without_pooler, folder / "model.safetensors", {"format": "pt"})
    assert ordinary_bert(resolve("holed", tmp_path, "mean")) is None
    (folder / "model.safetensors").write_bytes(b"no weights")
    assert ordinary_bert(resolve("holed", tmp_path, "mean")) is None


def test_it_loads_without_transformers(tmp_path: Path) -> None:
    write_bert(tmp_path / "plain")
    code = (
        "import sys, pathlib, encoder\n"
        f"encoder.load('plain', pathlib.Path({str(tmp_path)!r})).encode_queries(['cat'])\n"
        "print([m for m in ('transformers', 'scipy', 'sympy', 'torch._dynamo') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
