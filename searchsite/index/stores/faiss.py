"""Nearest neighbours: one immutable build from disk, and a small delta of what changed since.

Readers take one immutable view and need no lock; writers make a new view.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from searchsite.index.stores import exact, segment
from searchsite.index.stores.files import read_build
from searchsite.index.stores.graph import threads
from searchsite.index.stores.segment import Segment
from searchsite.index.vectors import Ids, Matrix, Rows, no_rows

# A part of the delta that is at most so many times as large as the one behind it is joined with it: parts are few, and
# each row is copied a few times only.
GROWTH = 4


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


@dataclass(frozen=True)
class View:
    """What one search sees, whole and unchanging: a build, and the parts of the delta, the oldest first."""

    build: Segment
    delta: tuple[Segment, ...] = ()

    @property
    def segments(self) -> tuple[Segment, ...]:
        return (self.build, *self.delta)


class FaissStore:
    """The verbs of a vector store: search, products, owners, apply, replace, ids.

    Scores are those of the vectors as stored (float16), without rounding: equal vectors have equal scores.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._writing = threading.Lock()
        self._view = View(segment.of_rows(no_rows(dim)))

    def search(
        self, query: Matrix, k: int, collections: frozenset[int] | None = None, documents: Ids | None = None
    ) -> list[Hit]:
        """The k live passages most similar to `query` (dim,), in these collections and of these documents (None: of
        all), best first; equal scores in the order of their ids.

        Of a build with a graph, a few of them may be missing, and of equals at the k-th place any may be given; Build.
        recall says how many are found. Those of the delta never are, and where few are permitted none is.
        """
        if query.shape != (self.dim,):
            raise ValueError(f"a query of shape {query.shape} cannot be compared with vectors of {self.dim} numbers")
        if k <= 0:
            return []
        # One thread: others serve other requests, and one search is too short to share.
        with threads(1):
            found = [part.search(query, k, collections, documents) for part in self._view.segments]
        scores, passages = (np.concatenate(part) for part in zip(*found, strict=True))
        best = np.lexsort((passages, -scores))[:k]
        return [Hit(*one) for one in zip(passages[best].tolist(), scores[best].tolist(), strict=True)]

    def apply(self, documents: Iterable[int], rows: Rows) -> None:
        """From the next search on, these documents have exactly these rows."""
        changed = np.fromiter(documents, np.int64)
        with self._writing:
            old = self._view
            delta = [part.without(changed) for part in old.delta]
            if len(rows):
                delta.append(segment.of_rows(rows))
            self._view = View(old.build.without(changed), tuple(_few(delta)))

    def replace(self, folder: Path | None) -> None:
        """From the next search on, serve that build (None: nothing) and forget the delta."""
        build = read_build(folder, self.dim) if folder else segment.of_rows(no_rows(self.dim))
        with self._writing:
            self._view = View(build)

    def ids(self) -> Ids:
        """The ids of all live passages, ascending."""
        return np.sort(np.concatenate([part.passages[part.live_rows()] for part in self._view.segments]))

    def products(self, queries: Matrix, passages: Sequence[int] | Ids) -> Known:
        """The scores of those of these passages that are live, in the given order, for m queries (m, dim) at once."""
        asked = np.asarray(passages, np.int64)
        vectors = np.zeros((len(asked), exact.width(self.dim)), np.float16)
        documents = np.zeros(len(asked), np.int64)
        held = np.zeros(len(asked), bool)
        for part in self._view.segments:
            rows = part.rows(asked)
            here = rows >= 0
            vectors[here] = part.vectors[rows[here]]
            documents[here] = part.documents[rows[here]]
            held |= here
        scores = [exact.scores(vectors[held], query) for query in queries]
        return Known(asked[held], documents[held], np.stack(scores, axis=1))

    def owners(self, passages: Sequence[int]) -> dict[int, int]:
        """The documents of those of these passages that are live, by the passages' ids."""
        asked = np.asarray(passages, np.int64)
        documents = np.zeros(len(asked), np.int64)
        for part in self._view.segments:
            rows = part.rows(asked)
            documents[rows >= 0] = part.documents[rows[rows >= 0]]
        return {passage: own for passage, own in zip(passages, documents.tolist(), strict=True) if own}

    def vector(self, passage: int) -> Matrix | None:
        """The stored vector of a live passage (dim,), or None: for verification."""
        for part in self._view.segments:
            row = int(part.rows(np.array([passage]))[0])
            if row >= 0:
                return part.vectors[row, : self.dim].astype(np.float32)
        return None


def _few(delta: list[Segment]) -> list[Segment]:
    """The same rows in fewer parts, each much larger than the one behind it."""
    parts = [part for part in delta if part.left]
    while len(parts) > 1 and parts[-2].left <= GROWTH * parts[-1].left:
        parts[-2:] = [segment.joined(parts[-2:])]
    return parts
