"""Vectors of passages that no database holds, kept between runs: `DATA_DIR/evaluate/FINGERPRINT/passages.f16`.

The file is a cache, appended to and never changed: records of one length, each the hash of a text and its vector as the
site stores vectors. What a kill leaves of a last record is cut off before the next is written.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from searchsite.index import backends
from searchsite.index.vectors import Matrix, as_bytes, as_matrix, text_hash

BATCH = 64  # texts encoded and kept at a time: what a kill costs
GOLDEN = (5**0.5 - 1) / 2  # the fractions of its multiples are spread evenly, however many are taken
KEY = 16  # bytes of a hash

T = TypeVar("T")


class Watch(Protocol):
    """Gives the items one by one, and shows somebody how far it is."""

    def __call__(self, items: Sequence[T], doing: str) -> Iterator[T]: ...


def cache_file() -> Path:
    """Where the vectors of the present encoder are kept."""
    return settings.DATA_DIR / "evaluate" / backends.fingerprint() / "passages.f16"


def passage_vectors(texts: Sequence[str], watch: Watch) -> Matrix:
    """(n, dim) vectors of texts as `encoded_text` makes them, as the site would read them from its database.

    Encodes those that no run before has encoded, and keeps them batch by batch. Raises encoder.EncoderError.
    """
    path = cache_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = [_key(text) for text in texts]
    _encode(_unknown(dict(zip(keys, texts, strict=True)), path), path, watch)
    records = _records(path)
    rows = _rows(records)
    kept = records["vector"][np.array([rows[key] for key in keys], np.int64)]
    return as_matrix([kept.tobytes()], backends.description().dim)


def _unknown(texts: dict[bytes, str], path: Path) -> dict[bytes, str]:
    known = _rows(_records(path))
    return {key: text for key, text in texts.items() if key not in known}


def _encode(texts: dict[bytes, str], path: Path, watch: Watch) -> None:
    if not texts:
        return
    encoder = backends.get_encoder()
    for batch in watch(_batches(list(texts.items())), "encoding"):
        vectors = encoder.encode_passages([text for _key, text in batch])
        _append(path, b"".join(key + as_bytes(vector) for (key, _text), vector in zip(batch, vectors, strict=True)))


def _batches(texts: list[tuple[bytes, str]]) -> list[list[tuple[bytes, str]]]:
    """The texts in batches of similar length, so that little of what is encoded is padding; short and long ones by
    turns, so that at any time what is left takes about as long as it seems."""
    ordered = sorted(texts, key=lambda item: len(item[1]))
    batches = [ordered[first : first + BATCH] for first in range(0, len(ordered), BATCH)]
    turns = sorted(range(len(batches)), key=lambda number: number * GOLDEN % 1)
    return [batches[number] for number in turns]


def _key(text: str) -> bytes:
    return bytes.fromhex(text_hash(text))


def _record() -> np.dtype[np.void]:
    return np.dtype([("key", f"V{KEY}"), ("vector", "<f2", backends.description().dim)])


def _records(path: Path) -> NDArray[np.void]:
    """The whole records of the file, mapped into memory, not read."""
    whole = path.stat().st_size // _record().itemsize if path.is_file() else 0
    # A map of no bytes cannot be had.
    return np.memmap(path, _record(), mode="r", shape=(whole,)) if whole else np.zeros(0, _record())


def _rows(records: NDArray[np.void]) -> dict[bytes, int]:
    """Key -> row. Two runs at once may both have kept a text: they kept the same."""
    joined = records["key"].tobytes()
    return {joined[KEY * row : KEY * (row + 1)]: row for row in range(len(records))}


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # another run must not take for torn what is being written here
        size = file.seek(0, os.SEEK_END)
        file.truncate(size - size % _record().itemsize)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
