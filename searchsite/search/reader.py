"""A document's text as blocks to show: headings, paragraphs and code, one passage marked, long texts in parts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from searchsite.search.outline import heading_anchor, page_anchor

PART = 60_000  # characters shown at once


@dataclass(frozen=True)
class Piece:
    """A run of text; `marked` when it belongs to the passage looked for, `first` where that begins."""

    text: str
    marked: bool
    first: bool = False


@dataclass(frozen=True)
class Block:
    kind: Literal["heading", "paragraph", "code", "page"]
    start: int
    pieces: list[Piece] = field(default_factory=list)
    level: int = 0
    page: int = 0

    @property
    def anchor(self) -> str:
        """The id of its element, for links to it."""
        return page_anchor(self.page) if self.kind == "page" else heading_anchor(self.start)


def parts(text: str) -> list[tuple[int, int]]:
    """Cut a long text into stretches of about PART characters, at blank lines where there are any."""
    cuts = [0]
    while len(text) - cuts[-1] > PART * 5 // 4:
        at = text.rfind("\n\n", cuts[-1] + PART // 2, cuts[-1] + PART)
        cuts.append(at + 2 if at > 0 else cuts[-1] + PART)
    return list(pairwise([*cuts, len(text)]))


def part_of(cuts: Sequence[tuple[int, int]], offset: int) -> int:
    """The number (from 1) of the part in which the character at that offset is; the last for what lies behind all."""
    return max(1, bisect_right([start for start, _end in cuts], offset))


def page_of(pages: Sequence[int], offset: int) -> int:
    """The number (from 1) of the page to which the character at that offset belongs."""
    return max(1, bisect_right(pages, offset))


def blocks(
    text: str,
    within: tuple[int, int],
    headings: list[tuple[int, int, str]],
    pages: list[int] | None,
    preformatted: list[tuple[int, int]],
    mark: tuple[int, int] | None,
) -> list[Block]:
    """The blocks of `text[start:end]` for `within = (start, end)`, with the characters of `mark` in marked pieces.

    All offsets count characters of the whole text. Nothing is left out but blank lines between blocks.
    """
    start, end = within
    levels = {offset: level for offset, level, _title in headings}
    code = {a: b for a, b in preformatted if a >= start}
    numbered: dict[int, list[int]] = {}
    for number, offset in enumerate(pages or [], 1):
        numbered.setdefault(offset, []).append(number)  # pages without text start where the next one does
    shown: list[Block] = []
    marked = False
    at = start
    while at < end:
        if text[at] == "\n" and at not in code and at not in numbered:  # a blank line belongs to no block
            at += 1
            continue
        if at in numbered:
            shown += [Block("page", at, page=number) for number in numbered.pop(at)]
        stop = _block_end(text, at, end, code, levels, numbered)
        if text[at:stop].strip():
            kind: Literal["heading", "paragraph", "code"] = (
                "code" if at in code else "heading" if at in levels else "paragraph"
            )
            body_end = at + len(text[at:stop].rstrip())
            pieces = _pieces(text, at, body_end, mark, not marked)
            marked = marked or any(piece.first for piece in pieces)
            shown.append(Block(kind, at, pieces, levels.get(at, 0)))
        at = stop
    return shown


def without_gaps(shown: Sequence[Block], title: str) -> list[Block]:
    """The blocks, with headings of levels 1, 2, ... of which none is left out: each is one below what it belongs to.

    Who goes from heading to heading would miss those that a file leaves out. A first one that repeats the document's
    title is left as it is; it is not shown.
    """
    above: list[int] = []
    levelled = []
    for number, block in enumerate(shown):
        if block.kind == "heading" and (number or "".join(piece.text for piece in block.pieces) != title):
            while above and above[-1] >= block.level:
                above.pop()
            above.append(block.level)
            block = replace(block, level=len(above))  # noqa: PLW2901
        levelled.append(block)
    return levelled


def _block_end(
    text: str, at: int, end: int, code: dict[int, int], levels: dict[int, int], pages: Container[int]
) -> int:
    """Where the block that begins at `at` ends: code at its own end, a heading after its line, a paragraph at a blank
    line or where the next heading, code or page begins."""
    if at in code:
        return min(max(code[at], at + 1), end)
    line_end = text.find("\n", at, end)
    if at in levels:
        return end if line_end < 0 else line_end + 1
    stop = at
    while stop < end:
        line_end = text.find("\n", stop, end)
        stop = end if line_end < 0 else line_end + 1
        if stop in code or stop in levels or stop in pages or text[stop : stop + 1] == "\n":
            return stop
    return stop


def _pieces(text: str, start: int, end: int, mark: tuple[int, int] | None, first: bool) -> list[Piece]:
    low, high = (min(max(edge, start), end) for edge in mark or (start, start))
    cut = [(start, low, False), (low, high, True), (high, end, False)]
    return [Piece(text[a:b], marked, first and marked and not text[a:b].isspace()) for a, b, marked in cut if a < b]
