"""Cutting a text into passages: at headings and pages, then paragraphs, sentences, and words where nothing else is left."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from searchsite.documents.extract import Heading

# A blank line ends a paragraph.
PARAGRAPH_END = re.compile(r"\n[ \t]*\n\s*")
# A sentence ends at a full stop before white space, at a Chinese one anywhere, closing quotes and brackets included;
# and at a line's end, which in lists and tables is all there is.
SENTENCE_END = re.compile(r"[.!?…][\"'”’)\]]*\s+|[。！？；…][”’」』）)】\"]*\s*|\n\s*")
# No token may be wider than this many characters on average: bounds passages of signs that a tokenizer does not see.
CHARACTERS_A_TOKEN = 32
SMALL = 0.25  # of the target: a remainder below it joins the passage before


@dataclass(frozen=True)
class Span:
    """A passage: `text[start:end]`, in characters; the page it is on, counted from 1; the headings above it."""

    start: int
    end: int
    page: int | None
    heading_path: tuple[str, ...]


@dataclass(frozen=True)
class Measure:
    """Lengths in tokens of stretches of one text, which is tokenized once."""

    starts: Sequence[int]

    def tokens(self, start: int, end: int) -> int:
        seen = bisect_left(self.starts, end) - bisect_left(self.starts, start)
        return max(seen, (end - start) // CHARACTERS_A_TOKEN)

    def after(self, start: int, tokens: int, end: int) -> int:
        """Where the stretch of that many tokens from `start` ends, at most at `end`."""
        number = bisect_left(self.starts, start) + tokens
        stop = self.starts[number] if number < len(self.starts) else end
        return min(max(stop, start + 1), end, start + tokens * CHARACTERS_A_TOKEN)


def split(
    text: str,
    headings: Sequence[Heading],
    pages: Sequence[int] | None,
    token_offsets: Callable[[str], Sequence[tuple[int, int]]],
    target_tokens: int,
    max_tokens: int,
    preformatted: Sequence[tuple[int, int]] = (),
) -> list[Span]:
    """The passages of `text`, in order. Between them lies white space only; they do not overlap.

    Each section (a heading and its text) and each page starts a passage of its own. Within these, passages are filled
    up to about `target_tokens` and never exceed `max_tokens`. `preformatted` blocks stay whole where they fit.
    """
    measure = Measure([start for start, _end in token_offsets(text)])
    code = {start: end for start, end in preformatted}
    spans: list[Span] = []
    for start, end, page, path in _sections(text, headings, pages):
        atoms = _atoms(text, start, end, code, measure, target_tokens, max_tokens)
        for low, high in _fill(list(atoms), measure, target_tokens, max_tokens):
            low, high = _trim(text, low, high)
            if low < high:
                spans.append(Span(low, high, page, path))
    return spans


def _sections(
    text: str, headings: Sequence[Heading], pages: Sequence[int] | None
) -> Iterator[tuple[int, int, int | None, tuple[str, ...]]]:
    """(start, end, page, heading path) of each stretch that a passage may not leave."""
    ordered = sorted(headings, key=lambda heading: heading.offset)
    page_starts = sorted(set(pages or []))
    cuts = sorted({0, len(text), *page_starts, *(heading.offset for heading in ordered)})
    hard = {0, len(text), *page_starts}
    path: list[Heading] = []
    following = iter([*ordered, None])
    heading = next(following)
    begin = 0
    for start, end in zip(cuts, cuts[1:], strict=False):
        while heading is not None and heading.offset <= start:
            path = [above for above in path if above.level < heading.level] + [heading]
            heading = next(following)
        # A heading without text of its own goes with what comes below it, but not over a page's end.
        only_heading = path and path[-1].offset == start and _is_one_line(text, start, end)
        if only_heading and end not in hard:
            continue
        number = bisect_left(page_starts, begin + 1) if pages else None
        yield begin, end, number or (1 if pages else None), tuple(above.title for above in path)
        begin = end


def _is_one_line(text: str, start: int, end: int) -> bool:
    return "\n" not in text[start:end].strip()


def _atoms(
    text: str, start: int, end: int, code: dict[int, int], measure: Measure, target: int, most: int
) -> Iterator[tuple[int, int]]:
    """The stretches of a section that stay whole, in order and without gaps; none has more than `most` tokens."""
    for low, high in _blocks(text, start, end, code):
        whole = most if low in code else target
        if measure.tokens(low, high) <= whole:
            yield low, high
            continue
        for first, last in _pieces(text, low, high, SENTENCE_END):
            at = first
            while measure.tokens(at, last) > most:
                stop = _word_end(text, at, measure.after(at, min(target, most), last))
                yield at, stop
                at = stop
            yield at, last


def _blocks(text: str, start: int, end: int, code: dict[int, int]) -> Iterator[tuple[int, int]]:
    """Paragraphs, and code blocks as one."""
    at = start
    for begin in sorted(begin for begin in code if start <= begin < end):
        if begin < at:
            continue
        yield from _pieces(text, at, begin, PARAGRAPH_END)
        at = min(code[begin], end)
        yield begin, at
    yield from _pieces(text, at, end, PARAGRAPH_END)


def _pieces(text: str, start: int, end: int, ends: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    at = start
    for match in ends.finditer(text, start, end):
        yield at, match.end()
        at = match.end()
    if at < end:
        yield at, end


def _word_end(text: str, start: int, stop: int) -> int:
    """The last white space in the second half of the stretch, so that words stay whole; `stop` where there is none."""
    for at in range(stop, (start + stop) // 2, -1):
        if text[at - 1].isspace():
            return at
    return stop


def _fill(atoms: list[tuple[int, int]], measure: Measure, target: int, most: int) -> list[tuple[int, int]]:
    """Neighbouring atoms together, up to the target."""
    filled: list[tuple[int, int]] = []
    for start, end in atoms:
        if filled and measure.tokens(filled[-1][0], end) <= target:
            filled[-1] = (filled[-1][0], end)
        else:
            filled.append((start, end))
    if len(filled) > 1:
        (before, _), (last, end) = filled[-2:]
        if measure.tokens(last, end) < SMALL * target and measure.tokens(before, end) <= most:
            filled[-2:] = [(before, end)]
    return filled


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))
