"""What an encoder is, as data: where its files are, how texts are put to it, and the fingerprint of all that.

Nothing here needs torch, so a page or a command may ask which encoder is in use without paying for one.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Pooling = Literal["mean", "cls", "tanh"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


class EncoderError(Exception):
    """An encoder cannot be had or used. The message is a sentence that may be shown to whoever runs the site."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """One way of turning texts into vectors.

    `folder` holds the checkpoint in Hugging Face layout (None: an encoder without files). `dim` is the length of
    a vector, `max_tokens` the longest sequence the model is given, its special tokens included; the prefixes are
    put before each query and each passage. `weights_hash` is a SHA-256 in hex over weights, tokenizer and model
    configuration (see `encoder.hashing`).
    """

    name: str
    folder: Path | None
    dim: int
    max_tokens: int
    pooling: Pooling
    query_prefix: str
    passage_prefix: str
    normalised: bool = True
    weights_hash: str

    @property
    def fingerprint(self) -> str:
        """16 hex digits that are equal exactly when vectors may be compared with each other.

        Neither the number type nor the device enters: they move a vector by less than 0.001 of cosine. Nor do the
        name and the folder: the same checkpoint in another place makes the same vectors.
        """
        parts = {
            "weights": self.weights_hash,
            "pooling": self.pooling,
            "query_prefix": self.query_prefix,
            "passage_prefix": self.passage_prefix,
            "max_tokens": self.max_tokens,
            "normalised": self.normalised,
        }
        canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]
