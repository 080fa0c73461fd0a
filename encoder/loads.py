"""The three ways to a model, and what became of each key on the way. Imports torch and transformers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor
from transformers import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    AutoModel,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)

from encoder.description import EncoderError
from encoder.hashing import weight_files
from encoder.loading import attention, configuration, damage_as_sentence, encoder_class, from_files
from encoder.report import How, Loading, Mismatched, Renamed

# What a class raises that is built from a configuration that no model can have; or one with libraries not installed.
_IMPOSSIBLE = (TypeError, AttributeError, ArithmeticError, AssertionError, ImportError)

# As safetensors writes them and torch names them.
_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32"}

# Of BERT's first releases, which were converted from TensorFlow.
_OLD_NAMES = (("LayerNorm.gamma", "LayerNorm.weight"), ("LayerNorm.beta", "LayerNorm.bias"))


@dataclass(frozen=True)
class Stored:
    """A tensor in a weights file: the file's name, its key, shape and number type there."""

    file: str
    key: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Loaded:
    """A model in float32 on the CPU; `sources` has what filled each key of it that was filled from one of the files."""

    model: PreTrainedModel
    loading: Loading
    sources: dict[str, Stored]


def load(folder: Path, how: How) -> Loaded:
    """Return the model of a folder, made in one of three ways; gaps are filled by torch's random generator.

    "checkpoint" is `from_pretrained`; "config" builds the architecture and reads no weights; "state-dict" builds it
    and then has torch's `load_state_dict` (strict=False) fill in what has the same name and shape. The model has a
    head when the checkpoint is one ForSequenceClassification. Raises EncoderError; of a pickle nothing is run.
    """
    config = configuration(folder)
    stored = {} if how == "config" else _stored(folder)
    with _as_sentences(folder):
        auto, kind = _class(folder, config, stored)
        if how == "checkpoint":
            return _checkpoint(folder, auto, kind, config, stored)
        model: PreTrainedModel = auto.from_config(
            config, attn_implementation=attention(kind), dtype=torch.float32, trust_remote_code=False
        )
        return _state_dict(folder, model, stored) if how == "state-dict" else _from_config(model)


@contextmanager
def _as_sentences(folder: Path) -> Iterator[None]:
    try:
        with damage_as_sentence(folder):
            yield
    except _IMPOSSIBLE as error:
        raise EncoderError(
            f"The configuration in {folder} makes no model ({type(error).__name__}: {error}). Copy the checkpoint "
            "again."
        ) from error


def _class(folder: Path, config: PretrainedConfig, stored: dict[str, Stored]) -> tuple[Any, Any]:
    """The auto class, and the class it stands for, with a head where the folder or, in old ones, its keys say so."""
    kind = encoder_class(folder, config)
    if not isinstance(getattr(config, "vocab_size", None), int):
        raise EncoderError(f'The model type "{config.model_type}" in {folder}/config.json is no text encoder.')
    named = config.architectures or []
    has_head = any(name.endswith("ForSequenceClassification") for name in named) or (
        not named and any(key.startswith("classifier.") for key in stored)
    )
    if has_head and type(config) in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING:
        return AutoModelForSequenceClassification, MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)]
    return AutoModel, kind[0] if isinstance(kind, tuple) else kind


def _checkpoint(folder: Path, auto: Any, kind: Any, config: PretrainedConfig, stored: dict[str, Stored]) -> Loaded:
    model, info = from_files(folder, auto, kind, config, dtype=torch.float32, ignore_mismatched_sizes=True)
    keys = set(model.state_dict())
    targets = {key: _target(key, keys, model.base_model_prefix) for key in stored}
    mismatched = tuple(
        Mismatched(name=str(name), in_file=tuple(found), in_model=tuple(wanted))
        for name, found, wanted in sorted(info["mismatched_keys"])
    )
    made = set(info["missing_keys"]) | {one.name for one in mismatched}
    sources = {name: stored[key] for key, name in targets.items() if name is not None and name not in made}
    unused = {key for key, name in targets.items() if name is None}
    # Some architectures have transformers put a parameter together from several keys; it alone knows which.
    whole = keys <= made | set(sources)
    loading = Loading(
        how="checkpoint",
        files=_files(stored),
        loaded=len(keys - made),
        missing=tuple(sorted(info["missing_keys"])),
        unexpected=tuple(sorted(unused if whole else info["unexpected_keys"])),
        mismatched=mismatched,
        renamed=_renamed(targets),
        not_renamed=(),
    )
    return Loaded(model, loading, sources)


def _from_config(model: PreTrainedModel) -> Loaded:
    missing = tuple(sorted(model.state_dict()))
    nothing = Loading(
        how="config", files=(), loaded=0, missing=missing, unexpected=(), mismatched=(), renamed=(), not_renamed=()
    )
    return Loaded(model, nothing, {})


def _state_dict(folder: Path, model: PreTrainedModel, stored: dict[str, Stored]) -> Loaded:
    shapes = {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()}
    other = {
        key for key, one in stored.items() if key in shapes and one.shape != shapes[key]
    }  # strict, whatever strict
    found = {key: tensor for path in weight_files(folder) for key, tensor in _tensors(path, "cpu").items()}
    result = model.load_state_dict({key: found[key] for key in found if key not in other}, strict=False)
    targets = {key: _target(key, set(shapes), model.base_model_prefix) for key in result.unexpected_keys}
    loading = Loading(
        how="state-dict",
        files=_files(stored),
        loaded=len(shapes) - len(result.missing_keys),
        missing=tuple(sorted(set(result.missing_keys) - other)),
        unexpected=tuple(sorted(result.unexpected_keys)),
        mismatched=tuple(
            Mismatched(name=key, in_file=stored[key].shape, in_model=shapes[key]) for key in sorted(other)
        ),
        renamed=(),
        not_renamed=_renamed(targets),
    )
    return Loaded(model, loading, {key: stored[key] for key in shapes if key in stored and key not in other})


def _target(key: str, keys: set[str], prefix: str) -> str | None:
    """The name that transformers gives to a key of a file: old names made new, its prefix put or taken off."""
    new = key
    for old, now in _OLD_NAMES:
        new = new.replace(old, now)
    candidates = (new, new.removeprefix(f"{prefix}."), f"{prefix}.{new}", key)
    return next((name for name in candidates if name in keys), None)


def _renamed(targets: dict[str, str | None]) -> tuple[Renamed, ...]:
    return tuple(Renamed(key=key, name=name) for key, name in sorted(targets.items()) if name not in (None, key))


def _files(stored: dict[str, Stored]) -> tuple[str, ...]:
    return tuple(sorted({one.file for one in stored.values()}))


def _stored(folder: Path) -> dict[str, Stored]:
    """What the weights files hold, by key, without reading the numbers."""
    found: dict[str, Stored] = {}
    for path in weight_files(folder):
        with damage_as_sentence(folder):
            if path.suffix == ".safetensors":
                with safe_open(path, "pt") as weights:
                    for key in weights.keys():  # noqa: SIM118 - it is no dict
                        part = weights.get_slice(key)
                        kind = _DTYPES.get(part.get_dtype(), part.get_dtype())
                        found[key] = Stored(path.name, key, tuple(part.get_shape()), kind)
            else:
                for key, tensor in _tensors(path, "meta").items():
                    found[key] = Stored(path.name, key, tuple(tensor.shape), dtype_name(tensor))
    return found


def _tensors(path: Path, device: str) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path, device)
    values = torch.load(path, map_location=device, weights_only=True)
    if isinstance(values, dict) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in values.items()):
        return values
    raise EncoderError(f"{path} is no state dict: it holds something else than names with their weights.")


def dtype_name(tensor: Tensor) -> str:
    """Return a tensor's number type as "float32"."""
    return str(tensor.dtype).removeprefix("torch.")
