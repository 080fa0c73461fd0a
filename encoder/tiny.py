"""An encoder without weights: texts that share words are near. For tests and plumbing, not for meaning."""

import hashlib
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from encoder.description import Description
from encoder.sequence import TokenStates

DIM = 64
# Raise it whenever a vector changes, so that stored vectors of the old kind are not compared with new ones.
VERSION = 1
TINY = Description(
    name="tiny",
    folder=None,
    dim=DIM,
    max_tokens=512,
    pooling="mean",
    query_prefix="",
    passage_prefix="",
    weights_hash=hashlib.sha256(f"tiny {VERSION}".encode()).hexdigest(),
)

# Kana, Chinese characters and Hangul: written without spaces, or inflected at the end, so one character a token.
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_TOKEN = re.compile(f"[{_CJK}]|[^\\W{_CJK}]+")


class TinyEncoder:
    """Hashed words, word trigrams and pairs of CJK characters; the interface of `encoder.local.Encoder`."""

    description = TINY

    def encode_queries(
        self, texts: Sequence[str], states: Callable[[int, NDArray[np.float32]], None] | None = None
    ) -> NDArray[np.float32]:
        """Return vectors (n, 64), float32, of length 1; of length 0 for a text without words."""
        return self.encode_passages(texts, None, states)

    def encode_passages(
        self,
        texts: Sequence[str],
        progress: Callable[[int, int], None] | None = None,
        states: Callable[[int, NDArray[np.float32]], None] | None = None,
    ) -> NDArray[np.float32]:
        """As `encode_queries`; `progress` is called with (texts done, texts in all), `states` with the position of a
        text and the vectors of its words (words, 64)."""
        vectors = np.zeros((len(texts), DIM), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row] = _sum(_features(_TOKEN.findall(text)))
            norm = np.linalg.norm(vectors[row])
            if norm > 0:
                vectors[row] /= norm
            if states:
                words = [_sum(_features([token])) for token in _TOKEN.findall(text)]
                states(row, np.stack(words) if words else np.zeros((0, DIM), np.float32))
            if progress:
                progress(row + 1, len(texts))
        return vectors

    def passage_sequences(self, texts: Sequence[str]) -> list[TokenStates]:
        """As `encoder.local.Encoder.passage_sequences`: a word's or character's state is its part of the vector, with
        its pair with the next one. There are no special tokens, and for a text without words no tokens at all."""
        vectors = self.encode_passages(texts)
        return [_sequence(text, vector) for text, vector in zip(texts, vectors, strict=True)]

    def token_offsets(self, text: str) -> list[tuple[int, int]]:
        """Return (start, end) of each word and each CJK character."""
        return [match.span() for match in _TOKEN.finditer(text)]


def _sum(features: Iterator[tuple[str, float]]) -> NDArray[np.float32]:
    vector = np.zeros(DIM, dtype=np.float32)
    for feature, weight in features:
        code = zlib.crc32(feature.encode("utf-8", "surrogatepass"))
        # One bit for the sign: two features that meet in a place cancel as often as they add.
        vector[code % DIM] += weight if code & 0x10000 else -weight
    return vector


def _features(words: Sequence[str]) -> Iterator[tuple[str, float]]:
    tokens = [token.lower() for token in words]
    for token in tokens:
        yield from _of_token(token)
    for left, right in pairwise(tokens):
        yield from _of_pair(left, right)


def _of_token(token: str) -> Iterator[tuple[str, float]]:
    yield token, 1.0
    framed = f" {token} "
    for start in range(len(framed) - 2 if len(token) > 2 else 0):
        yield framed[start : start + 3], 0.3


def _of_pair(left: str, right: str) -> Iterator[tuple[str, float]]:
    if len(left) == len(right) == 1:
        yield left + right, 0.5


def _sequence(text: str, vector: NDArray[np.float32]) -> TokenStates:
    matches = list(_TOKEN.finditer(text))
    tokens = [match.group().lower() for match in matches]
    states = np.zeros((len(tokens), DIM), np.float32)
    for place, (token, following) in enumerate(zip(tokens, [*tokens, ""][1:], strict=True)):
        states[place] = _sum(chain(_of_token(token), _of_pair(token, following)))
    return TokenStates.of(states, [("text", match.span()) for match in matches], vector, linear=True)
