"""The sentences of a passage, and which of them is most like a question, token by token.

The codes of a passage's tokens (index/tokens.py) are those of the text that was encoded for it, in order; where its
tokens stand, the tokenizer tells again, so that marking a page of results asks the database for nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

import numpy as np

from searchsite.documents.split import NUMBER, PARAGRAPH_END, SENTENCE_END, TABLE_ROW
from searchsite.index import backends
from searchsite.index.vectors import Ids, Matrix

Span = tuple[int, int]  # (start, end) in characters

LEAST_WIDTH = 30  # columns: what is set narrower is a list, and no text of which a line was full
_ITEM = re.compile(r"[-*+•·‣▪–—#|>]|\(?\w{1,4}[.)](?=\s)|[(（]?[\d一二三四五六七八九十]{1,3}[、)）]")
_WIDE = re.compile(r"[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]")
_PIECE = re.compile(rf"{_WIDE.pattern}|\S[^\s\u2e80-\ua4cf\uff00-\uff60]*")  # what is not broken at a line's end
# A full stop that ends no sentence: behind an initial, or before what goes on in small letters ("e.g. this").
_GOES_ON = re.compile(r"\s+[a-zß-öø-ÿа-я]")
_INITIAL = re.compile(r"(?:^|[\s(])[A-Z]\.$")


def sentences(text: str) -> list[Span]:
    """(start, end) of each sentence of a text, in order; nothing but white space lies between them.

    A line's end is a sentence's where the line was not full: in lists, headings, rows of tables and code. What has no
    letter or digit belongs to the sentence before it.
    """
    ends = {*_ends_of_sentences(text), *(match.end() for match in PARAGRAPH_END.finditer(text)), *_ends_of_lines(text)}
    found: list[Span] = []
    for start, end in pairwise([0, *sorted(ends - {0, len(text)}), len(text)]):
        piece = text[start:end]
        if not piece.strip():
            continue
        span = (start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip()))
        if found and not any(map(str.isalnum, piece)):
            found[-1] = (found[-1][0], span[1])
        else:
            found.append(span)
    return found


def best_sentence(question: Matrix, codes: bytes, offsets: Sequence[Span], found: Sequence[Span]) -> int | None:
    """The number, from 0, of the sentence whose tokens a question's tokens (n, dim) are most like: MaxSim of
    index/tokens.py with the tokens of each sentence; the first of equal ones.

    `codes` are of the tokens at these offsets, which count characters as the sentences do. None where there are none,
    or not as many as tokens (they are another version's), and where fewer than two sentences have tokens.
    """
    dim = question.shape[1] if question.ndim == 2 else 0
    width = -(-dim // 8)
    if not codes or not len(question) or len(found) < 2 or len(codes) != len(offsets) * width:
        return None
    owners = _owners(offsets, found)
    inside = owners >= 0
    present, first = np.unique(owners[inside], return_index=True)
    if len(present) < 2:
        return None
    packed = np.frombuffer(codes, np.uint8).reshape(-1, width)[inside]
    signs = np.unpackbits(packed, axis=1, count=dim).astype(np.float32) * 2 - 1
    likenesses = np.maximum.reduceat(question @ signs.T, first, axis=1).mean(axis=0)
    return int(present[likenesses.argmax()])


def marks(
    question: Matrix,
    passages: Mapping[int, tuple[str, int]],
    codes: Mapping[int, bytes],
    never: Mapping[int, Collection[str]] | None = None,
) -> dict[int, Span]:
    """The best sentence of each passage, as (start, end) in the passage's own text, by the passages' ids.

    question: its tokens, placed (ranking.Question.tokens). passages: (encoded text, length of what comes before the
    passage's own text). never: lines of a passage that are not marked, such as headings that are shown elsewhere.
    """
    token_offsets = backends.token_offsets()
    found: dict[int, Span] = {}
    for passage, (encoded, head) in passages.items():
        if not (held := codes.get(passage)):
            continue
        unmarked = {line.strip() for line in (never or {}).get(passage, ())}
        spans = [
            (head + start, head + end)
            for start, end in sentences(encoded[head:])
            if encoded[head + start : head + end] not in unmarked
        ]
        if len(spans) < 2:
            continue
        best = best_sentence(question, held, token_offsets(encoded), spans)
        if best is not None:
            found[passage] = (spans[best][0] - head, spans[best][1] - head)
    return found


def _owners(offsets: Sequence[Span], found: Sequence[Span]) -> Ids:
    """For each token the number of the sentence that its last character lies in, -1 for none: a token may take in the
    space before a word, or be empty."""
    if not len(offsets):
        return np.zeros(0, np.int64)
    starts, ends = np.array(offsets, np.int64).T
    sentence_starts, sentence_ends = np.array(found, np.int64).T
    owners = np.searchsorted(sentence_starts, ends - 1, side="right") - 1
    outside = (owners < 0) | (ends <= starts) | (ends > sentence_ends[owners])
    return np.where(outside, -1, owners)


def _ends_of_sentences(text: str) -> list[int]:
    numbers = {match.end() for match in NUMBER.finditer(text)}
    laid_out = [match.span() for match in TABLE_ROW.finditer(text)]
    return [
        match.end()
        for match in SENTENCE_END.finditer(text)
        if match.end() not in numbers
        and not any(start <= match.start() < end for start, end in laid_out)
        and not (match.group() == "." and _is_no_end(text, match.end()))
    ]


def _is_no_end(text: str, end: int) -> bool:
    return _GOES_ON.match(text, end) is not None or _INITIAL.search(text[max(0, end - 3) : end]) is not None


def _ends_of_lines(text: str) -> list[int]:
    """Line ends that are not there because the line was full.

    It was full if what comes next would have made it longer than the widest line of its paragraph; a line of a list,
    a table or code rarely comes so near.
    """
    ends: list[int] = []
    start = 0
    for paragraph in re.split(r"(\n[ \t]*\n)", text):
        lines = paragraph.split("\n")
        widest = max(map(_columns, lines))
        at = start
        for line, following in pairwise(lines):
            at += len(line) + 1
            if not _goes_on(line, following, widest):
                ends.append(at)
        start += len(paragraph)
    return ends


def _goes_on(line: str, following: str, widest: int) -> bool:
    following = following.lstrip(" \t")
    piece = _PIECE.match(following)
    if widest < LEAST_WIDTH or piece is None or _ITEM.match(following) or TABLE_ROW.match(line):
        return False
    space = 0 if _WIDE.match(piece.group()) else 1
    return _columns(line.rstrip()) + space + _columns(piece.group()) > widest - space - 2


def _columns(line: str) -> int:
    return len(line) + len(_WIDE.findall(line))
