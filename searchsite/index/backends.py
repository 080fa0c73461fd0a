"""The site's one way to its encoder: chosen by the settings, loaded once a process, when something is encoded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

import encoder

if TYPE_CHECKING:
    from encoder import Description
    from encoder.cross import CrossEncoder
    from encoder.local import Encoder
    from encoder.tiny import TinyEncoder

_loading = threading.Lock()


@cache
def description() -> Description:
    """What the encoder is: name, dimensions, pooling, fingerprint. Reads files, but loads no model."""
    return encoder.describe(
        settings.SEARCHSITE_ENCODER, settings.SEARCHSITE_MODELS_DIR, pooling=settings.SEARCHSITE_POOLING
    )


def fingerprint() -> str:
    return description().fingerprint


def fingerprint_at_hand() -> str | None:
    """The fingerprint, or None where the encoder's files would first have to be fetched or unpacked. Raises
    EncoderError when they cannot be used."""

    def refuse(_done: int, _total: int, _what: str) -> None:
        raise _NotAtHand

    if not description.cache_info().currsize:
        try:
            encoder.describe(
                settings.SEARCHSITE_ENCODER,
                settings.SEARCHSITE_MODELS_DIR,
                pooling=settings.SEARCHSITE_POOLING,
                progress=refuse,  # it is told before anything is written
            )
        except _NotAtHand:
            return None
    return fingerprint()


class _NotAtHand(Exception):
    """Getting the encoder's files ready was about to begin."""


def get_encoder() -> Encoder | TinyEncoder:
    """The encoder, loaded (some seconds) at the first call; other threads wait for it."""
    with _loading:
        return _loaded()


@cache
def _cross_encoder() -> CrossEncoder | encoder.EncoderError:  # an error is remembered, too: searches go on without
    try:
        return encoder.load_cross_encoder(Path(settings.SEARCHSITE_MODELS_DIR) / settings.SEARCHSITE_RERANKER)
    except encoder.EncoderError as error:
        return error


def get_cross_encoder() -> CrossEncoder:
    """The cross-encoder that SEARCHSITE_RERANKER names, loaded at the first call. Raises EncoderError."""
    with _loading:
        loaded = _cross_encoder()
    if isinstance(loaded, encoder.EncoderError):
        raise loaded
    return loaded


def is_loaded() -> bool:
    return _loaded.cache_info().currsize > 0


@cache
def _loaded() -> Encoder | TinyEncoder:
    return encoder.load(
        settings.SEARCHSITE_ENCODER, settings.SEARCHSITE_MODELS_DIR, pooling=settings.SEARCHSITE_POOLING
    )


@cache
def token_offsets() -> Callable[[str], list[tuple[int, int]]]:
    """Text -> the (start, end) of each of its tokens. Needs the tokenizer only, not the model."""
    from encoder.tokenizing import token_offsets_function

    return token_offsets_function(description())


def unknown_share(texts: Sequence[str]) -> float:
    """The share of the letters of these texts that the encoder's tokenizer does not know, 0 to 1. Raises EncoderError.

    Needs the tokenizer only, not the model."""
    from encoder import tokenizing

    return tokenizing.unknown_share(description(), texts)


def forget() -> None:
    """Forget what was loaded: the next use reads the settings again."""
    for cached in (description, _loaded, _cross_encoder, token_offsets):
        cached.cache_clear()
