"""Checkpoints small enough to be made for one test: BERT with 2 layers, 32 dimensions and random weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import BertConfig, BertModel, PreTrainedModel

WORDS = (
    "the a cat dog sat on mat ran in park big small red blue house car tree sky sun moon un ##able ##s "
    "你 好 世 界 猫 狗"
)
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = SPECIAL + WORDS.split()
MAX_TOKENS = 24


def bert_config(**changes) -> BertConfig:
    sizes = {
        "vocab_size": len(VOCABULARY),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": MAX_TOKENS,
        "initializer_range": 0.5,  # far apart, so that a wrong weight or token moves the vector much
    }
    return BertConfig(**(sizes | changes))


def write_vocabulary(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return folder


def write_bert(folder: Path, model: PreTrainedModel | None = None, pooler: bool = True) -> Path:
    """A folder with config.json, model.safetensors and vocab.txt."""
    if model is None:
        torch.manual_seed(0)
        model = BertModel(bert_config(), add_pooling_layer=pooler)
    model.save_pretrained(folder)
    return write_vocabulary(folder)


def write_old_bert(folder: Path, state: dict[str, torch.Tensor]) -> Path:
    """A folder as chinese_wwm_ext_pytorch is: bert_config.json without a type, a pickle, vocab.txt, old key names."""
    write_vocabulary(folder)
    old = {"bert." + key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): t
           for key, t in state.items()}  # fmt: skip
    torch.save(old | {"cls.predictions.bias": torch.zeros(len(VOCABULARY))}, folder / "pytorch_model.bin")
    config = {
        key: value
        for key, value in bert_config().to_dict().items()
        if key in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
                   "max_position_embeddings", "type_vocab_size", "hidden_act")
    }  # fmt: skip
    (folder / "bert_config.json").write_text(json.dumps(config))
    return folder
