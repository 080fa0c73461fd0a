"""Encoded passages that no database holds, kept between runs: `DATA_DIR/evaluate/FINGERPRINT/passages`.

The file is a cache, appended to and never changed. Each record is the hash of a text, the size of its tokens' codes,
its vector as the site stores vectors, and the codes. What a kill leaves of a last record is cut off before the next is
written.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from django.conf import settings

from searchsite.index import backends
from searchsite.index.encoding import Kept, encoded, keeps_tokens
from searchsite.index.vectors import text_hash

BATCH = 64  # texts encoded and kept at a time: what a kill costs
GOLDEN = (5**0.5 - 1) / 2  # the fractions of its multiples are spread evenly, however many are taken
HEAD = struct.Struct("<16sI")

T = TypeVar("T")
Text = tuple[str, str]  # what is encoded of a passage, and its language


class Watch(Protocol):
    """Gives the items one by one, and shows somebody how far it is."""

    def __call__(self, items: Sequence[T], doing: str) -> Iterator[T]: ...


def cache_file() -> Path:
    """Where the passages of the present encoder are kept."""
    return settings.DATA_DIR / "evaluate" / backends.fingerprint() / "passages"


def passages_kept(passages: Sequence[Text], watch: Watch) -> list[Kept]:
    """Vectors, and codes of tokens where the site keeps them, as the site would read them from its database.

    Encodes those that no run before has encoded, and keeps them batch by batch. Raises encoder.EncoderError.
    """
    path = cache_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = [bytes.fromhex(text_hash(text)) for text, _language in passages]
    known, whole = _read(path)
    unknown = {key: passage for key, passage in zip(keys, passages, strict=True) if not _has_all(known, key)}
    for batch in watch(_batches(list(unknown.items())), "encoding") if unknown else ():
        made = encoded([passage for _key, passage in batch])
        new = {key: kept for (key, _passage), kept in zip(batch, made, strict=True)}
        whole = _append(path, new, whole)
        known |= new
    return [known[key] for key in keys]


def _has_all(known: Mapping[bytes, Kept], key: bytes) -> bool:
    return key in known and not (keeps_tokens() and known[key][1] is None)


def _batches(passages: list[tuple[bytes, Text]]) -> list[list[tuple[bytes, Text]]]:
    """The passages in batches of similar length, so that little of what is encoded is padding; short and long ones by
    turns, so that at any time what is left takes about as long as it seems."""
    ordered = sorted(passages, key=lambda item: len(item[1][0]))
    batches = [ordered[first : first + BATCH] for first in range(0, len(ordered), BATCH)]
    turns = sorted(range(len(batches)), key=lambda number: number * GOLDEN % 1)
    return [batches[number] for number in turns]


def _read(path: Path) -> tuple[dict[bytes, Kept], int]:
    """The whole records of the file (of one text the last), and the bytes that they take."""
    data = path.read_bytes() if path.is_file() else b""
    length = 2 * backends.description().dim
    found: dict[bytes, Kept] = {}
    place = 0
    while place + HEAD.size + length <= len(data):
        key, size = HEAD.unpack_from(data, place)
        vector = place + HEAD.size
        end = vector + length + max(0, size - 1)
        if end > len(data):
            break
        found[key] = data[vector : vector + length], data[vector + length : end] if size else None
        place = end
    return found, place


def _append(path: Path, records: Mapping[bytes, Kept], whole: int) -> int:
    """Write records behind the whole ones, which took so many bytes when last seen; returns how many they take now."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # another run must not take for torn what is being written here
        if file.seek(0, os.SEEK_END) != whole:  # torn by a kill, or longer by another run's work
            file.truncate(_read(path)[1])
        for key, (vector, codes) in records.items():
            # A size of 0 is "no codes", of 1 is "codes of no tokens".
            file.write(HEAD.pack(key, 0 if codes is None else len(codes) + 1) + vector + (codes or b""))
        file.flush()
        os.fsync(file.fileno())
        return file.tell()
