"""Approximate nearest neighbours among many vectors: a graph (HNSW) over vectors of 4 bits a number.

What the graph finds is scored exactly afterwards, by what calls it. Searches begin at the nearest of a sample of the
vectors, not at the graph's top: where a site holds texts on quite different subjects or in several languages, the
graph's parts are hardly linked, and a quarter of the searches from the top ended in the wrong part (benchmarks/README).
Source: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using HNSW graphs" (TPAMI 2020).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from searchsite.index.stores import exact
from searchsite.index.stores.exact import Kept
from searchsite.index.vectors import Ids, Matrix

KIND = "HNSW24,SQ4"
EFFORT_OF_BUILD = 40
TRAINED_ON = 50_000  # vectors, to learn the ranges of the 4 bits
AT_ONCE = 100_000  # vectors added at once
STARTS = 16  # where a search begins
CANDIDATES = 4096  # sampled vectors, of which the nearest are where it begins
EFFORTS = (32, 48, 64, 96, 128, 192, 256, 384, 512)  # vectors kept in view while searching
MEASURED = 200  # searches to choose the effort
PLACES = 10
WANTED = 0.985  # mean share of the first PLACES that are found
NOISE = 1.0  # length of what is added to a stored vector: searches for it are about as hard as for vectors not stored


@dataclass(frozen=True)
class Graph:
    """`balance` (dim,): what stored vectors are multiplied by, and questions divided by, before they are compared: a
    coordinate that is large in the one and small in the other, as the language's sign, would cut the graph in two."""

    index: Any
    balance: Matrix
    starts: Ids
    """(c,) rows where searches may begin,"""
    vectors: Kept
    """(c, width) and their vectors, balanced."""
    effort: int
    recall: float

    def search(self, query: Matrix, k: int, live: NDArray[np.uint8] | None, effort: int) -> Ids:
        """At least k rows near to `query` (dim,), where so many are found, with a bit in `live` (None: of all)."""
        asked = np.zeros((1, self.vectors.shape[1]), np.float32)
        asked[0, : len(query)] = query / self.balance
        distances, first = exact.view(self.vectors).search(asked, min(STARTS, len(self.starts)))
        seeds = self.starts[first[0]]
        ask = max(effort, k)
        # FAISS' type hints do not know all of FAISS.
        selector = None if live is None else faiss.IDSelectorBitmap(live)  # type: ignore[call-arg, arg-type]
        parameters = faiss.SearchParametersHNSW(efSearch=ask, sel=selector)  # type: ignore[attr-defined]
        rows = np.full((1, ask), -1, np.int64)
        found = np.empty((1, ask), np.float32)
        small = seeds.astype(np.int32)
        pointers = [faiss.swig_ptr(one) for one in (asked, small, distances, found, rows)]
        one_queue = 2
        self.index.search_level_0(1, pointers[0], ask, *pointers[1:], len(small), one_queue, parameters)
        # FAISS takes where a search begins as known, and does not give it back.
        if live is not None:
            seeds = seeds[exact.is_live(live, seeds)]
        return np.union1d(rows[rows >= 0], seeds)


@contextmanager
def threads(number: int) -> Iterator[None]:
    """FAISS' threads for what this thread calls."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(number)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def build(vectors: Kept, dim: int, asked: Callable[[Matrix], Matrix], say: Callable[[int], None]) -> Graph:
    """A graph over these vectors (n, width). `asked` turns stored vectors (m, dim) into what would be asked to find
    what is like them; `say` is told how many are in the graph so far."""
    random = np.random.default_rng(len(vectors))
    sample = np.sort(random.choice(len(vectors), min(TRAINED_ON, len(vectors)), replace=False))
    some = vectors[sample].astype(np.float32)
    balance = _balance(some[:, :dim], asked(some[:, :dim]))
    padded = np.ones(vectors.shape[1], np.float32)
    padded[:dim] = balance
    index: Any = faiss.index_factory(vectors.shape[1], KIND, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = EFFORT_OF_BUILD
    with threads(os.cpu_count() or 1):
        index.train(some * padded)
        for first in range(0, len(vectors), AT_ONCE):
            say(first)
            index.add(vectors[first : first + AT_ONCE].astype(np.float32) * padded)
        starts = np.sort(random.choice(sample, min(CANDIDATES, len(sample)), replace=False))
        graph = Graph(index, balance, starts, _balanced(vectors[starts], padded), EFFORTS[-1], 0.0)
        return _measured(graph, vectors, dim, asked, random)


def _balanced(vectors: Kept, balance: Matrix) -> Kept:
    return (vectors * balance).astype(np.float16)


def _balance(stored: Matrix, asked: Matrix) -> Matrix:
    sizes = [np.sqrt((part.astype(np.float64) ** 2).mean(axis=0)) for part in (stored, asked)]
    known = (sizes[0] > 0) & (sizes[1] > 0)
    balance: Matrix = np.where(known, np.sqrt(sizes[1] / np.where(known, sizes[0], 1)), 1).astype(np.float32)
    return balance


def _measured(
    graph: Graph, vectors: Kept, dim: int, asked: Callable[[Matrix], Matrix], random: np.random.Generator
) -> Graph:
    """The graph with the least effort that finds enough of what exact search finds, for questions like its vectors."""
    some = vectors[np.sort(random.choice(len(vectors), min(MEASURED, len(vectors)), replace=False))]
    noise = random.standard_normal((len(some), dim)) * (some[:, :dim] != 0)
    noise *= NOISE / np.maximum(np.linalg.norm(noise, axis=1, keepdims=True), 1e-9)
    queries = asked((some[:, :dim] + noise).astype(np.float32))
    padded = np.zeros((len(queries), vectors.shape[1]), np.float32)
    padded[:, :dim] = queries
    places = min(PLACES, len(vectors))
    least = exact.view(vectors).search(padded, places)[0][:, -1]
    recall = 0.0
    for effort in EFFORTS:
        shares = []
        for query, worst in zip(queries, least.tolist(), strict=True):
            rows = graph.search(query, places, None, effort)
            shares.append(min(1.0, float((exact.scores(vectors[rows], query) >= worst - exact.MARGIN).sum()) / places))
        recall = float(np.mean(shares))
        if recall >= WANTED:
            break
    return Graph(graph.index, graph.balance, graph.starts, graph.vectors, effort, recall)


def write(graph: Graph, folder: Path) -> None:
    faiss.write_index(graph.index, str(folder / "graph.faiss"))
    np.save(folder / "starts.npy", graph.starts)


def read(folder: Path, vectors: Kept, balance: list[float], effort: int, recall: float) -> Graph:
    """Raises OSError, ValueError, RuntimeError for files that are missing, damaged or of another build."""
    index = faiss.read_index(str(folder / "graph.faiss"))
    starts = np.load(folder / "starts.npy")
    if index.ntotal != len(vectors) or index.d != vectors.shape[1]:
        raise ValueError("its graph is of other vectors")
    padded = np.ones(vectors.shape[1], np.float32)
    padded[: len(balance)] = balance
    at = _balanced(vectors[starts], padded)
    return Graph(index, padded[: len(balance)].copy(), starts, at, effort, recall)
