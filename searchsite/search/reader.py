"""A document's text as blocks to show: headings, paragraphs and code, one passage marked, long texts in parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

PART = 60_000  # characters shown at once


@dataclass(frozen=True)
class Piece:
    """A run of text; `marked` when it belongs to the passage looked for."""

    text: str
    marked: bool


@dataclass(frozen=True)
class Block:
    kind: Literal["heading", "paragraph", "code", "page"]
    start: int
    pieces: list[Piece] = field(default_factory=list)
    level: int = 0
    page: int = 0
    first_mark: bool = False


def parts(text: str) -> list[tuple[int, int]]:
    """Cut a long text into stretches of about PART characters, at blank lines where there are any."""
    cuts = [0]
    while len(text) - cuts[-1] > PART * 5 // 4:
        at = text.rfind("\n\n", cuts[-1] + PART // 2, cuts[-1] + PART)
        cuts.append(at + 2 if at > 0 else cuts[-1] + PART)
    return list(pairwise([*cuts, len(text)]))


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
    numbered = {offset: number for number, offset in enumerate(pages or [], 1)}
    shown: list[Block] = []
    marked = False
    at = start
    while at < end:
        if text[at] == "\n" and at not in code and at not in numbered:  # a blank line belongs to no block
            at += 1
            continue
        if at in numbered:
            shown.append(Block("page", at, page=numbered.pop(at)))
        stop = _block_end(text, at, end, code, levels, numbered)
        if text[at:stop].strip():
            first = not marked and mark is not None and at < mark[1] and mark[0] < stop
            marked = marked or first
            kind: Literal["heading", "paragraph", "code"] = (
                "code" if at in code else "heading" if at in levels else "paragraph"
            )
            body_end = at + len(text[at:stop].rstrip())
            shown.append(Block(kind, at, _pieces(text, at, body_end, mark), levels.get(at, 0), first_mark=first))
        at = stop
    return shown


def _block_end(
    text: str, at: int, end: int, code: dict[int, int], levels: dict[int, int], pages: dict[int, int]
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


def _pieces(text: str, start: int, end: int, mark: tuple[int, int] | None) -> list[Piece]:
    low, high = (min(max(edge, start), end) for edge in mark or (start, start))
    cut = [(start, low, False), (low, high, True), (high, end, False)]
    return [Piece(text[a:b], marked) for a, b, marked in cut if a < b]
