"""Checkpoints load whole or not at all: no weight is ever made up, nothing of the folder is run."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (
    BertForSequenceClassification,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    PreTrainedModel,
    SqueezeBertConfig,
    SqueezeBertModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from encoder import EncoderError, local, precision
from encoder.checkpoints import resolve
from tests.encoder.checkpoints import MAX_TOKENS, VOCABULARY, bert_config, write_bert, write_old_bert, write_vocabulary

TEXTS = ["the cat sat on the mat", "猫 dog", "big red house"]


def without(folder: Path, *keys: str) -> None:
    state = load_file(folder / "model.safetensors")
    save_file({k: t for k, t in state.items() if k not in keys}, folder / "model.safetensors", {"format": "pt"})


def test_missing_weights_are_refused_by_name(tmp_path: Path, open_checkpoint) -> None:
    missing = "encoder.layer.1.output.dense.weight"
    without(write_bert(tmp_path / "holed"), missing, "embeddings.LayerNorm.bias")
    with pytest.raises(EncoderError, match=r"would be random: embeddings\.LayerNorm\.bias, " + missing):
        open_checkpoint("holed")


def test_of_many_missing_weights_some_are_named(tmp_path: Path, open_checkpoint) -> None:
    folder = write_bert(tmp_path / "holed")
    keys = [key for key in load_file(folder / "model.safetensors") if key.startswith("encoder.layer.1.")]
    without(folder, *keys)
    with pytest.raises(EncoderError, match=f"and {len(keys) - 8} more"):
        open_checkpoint("holed")


def test_weights_of_another_shape_are_refused(tmp_path: Path, open_checkpoint) -> None:
    folder = write_bert(tmp_path / "mixed")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 128}))
    with pytest.raises(EncoderError, match="mixed") as raised:
        open_checkpoint("mixed")
    assert "intermediate.dense" in str(raised.value) or "size" in str(raised.value)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_missing_pooler_is_not_missed(pooling: str, tmp_path: Path, open_checkpoint) -> None:
    write_bert(tmp_path / "with")
    without(write_bert(tmp_path / "without"), "pooler.dense.weight", "pooler.dense.bias")
    with_pooler = open_checkpoint("with", pooling).encode_passages(TEXTS)
    np.testing.assert_array_equal(open_checkpoint("without", pooling).encode_passages(TEXTS), with_pooler)


def test_a_missing_pooler_is_not_missed_where_the_class_always_has_one(tmp_path: Path, open_checkpoint) -> None:
    torch.manual_seed(0)
    model = SqueezeBertModel(SqueezeBertConfig(**(same_sizes() | {"embedding_size": 32})))
    for name in ("with", "without"):
        model.save_pretrained(write_vocabulary(tmp_path / name))
    without(tmp_path / "without", "pooler.dense.weight", "pooler.dense.bias")
    with_pooler = open_checkpoint("with").encode_passages(TEXTS)
    np.testing.assert_array_equal(open_checkpoint("without").encode_passages(TEXTS), with_pooler)
    with pytest.raises(EncoderError, match=r"pooler\.dense\.weight"):
        open_checkpoint("without", "tanh")


def test_a_missing_pooler_is_refused_where_it_is_asked_for(tmp_path: Path, open_checkpoint) -> None:
    write_bert(tmp_path / "without", pooler=False)
    with pytest.raises(EncoderError, match=r"pooler\.dense\.bias, pooler\.dense\.weight.*Use the pooling \"mean\""):
        open_checkpoint("without", "tanh")


def test_the_tanh_pooling_is_the_models_own_pooled_output(tmp_path: Path, open_checkpoint) -> None:
    encoder = open_checkpoint(write_bert(tmp_path / "with").name, "tanh")
    model = BertModel.from_pretrained(tmp_path / "with").eval()
    ids = torch.tensor([[VOCABULARY.index(word) for word in ("[CLS]", "the", "cat", "sat", "[SEP]")]])
    with torch.inference_mode():
        pooled = model(ids).pooler_output
    expected = pooled / pooled.norm()
    np.testing.assert_allclose(encoder.encode_passages(["the cat sat"]), expected.numpy(), atol=1e-5)


def test_heads_for_other_tasks_are_left_out(tmp_path: Path, open_checkpoint) -> None:
    torch.manual_seed(0)
    classifier = BertForSequenceClassification(bert_config())
    write_bert(tmp_path / "classifier", classifier)
    write_bert(tmp_path / "base", classifier.bert)
    assert any(key.startswith("classifier.") for key in load_file(tmp_path / "classifier" / "model.safetensors"))
    np.testing.assert_array_equal(
        open_checkpoint("classifier").encode_passages(TEXTS), open_checkpoint("base").encode_passages(TEXTS)
    )


def test_old_chinese_bert_loads_as_it_was_published(tmp_path: Path, open_checkpoint) -> None:
    write_bert(tmp_path / "new")
    write_old_bert(tmp_path / "chinese_wwm_ext_pytorch", load_file(tmp_path / "new" / "model.safetensors"))
    np.testing.assert_allclose(
        open_checkpoint("chinese_wwm_ext_pytorch").encode_passages(TEXTS),
        open_checkpoint("new").encode_passages(TEXTS),
        atol=1e-6,
    )


def test_missing_weights_in_a_pickle_are_refused_too(tmp_path: Path, open_checkpoint) -> None:
    state = load_file(write_bert(tmp_path / "new") / "model.safetensors")
    del state["encoder.layer.0.attention.self.key.bias"]
    write_old_bert(tmp_path / "old", state)
    with pytest.raises(EncoderError, match=r"encoder\.layer\.0\.attention\.self\.key\.bias"):
        open_checkpoint("old")


class _Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_is_not_run(tmp_path: Path, open_checkpoint) -> None:
    folder = write_old_bert(tmp_path / "evil", {})
    torch.save({"bert.embeddings.word_embeddings.weight": _Bomb(tmp_path / "ran")}, folder / "pytorch_model.bin")
    with pytest.raises(EncoderError, match=r"holds more than weights.*Get the checkpoint as model\.safetensors"):
        open_checkpoint("evil")
    assert not (tmp_path / "ran").exists()
    torch.load(folder / "pytorch_model.bin", weights_only=False)
    assert (tmp_path / "ran").exists(), "the bomb is none"


def test_code_in_the_folder_is_not_run(tmp_path: Path, open_checkpoint) -> None:
    write_bert(tmp_path / "plain")
    folder = write_bert(tmp_path / "code")
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "own.Config", "AutoModel": "own.Model"}
    config["attn_implementation"] = "somebody/kernel"
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    np.testing.assert_array_equal(
        open_checkpoint("code").encode_passages(TEXTS), open_checkpoint("plain").encode_passages(TEXTS)
    )
    assert not (tmp_path / "ran").exists()


def test_a_damaged_file_is_a_sentence(tmp_path: Path, open_checkpoint) -> None:
    folder = write_bert(tmp_path / "cut")
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(EncoderError, match="cannot be loaded"):
        open_checkpoint("cut")


@pytest.mark.parametrize("kept", [0, 1, 5, 10, -1])
@pytest.mark.parametrize("form", ["zip", "pickle"])
def test_a_damaged_pickle_is_a_sentence(form: str, kept: int, tmp_path: Path, open_checkpoint) -> None:
    folder = write_old_bert(tmp_path / "cut", {})
    file = folder / "pytorch_model.bin"
    data = file.read_bytes() if form == "zip" else pickle.dumps({"a": 1}, protocol=2)
    file.write_bytes(data[:kept])
    with pytest.raises(EncoderError, match="cannot be loaded"):
        open_checkpoint("cut")


@pytest.mark.parametrize("kind", ["no-such-model", "clip", "whisper"])
def test_what_is_no_text_encoder_is_refused(kind: str, tmp_path: Path, open_checkpoint) -> None:
    folder = write_bert(tmp_path / "other")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": kind}))
    with pytest.raises(EncoderError):
        open_checkpoint("other")


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path, open_checkpoint) -> None:
    folder = write_bert(tmp_path / "mixed")
    with (folder / "vocab.txt").open("a") as vocabulary:
        vocabulary.write("stray\n")
    with pytest.raises(EncoderError, match=rf"knows {len(VOCABULARY) + 1} tokens and the model only {len(VOCABULARY)}"):
        open_checkpoint("mixed")


def same_sizes() -> dict[str, float]:
    same = bert_config().to_dict()
    return {key: same[key] for key in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
                                       "intermediate_size", "initializer_range")}  # fmt: skip


def roberta() -> XLMRobertaModel:
    return XLMRobertaModel(XLMRobertaConfig(**same_sizes(), max_position_embeddings=MAX_TOKENS + 1, pad_token_id=0))


def distilbert() -> DistilBertModel:
    return DistilBertModel(
        DistilBertConfig(
            vocab_size=len(VOCABULARY), dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=MAX_TOKENS
        )
    )


@pytest.mark.parametrize("make", [roberta, distilbert])
def test_relatives_of_bert_load_and_their_longest_sequence_fits(make, tmp_path: Path, open_checkpoint) -> None:
    model = make().eval()
    model.save_pretrained(write_vocabulary(tmp_path / "relative"))
    encoder = open_checkpoint("relative")
    assert encoder.description.max_tokens == MAX_TOKENS
    words = ["cat", "dog"] * ((MAX_TOKENS - 2) // 2)
    ids = torch.tensor([[VOCABULARY.index(word) for word in ("[CLS]", *words, "[SEP]")]])
    with torch.inference_mode():
        mean = model(ids).last_hidden_state.mean(dim=1)
    # beside a shorter text, so that there is padding
    found = encoder.encode_passages([" ".join(words), "sun"])[:1]
    np.testing.assert_allclose(found, torch.nn.functional.normalize(mean).numpy(), atol=1e-5)


def test_a_model_without_a_pooler_has_no_tanh(tmp_path: Path, open_checkpoint) -> None:
    distilbert().save_pretrained(write_vocabulary(tmp_path / "relative"))
    with pytest.raises(EncoderError, match=r"DistilBertModel\) has no pooler"):
        open_checkpoint("relative", "tanh")


def modernbert() -> PreTrainedModel:
    return transformers.ModernBertModel(
        transformers.ModernBertConfig(
            vocab_size=len(VOCABULARY), hidden_size=32, intermediate_size=64,
            num_hidden_layers=2, num_attention_heads=2,
            pad_token_id=0, bos_token_id=2, eos_token_id=3, cls_token_id=2, sep_token_id=3,
        )
    )  # fmt: skip


def mpnet() -> PreTrainedModel:
    return transformers.MPNetModel(
        transformers.MPNetConfig(
            vocab_size=len(VOCABULARY), hidden_size=32, intermediate_size=64,
            num_hidden_layers=2, num_attention_heads=2,
            pad_token_id=0,
        )
    )  # fmt: skip


def bert() -> PreTrainedModel:
    return transformers.BertModel(bert_config())


@pytest.mark.parametrize("make", [bert, roberta, distilbert, modernbert, mpnet])
@pytest.mark.parametrize("stored", [torch.float16, torch.float32])
def test_a_large_embedding_stays_as_stored_and_the_vectors_are_the_same(
    make, stored: torch.dtype, tmp_path: Path, monkeypatch
) -> None:
    torch.manual_seed(5)
    make().to(stored).save_pretrained(write_vocabulary(tmp_path / "relative"))
    description = resolve("relative", tmp_path)
    expected = local.load(description, dtype="float32").encode_passages(TEXTS)
    monkeypatch.setattr(precision, "_LARGE_EMBEDDING", 1000)
    for dtype, least in (("float32", 0.99999), ("bfloat16", 0.99)):
        encoder = local.load(description, dtype=dtype)
        found = {values.dtype for values in encoder.model.parameters()}
        assert found == {stored, getattr(torch, dtype)}
        assert (encoder.encode_passages(TEXTS) * expected).sum(axis=1).min() >= least


def test_a_model_that_cannot_compute_in_bfloat16_computes_in_float32(tmp_path: Path, monkeypatch) -> None:
    transformers.FNetModel(
        transformers.FNetConfig(
            vocab_size=len(VOCABULARY), hidden_size=32, intermediate_size=64, num_hidden_layers=1,
            max_position_embeddings=MAX_TOKENS, pad_token_id=0,
        )
    ).save_pretrained(write_vocabulary(tmp_path / "fourier"))  # fmt: skip
    monkeypatch.setattr(local, "computes_in_bfloat16", lambda device: True)
    encoder = local.load(resolve("fourier", tmp_path))
    assert {values.dtype for values in encoder.model.parameters()} == {torch.float32}
    assert np.isfinite(encoder.encode_passages(TEXTS)).all()
