"""What of a passage is marked on the page of results: the sentence that is most like the question, and its keywords."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from searchsite.documents.models import Passage
from searchsite.index import terms
from searchsite.search import sentences
from searchsite.search.keywords import keyword_spans
from searchsite.search.ranking import Question, Sources
from searchsite.search.sentences import Span

ROWS = 6  # that are seen of the best passage of a document
ROWS_OF_OTHERS = 3
COLUMNS = 70  # letters in a row, between a phone's and a desktop's; a Chinese character is as wide as two
WIDE = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uff60]")


class Piece(NamedTuple):
    """A stretch of a line: whether it belongs to the sentence most like the question, and whether it is a keyword."""

    text: str
    meaning: bool
    keyword: bool


@dataclass(frozen=True)
class Marks:
    """Stretches of a passage's text, (start, end) in characters; no sentence where none is to be told apart."""

    sentence: Span | None = None
    keywords: Sequence[Span] = ()


def marks(
    question: Question, asked_of: Sources, passages: Mapping[int, Passage], texts: Mapping[int, str]
) -> dict[int, Marks]:
    """The marks of these passages, by their ids. `texts`: what was encoded of each, which ends with its own text."""
    marked = sentences.marks(
        question.tokens,
        {pk: (texts[pk], len(texts[pk]) - len(passage.text)) for pk, passage in passages.items()},
        asked_of.codes(list(passages)),
        {pk: headings(passage) for pk, passage in passages.items()},
    )
    languages = asked_of.lexical.languages if asked_of.lexical else {one.language for one in passages.values()}
    asked = terms.of_question(question.text, languages)
    return {
        pk: Marks(marked.get(pk), keyword_spans(passage.text, passage.language, asked))
        for pk, passage in passages.items()
    }


def headings(passage: Passage) -> set[str]:
    """Lines that are shown above a passage, and are not repeated in it."""
    return {*passage.heading_path, passage.revision.live_for.shown_title}


def lines(passage: Passage, marked: Marks, rows: int = ROWS) -> list[list[Piece]]:
    """The lines of a passage that are shown, each in pieces. Where the marked sentence would not be seen in so many
    rows, they begin with it."""
    above = {line.strip() for line in headings(passage)}
    shown: list[Span] = []
    start = 0
    for line in passage.text.splitlines(keepends=True):
        if line.strip() and line.strip() not in above:
            shown.append((start + len(line) - len(line.lstrip()), start + len(line.rstrip())))
        start += len(line)
    begins, ends = marked.sentence or (0, 0)
    seen = begins < ends and any(
        first < ends and begins < last for first, last in shown
    )  # not where it is in a heading
    if not seen or _rows(passage.text, shown, ends) <= rows:
        return [_pieces(passage.text, first, last, marked) for first, last in shown]
    left = [_pieces(passage.text, max(first, begins), last, marked) for first, last in shown if last > begins]
    return [[Piece("… ", False, False), *left[0]], *left[1:]]


def _rows(text: str, shown: Sequence[Span], end: int) -> int:
    """About how many rows these lines take up to a place in the text."""
    widths = [text[first : min(last, end)] for first, last in shown if first < end]
    return sum(-(-(len(one) + len(WIDE.findall(one))) // COLUMNS) for one in widths)


def _pieces(text: str, start: int, end: int, marked: Marks) -> list[Piece]:
    inside = [*marked.keywords, *([marked.sentence] if marked.sentence else [])]
    cuts = sorted({start, end, *(cut for span in inside for cut in span if start < cut < end)})
    return [
        Piece(
            text[one:other],
            marked.sentence is not None and marked.sentence[0] <= one < marked.sentence[1],
            any(first <= one < last for first, last in marked.keywords),
        )
        for one, other in pairwise(cuts)
    ]
