"""What each word of a passage gives to its likeness in meaning.

Where the passage's vector is the mean of its tokens' states, its cosine with the question is a sum with one term a
token (index/space.py, Space.shares). Tokens are pieces of words, and see the whole passage: a word's share is what it
gives there, and would be another one elsewhere.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from django.core.cache import cache

from searchsite.index import backends
from searchsite.index.vectors import text_hash
from searchsite.search.keywords import is_dense

if TYPE_CHECKING:
    from searchsite.index.space import Space
    from searchsite.index.vectors import Matrix

Span = tuple[int, int]  # (start, end) in characters
Part = Literal["special", "prefix", "title", "heading", "text"]

PARTS: tuple[Part, ...] = ("text", "title", "heading", "prefix", "special")
SHADES = 5  # of words that give more than the average
REMEMBERED = 3600  # seconds


@dataclass(frozen=True)
class Word:
    """One or more tokens that are written together: what they belong to, and where they stand in the encoded text.

    share: of all of them. shade: 0 to SHADES - 1 by how much more it gives for a token than the average token of the
    encoded text, as part of what the word that gives most does; None where it gives no more.
    """

    part: Part
    start: int
    end: int
    share: float
    shade: int | None


@dataclass(frozen=True)
class Shares:
    """total: the cosine of question and passage, in the pass that the shares are of. words: those of the encoded text,
    in order. sums: what each part gives; it has those parts only of which there are tokens. They add up to `total`."""

    total: float
    words: tuple[Word, ...]
    sums: dict[Part, float]


@dataclass(frozen=True)
class _Token:
    part: Part
    start: int
    end: int
    share: float


def shares(head: Span, encoded: str, language: str, question: Matrix, placed: Space) -> Shares | None:
    """What the words of a passage give to its likeness to a placed question (dim,); None where the encoder's pooling
    is not the mean, for then tokens have no shares.

    encoded: the passage as it was encoded (index/vectors.py, encoded_text). head: where its title ends, and where the
    passage's own text begins. Costs one pass of the model; remembered for an hour, since it depends on nothing else
    than these arguments. Raises encoder.EncoderError.
    """
    if backends.description().pooling != "mean":
        return None
    asked = text_hash(question.tobytes().hex())
    key = f"shares-{backends.fingerprint()}-{text_hash(encoded)}-{head[0]}-{head[1]}-{language}-{asked}"
    remembered = cache.get(key)
    if isinstance(remembered, Shares):
        return remembered
    [sequence] = backends.get_encoder().passage_sequences([encoded])
    given = placed.shares(sequence.states, language, question)
    found = explained(list(zip(sequence.kinds, sequence.offsets, strict=True)), given.tolist(), encoded, head)
    cache.set(key, found, REMEMBERED)
    return found


def explained(
    labels: Sequence[tuple[Literal["special", "prefix", "text"], Span]],
    given: Sequence[float],
    encoded: str,
    head: Span,
) -> Shares:
    """As `shares`, of one label and one share a token, as encoder/sequence.py and Space.shares give them."""
    tokens = _tokens(labels, given, encoded, head)
    of_text = [token.share for token in tokens if token.part not in ("special", "prefix")]
    average = sum(of_text) / len(of_text) if of_text else 0.0
    groups = _words(tokens, encoded)
    above = [sum(token.share for token in group) / len(group) - average for group in groups]
    most = max(above, default=0.0)
    words = tuple(_word(group, more / most if most > 0 else 0.0) for group, more in zip(groups, above, strict=True))
    held = {token.part for token in tokens}
    sums = {part: math.fsum(t.share for t in tokens if t.part == part) for part in PARTS if part in held}
    return Shares(math.fsum(given), words, sums)


def _word(group: Sequence[_Token], above: float) -> Word:
    """Of the tokens of a word; above: its excess over the average, as part of the largest one."""
    visible = [token for token in group if token.start < token.end]
    shade = min(SHADES - 1, int(SHADES * above)) if above > 0 else None
    end = max(token.end for token in visible)
    return Word(visible[0].part, visible[0].start, end, math.fsum(token.share for token in group), shade)


def _tokens(
    labels: Sequence[tuple[Literal["special", "prefix", "text"], Span]],
    given: Sequence[float],
    encoded: str,
    head: Span,
) -> list[_Token]:
    """The tokens without the space before them; one that is nothing else belongs to what comes next."""
    following: Part = "text"
    tokens: list[_Token] = []
    for (kind, (start, end)), share in reversed(list(zip(labels, given, strict=True))):
        if kind != "text":
            tokens.append(_Token(kind, 0, 0, share))
            continue
        visible = end - len(encoded[start:end].lstrip())
        if visible < end:
            following = "title" if visible < head[0] else "heading" if visible < head[1] else "text"
        tokens.append(_Token(following, visible, end, share))
    return tokens[::-1]


def _words(tokens: Iterable[_Token], encoded: str) -> list[list[_Token]]:
    """The tokens of the text, those of one word together. Those that are nothing but space, which stand nowhere, go
    with the word behind them; at the end of the text, with the one before."""
    words: list[list[_Token]] = []
    spaces: list[_Token] = []
    last: _Token | None = None
    for token in tokens:
        if token.part in ("special", "prefix"):
            continue
        if token.start >= token.end:
            spaces.append(token)
            continue
        if last is not None and _is_one_word(last, token, encoded):
            words[-1] += [*spaces, token]
        else:
            words.append([*spaces, token])
        spaces, last = [], token
    if words:
        words[-1] += spaces
    return words


def _is_one_word(before: _Token, token: _Token, encoded: str) -> bool:
    """Whether they touch, and neither is of a script without spaces; or whether they share a character."""
    if token.part != before.part or token.start > before.end:
        return False
    return token.start < before.end or not (is_dense(encoded[before.end - 1]) or is_dense(encoded[token.start]))


def apart(text: str, spans: Iterable[tuple[int, int, str]]) -> Iterator[tuple[str, frozenset[str]]]:
    """The text in pieces, each with the names of the spans (start, end, name) that it lies in; none is empty. Spans of
    one name do not overlap."""
    begun: dict[int, set[str]] = defaultdict(set)
    ended: dict[int, set[str]] = defaultdict(set)
    for start, end, name in spans:
        low, high = max(0, start), min(end, len(text))
        if low < high:
            begun[low].add(name)
            ended[high].add(name)
    over: set[str] = set()
    for start, end in pairwise(sorted({0, len(text), *begun, *ended})):
        over = (over - ended[start]) | begun[start]
        yield text[start:end], frozenset(over)
