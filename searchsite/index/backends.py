"""The site's one way to its encoder: chosen by the settings, loaded once a process, when something is encoded."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

import encoder
from encoder.packaged import E5_FOLDER, MINILM_FOLDER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from encoder import Description
    from encoder.cross import CrossEncoder
    from encoder.local import Encoder
    from encoder.tiny import TinyEncoder

log = logging.getLogger(__name__)

LOOK_SECONDS = 120
REMEMBERED = 256  # questions, of 100 kB each at most

_loading = threading.Lock()
_looking = threading.Lock()


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


@lru_cache(maxsize=REMEMBERED)
def question(text: str, most: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The vector (dim,) of what is asked, and the states (tokens, dim) of its first tokens, `most` of them; not to be
    written to. Remembered, since the next page of results, each condition and each "why" ask the same again."""
    states: list[NDArray[np.float32]] = []
    vector = get_encoder().encode_queries([text], states=lambda _n, some: states.append(some))[0]
    first = np.concatenate(states)[:most].copy()  # all of a pasted page is not to be remembered
    for kept in (vector, first):
        kept.setflags(write=False)
    return vector, first


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


def describe(name: str) -> Description:
    """What the encoder of that name is, its own pooling included; makes its files ready first. Raises EncoderError."""
    return encoder.describe(name, settings.SEARCHSITE_MODELS_DIR)


def comparing() -> ModuleType:
    """encoder/compare.py: poolings compared. Loads torch."""
    from encoder import compare

    return compare


def at_hand() -> dict[str, Path]:
    """The encoders whose folders lie below SEARCHSITE_MODELS_DIR: name, as the settings would have it -> folder. Reads
    no files, and makes none ready."""
    usual = {E5_FOLDER: "e5-small", MINILM_FOLDER: "minilm"}
    folders = sorted(Path(settings.SEARCHSITE_MODELS_DIR).glob("[!.]*/"))
    found = {usual.get(path.name, path.name): path for path in folders if path.name not in ("tiny", *usual.values())}
    in_use = settings.SEARCHSITE_ENCODER
    folder = found.pop(in_use.removeprefix("hub:").replace("/", "--"), None)  # as encoder/checkpoints.py puts it
    return {in_use: folder, **found} if folder else found


def inspect(folder: Path, text: str, how: str, frozen: Sequence[str]) -> dict[str, Any]:
    """A look into the checkpoint in a folder: the fields of encoder/report.py's Report, as JSON has them.

    In a process of its own, which takes some seconds: its memory is free again afterwards, whatever was in the folder,
    and this process loads no second model. One at a time. Raises EncoderError."""
    if not _looking.acquire(blocking=False):
        raise encoder.EncoderError(_("Somebody else is looking into an encoder now. Try again in half a minute."))
    command = [sys.executable, f"{settings.BASE_DIR}/manage.py", "encoder", "inspect", str(folder), "--json"]
    command += ["--skip-checks", "--no-color", f"--text={text}", f"--how={how}"]
    command += ["--freeze", *frozen] if frozen else []
    # Checksums are kept where the settings have them here; and processors are left to those who search.
    env = os.environ | {"SEARCHSITE_MODELS_DIR": str(settings.SEARCHSITE_MODELS_DIR), "OMP_NUM_THREADS": "2"}
    try:
        done = subprocess.run(command, check=False, env=env, capture_output=True, text=True, timeout=LOOK_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise encoder.EncoderError(
            _("It took longer than %(seconds)s seconds and was ended. The model may be too large for this machine.")
            % {"seconds": LOOK_SECONDS}
        ) from error
    finally:
        _looking.release()
    if done.returncode:
        raise encoder.EncoderError(_why_it_ended(folder, done.returncode, done.stderr))
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _why_it_ended(folder: Path, code: int, said: str) -> str:
    """The command's own sentence; of a process that died without one, where to look."""
    _before, refused, sentence = said.rpartition("CommandError: ")
    if refused:
        return sentence.strip()
    log.error("looking into %s ended with %s: %s", folder, code, said[-4000:])
    return _("The process that looked into it died. It may need more memory than there is; the site's log says more.")


def forget() -> None:
    """Forget what was loaded: the next use reads the settings again."""
    for cached in (description, _loaded, _cross_encoder, question, token_offsets):
        cached.cache_clear()
