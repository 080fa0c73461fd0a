"""A document's headings, or its pages, as a nested list of places to go to."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

MOST = 500  # entries
DEEPEST = 6  # levels


@dataclass(frozen=True)
class Place:
    """A place that can be gone to: where it starts in the text, in characters, and the id of its element.

    page: the page's number, where the place is a page (some have no text, and start where the next one does).
    """

    title: str
    start: int
    anchor: str
    level: int = 1
    page: int | None = None


@dataclass(frozen=True)
class Entry:
    """A place in the outline; `current` when the passage looked for belongs to it and to nothing below it."""

    title: str
    address: str
    current: bool
    below: list[Entry] = field(default_factory=list)


def heading_anchor(start: int) -> str:
    return f"h-{start}"


def page_anchor(number: int) -> str:
    return f"page-{number}"


def headings(found: Sequence[Sequence[int | str]], title: str) -> list[Place]:
    """The places of a revision's headings, without a first one that only repeats the document's title.

    Of more than MOST, the deepest levels are left out; of one level that alone is too many, places evenly between.
    """
    places = [
        Place(str(text), int(start), heading_anchor(int(start)), min(int(level), DEEPEST))
        for start, level, text in found
    ]
    if places and places[0].title == title:
        places = places[1:]
    while len(places) > MOST and len(levels := {place.level for place in places}) > 1:
        places = [place for place in places if place.level < max(levels)]
    return _thinned(places)


def pages(starts: Sequence[int] | None, name: Callable[[int], str]) -> list[Place]:
    """The places of a revision's pages, named by their number; evenly thinned to MOST."""
    return _thinned([Place(name(n), start, page_anchor(n), page=n) for n, start in enumerate(starts or [], 1)])


def nested(places: Sequence[Place], address: Callable[[Place], str], passage: int | None) -> list[Entry]:
    """The entries of the places, each below the nearest place before it with a lower level; none of fewer than two.

    passage: where the passage looked for starts, in characters of the text.
    """
    if len(places) < 2:
        return []
    here = -1 if passage is None else bisect_right([place.start for place in places], passage) - 1
    top: list[Entry] = []
    above: list[tuple[int, list[Entry]]] = []
    for number, place in enumerate(places):
        while above and above[-1][0] >= place.level:
            above.pop()
        entry = Entry(place.title, address(place), number == here)
        (above[-1][1] if above else top).append(entry)
        above.append((place.level, entry.below))
    return top


def _thinned(places: list[Place]) -> list[Place]:
    return places[:: -(-len(places) // MOST)] if places else []
