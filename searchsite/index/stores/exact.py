"""Vectors as the store keeps them, and exact search among them.

A vector is kept as float16, padded with zeros to a multiple of 16 numbers, for which FAISS has its fast code.
Scores are exact: see `scores`.
"""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from searchsite.index.vectors import Ids, Matrix

Kept = NDArray[np.float16]
Scores = NDArray[np.float64]

LANES = 16
GRID = 2.0**24
SLACK = 16  # asked for beyond k, to see whether the k-th place is shared
MARGIN = 1e-5  # more than what the order of a sum in float32 changes of a score
LONG = 256  # rows of a run that is searched where it lies; shorter ones are gathered
GATHERED = 8192  # rows gathered at once


def width(dim: int) -> int:
    """How many numbers are kept of a vector of `dim`."""
    return -(-dim // LANES) * LANES


def kept(vectors: Matrix) -> Kept:
    """(n, dim) -> (n, width)."""
    padded = np.zeros((len(vectors), width(vectors.shape[1])), np.float16)
    padded[:, : vectors.shape[1]] = vectors
    return padded


def scores(vectors: Kept, query: Matrix) -> Scores:
    """The inner products (n,) of a query (dim,) with kept vectors (n, width).

    Equal vectors get equal scores wherever they are: the numbers of the query are rounded to multiples of 2^-24, as
    float16 numbers are, so that products are multiples of 2^-48 and float64 holds every sum of them below 2^5 without
    rounding, in whatever order they are added.
    """
    asked = np.zeros(vectors.shape[1])
    asked[: len(query)] = np.rint(query.astype(np.float64) * GRID) / GRID
    # Not a product of BLAS, which would share a few microseconds of work among threads and wait for them.
    found: Scores = np.einsum("ij,j->i", vectors.astype(np.float64), asked)
    return found


def view(vectors: Kept) -> Any:
    """A FAISS index over these vectors where they lie, without a copy; it must not outlive them."""
    index = faiss.IndexScalarQuantizer(vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
    assert vectors.flags.c_contiguous, "else what follows would be a copy that nobody keeps"
    numbers = vectors.view(np.uint8).reshape(-1)
    start = faiss.swig_ptr(numbers)
    codes: Any = index.codes  # whose type FAISS' type hints do not know
    codes.is_owned = False
    codes.view_data = codes.c_ptr = start
    codes.view_size = codes.c_size = numbers.size
    index.ntotal = len(vectors)
    return index


def rows_of(starts: Ids, stops: Ids) -> Ids:
    """All rows of these runs, in their order."""
    lengths = stops - starts
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    rows: Ids = np.arange(total) + np.repeat(starts - ends + lengths, lengths)
    return rows


def nearest(vectors: Kept, live: NDArray[np.uint8] | None, starts: Ids, stops: Ids, query: Matrix, k: int) -> Ids:
    """Rows of these runs that may be among the k most similar to `query` (dim,): those that are, and all that float32
    does not tell from the k-th. `live`: a bit for each row, little-endian; None: all are."""
    asked = np.zeros((1, vectors.shape[1]), np.float32)
    asked[0, : len(query)] = query
    long = stops - starts >= LONG
    found: list[tuple[Matrix, Ids]] = []
    for start, stop in zip(starts[long].tolist(), stops[long].tolist(), strict=True):
        near, rows = _in_run(vectors[start:stop], bits(live, start, stop), asked, k)
        found.append((near, rows + start))
    short = rows_of(starts[~long], stops[~long])
    if live is not None:
        short = short[is_live(live, short)]
    for first in range(0, len(short), GATHERED):
        some = short[first : first + GATHERED]
        near, rows = _in_run(vectors[some], None, asked, k)
        found.append((near, some[rows]))
    if not found:
        return np.zeros(0, np.int64)
    all_near, all_rows = (np.concatenate(part) for part in zip(*found, strict=True))
    if len(all_near) <= k:
        return all_rows
    least = np.partition(all_near, -k)[-k]
    best: Ids = all_rows[all_near >= least - MARGIN]
    return best


def _in_run(vectors: Kept, allowed: NDArray[np.bool_] | None, asked: Matrix, k: int) -> tuple[Matrix, Ids]:
    """(scores, rows) of the k best, and of all that are as good as the k-th."""
    available = len(vectors) if allowed is None else int(allowed.sum())
    if not available:
        return np.zeros(0, np.float32), np.zeros(0, np.int64)
    parameters = None
    packed = None
    if allowed is not None and available < len(allowed):
        packed = np.packbits(allowed, bitorder="little")
        # FAISS patches these constructors at run time, which its type hints do not know.
        selector = faiss.IDSelectorBitmap(packed)  # type: ignore[call-arg, arg-type]
        parameters = faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
    index = view(vectors)
    ask = min(k + SLACK, available)
    while True:
        near, rows = index.search(asked, ask, params=parameters)
        # While the last place is as good as the k-th, rows of the same score may be missing: ask for more.
        if ask == available or near[0, -1] < near[0, k - 1] - MARGIN:
            return near[0], rows[0]
        ask = min(ask * 4, available)


def bits(live: NDArray[np.uint8] | None, start: int, stop: int) -> NDArray[np.bool_] | None:
    """Which of the rows from start to stop are live; None: all."""
    if live is None:
        return None
    first = start // 8
    whole = np.unpackbits(live[first : (stop + 7) // 8], bitorder="little")
    return whole[start - first * 8 : stop - first * 8].astype(bool)


def is_live(live: NDArray[np.uint8], rows: Ids) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (live[rows >> 3] >> (rows & 7) & 1).astype(bool)
    return found
