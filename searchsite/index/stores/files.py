"""Builds of the index on disk. A build is written aside, flushed and renamed, and never changes.

vectors.f16  (n, width) float16, rows in the order of collection, document and passage; mapped, not read
ids.npy      (3, n) ids of passage, document and collection of each row; mapped
lookup.npy   (2, n) passages ascending, and their rows; mapped
graph.faiss, starts.npy   where there are many rows: graph.py
build.json   what it is, and the length and a checksum of each other file
"""

from __future__ import annotations

import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from searchsite.index.stores import FORMAT, exact, graph
from searchsite.index.stores.exact import Kept
from searchsite.index.stores.segment import Segment, Spans
from searchsite.index.vectors import Ids, Matrix, Rows

GRAPH_FROM = 50_000  # rows; among fewer, comparing with each takes two milliseconds
MOVED = 16_384  # rows put in order at once
CHECKED = 1 << 16  # bytes at either end of a file that its checksum is of

Say = Callable[[int, int], None]


class BuildError(Exception):
    """A build on disk is missing, damaged or of another kind. The message is a sentence."""


class Written(NamedTuple):
    """What a build has become: rows, "exact" or the kind of graph, and what share of the nearest ten it finds, as
    measured on questions like what it holds (None: it is exact)."""

    rows: int
    kind: str
    recall: float | None


def write_build(
    folder: Path,
    parts: Iterator[Rows],
    facts: dict[str, Any],
    asked: Callable[[Matrix], Matrix] = lambda vectors: vectors,
    say: Say = lambda *_progress: None,
) -> Written:
    """Write a build aside, flush it, and give it its name. `folder` must not exist yet.

    `asked` turns placed passages into questions for what is like them. A kill at any moment leaves either no folder of
    that name or a whole one.
    """
    aside = folder.with_name(f"{folder.name}.aside-{os.getpid()}")
    aside.mkdir(parents=True)
    try:
        written = _write_files(aside, parts, facts, asked, say)
        aside.rename(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)  # a full disk must not stay full of half an index
        raise
    _flush(folder.parent)
    return written


def _write_files(
    aside: Path, parts: Iterator[Rows], facts: dict[str, Any], asked: Callable[[Matrix], Matrix], say: Say
) -> Written:
    rows = _write_rows(aside, parts, facts["dim"])
    described = {"format": FORMAT, "rows": rows, "kind": "exact", "recall": None, **facts}
    if rows > GRAPH_FROM:
        vectors = _vectors(aside, rows, facts["dim"])
        made = graph.build(vectors, facts["dim"], asked, lambda done: say(done, rows))
        graph.write(made, aside)
        described |= {"kind": graph.KIND, "recall": made.recall, "effort": made.effort}
        described["balance"] = made.balance.tolist()
    described["files"] = {path.name: _described(path) for path in sorted(aside.iterdir())}
    (aside / "build.json").write_text(json.dumps(described, indent=1))
    for path in [*aside.iterdir(), aside]:
        _flush(path)
    return Written(rows, described["kind"], described["recall"])


def _write_rows(aside: Path, parts: Iterator[Rows], dim: int) -> int:
    """Vectors go to the disk as they come; they are put in order at the end where they did not come in order."""
    ids: list[Ids] = []
    with (aside / "vectors.f16").open("wb") as out:
        for rows in parts:
            out.write(exact.kept(rows.vectors).tobytes())
            ids.append(np.stack([rows.passages, rows.documents, rows.collections]))
    table = np.concatenate(ids, axis=1) if ids else np.zeros((3, 0), np.int64)
    order = np.lexsort(tuple(table))
    if not np.array_equal(order, np.arange(len(order))):
        table = table[:, order]
        _reorder(aside, order, dim)
    np.save(aside / "ids.npy", table)
    by_passage = np.argsort(table[0], kind="stable")
    np.save(aside / "lookup.npy", np.stack([table[0][by_passage], by_passage]))
    return len(order)


def _reorder(aside: Path, order: Ids, dim: int) -> None:
    vectors = _vectors(aside, len(order), dim)
    with (aside / "vectors.moved").open("wb") as out:
        for first in range(0, len(order), MOVED):
            out.write(vectors[order[first : first + MOVED]].tobytes())
    (aside / "vectors.moved").replace(aside / "vectors.f16")


def _vectors(folder: Path, rows: int, dim: int) -> Kept:
    shape = (rows, exact.width(dim))
    if not rows:  # nothing cannot be mapped
        return np.zeros(shape, np.float16)
    return np.asarray(np.memmap(folder / "vectors.f16", np.float16, "r", shape=shape))


def _described(path: Path) -> list[int]:
    """[length, checksum of both ends]: enough to see a file that was cut, or whose end never reached the disk."""
    length = path.stat().st_size
    with path.open("rb") as file:
        checksum = zlib.crc32(file.read(CHECKED))
        file.seek(max(0, length - CHECKED))
        return [length, zlib.crc32(file.read(CHECKED), checksum)]


@lru_cache(maxsize=1)  # several stores in one process (verification, a second thread) share the memory
def _read(folder: Path, _changed: int) -> Segment:
    facts = json.loads((folder / "build.json").read_text())
    if facts["format"] != FORMAT:
        raise BuildError(f"The index in {folder.name} has format {facts['format']}, not {FORMAT}: rebuild the index.")
    if any(_described(folder / name) != as_written for name, as_written in facts["files"].items()):
        raise BuildError(f"The index in {folder.name} is damaged (a file is not as it was written): rebuild the index.")
    vectors = _vectors(folder, facts["rows"], facts["dim"])
    passages, documents, collections = np.asarray(np.load(folder / "ids.npy", mmap_mode="r"))
    lookup = np.asarray(np.load(folder / "lookup.npy", mmap_mode="r"))
    segment = Segment(vectors, passages, documents, collections, lookup, Spans.of(documents, collections))
    if facts["kind"] == "exact":
        return segment
    made = graph.read(folder, vectors, facts["balance"], facts["effort"], facts["recall"])
    return replace(segment, graph=made)


def read_build(folder: Path, dim: int) -> Segment:
    """The build in that folder. Raises BuildError, with a sentence, when it cannot be served."""
    try:
        written = folder / "build.json"
        held = json.loads(written.read_text())["dim"]
        segment = _read(folder, written.stat().st_mtime_ns)
    except BuildError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        # RuntimeError: what FAISS raises for any file
        raise BuildError(f"The index in {folder.name} cannot be read ({error}): rebuild the index.") from error
    if held != dim:
        raise BuildError(f"The index in {folder.name} has {held} dimensions, not {dim}: rebuild the index.")
    return segment


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
