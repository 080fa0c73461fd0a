"""The files of a lexical index: are they all there, and whole? Found out without opening them as an index.

Reading beyond the end of a file that is mapped into memory ends the process, so this is asked before they are mapped.
tantivy ends each file of a segment with a footer: JSON with the CRC-32 of what is before it, its length, and a number
that is the same in all of them.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from searchsite.index.lexical_errors import LexicalError

META = "meta.json"  # names the segments of the last commit; replaced at once by each
PARTS = ("fast", "fieldnorm", "idx", "pos", "store", "term")
END = struct.Struct("<II")  # length of the footer's JSON, and
FOOTER = 1337


def check(folder: Path, thoroughly: bool = False) -> None:
    """Raises LexicalError where a file of the last commit is missing or cut, or, thoroughly, holds something else."""
    try:
        while True:
            meta = (folder / META).read_bytes()
            damaged = [name for name in _named(meta) if not _whole(folder / name, thoroughly)]
            if not damaged:
                return
            if meta == (folder / META).read_bytes():  # else a commit or merge has deleted files meanwhile
                break
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LexicalError(f"The lexical index in {folder.name} cannot be read ({error}).") from error
    raise LexicalError(f"Files of the lexical index in {folder.name} are missing or damaged: {', '.join(damaged)}.")


def _named(meta: bytes) -> Iterator[str]:
    """The names of all files that make up a commit."""
    for segment in json.loads(meta)["segments"]:
        stem = segment["segment_id"].replace("-", "")
        yield from (f"{stem}.{part}" for part in PARTS)
        if segment["deletes"]:
            yield f"{stem}.{segment['deletes']['opstamp']}.del"


def _whole(path: Path, thoroughly: bool) -> bool:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size < END.size:
                return False
            file.seek(-END.size, os.SEEK_END)
            length, number = END.unpack(file.read(END.size))
            left = size - END.size - length
            if number != FOOTER or left < 0:
                return False
            if not thoroughly:
                return True
            file.seek(left)
            stated = json.loads(file.read(length))["crc"]
            file.seek(0)
            found = 0
            while left and (part := file.read(min(left, 1 << 20))):
                found, left = zlib.crc32(part, found), left - len(part)
            return left == 0 and bool(found == stated)
    except FileNotFoundError:
        return False
    except (ValueError, KeyError, TypeError):  # the footer's JSON
        return False
