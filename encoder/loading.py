"""A checkpoint folder to a torch model, whole or not at all. Imports torch and transformers."""

import inspect
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from torch import nn
from transformers import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    MODEL_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
    logging,
)

from encoder.description import Description, EncoderError
from encoder.folder import read_config
from encoder.precision import compute_in
from encoder.tokenizing import refuse_other_tokens

# What transformers would print about a load, a bar and a table of keys, we judge ourselves and put in a sentence.
logging.set_verbosity_error()  # type: ignore[no-untyped-call]
logging.disable_progress_bar()  # type: ignore[no-untyped-call]

# What a damaged file raises; the readers of pickles trip over its bytes in many ways.
_DAMAGED = (OSError, ValueError, RuntimeError, EOFError, LookupError, SafetensorError)

# Keys of config.json that would have transformers fetch or run something else than the weights in the folder.
_NOT_OBEYED = ("auto_map", "attn_implementation", "quantization_config", "fusion_config")

_CLASSIFIER = "ForSequenceClassification"


def checkpoint(description: Description) -> PreTrainedModel:
    """Return the encoder of a checkpoint on the CPU, in evaluation mode. It computes in float32; large embeddings
    stay as they are stored (see `compute_in`).

    Heads for other tasks are left out. Nothing is fetched and no code of the folder is run. Raises EncoderError
    when a weight is missing or of another shape, since transformers would make it up at random.
    """
    assert description.folder is not None, "an encoder without files is no checkpoint"
    folder, pooled = description.folder, description.pooling == "tanh"
    config = configuration(folder)
    kind = encoder_class(folder, config)
    takes_pooler = "add_pooling_layer" in inspect.signature(kind).parameters
    options = {"add_pooling_layer": pooled} if takes_pooler else {}
    model, info = from_files(folder, AutoModel, kind, config, **options)
    refuse_gaps(folder, model, lacking(info), pooled)
    return _ready(model, description)


def classifier(description: Description) -> PreTrainedModel:
    """As `checkpoint`, with the head of a ForSequenceClassification architecture, which must have one label."""
    assert description.folder is not None, "a classifier has files"
    folder, config = description.folder, configuration(description.folder)
    saved = config.architectures or []  # old checkpoints do not say; then the weights that they lack do
    if saved and not any(name.endswith(_CLASSIFIER) for name in saved):
        raise EncoderError(
            f"The checkpoint in {folder} is no cross-encoder: it is a {', '.join(saved)}, and one whose name ends "
            f"in {_CLASSIFIER} is needed."
        )
    if type(config) not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING or not hasattr(config, "vocab_size"):
        raise EncoderError(f'The model type "{config.model_type}" in {folder}/config.json is no classifier of texts.')
    kind = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)]
    model, info = from_files(folder, AutoModelForSequenceClassification, kind, config)
    _refuse_made_up(folder, lacking(info), head=True)
    if config.num_labels != 1:
        raise EncoderError(
            f"The classifier in {folder} has {config.num_labels} labels; a cross-encoder has one, the score of a pair."
        )
    return _ready(model, description)


def encoder_class(folder: Path, config: PretrainedConfig) -> Any:
    """Return the class of the encoder that a configuration is of. Raises EncoderError when it is of none."""
    if type(config) not in MODEL_MAPPING:
        raise EncoderError(f'The model type "{config.model_type}" in {folder}/config.json is no text encoder.')
    return MODEL_MAPPING[type(config)]


def from_files(
    folder: Path, auto: Any, kind: Any, config: PretrainedConfig, **options: Any
) -> tuple[PreTrainedModel, dict[str, Any]]:
    """Return a model of the class `kind`, by its `auto` class, and transformers' loading info, which names the keys
    that the folder lacks. `options` go to `from_pretrained`. Raises EncoderError when the files cannot be read."""
    given = {"dtype": _stored_dtype(folder), "attn_implementation": attention(kind)} | options
    model: PreTrainedModel
    with damage_as_sentence(folder):
        model, info = auto.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            weights_only=True,
            output_loading_info=True,
            **given,
        )
    return model, info


@contextmanager
def damage_as_sentence(folder: Path) -> Iterator[None]:
    """Raise EncoderError for whatever the reading of a folder's weights raises."""
    try:
        yield
    except UnpicklingError as error:  # torch's own words advise to run the pickle
        raise EncoderError(
            f"The checkpoint in {folder} cannot be loaded: its pytorch_model.bin is damaged, or holds more than "
            "weights (which was not run). Get the checkpoint as model.safetensors."
        ) from error
    except _DAMAGED as error:
        raise EncoderError(
            f"The checkpoint in {folder} cannot be loaded ({type(error).__name__}: {error}). Copy it again."
        ) from error


def attention(kind: Any) -> str:
    """Return the name of the attention that a class computes with here."""
    return "sdpa" if kind._supports_sdpa else "eager"


def lacking(info: dict[str, Any]) -> set[str]:
    """Return the keys that a folder lacks or has in other shapes, from what `from_files` gives."""
    return set(info["missing_keys"]) | {str(key[0]) for key in info["mismatched_keys"]}


def _ready(model: PreTrainedModel, description: Description) -> PreTrainedModel:
    refuse_other_tokens(description, model.config.vocab_size)
    nn.Module.eval(model)
    compute_in(model, torch.float32)
    return model


def _stored_dtype(folder: Path) -> torch.dtype:
    """The type of the largest weight in model.safetensors where that has 16 bits; else float32."""
    try:
        with safe_open(folder / "model.safetensors", "pt") as weights:
            slices = [weights.get_slice(key) for key in weights.keys()]  # noqa: SIM118 - it is no dict
            stored = max(slices, key=lambda one: math.prod(one.get_shape())).get_dtype()
    except _DAMAGED:  # not there, or what loading it will say better
        return torch.float32
    return {"F16": torch.float16, "BF16": torch.bfloat16}.get(stored, torch.float32)


def configuration(folder: Path) -> PretrainedConfig:
    """Return a folder's configuration, without what would have code run. Raises EncoderError."""
    values = {key: value for key, value in read_config(folder).items() if key not in _NOT_OBEYED}
    try:
        config = AutoConfig.for_model(**values)
    except (ValueError, TypeError, NotImplementedError, StrictDataclassError) as error:
        raise EncoderError(f"The configuration in {folder} cannot be used: {error}") from error
    return config


def refuse_gaps(folder: Path, model: nn.Module, gaps: set[str], pooled: bool) -> None:
    """Raise EncoderError when an encoder cannot serve for the keys in `gaps` (see `lacking`).

    A pooler is needed only where `pooled`, by the pooling "tanh".
    """
    _refuse_made_up(folder, gaps if pooled else {key for key in gaps if not key.startswith("pooler.")})
    if pooled and not hasattr(getattr(model, "pooler", None), "dense"):
        raise EncoderError(
            f'The checkpoint in {folder} ({type(model).__name__}) has no pooler with a tanh: use the pooling "mean".'
        )


def _refuse_made_up(folder: Path, gaps: set[str], head: bool = False) -> None:
    """`gaps`: as `lacking` gives them. `head`: the model needs all of them, whatever the pooling."""
    if gaps:
        named = ", ".join(sorted(gaps)[:8]) + (f" and {len(gaps) - 8} more" if len(gaps) > 8 else "")
        only_pooler = not head and all("pooler" in key for key in gaps)
        raise EncoderError(
            f"The checkpoint in {folder} lacks weights, or has them in other shapes, so that they would be random: "
            f"{named}." + (' Use the pooling "mean", which needs no pooler.' if only_pooler else "")
        )
