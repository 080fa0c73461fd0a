"""Checkpoints small enough to be made for one test: BERT with 2 layers, 32 dimensions and random weights."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertForSequenceClassification, BertModel, PreTrainedModel

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


def write_old_bert(folder: Path, state: dict[str, torch.Tensor], config_name: str = "bert_config.json") -> Path:
    """A folder as chinese_wwm_ext_pytorch is: a configuration without a type, a pickle with old key names and the
    heads that BERT was trained with, vocab.txt."""
    write_vocabulary(folder)
    old = {"bert." + key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): t
           for key, t in state.items()}  # fmt: skip
    torch.save(old | old_heads(), folder / "pytorch_model.bin")
    config = {
        key: value
        for key, value in bert_config().to_dict().items()
        if key in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
                   "max_position_embeddings", "type_vocab_size", "hidden_act")
    }  # fmt: skip
    (folder / config_name).write_text(json.dumps(config))
    return folder


def old_heads() -> dict[str, torch.Tensor]:
    """For masked words and the next sentence, by the keys of BERT's first releases."""
    return {
        "cls.predictions.bias": torch.zeros(len(VOCABULARY)),
        "cls.predictions.transform.dense.weight": torch.zeros(32, 32),
        "cls.predictions.transform.dense.bias": torch.zeros(32),
        "cls.predictions.transform.LayerNorm.gamma": torch.ones(32),
        "cls.predictions.transform.LayerNorm.beta": torch.zeros(32),
        "cls.predictions.decoder.weight": torch.zeros(len(VOCABULARY), 32),
        "cls.seq_relationship.weight": torch.zeros(2, 32),
        "cls.seq_relationship.bias": torch.zeros(2),
    }


def write_classifier(folder: Path, labels: int = 3) -> Path:
    """A folder with a BertForSequenceClassification."""
    torch.manual_seed(7)
    return write_bert(folder, BertForSequenceClassification(bert_config(num_labels=labels)))


def vocabulary_as_json(folder: Path) -> Path:
    """The same folder with tokenizer.json in place of vocab.txt."""
    BertWordPieceTokenizer(str(folder / "vocab.txt")).save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").unlink()
    return folder


def change_config(folder: Path, **changes) -> Path:
    """The same folder with other values in config.json; None takes one out."""
    values = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps({key: value for key, value in values.items() if value is not None}))
    return folder
