"""Vectors between the database and memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from searchsite.documents.models import Document
from searchsite.index.models import Vector
from searchsite.index.space import Space

Matrix = NDArray[np.float32]
Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """n findable passages: vectors (n, dim) placed in the search space; ids of passage, document, collection (n,)."""

    vectors: Matrix
    passages: Ids
    documents: Ids
    collections: Ids

    def __len__(self) -> int:
        return len(self.passages)

    def where(self, keep: NDArray[np.bool_]) -> Rows:
        return Rows(self.vectors[keep], self.passages[keep], self.documents[keep], self.collections[keep])


def no_rows(dim: int) -> Rows:
    none = np.zeros(0, np.int64)
    return Rows(np.zeros((0, dim), np.float32), none, none, none)


def join(parts: Sequence[Rows], dim: int) -> Rows:
    parts = [part for part in parts if len(part)] or [no_rows(dim)]
    return Rows(
        np.concatenate([part.vectors for part in parts]),
        np.concatenate([part.passages for part in parts]),
        np.concatenate([part.documents for part in parts]),
        np.concatenate([part.collections for part in parts]),
    )


def as_bytes(vector: Matrix) -> bytes:
    return vector.astype("<f2").tobytes()


def as_matrix(stored: Iterable[bytes | memoryview], dim: int) -> Matrix:
    """(n, dim) float32, L2-normalised again: float16 moves a length by up to 1e-4. Zero vectors stay zero."""
    joined = b"".join(bytes(data) for data in stored)
    matrix = np.frombuffer(joined, "<f2").reshape(-1, dim).astype(np.float32)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    scaled: Matrix = (matrix / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return scaled


def encoded_text(title: str, heading_path: Sequence[str], text: str) -> str:
    """What is encoded for a passage: title, heading path and passage. Headings that the text begins with, or that
    repeat the title, are not said twice."""
    above = [h for h in heading_path if h != title and not text.lstrip().startswith(h)]
    return "\n".join([" › ".join([title, *above]), text])


def text_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def live_rows(document_ids: Sequence[int], fingerprint: str, placed: Space) -> Rows:
    """All that is findable of these documents, ordered by document and passage, its vectors placed in that space."""
    found = (
        Vector.objects.filter(fingerprint=fingerprint, passage__revision__live_for__in=document_ids)
        .order_by("passage__revision__live_for", "passage_id")
        .values_list(
            "data",
            "passage__language",
            "passage_id",
            "passage__revision__live_for",
            "passage__revision__live_for__collection_id",
        )
    )
    rows = list(found)
    if not rows:
        return no_rows(placed.dim)
    data, languages, passages, documents, collections = zip(*rows, strict=True)
    return Rows(
        placed.place_passages(as_matrix(data, placed.dim - 1), languages),
        np.array(passages, np.int64),
        np.array(documents, np.int64),
        np.array(collections, np.int64),
    )


def live_documents(chunk: int = 200) -> Iterable[list[int]]:
    """The ids of all documents that have something live, in ascending chunks: many short reads, none long."""
    last = 0
    while True:
        documents = Document.objects.filter(pk__gt=last, live_revision__isnull=False).order_by("pk")
        ids = list(documents.values_list("pk", flat=True)[:chunk])
        if not ids:
            return
        yield ids
        last = ids[-1]
