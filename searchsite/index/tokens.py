"""What is kept of a passage's tokens, so that a question can be compared with each of them: late interaction.

Each token of the question looks for the token of the passage that is most like it, and the likenesses are averaged:
MaxSim, of Khattab and Zaharia, "ColBERT" (SIGIR 2020), here with the sequence output of an encoder that was not trained
for it, which is why the languages' offsets are taken out (space.py).

The states are there when a passage is encoded, and kept then, so that no search waits for a pass of the model: of each
number its sign, which keeps the angles (Charikar, "Similarity Estimation Techniques", STOC 2002). That is 48 bytes for
a token of 384 numbers, 7 to 8 kB for a passage. What it loses is measured in docs/quality.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from searchsite.index.models import TokenCodes
from searchsite.index.space import Space
from searchsite.index.vectors import Matrix

MOST_ASKED = 64  # tokens of a question that are compared; nobody's question is longer, and pasted pages are


def codes(states: Matrix, language: str, placed: Space) -> bytes:
    """(tokens, dim) states of a passage in that language -> (tokens, dim / 8) bytes."""
    return np.packbits(placed.place_tokens(states, language) > 0, axis=1).tobytes()


def asked(states: Matrix, language: str, placed: Space) -> Matrix:
    """(tokens, dim) states of a question -> at most MOST_ASKED rows of length 1, to be compared with codes."""
    return placed.place_tokens(states[:MOST_ASKED], language, question=True)


def likenesses(question: Matrix, passages: Mapping[int, bytes]) -> dict[int, float]:
    """MaxSim of a question's tokens (n, dim) with each passage's codes, about -1 to 1; none for what has no codes."""
    held = {passage: data for passage, data in passages.items() if data}
    if not held or not len(question):
        return {}
    dim = question.shape[1]
    width = -(-dim // 8)
    counts = [len(data) // width for data in held.values()]
    packed = np.frombuffer(b"".join(held.values()), np.uint8).reshape(-1, width)
    signs = np.unpackbits(packed, axis=1, count=dim).astype(np.float32) * 2 - 1
    cosines = question @ signs.T / np.sqrt(dim)
    best = np.maximum.reduceat(cosines, np.concatenate([[0], np.cumsum(counts)[:-1]]), axis=1).mean(axis=0)
    return dict(zip(held, best.tolist(), strict=True))


def stored(passages: Sequence[int], fingerprint: str) -> dict[int, bytes]:
    """The codes of these passages that the database has, by their ids."""
    found = TokenCodes.objects.filter(vector__passage__among=passages, vector__fingerprint=fingerprint)
    return {pk: bytes(data) for pk, data in found.values_list("vector__passage_id", "data")}
