"""Where documents come from: files, folders, archives and rows, each told as the same `Found`."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from searchsite.documents.problems import Problem

LONGEST_SOURCE = 500  # characters
LONGEST_PATH = 500
HEAD = 300  # characters of a source that stand at its beginning, however long it is
# What cannot be seen, or moves what stands beside it: a terminal's escapes, writing from right to left.
UNSEEN = frozenset(["Cc", "Cf", "Cs", "Zl", "Zp"])
REPLACED = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Found:
    """One thing that may become a document.

    source: where it is, unique and stable within a collection; at most 500 characters, see `as_source`.
    name: its file name, as `safe_name` gives it, with the ending that its kind is told by.
    path: for people, relative: "docs/guide.md", "pack.zip/docs/guide.md", "data.csv, row 7"; at most 500 characters.
    size: bytes; of an archive's entry as declared.
    open: reads it from the start; may raise Problem and OSError. None where there is a problem or a text.
    title, text: of a row, which has no file.
    problem: it is there, and refused for this.
    unidentified: a row that is too broken to tell which document it is; then it is not known what is gone.
    """

    source: str
    name: str
    path: str
    size: int
    open: Callable[[], IO[bytes]] | None
    title: str = ""
    text: str | None = None
    problem: Problem | None = None
    unidentified: bool = False


def as_source(where: str) -> str:
    """Where something lies, as text that fits the column and any database: two places never have the same one.

    where: a path, in which bytes that are no UTF-8 stand as lone surrogates (as Python gives them), or another text.
    What had to be changed keeps its beginning (see `beginning`), its end, and ends in a hash of the whole.
    """
    raw, text = _readable(where)
    if len(text) <= LONGEST_SOURCE and text == where:
        return text
    digest = hashlib.sha256(raw).hexdigest()[:16]
    if len(text) > LONGEST_SOURCE - 17:
        text = f"{text[:HEAD]}…{text[-(LONGEST_SOURCE - HEAD - 18) :]}"
    return f"{text}…{digest}"


def beginning(where: str) -> str:
    """What the sources of all that lies below a place begin with; "" where that is too long to be told."""
    text = _readable(where)[1]
    return text if len(text) <= HEAD else ""


def _readable(where: str) -> tuple[bytes, str]:
    """The bytes of a path or text, and what of them can be stored."""
    try:
        raw = os.fsencode(where)
    except UnicodeEncodeError:
        raw = where.encode("utf-8", "surrogatepass")
    return raw, raw.decode("utf-8", "replace").replace("\0", REPLACED)


def as_path(path: str) -> str:
    """A path for people to read, with nothing in it that is not seen; of a long one its end."""
    seen = "".join(REPLACED if unicodedata.category(c) in UNSEEN else c for c in path[-LONGEST_PATH:])
    return seen if len(path) <= LONGEST_PATH else "…" + seen[1:]
