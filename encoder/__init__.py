"""Texts to vectors. Knows nothing of the site; loads torch only when an encoder is really loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from encoder.description import Description, EncoderError
from encoder.sequence import TokenStates

if TYPE_CHECKING:
    from encoder.cross import CrossEncoder
    from encoder.local import Dtype, Encoder
    from encoder.tiny import TinyEncoder

__all__ = ["Description", "EncoderError", "TokenStates", "describe", "load", "load_cross_encoder"]


def describe(
    name: str,
    models_dir: Path,
    pooling: str | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> Description:
    """Return the description of an encoder, making its files ready first; see `encoder.checkpoints.resolve`."""
    from encoder.checkpoints import resolve

    return resolve(name, models_dir, pooling, progress)


def load(
    name: str,
    models_dir: Path,
    pooling: str | None = None,
    dtype: Dtype = "auto",
    threads: int | None = None,
) -> Encoder | TinyEncoder:
    """Return an encoder ready for use: `describe`, then `encoder.local.load`. Raises EncoderError."""
    description = describe(name, models_dir, pooling)
    if description.folder is None:
        from encoder.tiny import TinyEncoder

        return TinyEncoder()
    from encoder import local

    return local.load(description, dtype, threads)


def load_cross_encoder(folder: Path, threads: int | None = None) -> CrossEncoder:
    """Return the cross-encoder in a folder, ready for use; see `encoder.cross.load`. Raises EncoderError."""
    from encoder import cross

    return cross.load(folder, threads)
