"""HTML: the main text of a page, without its navigation."""

import re
from collections.abc import Collection
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING

from searchsite.documents.extract.extracted import Extracted, Limits, Writer, as_date, one_line
from searchsite.documents.extract.html_main import BLOCKS, is_hidden, main_part
from searchsite.documents.problems import Problem

if TYPE_CHECKING:
    from lxml.html import HtmlElement  # type: ignore[import-untyped]

AUTHOR_META = ("author", "article:author", "dc.creator", "citation_author", "parsely-author", "byl")
DATE_META = (
    "article:published_time", "datepublished", "dc.date.issued", "dc.issued", "dc.created", "dc.date", "date",
    "pubdate", "publishdate", "citation_publication_date", "parsely-pub-date", "og:published_time", "datecreated",
)  # fmt: skip
DEEPEST = 2048  # elements within each other: libxml2 silently drops what is deeper

# Both HTML's names and those of trafilatura's result.
LISTS = frozenset(["ul", "ol", "menu", "list"])
ITEMS = frozenset(["li", "item"])
ROWS = frozenset(["tr", "row"])
CELLS = frozenset(["td", "th", "cell"])
ARRANGED = LISTS | ROWS | {"table", "pre"}  # no data of a cell
BREAKS = frozenset(["br", "lb"])
HEADING = re.compile(r"h([1-6])\Z")
NUMBER = re.compile(r"-?[0-9]{1,9}")


def read(data: bytes, limits: Limits) -> Extracted:
    """Read a page in UTF-8; its title is what it calls itself. Raises Problem: "too_much_text", "nested_too_deep"."""
    page = parse(data.decode())
    writer = Writer(limits)
    if page is None:
        return writer.extracted("html")
    author, written = _metadata(page)
    first_headings = [one_line(text(h1)) for h1 in islice(page.iter("h1"), 2)]
    main, left_out = main_part(page)
    # A page's own heading often stands outside of its main text.
    if len(first_headings) == 1 and not any(_level(element) == 1 for element in main.iter("h1", "head")):
        writer.heading(1, first_headings[0])
    write(main, writer, left_out)
    title = one_line(page.findtext(".//title") or "")
    if len(first_headings) == 1 and first_headings[0] and first_headings[0] in title:
        # "How to fly | Example": what the page is about, without the site's name.
        title = first_headings[0]
    return writer.extracted("html", title, author, written)


def parse(source: str) -> "HtmlElement | None":
    """The root of a page or a piece of one; None when it holds nothing. Raises Problem("nested_too_deep")."""
    from lxml import etree  # type: ignore[import-untyped]
    from lxml.html import HTMLParser, document_fromstring

    # The text is decoded already: whatever encoding the page still claims no longer holds.
    parser = HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    try:
        root = document_fromstring(source.encode("utf-8", "ignore"), parser=parser)
    except etree.ParserError:  # nothing but white space or comments
        root = None
    if any(error.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for error in parser.error_log):
        raise Problem("nested_too_deep", limit=DEEPEST)
    return root


def write(root: "HtmlElement", writer: Writer, left_out: "Collection[HtmlElement]" = ()) -> None:
    """Write the visible text below an element, of HTML or of trafilatura's result, block by block.

    left_out: elements that are not to be written.
    """
    from lxml import etree

    blocks = _Blocks(root, writer, left_out)
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        if event == "end":
            blocks.end(element)
        elif blocks.start(element):
            walk.skip_subtree()
    blocks.flush()


class _Blocks:
    """Gathers inline text until a block ends, and gives list items their marker."""

    def __init__(self, root: "HtmlElement", writer: Writer, left_out: "Collection[HtmlElement]") -> None:
        self.root = root
        self.writer = writer
        self.left_out = left_out
        self.inline: list[str] = []
        self.marker = ""
        self.lists: list[int | None] = []  # the last number given in each open list; None without numbers
        self.inline_code: HtmlElement | None = None  # the outermost that is open

    def start(self, element: "HtmlElement") -> bool:
        """Begin an element; true when it is done with, all of it."""
        tag = element.tag
        if is_hidden(element) or element in self.left_out:
            return True
        if level := _level(element):
            self.flush()
            self.writer.heading(level, text(element, " ", self.left_out))
            return True
        if tag == "pre" or (tag == "code" and self.inline_code is None):
            source = text(element, "\n", self.left_out)
            if tag == "pre" or "\n" in source.strip():
                self.flush()
                self.writer.preformatted(source)
                return True
            # Asked of no code within this one: that would read the innermost as often as they are nested.
            self.inline_code = element
        if tag in ROWS and (cells := _cells(element)):
            self.flush()
            values = [one_line(text(cell, " ", self.left_out)) for cell in cells]
            self.writer.block(" | ".join(filter(None, values)), run="table")
            return True
        if tag in BLOCKS:
            self.flush()
        if tag in LISTS:
            self.lists.append(_first_number(element))
        elif tag in ITEMS:
            self.marker = self._next_marker(element)
        self.inline.append("\n" if tag in BREAKS else _spaced(element.text))
        return False

    def end(self, element: "HtmlElement") -> None:
        if element.tag in BLOCKS:
            self.flush()
        if element.tag in LISTS:
            if self.lists:
                self.lists.pop()
        elif element.tag in ITEMS:
            self.marker = ""
        if element is self.inline_code:
            self.inline_code = None
        if element is not self.root:
            self.inline.append(_spaced(element.tail))

    def flush(self) -> None:
        """Write what was gathered as a paragraph or list item."""
        lines = (" ".join(line.split()) for line in "".join(self.inline).split("\n"))
        text = "\n".join(lines).strip()
        self.inline.clear()
        if text:
            self.writer.block(self.marker + text, run="list" if self.marker else None)
            self.marker = ""

    def _next_marker(self, item: "HtmlElement") -> str:
        if not self.lists:
            return "- "
        indent = "  " * (len(self.lists) - 1)
        if self.lists[-1] is None:
            return f"{indent}- "
        self.lists[-1] = _number(item.get("value"), self.lists[-1] + 1)
        return f"{indent}{self.lists[-1]}. "


def _first_number(element: "HtmlElement") -> int | None:
    """One less than what a list starts with; None where its items have no numbers."""
    if element.tag == "ol" or element.get("rend") == "ol":
        return _number(element.get("start"), 1) - 1
    return None


def _number(value: str | None, default: int) -> int:
    return int(value) if value and NUMBER.fullmatch(value) else default


def _metadata(page: "HtmlElement") -> tuple[str, date | None]:
    """The author of a page and when it was written, where it says so outright; "" and None elsewhere.

    Not what trafilatura makes of the whole page: where nothing is said, it takes a name or date from the text.
    """
    said: dict[str, str] = {}
    for meta in page.iter("meta"):
        name = meta.get("name") or meta.get("property") or meta.get("itemprop") or ""
        if content := (meta.get("content") or "").strip():
            said.setdefault(name.lower().replace("dcterms.", "dc."), content)
    authors = (said[name] for name in AUTHOR_META if name in said and "://" not in said[name])
    dates = (as_date(said[name]) for name in DATE_META if name in said)
    return next(authors, ""), next(filter(None, dates), None)


def _level(element: "HtmlElement") -> int:
    """The level of a heading; 0 for anything else. The `head` of trafilatura carries it as rend="h2"."""
    name = element.get("rend", "") if element.tag == "head" else element.tag
    match = HEADING.match(name) if isinstance(name, str) else None
    return int(match[1]) if match else 0


def _cells(row: "HtmlElement") -> "list[HtmlElement]":
    """The cells of a row, wherever they stand in it (in a form, say); none where the table only arranges the page.

    That it does where its cells hold lists, headings, code or tables rather than data, or where one holds all blocks.
    """
    from lxml import etree

    cells: list[HtmlElement] = []
    blocks = within = 0
    for event, element in etree.iterwalk(row, events=("start", "end")):
        is_cell = element.tag in CELLS
        if event == "end":
            within -= is_cell
            continue
        if element is not row and (element.tag in ARRANGED or _level(element)):
            return []
        if is_cell and not within:
            cells.append(element)
        within += is_cell
        blocks += element.tag in BLOCKS and not is_cell and element is not row
    return [] if len(cells) == 1 and blocks > 1 else cells


def text(element: "HtmlElement", border: str = "", left_out: "Collection[HtmlElement]" = ()) -> str:
    """All text within an element as it stands in the source, a line break for each <br>.

    border: what parts the blocks within it, unless a line break does so already.
    """
    from lxml import etree

    pieces: list[str] = []
    walk = etree.iterwalk(element, events=("start", "end"))
    for event, part in walk:
        if part is not element and part.tag in BLOCKS and pieces and not pieces[-1].endswith("\n"):
            pieces.append(border)
        if event == "end":
            piece = part.tail if part is not element else ""
        elif part is not element and (is_hidden(part) or part in left_out):
            walk.skip_subtree()
            continue
        else:
            piece = "\n" if part.tag in BREAKS else part.text
        if piece:
            pieces.append(piece)
    return "".join(pieces)


def _spaced(text: str | None) -> str:
    """Text of the source, whose line breaks mean no more than spaces."""
    return (text or "").replace("\r", " ").replace("\n", " ")
