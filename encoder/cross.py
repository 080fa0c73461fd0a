"""A cross-encoder: question and passage go through the transformer together, and one number comes out.

Each token of the question attends to each token of the passage, which tells an answer from a text on the same matter
better than two vectors made apart. But nothing can be made ahead: every pair is a forward pass over both texts when
the question comes. So it orders some tens of passages that a cheaper search has found, and never a collection.

Imports torch and transformers: import it only to score.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import PreTrainedModel

from encoder.batching import batches
from encoder.description import Description, EncoderError
from encoder.folder import max_tokens, operators_sayings, read_optional
from encoder.hashing import weights_hash
from encoder.loading import classifier
from encoder.local import BUDGET, CHECKED, STEP
from encoder.precision import compute_in, computes_in_bfloat16
from encoder.tokenizing import clean, tokenizer

# A model is tried on these before it is used: an answer, texts on other matters, and a much longer one, so that the
# others are padded.
_QUESTION = "how do vaccines work"
_PASSAGES = [
    "A vaccine shows the immune system a harmless part of a germ, so that it knows the germ when it comes.",
    *CHECKED,
    " ".join(CHECKED * 2),
]
# bfloat16 is used only where it moves no score by more than this part of the distance between best and worst.
_MOST_MOVED = 0.02

_Token = tuple[int, int]  # its id, and its type: 0 in the question and 1 in the passage, for models that tell


@dataclass(frozen=True)
class _Template:
    """What a tokenizer puts around and between two texts: [CLS] a [SEP] b [SEP], or <s> a </s></s> b </s>."""

    lead: list[_Token]
    between: list[_Token]
    trail: list[_Token]
    types: tuple[int, int]

    @property
    def size(self) -> int:
        return len(self.lead) + len(self.between) + len(self.trail)

    def pair(self, question: Sequence[int], passage: Sequence[int]) -> list[_Token]:
        first, second = self.types
        asked, told = [(token, first) for token in question], [(token, second) for token in passage]
        return [*self.lead, *asked, *self.between, *told, *self.trail]


class CrossEncoder:
    """Scores of (question, passage) pairs with one model, for any number of threads."""

    def __init__(self, description: Description, model: PreTrainedModel) -> None:
        self.description = description
        self.model = model
        self._tokenizer = tokenizer(description)
        self._template = _template(self._tokenizer, description)
        self._typed = _tells_types(model, description)
        self._room = description.max_tokens - self._template.size
        self._lock = threading.Lock()
        if self._room < 2:
            raise EncoderError(f"With max_tokens at {description.max_tokens} there is no room for a pair of texts.")

    @property
    def name(self) -> str:
        return self.description.name

    @property
    def fingerprint(self) -> str:
        """16 hex digits that are equal exactly when scores are comparable; see `Description.fingerprint`."""
        return self.description.fingerprint

    def scores(self, question: str, passages: Sequence[str]) -> NDArray[np.float32]:
        """Return the logit of each passage (n,), float32, in their order: the higher, the better it answers.

        Any real number, and to be compared only among passages of one question. A pair is cut to `max_tokens`: the
        question to at most half of the room, the passage to what is left. In float32 a score is the same to 1e-4
        whatever else is scored; in bfloat16 that is only so to the rounding that `load` allows.
        """
        found = np.zeros(len(passages), dtype=np.float32)
        pairs = self._pairs(question, passages)
        for batch in batches([len(pair) for pair in pairs], BUDGET[self.model.device.type]):
            found[batch] = self._forward([pairs[position] for position in batch]).numpy()
        return found

    def _pairs(self, question: str, passages: Sequence[str]) -> list[list[_Token]]:
        texts = [self.description.query_prefix + clean(question)]
        texts += [self.description.passage_prefix + clean(passage) for passage in passages]
        asked, *told = [one.ids for one in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        asked = asked[: self._room // 2]
        return [self._template.pair(asked, ids[: self._room - len(asked)]) for ids in told]

    def _forward(self, pairs: list[list[_Token]]) -> Tensor:
        """Return the logits (pairs,) in float32 on the CPU."""
        width = max(len(pair) for pair in pairs)
        width = min(-(-width // STEP) * STEP, self.description.max_tokens)
        pad = (self.model.config.pad_token_id or 0, 0)
        ids, types = torch.tensor([pair + [pad] * (width - len(pair)) for pair in pairs]).unbind(-1)
        lengths = torch.tensor([[len(pair)] for pair in pairs])
        given = {"input_ids": ids, "attention_mask": (torch.arange(width) < lengths).to(torch.int64)}
        if self._typed:
            given["token_type_ids"] = types
        given = {name: values.to(self.model.device) for name, values in given.items()}
        # The lock is held for one batch, so that two questions take turns.
        with self._lock, torch.inference_mode():
            logits: Tensor = self.model(**given).logits
            return logits[:, 0].to(torch.float32).cpu()


def load(folder: Path, threads: int | None = None) -> CrossEncoder:
    """Return the cross-encoder in a folder in Hugging Face layout: a ForSequenceClassification of texts, one label.

    An operator may set "max_tokens", "query_prefix" and "passage_prefix" in its searchsite.json. It computes in
    bfloat16 where the processor does and the scores stay, else in float32. `threads` is the number of CPU threads
    torch uses, for the whole process. A CUDA device is used when there is one. Nothing is fetched and no code of the
    folder is run. Raises EncoderError.
    """
    if threads:
        torch.set_num_threads(threads)
    description = _describe(folder)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    loaded = _in_float32(description, device)
    exact = _tried(loaded)
    if not computes_in_bfloat16(device):
        return loaded
    _in_bfloat16(loaded.model)
    try:
        moved = np.abs(loaded.scores(_QUESTION, _PASSAGES) - exact).max()
    except RuntimeError:  # an operation of this model that torch does not do in bfloat16
        return _in_float32(description, device)
    if not moved <= _MOST_MOVED * np.ptp(exact):  # "not <=", so that NaN fails too
        return _in_float32(description, device)
    return loaded


def _describe(folder: Path) -> Description:
    """What is said of an encoder, for its tokenizer and its fingerprint; nothing is pooled, and nothing scaled."""
    folder = folder.absolute()
    if not folder.is_dir():
        raise EncoderError(f"There is no cross-encoder at {folder}: it should be a folder in Hugging Face layout.")
    says = operators_sayings(folder)
    return Description(
        name=folder.name,
        folder=folder,
        dim=1,
        max_tokens=max_tokens(folder, says.get("max_tokens")),
        pooling="cls",
        query_prefix=says.get("query_prefix", ""),
        passage_prefix=says.get("passage_prefix", ""),
        normalised=False,
        weights_hash=weights_hash(folder, folder.parent / ".sha256.json"),
    )


def _in_float32(description: Description, device: str) -> CrossEncoder:
    model = classifier(description)
    nn.Module.to(model, device)
    return CrossEncoder(description, model)


def _in_bfloat16(model: PreTrainedModel) -> None:
    """Have the transformer compute in bfloat16 and its head in float32: with 8 bits, scores near 10 would tie often."""
    body: Any = model.base_model
    compute_in(body, torch.bfloat16)

    def widened(_head: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(v.to(torch.float32) if isinstance(v, Tensor) and v.is_floating_point() else v for v in inputs)

    for part in model.children():
        if part is not body:
            part.register_forward_pre_hook(widened)


def _tried(loaded: CrossEncoder) -> NDArray[np.float32]:
    """The scores of the passages to try. Raises EncoderError when padding moves them, or they are no numbers."""
    folder = loaded.description.folder
    try:
        together, alone = loaded.scores(_QUESTION, _PASSAGES), loaded.scores(_QUESTION, _PASSAGES[:1])
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:  # it wants more than texts
        raise EncoderError(
            f"The classifier in {folder} cannot score a pair of texts ({type(error).__name__}: {error})."
        ) from error
    if not np.isfinite(together).all():
        raise EncoderError(f"The classifier in {folder} gives scores that are no numbers. Copy the checkpoint again.")
    if not np.allclose(together[:1], alone, rtol=1e-3, atol=1e-3):
        raise EncoderError(
            f"The classifier in {folder} ({type(loaded.model).__name__}) scores a pair otherwise when another stands "
            "beside it, so its scores cannot be compared. Choose a BERT-like cross-encoder."
        )
    return together


def _template(loaded: Tokenizer, description: Description) -> _Template:
    probe = loaded.encode("a", "b")
    tokens, owners = list(zip(probe.ids, probe.type_ids, strict=True)), probe.sequence_ids
    if 0 in owners and 1 in owners:
        first, second = owners.index(0), owners.index(1)
        ends = first + owners.count(0), second + owners.count(1)
        if ends[0] < second:
            types = probe.type_ids[first], probe.type_ids[second]
            return _Template(tokens[:first], tokens[ends[0] : second], tokens[ends[1] :], types)
    raise EncoderError(
        f"The tokenizer in {description.folder} puts nothing between two texts: it is not made for pairs."
    )


def _tells_types(model: PreTrainedModel, description: Description) -> bool:
    """Whether the model is given token types: it has them, and its tokenizer's options do not leave them out."""
    assert description.folder is not None
    inputs = read_optional(description.folder / "tokenizer_config.json").get("model_input_names")
    has_types = "token_type_ids" in signature(model.forward).parameters
    several = (getattr(model.config, "type_vocab_size", None) or 0) > 1
    return has_types and several and (inputs is None or "token_type_ids" in inputs)
