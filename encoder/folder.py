"""Reading what a checkpoint folder in Hugging Face layout says about itself, without torch or transformers."""

import json
import re
from pathlib import Path
from typing import Any

from encoder.description import POOLINGS, EncoderError

# searchsite.json may hold these.
_SETTINGS: dict[str, type] = {"query_prefix": str, "passage_prefix": str, "max_tokens": int, "pooling": str}
# intfloat's e5 models were trained with "query: " and "passage: " (https://arxiv.org/abs/2212.03533, section 4.1);
# their instruct relatives with other prompts.
_E5_NAME = re.compile(r"(^|[-_])e5[-_](?!.*(instruct|mistral))", re.IGNORECASE)
# In these, positions are counted from after the padding token's id, and the table of positions is so much longer.
_OFFSET_POSITIONS = {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet", "longformer", "data2vec-text"}


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file. Raises EncoderError when it cannot be read or is no object."""
    values = _parsed(path)
    if not isinstance(values, dict):
        raise EncoderError(f"{path} should hold a JSON object, not a {type(values).__name__}.")
    return values


def read_optional(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, or {} when there is no such file. Raises EncoderError as `read_json`."""
    return read_json(path) if path.is_file() else {}


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EncoderError(f"{path} cannot be read as JSON: {error}. Copy the checkpoint again.") from error


def read_config(folder: Path) -> dict[str, Any]:
    """Return the model configuration of a checkpoint, always with its "model_type".

    Old releases of BERT (Google's own, chinese_wwm_ext_pytorch) call the file bert_config.json and name no type;
    they are BERT. Raises EncoderError when the folder holds no configuration.
    """
    if (folder / "config.json").is_file():
        values = read_json(folder / "config.json")
        is_bert = (folder / "vocab.txt").is_file()
    elif (folder / "bert_config.json").is_file():
        values, is_bert = read_json(folder / "bert_config.json"), True
    else:
        raise EncoderError(f"{folder} is no checkpoint: it holds no config.json.")
    if "model_type" not in values:
        if not is_bert:
            raise EncoderError(f'{folder}/config.json names no "model_type": add it, for example "bert".')
        values["model_type"] = "bert"
    return values


def tokenizer_files(folder: Path) -> list[Path]:
    """Return the files that decide how a text becomes tokens: tokenizer.json, or vocab.txt and its options.

    Raises EncoderError when there is neither.
    """
    if (folder / "tokenizer.json").is_file():
        return [folder / "tokenizer.json"]
    if (folder / "vocab.txt").is_file():
        options = folder / "tokenizer_config.json"
        return [folder / "vocab.txt", *([options] if options.is_file() else [])]
    raise EncoderError(
        f"{folder} holds neither tokenizer.json nor vocab.txt. Make tokenizer.json from its other files with: "
        f"python -c \"from transformers import AutoTokenizer as T; T.from_pretrained('{folder}')"
        f".save_pretrained('{folder}')\""
    )


def sayings(folder: Path) -> dict[str, Any]:
    """Return what the folder says of "query_prefix", "passage_prefix", "max_tokens" and "pooling", of each or none.

    An operator says it in `searchsite.json`, a JSON object of any of these: two strings, a whole number (special
    tokens included), and one of "mean", "cls", "tanh". That comes before the prompts and the pooling in
    sentence-transformers' files, and those before the name: e5 models want "query: " and "passage: ". Raises
    EncoderError when a file says what cannot be done.
    """
    says: dict[str, Any] = {}
    if _E5_NAME.search(folder.name):
        says |= {"query_prefix": "query: ", "passage_prefix": "passage: "}
    prompts = read_optional(folder / "config_sentence_transformers.json").get("prompts") or {}
    for ours, theirs in (("query_prefix", "query"), ("passage_prefix", "document"), ("passage_prefix", "passage")):
        if prompts.get(theirs):
            says[ours] = prompts[theirs]
    _refuse_later_layers(folder)
    if read_optional(folder / "1_Pooling" / "config.json").get("pooling_mode_cls_token"):
        says["pooling"] = "cls"
    return says | operators_sayings(folder)


def operators_sayings(folder: Path) -> dict[str, Any]:
    """Return what the operator says in searchsite.json, of what `sayings` gives. Raises EncoderError as that."""
    path = folder / "searchsite.json"
    says = read_optional(path)
    for key, value in says.items():
        if key not in _SETTINGS or type(value) is not _SETTINGS[key]:
            known = ", ".join(f"{name} ({kind.__name__})" for name, kind in _SETTINGS.items())
            raise EncoderError(f"{path}: {json.dumps({key: value})} is not one of {known}.")
    if says.get("pooling", "mean") not in POOLINGS:
        raise EncoderError(f'{path}: there is no pooling "{says["pooling"]}": choose one of {", ".join(POOLINGS)}.')
    return says


def _refuse_later_layers(folder: Path) -> None:
    """A layer after the pooling that we do not apply would leave vectors its authors never meant."""
    path = folder / "modules.json"
    modules = _parsed(path) if path.is_file() else []
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise EncoderError(f"{path} should hold a list of JSON objects. Copy the checkpoint again, or remove it.")
    for module in modules:
        kind = str(module.get("type")).rpartition(".")[2]
        if kind not in ("Transformer", "Pooling", "Normalize"):
            raise EncoderError(
                f"{path} asks for a layer after the encoder ({kind}) that is not supported. Choose another "
                "checkpoint, or remove modules.json to use the encoder without that layer."
            )


def dim(folder: Path) -> int:
    """Return how long the checkpoint's vectors are. Raises EncoderError when its configuration does not say."""
    config = read_config(folder)
    for key in ("hidden_size", "dim", "d_model"):  # BERT and most; DistilBERT; some others
        if isinstance(config.get(key), int):
            return int(config[key])
    raise EncoderError(f"{folder}/config.json does not say how long a vector is (hidden_size).")


def max_tokens(folder: Path, said: int | None) -> int:
    """Return the longest sequence for the model, special tokens included.

    The smallest of what its positions allow and of what is `said`, or else what its authors say for their
    tokenizer; 512 where nobody says anything.
    """
    config = read_config(folder)
    limits: list[Any] = [said]
    if said is None:
        limits.append(read_optional(folder / "sentence_bert_config.json").get("max_seq_length"))
        limits.append(read_optional(folder / "tokenizer_config.json").get("model_max_length"))
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int) and config["model_type"] in _OFFSET_POSITIONS:
        positions -= config.get("pad_token_id", 1) + 1
    limits.append(positions)
    # below a million, since a tokenizer without a limit of its own writes 10**30; positions may be -1 for none
    return min((limit for limit in limits if isinstance(limit, int) and 0 < limit < 1_000_000), default=512)
