"""What extraction takes and gives, and the writer with which every format's reader builds its text."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from email.utils import parsedate

from searchsite.documents.problems import Problem

LINE_BREAKS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
# Control characters but \t and \n, lone surrogates, soft hyphens and stray byte order marks: nobody sees them, and
# they part a word from the same word elsewhere (or, like NUL, are refused by PostgreSQL).
UNSEEN = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\ufeff\ud800-\udfff]")
BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){3,}")
LEADING_BLANK_LINES = re.compile(r"\A(?:[ \t]*\n)+")
LONGEST_AUTHOR = 200  # characters; a paper may have fifty authors
FIRST_YEAR, LAST_YEAR = 1800, 2100  # what programs write for "no date" lies outside: 0001, 1601, 9999
LONGEST_DATE = 100  # characters
# 2024-03-05T10:00:00Z, 20240305, 2024/3/5, 2024年3月5日
YEAR_FIRST = re.compile(
    r"\s*(\d{4})(?:\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})(?!\d)|(\d\d)(\d\d)(?!\d))", re.ASCII
)
MOST_HEADINGS = 100_000  # of a document, and blocks of code; what comes after them is text
ZERO_WIDTH_SPACE = "\u200b"  # means a word boundary in Thai or Khmer text, so it is taken from headings only


def tell_nobody(_done: int, _total: int) -> None:
    pass


@dataclass(frozen=True)
class Limits:
    """The most a file may hold: bytes as uploaded, pages, characters of extracted text.

    tell: called with pages done and pages in all before a page is recognised, which takes long; such a page has the
    time limit of a whole file for itself.
    """

    max_bytes: int
    max_pages: int
    max_characters: int
    tell: Callable[[int, int], None] = tell_nobody


@dataclass(frozen=True)
class Heading:
    """A heading whose line starts at `offset` of the text; `level` counts from 1, the highest."""

    offset: int
    level: int
    title: str


@dataclass(frozen=True)
class Extracted:
    """A document's text, and what is known about it; every number is an offset into `text` in characters.

    pages: where each page (slide, sheet) starts, page n at pages[n - 1]; None where the format has no pages.
    preformatted: (start, end) of the blocks whose line breaks are meant, such as code.
    author, written: as the file has them; "" and None where it does not say.
    named_by_file: whether the title is only the name of the file.
    unread: the numbers of the pages that are pictures without a text layer, and were not read.
    """

    text: str
    title: str
    kind: str
    pages: list[int] | None
    headings: list[Heading]
    preformatted: list[tuple[int, int]]
    author: str = ""
    written: date | None = None
    unread: list[int] = field(default_factory=list)
    named_by_file: bool = False


def clean(text: str) -> str:
    """Take out of the text what no reader sees, and make every line break a \\n, at most two blank lines in a row."""
    text = UNSEEN.sub("", LINE_BREAKS.sub("\n", text))
    return BLANK_LINES.sub("\n\n\n", text)


def one_line(text: str) -> str:
    """The text of a heading or title: clean, on one line, without the marks that sites put behind headings."""
    return " ".join(clean(text).replace(ZERO_WIDTH_SPACE, " ").split()).removesuffix("¶").rstrip()


def as_date(text: str) -> date | None:
    """The day that a text begins with, in ISO 8601, as mail writes it (RFC 2822) or as 2024年3月5日, or None."""
    text = text[:LONGEST_DATE]
    try:
        if match := YEAR_FIRST.match(text):
            year, *numbers = (int(number) for number in match.groups() if number)
            return date(year, *numbers)
        parsed = parsedate(text) or parsedate(f"{text} 00:00")  # it takes no day without a time
        return date(*parsed[:3]) if parsed else None
    except (ValueError, IndexError, TypeError):  # no such day; parsedate is not safe from all that stands in a header
        return None


class Writer:
    """Builds the text of an `Extracted` block by block, so that the offsets are right by construction.

    Raises Problem("too_much_text") as soon as the text exceeds the limit.
    """

    def __init__(self, limits: Limits) -> None:
        self.headings: list[Heading] = []
        self._preformatted: list[tuple[int, int]] = []
        self._pages: list[int] | None = None
        self._unread: list[int] = []
        self._parts: list[str] = []
        self._length = 0
        self._limit = limits.max_characters
        self._run: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written yet."""
        return not self._length

    def heading(self, level: int, title: str) -> None:
        """Write a heading as a line of its own; one without text is left out."""
        title = one_line(title)
        start = self._append(title)
        if title and len(self.headings) < MOST_HEADINGS:
            self.headings.append(Heading(start, level, title))

    def block(self, text: str, *, run: str | None = None) -> None:
        """Write a paragraph; those of one run (items of a list, rows of a table) have no blank line between them."""
        self._append(text, run)

    def preformatted(self, text: str) -> None:
        """Write a block of code, indentation and line breaks kept."""
        start = self._append(text)
        if start < self._length and len(self._preformatted) < MOST_HEADINGS:
            self._preformatted.append((start, self._length))

    def page(self) -> None:
        """Start a page; what is written from here on belongs to it."""
        if self._pages is None:
            self._pages = []
        # A blank line will part this page from what was written before, even from the same list; it starts behind that.
        self._run = None
        self._pages.append(self._length + (2 if self._length else 0))

    def unread_page(self) -> None:
        """Note that the page that was started last is a picture without a text layer, and was not read."""
        self._unread.append(len(self._pages or ()))

    def extracted(self, kind: str, title: str = "", author: str = "", written: date | None = None) -> Extracted:
        """All that was written. `author` and `written` (when the text was made) as the file has them."""
        text = "".join(self._parts)
        # Pages without text at the end start where the text ends.
        pages = None if self._pages is None else [min(start, len(text)) for start in self._pages]
        return Extracted(
            text,
            one_line(title),
            kind,
            pages,
            self.headings,
            self._preformatted,
            one_line(author)[:LONGEST_AUTHOR],
            written if written and FIRST_YEAR <= written.year <= LAST_YEAR else None,
            self._unread,
        )

    def _append(self, text: str, run: str | None = None) -> int:
        """Add a text behind a line break or blank line; returns where it starts."""
        text = LEADING_BLANK_LINES.sub("", clean(text)).rstrip()
        if not text:
            return self._length
        if self._parts:
            separator = "\n" if run and run == self._run else "\n\n"
            self._parts.append(separator)
            self._length += len(separator)
        start = self._length
        self._parts.append(text)
        self._length += len(text)
        self._run = run
        if self._length > self._limit:
            raise Problem("too_much_text", limit=self._limit)
        return start
