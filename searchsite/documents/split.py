"""Text -> passages: pieces short enough to be encoded, cut where a reader would pause."""

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from searchsite.documents.extract.extracted import Heading

TokenOffsets = Callable[[str], Sequence[tuple[int, int]]]

# The text is tokenised in pieces of about this many characters.
PIECE = 50_000
# Tokenizers take a word of any length, or any run of spaces, for one token or none. Counting one for every so many
# characters bounds a passage in characters too.
LONGEST_TOKEN = 64
# A cut between paragraphs is worth a passage half as long as it might be, any other a quarter.
PARAGRAPH_WORTH = 0.5
WORTH = 0.25
# A remainder shorter than this part of the target joins the passage before it.
SMALL_REMAINDER = 0.25

# Each matches up to where a passage may end. (Possessive, and begun only where a run of marks begins: linear in time.)
PARAGRAPH_END = re.compile(r"\n(?=[ \t]*\n)")
SENTENCE_END = re.compile(r"(?<![.!?])[.!?]++[\"'”’»)\]]*+(?=\s)|[。！？；…]++[\"'”’」』）】》]*+")
NUMBER = re.compile(r"^[ \t]*\d{1,4}\.(?=\s)", re.MULTILINE)  # of a list's item: no sentence of its own
LINE_END = re.compile(r"\n|[，、：,;:](?=\s|[^\x00-\x7f])")
WORD_END = re.compile(r"\S(?=\s)")
TABLE_ROW = re.compile(r"^.*? \| .*$", re.MULTILINE)  # as extraction writes them


@dataclass(frozen=True)
class Span:
    """A passage, text[start:end]; its page, counted from 1; the titles of the headings above it, outermost first."""

    start: int
    end: int
    page: int | None
    heading_path: tuple[str, ...]


def split(
    text: str,
    headings: Sequence[Heading],
    pages: Sequence[int] | None,
    token_offsets: TokenOffsets,
    target_tokens: int = 200,
    max_tokens: int = 256,
    overlap_tokens: int = 0,
    preformatted: Sequence[tuple[int, int]] = (),
) -> list[Span]:
    """Cut a text into passages of up to `target_tokens`, in order.

    headings, pages, preformatted: as in `Extracted`, in order of their offsets.
    token_offsets: gives the (start, end) of each token of a text in characters, in order.

    A passage never crosses a page or a heading; a heading begins the passage that it heads. Without overlap the
    passages hold all of the text but white space between them. With it, one that continues a section starts up to
    `overlap_tokens` earlier, but at most half a passage: at a sentence, unless it was a sentence that was cut.

    None has more than `max_tokens`, unless a single character has; a section's small remainder may fill its last
    passage beyond the target, and a preformatted block that fits into `max_tokens` is not cut. Rows of a table are cut
    between, not within, unless one is longer than a passage.
    """
    if not 0 < target_tokens <= max_tokens or overlap_tokens < 0:
        raise ValueError("needs 0 < target_tokens <= max_tokens and overlap_tokens >= 0")
    splitter = _Splitter(text, _Tokens(text, token_offsets), target_tokens, max_tokens, overlap_tokens, preformatted)
    sections = _sections(text, headings)
    starts = [start for start, _ in sections]
    borders = sorted({*starts, *(pages or ()), len(text)})
    spans: list[Span] = []
    for border, next_border in pairwise(borders):
        page = max(1, bisect_right(pages, border)) if pages else None
        path = sections[bisect_right(starts, border) - 1][1]
        spans += (Span(start, end, page, path) for start, end in splitter.cut(border, next_border))
    return spans


def _sections(text: str, headings: Sequence[Heading]) -> list[tuple[int, tuple[str, ...]]]:
    """Where each section starts, and its path; headings with nothing between them start one section together."""
    sections: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    above: list[Heading] = []
    body = 0  # where the text behind the last heading's line starts
    for heading in headings:
        while above and above[-1].level >= heading.level:
            above.pop()
        above.append(heading)
        path = tuple(h.title for h in above)
        if text[body : heading.offset].strip():
            sections.append((heading.offset, path))
        else:
            sections[-1] = (sections[-1][0], path)
        line_end = text.find("\n", heading.offset)
        body = len(text) if line_end < 0 else line_end
    return sections


class _Tokens:
    """Counts the tokens between two offsets of a text."""

    def __init__(self, text: str, token_offsets: TokenOffsets) -> None:
        self.starts = array("q")
        self.ends = array("q")
        position = 0
        while position < len(text):
            end = _piece_end(text, position)
            for start, token_end in token_offsets(text[position:end]):
                self._add(position + start, position + token_end)
            position = end
        self._fill(len(text))

    def _add(self, start: int, end: int) -> None:
        if end > start:  # special tokens have no characters
            self._fill(start)
            while end - start > LONGEST_TOKEN:
                self.starts.append(start)
                self.ends.append(start + LONGEST_TOKEN)
                start += LONGEST_TOKEN
            self.starts.append(start)
            self.ends.append(end)

    def _fill(self, until: int) -> None:
        """Count what stands between two tokens, where it is long."""
        position = self.ends[-1] if self.ends else 0
        while until - position > LONGEST_TOKEN:
            self.starts.append(position)
            position += LONGEST_TOKEN
            self.ends.append(position)

    def count(self, start: int, end: int) -> int:
        """How many tokens lie in text[start:end], each that is cut counted as one."""
        return bisect_left(self.starts, end) - bisect_right(self.ends, start)

    def reach(self, start: int, tokens: int) -> int | None:
        """How far so many tokens go from an offset; None when no more are left in the text."""
        last = bisect_right(self.ends, start) + tokens
        return self.starts[last] if last < len(self.starts) else None

    def back(self, start: int, tokens: int) -> int:
        """Where the last tokens before an offset start."""
        return self.starts[max(0, bisect_left(self.starts, start) - tokens)] if self.starts else start


def _piece_end(text: str, position: int) -> int:
    """Where to stop tokenising for now: behind a line, else a word, so that tokens stay the same."""
    end = position + PIECE
    if end >= len(text):
        return len(text)
    for separator in ("\n", " "):
        if (found := text.rfind(separator, position + PIECE // 2, end)) >= 0:
            return found
    return end


class _Splitter:
    """Cuts sections of one text; what it may cut at is found once for all of them."""

    def __init__(
        self,
        text: str,
        tokens: _Tokens,
        target: int,
        most: int,
        overlap: int,
        preformatted: Sequence[tuple[int, int]],
    ) -> None:
        self.text = text
        self.tokens = tokens
        self.target = target
        self.most = most
        self.overlap = min(overlap, target // 2)
        self.blocks = sorted(preformatted)
        self.block_starts = [start for start, _ in self.blocks]
        self.rows = [row.span() for row in TABLE_ROW.finditer(text) if not self._block_around(row.start())]
        self.row_starts = [start for start, _ in self.rows]
        paragraphs = self._ends(PARAGRAPH_END)
        # In code a blank line is a pause like a sentence's end; full stops and commas mean nothing there, nor in a row.
        numbers = {number.end() for number in NUMBER.finditer(text)}
        sentences = [e for e in self._ends(SENTENCE_END) if not self._is_laid_out(e) and e not in numbers]
        sentences += [e for e in paragraphs if self._block_around(e)]
        self.cuts = [
            (array("q", [e for e in paragraphs if not self._block_around(e)]), PARAGRAPH_WORTH),
            (array("q", sorted(sentences)), WORTH),
            (array("q", [e for e in self._ends(LINE_END) if text[e - 1] == "\n" or not self._is_laid_out(e)]), WORTH),
            (array("q", self._ends(WORD_END)), WORTH),
        ]

    def cut(self, start: int, end: int) -> list[tuple[int, int]]:
        """The passages of text[start:end], a piece of text without heading or page break in it."""
        start, end = self._first_visible(start, end), self._last_visible(start, end)
        passages: list[tuple[int, int]] = []
        fresh = start  # what no passage holds yet
        while fresh < end:
            passage_end = self._passage_end(start, fresh, end)
            passages.append((start, self._last_visible(fresh, passage_end)))
            fresh = self._first_visible(passage_end, end)
            start = self._overlapped(start, fresh, passage_end)
        return passages

    def _passage_end(self, start: int, fresh: int, end: int) -> int:
        reach = self.tokens.reach(start, self.target)
        if reach is None or reach >= end:
            return end
        cut = self._cut_beside_block(start, fresh, reach, end) or self._best_cut(start, fresh, reach)
        if self.tokens.count(cut, end) < SMALL_REMAINDER * self.target and self.tokens.count(start, end) <= self.most:
            return end
        return cut

    def _cut_beside_block(self, start: int, fresh: int, reach: int, end: int) -> int | None:
        """Where to cut so that the block around `reach` stays whole: behind it, else before it, else None."""
        block = self._block_around(reach)
        if block is None:
            return None
        block_end = min(block[1], end)
        if self.tokens.count(start, block_end) <= self.most:
            return block_end
        fits = self.tokens.count(block[0], block_end) <= self.most
        return block[0] if fits and block[0] > fresh else None

    def _best_cut(self, start: int, fresh: int, reach: int) -> int:
        for cuts, worth in self.cuts:
            least = max(fresh, self.tokens.reach(start, int(worth * self.target)) or start)
            found = bisect_right(cuts, reach) - 1
            if found >= 0 and cuts[found] > least:
                return self._behind_small_block(cuts[found], reach)
        # One long word, or a script without spaces: between two tokens, but not without going on.
        return max(reach, fresh + 1)

    def _behind_small_block(self, cut: int, reach: int) -> int:
        """The cut, or the end of the block that it lies in, where that is in reach."""
        block = self._block_around(cut)
        return block[1] if block and block[0] < cut and block[1] <= reach else cut

    def _overlapped(self, start: int, fresh: int, cut: int) -> int:
        """Where the passage behind a cut starts: it repeats the whole sentences that fit into the overlap, or words
        where a sentence was cut; and it starts further on than the passage before."""
        if not self.overlap or self._block_around(fresh):  # what is before a block might leave no room for all of it
            return fresh
        earliest = max(start + 1, self.tokens.back(fresh, self.overlap))
        pauses = [ends for ends, _ in self.cuts[: 2 if self._is_pause(cut) else len(self.cuts)]]
        starts = (self._first_start(ends, earliest, fresh) for ends in pauses)
        return min(starts, default=fresh)

    def _is_pause(self, cut: int) -> bool:
        """Whether a paragraph or sentence ends there."""
        return any(bisect_right(ends, cut) > bisect_left(ends, cut) for ends, _ in self.cuts[:2])

    def _first_start(self, ends: Sequence[int], earliest: int, fresh: int) -> int:
        """The first offset from `earliest` on at which something begins that follows one of the ends, else `fresh`."""
        for number in range(max(0, bisect_left(ends, earliest) - 1), len(ends)):
            begin = min(fresh, self._first_visible(ends[number], fresh))
            if begin >= earliest:
                return begin
        return fresh

    def _ends(self, pattern: re.Pattern[str]) -> list[int]:
        return [match.end() for match in pattern.finditer(self.text)]

    def _block_around(self, offset: int) -> tuple[int, int] | None:
        """The preformatted block that the offset lies in, its first character included."""
        number = bisect_right(self.block_starts, offset) - 1
        return self.blocks[number] if number >= 0 and offset < self.blocks[number][1] else None

    def _is_laid_out(self, offset: int) -> bool:
        """Whether it lies in a preformatted block or in a row of a table, where signs are no pauses."""
        number = bisect_right(self.row_starts, offset) - 1
        return self._block_around(offset) is not None or (number >= 0 and offset < self.rows[number][1])

    def _first_visible(self, start: int, end: int) -> int:
        while start < end and self.text[start].isspace():
            start += 1
        return start

    def _last_visible(self, start: int, end: int) -> int:
        while end > start and self.text[end - 1].isspace():
            end -= 1
        return end
