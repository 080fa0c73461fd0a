"""Rows of a vector store that do not change: vectors, whose they are, and how to find them. What is gone of them is a
bit a row, copied when it changes (125 kB and some microseconds at a million rows)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from searchsite.index.stores import exact
from searchsite.index.stores.exact import Kept, Scores
from searchsite.index.stores.graph import Graph
from searchsite.index.vectors import Ids, Matrix, Rows

EXACT = 20_000  # rows at most, of all or of those permitted, that are compared one by one
# What keeping one more vector in view while walking a graph costs, in rows that are compared one by one meanwhile.
ROWS_A_STEP = 100
MASKS = 64  # as many kinds of reader as are worth remembering

Bits = NDArray[np.uint8]
Runs = tuple[Ids, Ids]


@dataclass(frozen=True)
class Spans:
    """Where documents and collections are among rows in the order of collection, document and passage."""

    documents: Ids
    """Ascending, and of each:"""
    starts: Ids
    stops: Ids
    owners: Ids
    """the collection."""
    collections: Ids
    """Ascending, and of each:"""
    firsts: Ids
    lasts: Ids

    @classmethod
    def of(cls, documents: Ids, collections: Ids) -> Spans:
        starts, stops = _runs_of(documents, collections)
        order = np.argsort(documents[starts], kind="stable")
        firsts, lasts = _runs_of(collections, collections)
        starts, stops = starts[order], stops[order]
        return cls(documents[starts], starts, stops, collections[starts], collections[firsts], firsts, lasts)

    def of_documents(self, asked: Ids) -> Ids:
        """The places in `documents` of those of these that are there."""
        asked = np.unique(asked)
        return exact.rows_of(*(np.searchsorted(self.documents, asked, side) for side in ("left", "right")))

    def runs(self, collections: frozenset[int] | None, documents: Ids | None) -> Runs | None:
        """The runs of rows of these documents in these collections; None: all rows."""
        wanted = None if collections is None else np.fromiter(collections, np.int64)
        if documents is None:
            if wanted is None:
                return None
            chosen = np.isin(self.collections, wanted)
            return None if chosen.all() else _merged(self.firsts[chosen], self.lasts[chosen])
        places = self.of_documents(documents)
        if wanted is not None:
            places = places[np.isin(self.owners[places], wanted)]
        return _merged(self.starts[places], self.stops[places])


def _runs_of(values: Ids, others: Ids) -> Runs:
    """The runs of rows with the same two values."""
    ends = np.flatnonzero((np.diff(values) != 0) | (np.diff(others) != 0)) + 1
    if not len(values):
        return ends, ends
    return np.concatenate([[0], ends]), np.concatenate([ends, [len(values)]])


def _merged(starts: Ids, stops: Ids) -> Runs:
    """The same rows, in ascending order, in as few runs as they can be."""
    order = np.argsort(starts)
    starts, stops = starts[order], stops[order]
    if not len(starts):
        return starts, stops
    apart = np.flatnonzero(starts[1:] != stops[:-1]) + 1
    return starts[np.concatenate([[0], apart])], stops[np.concatenate([apart - 1, [len(stops) - 1]])]


@dataclass(frozen=True)
class Segment:
    """n rows in the order of collection, document and passage."""

    vectors: Kept
    """(n, width)"""
    passages: Ids
    documents: Ids
    collections: Ids
    lookup: Ids
    """(2, n): passages ascending, and their rows."""
    spans: Spans
    graph: Graph | None = None
    live: Bits | None = None
    """A bit for each row, little-endian; None: all are live."""
    gone: int = 0
    masks: dict[frozenset[int], Bits] = field(default_factory=dict)
    """Bits of the rows in collections, whether live or not; shared by all that come of this segment."""

    def __len__(self) -> int:
        return len(self.passages)

    @property
    def left(self) -> int:
        return len(self) - self.gone

    def without(self, documents: Ids) -> Segment:
        """The same rows, without these documents'. Costs what these documents have, and a copy of n bits."""
        places = self.spans.of_documents(documents)
        rows = exact.rows_of(self.spans.starts[places], self.spans.stops[places])
        if self.live is not None:
            rows = rows[exact.is_live(self.live, rows)]
        if not len(rows):
            return self
        live = np.full(-(-len(self) // 8), 255, np.uint8) if self.live is None else self.live.copy()
        np.bitwise_and.at(live, rows >> 3, ~(1 << (rows & 7)).astype(np.uint8))
        return replace(self, live=live, gone=self.gone + len(rows))

    def rows(self, passages: Ids) -> Ids:
        """The row of each of these passages, -1 for what is not live here."""
        if not len(self):
            return np.full(len(passages), -1)
        ids, rows_of = self.lookup
        places = np.searchsorted(ids, passages).clip(max=len(self) - 1)
        rows = rows_of[places]
        held = ids[places] == passages
        if self.live is not None:
            held &= exact.is_live(self.live, rows)
        found: Ids = np.where(held, rows, -1)
        return found

    def live_rows(self) -> Ids:
        everything = np.arange(len(self))
        return everything if self.live is None else everything[exact.is_live(self.live, everything)]

    def search(
        self, query: Matrix, k: int, collections: frozenset[int] | None, documents: Ids | None
    ) -> tuple[Scores, Ids]:
        """(scores, passages) of at least the k best of these collections and documents, in no order; all equals of the
        k-th among them. Where a graph is asked, of those that it finds."""
        runs = self.spans.runs(collections, documents)
        starts, stops = runs if runs is not None else (np.array([0]), np.array([len(self)]))
        permitted = int((stops - starts).sum())
        if not permitted or not self.left:
            return np.zeros(0), np.zeros(0, np.int64)
        effort = self._effort(permitted, k)
        rows = None
        if effort and self.graph:
            rows = self.graph.search(query, k, self._selected(runs, collections if documents is None else None), effort)
        if rows is None or len(rows) < min(k, permitted - self.gone):  # parts of a graph may not be reached
            rows = exact.nearest(self.vectors, self.live, starts, stops, query, k)
        return exact.scores(self.vectors[rows], query), self.passages[rows]

    def _effort(self, permitted: int, k: int) -> int:
        """How far to look in the graph for k of so many rows; 0: compare them one by one."""
        if not self.graph or permitted <= EXACT:
            return 0
        # Of what is in view, only the permitted part counts.
        effort = max(self.graph.effort, k + exact.SLACK) * len(self) // permitted
        return effort if effort * ROWS_A_STEP < permitted else 0

    def _selected(self, runs: Runs | None, collections: frozenset[int] | None) -> Bits | None:
        if runs is None:
            return self.live
        mask = self.masks.get(collections) if collections is not None else None
        if mask is None:
            mask = _bits(runs, len(self))
            if collections is not None:
                if len(self.masks) >= MASKS:
                    self.masks.clear()
                self.masks[collections] = mask
        return mask if self.live is None else mask & self.live


def _bits(runs: Runs, n: int) -> Bits:
    edges = np.zeros(n + 1, np.int8)
    edges[runs[0]] += 1
    edges[runs[1]] -= 1
    return np.packbits(np.cumsum(edges[:-1], dtype=np.int8).view(np.bool_), bitorder="little")


def in_memory(vectors: Kept, passages: Ids, documents: Ids, collections: Ids) -> Segment:
    """A segment of rows in any order."""
    order = np.lexsort((passages, documents, collections))
    return sorted_segment(vectors[order], passages[order], documents[order], collections[order])


def sorted_segment(vectors: Kept, passages: Ids, documents: Ids, collections: Ids) -> Segment:
    order = np.argsort(passages, kind="stable")
    lookup = np.stack([passages[order], order])
    return Segment(vectors, passages, documents, collections, lookup, Spans.of(documents, collections))


def of_rows(rows: Rows) -> Segment:
    return in_memory(exact.kept(rows.vectors), rows.passages, rows.documents, rows.collections)


def joined(parts: list[Segment]) -> Segment:
    """One segment of what is live in these."""
    chosen = [(part, part.live_rows()) for part in parts]
    gathered: Callable[[str], NDArray[np.generic]] = lambda name: np.concatenate(  # noqa: E731
        [getattr(part, name)[rows] for part, rows in chosen]
    )
    return in_memory(*(gathered(name) for name in ("vectors", "passages", "documents", "collections")))  # type: ignore[arg-type]
