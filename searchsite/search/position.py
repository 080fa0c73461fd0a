"""What of a document is shown: a part of its text and perhaps a page as a picture; and the way to the rest of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from searchsite.search.outline import Place, page_anchor
from searchsite.search.reader import page_of, part_of

KEPT = ("passage", "q", "page")  # parameters that go with the reader to another place of the document


@dataclass(frozen=True)
class Position:
    """The part and page that are shown (numbers from 1; no page where there are no pictures).

    cuts: what `reader.parts` gives. pages: where each page starts, in characters; empty where there are no pictures.
    kept: the parameters that links to other places have, too.
    """

    cuts: Sequence[tuple[int, int]]
    pages: Sequence[int]
    kept: Mapping[str, str]
    part: int
    page: int | None

    def address(self, place: Place) -> str:
        """The address of a place: only its anchor, when nothing else would be shown there."""
        page = place.page or page_of(self.pages, place.start) if self.page else None
        part = part_of(self.cuts, place.start)
        if (part, page) == (self.part, self.page):
            return f"#{place.anchor}"
        there = {"part": part, **({"page_shown": page} if page else {})}
        return f"?{urlencode({**self.kept, **there})}#{place.anchor}"


@dataclass(frozen=True)
class Turn:
    """The addresses of another page: of its text, and of its picture."""

    text: str
    picture: str


@dataclass(frozen=True)
class Sheet:
    """A page as a picture, and the ways to its neighbours; `asked` when the reader went to it."""

    number: int
    count: int
    asked: bool
    previous: Turn | None
    next: Turn | None


def position(
    parameters: Mapping[str, str], cuts: Sequence[tuple[int, int]], pages: Sequence[int], passage: int | None
) -> Position:
    """What `?part=` and `?page_shown=` ask for; without them, the part and page where the passage starts.

    pages: empty where there are no pictures of them. passage: in characters of the text.
    """
    page = number(parameters.get("page_shown", ""), len(pages))
    where = pages[page - 1] if page else passage or 0
    part = number(parameters.get("part", ""), len(cuts)) or part_of(cuts, where)
    if pages and not page:
        page = page_of(pages, where if part_of(cuts, where) == part else cuts[part - 1][0])
    return Position(cuts, pages, {name: parameters[name] for name in KEPT if name in parameters}, part, page)


def sheet(shown: Position, asked: bool) -> Sheet | None:
    """The page of that position, if it has one."""
    if not shown.page:
        return None

    def turn(page: int) -> Turn | None:
        if not 1 <= page <= len(shown.pages):
            return None
        start = shown.pages[page - 1]
        return Turn(*(shown.address(Place("", start, anchor, page=page)) for anchor in (page_anchor(page), "sheet")))

    return Sheet(shown.page, len(shown.pages), asked, turn(shown.page - 1), turn(shown.page + 1))


def number(asked: str, most: int) -> int | None:
    """The number that was asked for, if it is one from 1 to `most`."""
    found = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else 0
    return found if 1 <= found <= most else None
