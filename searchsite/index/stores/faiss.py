"""Nearest neighbours with FAISS: one immutable build from disk, and a small delta of what changed since.

Exact search (IndexFlatIP) for now. Readers take one immutable view and need no lock; writers make a new view.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from searchsite.index.vectors import Ids, Matrix, Rows, join, no_rows

FORMAT = 1
SLACK = 16  # asked for beyond k, to see whether the k-th place is shared


class Hit(NamedTuple):
    passage: int
    score: float


class Known(NamedTuple):
    """n live passages, the documents they are of, and their scores for m queries."""

    passages: Ids
    """(n,)"""
    documents: Ids
    """(n,)"""
    scores: NDArray[np.float64]
    """(n, m)"""


class BuildError(Exception):
    """A build on disk is missing, damaged or of another kind. The message is a sentence."""


@dataclass(frozen=True)
class Segment:
    """Vectors in a FAISS index, the ids of each row, and which rows are still live."""

    index: Any
    passages: Ids
    documents: Ids
    collections: Ids
    live: NDArray[np.bool_]

    order: Ids
    """Rows in ascending order of their passages' ids."""

    def without(self, documents: Ids) -> Segment:
        return replace(self, live=self.live & ~np.isin(self.documents, documents))

    def rows(self, passages: Ids) -> Ids:
        """The row of each of these passages, -1 for what is not live here."""
        if not len(self.order):
            return np.full(len(passages), -1)
        places = np.searchsorted(self.passages, passages, sorter=self.order).clip(max=len(self.order) - 1)
        rows = self.order[places]
        held: Ids = np.where((self.passages[rows] == passages) & self.live[rows], rows, -1)
        return held


@dataclass(frozen=True)
class View:
    """What one search sees, whole and unchanging."""

    segments: tuple[Segment, ...]
    delta: Rows
    masks: dict[Any, Any] = field(default_factory=dict)

    def mask(self, number: int, collections: frozenset[int] | None) -> NDArray[np.bool_]:
        """Which rows of segment `number` may be found in these collections (None: in all)."""
        key = (number, collections)
        allowed: NDArray[np.bool_] | None = self.masks.get(key)
        if allowed is None:
            segment = self.segments[number]
            allowed = segment.live
            if collections is not None:
                allowed = allowed & np.isin(segment.collections, np.fromiter(collections, np.int64))
            if len(self.masks) > 64:  # as many kinds of reader as are worth remembering
                self.masks.clear()
            self.masks[key] = allowed
        return allowed


class FaissStore:
    """The verbs of a vector store: search, products, apply, replace, ids."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._writing = threading.Lock()
        self._view = View((), no_rows(dim))

    def search(
        self, query: Matrix, k: int, collections: frozenset[int] | None = None, documents: Ids | None = None
    ) -> list[Hit]:
        """The k live passages most similar to `query` (dim,), in these collections and of these documents (None: of
        all), best first; equal scores in the order of their ids."""
        if query.shape != (self.dim,):
            raise ValueError(f"a query of shape {query.shape} cannot be compared with vectors of {self.dim} numbers")
        view = self._view
        hits: list[Hit] = []
        for number, segment in enumerate(view.segments):
            allowed = view.mask(number, collections)
            if documents is not None:
                allowed = allowed & np.isin(segment.documents, documents)
            hits += _search_segment(segment, allowed, query, k)
        return sorted(hits, key=lambda hit: (-hit.score, hit.passage))[:k]

    def apply(self, documents: Iterable[int], rows: Rows) -> None:
        """From the next search on, these documents have exactly these rows."""
        changed = np.fromiter(documents, np.int64)
        with self._writing:
            old = self._view
            delta = join([old.delta.where(~np.isin(old.delta.documents, changed)), rows], self.dim)
            self._view = View((*(s.without(changed) for s in old.segments[:1]), _segment(delta)), delta)

    def replace(self, folder: Path | None) -> None:
        """From the next search on, serve that build (None: nothing) and forget the delta."""
        segment = read_build(folder, self.dim) if folder else _segment(no_rows(self.dim))
        with self._writing:
            self._view = View((segment,), no_rows(self.dim))

    def ids(self) -> Ids:
        """The ids of all live passages, ascending."""
        parts = [segment.passages[segment.live] for segment in self._view.segments]
        return np.sort(np.concatenate(parts)) if parts else np.zeros(0, np.int64)

    def products(self, queries: Matrix, passages: Sequence[int] | Ids) -> Known:
        """The scores of those of these passages that are live, in the given order, for m queries (m, dim) at once."""
        asked = np.asarray(passages, np.int64)
        vectors = np.zeros((len(asked), self.dim))
        documents = np.zeros(len(asked), np.int64)
        held = np.zeros(len(asked), bool)
        for segment in self._view.segments:
            rows = segment.rows(asked)
            here = rows >= 0
            vectors[here] = segment.index.reconstruct_batch(rows[here])
            documents[here] = segment.documents[rows[here]]
            held |= here
        # In float64: in float32 the same vector gets other last digits in another row of a matrix, and no ties.
        return Known(asked[held], documents[held], vectors[held] @ queries.T.astype(np.float64))

    def vector(self, passage: int) -> Matrix | None:
        """The stored vector of a live passage (dim,), or None: for verification."""
        for segment in self._view.segments:
            row = int(segment.rows(np.array([passage]))[0])
            if row >= 0:
                return segment.index.reconstruct(row)  # type: ignore[no-any-return]
        return None


def _segment(rows: Rows) -> Segment:
    index = faiss.IndexFlatIP(rows.vectors.shape[1])
    index.add(np.ascontiguousarray(rows.vectors))
    order = np.argsort(rows.passages, kind="stable")
    return Segment(index, rows.passages, rows.documents, rows.collections, np.ones(len(rows), bool), order)


def _search_segment(segment: Segment, allowed: NDArray[np.bool_], query: Matrix, k: int) -> list[Hit]:
    available = int(allowed.sum())
    if not available or k <= 0:
        return []
    parameters = None
    if available < len(allowed):
        bits = np.packbits(allowed, bitorder="little")
        # FAISS patches these constructors at run time, which its type hints do not know.
        selector = faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg, arg-type]
        parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
    ask = min(k + SLACK, available)
    while True:
        scores, rows = segment.index.search(query[None, :], ask, params=parameters)
        # While the last place is as good as the k-th, rows of the same score may be missing: ask for more.
        if ask == available or scores[0, -1] < scores[0, k - 1]:
            break
        ask = min(ask * 4, available)
    return [Hit(int(segment.passages[row]), float(score)) for row, score in zip(rows[0], scores[0], strict=True)]


# --- builds on disk ---------------------------------------------------------------------------------------


def write_build(folder: Path, parts: Iterator[Rows], facts: dict[str, Any]) -> int:
    """Write a build aside, flush it, and give it its name; returns its rows. `folder` must not exist yet.

    A kill at any moment leaves either no folder of that name or a whole one.
    """
    aside = folder.with_name(f"{folder.name}.aside-{os.getpid()}")
    aside.mkdir(parents=True)
    try:
        rows = _write_files(aside, parts, facts)
        aside.rename(folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)  # a full disk must not stay full of half an index
        raise
    _flush(folder.parent)
    return rows


def _write_files(aside: Path, parts: Iterator[Rows], facts: dict[str, Any]) -> int:
    index = faiss.IndexFlatIP(facts["dim"])
    ids: list[tuple[Ids, Ids, Ids]] = []
    for rows in parts:
        index.add(np.ascontiguousarray(rows.vectors))
        ids.append((rows.passages, rows.documents, rows.collections))
    table = np.concatenate([np.stack(part) for part in ids], axis=1) if ids else np.zeros((3, 0), np.int64)
    faiss.write_index(index, str(aside / "vectors.faiss"))
    np.save(aside / "ids.npy", table)
    described = {"format": FORMAT, "rows": int(index.ntotal), **facts}
    (aside / "build.json").write_text(json.dumps(described, indent=1))
    for path in [*aside.iterdir(), aside]:
        _flush(path)
    return int(index.ntotal)


@lru_cache(maxsize=1)  # several stores in one process (verification, a second thread) share the memory
def _read(folder: Path, _changed: int) -> Segment:
    facts = json.loads((folder / "build.json").read_text())
    if facts["format"] != FORMAT:
        raise BuildError(f"The index in {folder.name} has format {facts['format']}, not {FORMAT}: rebuild the index.")
    index = faiss.read_index(str(folder / "vectors.faiss"))
    passages, documents, collections = np.load(folder / "ids.npy")
    if not index.ntotal == len(passages) == facts["rows"]:
        raise BuildError(f"The index in {folder.name} is damaged (its files differ in length): rebuild the index.")
    order = np.argsort(passages, kind="stable")
    return Segment(index, passages, documents, collections, np.ones(len(passages), bool), order)


def read_build(folder: Path, dim: int) -> Segment:
    """The build in that folder. Raises BuildError, with a sentence, when it cannot be served."""
    try:
        segment = _read(folder, (folder / "build.json").stat().st_mtime_ns)
    except BuildError:
        raise
    except (
        OSError,
        ValueError,
        KeyError,
        RuntimeError,
    ) as error:  # RuntimeError: what FAISS raises for any file
        raise BuildError(f"The index in {folder.name} cannot be read ({error}): rebuild the index.") from error
    if segment.index.d != dim:
        raise BuildError(f"The index in {folder.name} has {segment.index.d} dimensions, not {dim}: rebuild the index.")
    return segment


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
