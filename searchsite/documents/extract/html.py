"""HTML: the main text of a page, without its navigation."""

import re
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING

from searchsite.documents.extract.extracted import Extracted, Limits, Writer, as_date, one_line
from searchsite.documents.problems import Problem

if TYPE_CHECKING:
    from lxml.html import HtmlElement  # type: ignore[import-untyped]

# Less than this is no article that trafilatura recognised: then nothing of the page is left out but its navigation.
LEAST_MAIN_TEXT = 250
# trafilatura takes time in proportion to length and depth. No page that people read is nested deeper than this.
DEEPEST_MAIN_TEXT = 256
AUTHOR_META = ("author", "article:author", "dc.creator", "citation_author", "parsely-author", "byl")
DATE_META = (
    "article:published_time", "datepublished", "dc.date.issued", "dc.issued", "dc.created", "dc.date", "date",
    "pubdate", "publishdate", "citation_publication_date", "parsely-pub-date", "og:published_time", "datecreated",
)  # fmt: skip
DEEPEST = 2048  # elements within each other: libxml2 silently drops what is deeper

# Both HTML's names and the ones that trafilatura gives its result (head, list, item, row, cell, quote, lb).
HIDDEN = frozenset([
    "script", "style", "noscript", "template", "head", "nav", "iframe", "object", "svg", "canvas", "audio", "video",
    "button", "select", "datalist",
])  # fmt: skip
BLOCKS = frozenset([
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "div", "dl",
    "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup", "hr", "item", "legend", "li",
    "list", "main", "menu", "ol", "option", "p", "quote", "search", "section", "summary", "table", "tbody", "td",
    "tfoot", "th", "thead", "tr", "ul", "row", "cell",
])  # fmt: skip
LISTS = frozenset(["ul", "ol", "menu", "list"])
ITEMS = frozenset(["li", "item"])
ROWS = frozenset(["tr", "row"])
CELLS = frozenset(["td", "th", "cell"])
BREAKS = frozenset(["br", "lb"])
HEADING = re.compile(r"h([1-6])\Z")


def read(data: bytes, limits: Limits) -> Extracted:
    """Read a page in UTF-8; its title is what it calls itself. Raises Problem: "too_much_text", "nested_too_deep"."""
    page = parse(data.decode())
    writer = Writer(limits)
    if page is None:
        return writer.extracted("html")
    author, written = _metadata(page)
    main = _main_text(page)
    first_headings = [one_line(_text(h1)) for h1 in islice(page.iter("h1"), 2)]
    if main is not None:
        # A page's own heading often stands outside of what was recognised as its main text.
        if len(first_headings) == 1 and not any(_level(e) == 1 for e in main.iter("head")):
            writer.heading(1, first_headings[0])
        write(main, writer)
    else:
        write(page, writer)
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


def write(root: "HtmlElement", writer: Writer) -> None:
    """Write the visible text below an element, of HTML or of trafilatura's result, block by block."""
    from lxml import etree

    blocks = _Blocks(root, writer)
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        if event == "end":
            blocks.end(element)
        elif blocks.start(element):
            walk.skip_subtree()
    blocks.flush()


class _Blocks:
    """Gathers inline text until a block ends, and gives list items their marker."""

    def __init__(self, root: "HtmlElement", writer: Writer) -> None:
        self.root = root
        self.writer = writer
        self.inline: list[str] = []
        self.marker = ""
        self.lists: list[int | None] = []  # the last number given in each open list; None without numbers
        self.inline_code: HtmlElement | None = None  # the outermost that is open

    def start(self, element: "HtmlElement") -> bool:
        """Begin an element; true when it is done with, all of it."""
        tag = element.tag
        if level := _level(element):
            self.flush()
            self.writer.heading(level, _text(element))
            return True
        if tag in HIDDEN:
            return True
        if tag == "pre" or (tag == "code" and self.inline_code is None):
            text = _text(element)
            if tag == "pre" or "\n" in text.strip():
                self.flush()
                self.writer.preformatted(text)
                return True
            # Asked of no code within this one: that would read the innermost as often as they are nested.
            self.inline_code = element
        if tag in ROWS and not _is_layout(element):
            self.flush()
            cells = [one_line(_text(cell)) for cell in element if cell.tag in CELLS]
            self.writer.block(" | ".join(filter(None, cells)), run="table")
            return True
        if tag in BLOCKS:
            self.flush()
        if tag in LISTS:
            self.lists.append(0 if tag == "ol" or element.get("rend") == "ol" else None)
        elif tag in ITEMS:
            self.marker = self._next_marker()
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

    def _next_marker(self) -> str:
        if not self.lists:
            return "- "
        indent = "  " * (len(self.lists) - 1)
        if self.lists[-1] is None:
            return f"{indent}- "
        self.lists[-1] += 1
        return f"{indent}{self.lists[-1]}. "


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


def _main_text(page: "HtmlElement") -> "HtmlElement | None":
    """The part that trafilatura takes for the page's main text; None when it finds none, or next to nothing."""
    import trafilatura

    if _depth(page) > DEEPEST_MAIN_TEXT:
        return None
    # "xml" leaves out its rendering as Markdown, which takes time quadratic in the length of a list.
    found = trafilatura.bare_extraction(page, include_comments=False, include_formatting=True, output_format="xml")
    if found is None or isinstance(found, dict) or len(found.raw_text or "") < LEAST_MAIN_TEXT:
        return None
    return found.body


def _depth(root: "HtmlElement") -> int:
    """How many elements stand within each other at most."""
    from lxml import etree

    depth = deepest = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        deepest = max(depth, deepest)
    return deepest


def _level(element: "HtmlElement") -> int:
    """The level of a heading; 0 for anything else. The `head` of trafilatura carries it as rend="h2"."""
    name = element.get("rend", "") if element.tag == "head" else element.tag
    match = HEADING.match(name) if isinstance(name, str) else None
    return int(match[1]) if match else 0


def _is_layout(row: "HtmlElement") -> bool:
    """Whether the table only arranges the page: its cells hold lists, headings or tables rather than data."""
    return any(
        element.tag in LISTS or element.tag in ("table", "pre") or _level(element) for element in row.iterdescendants()
    )


def _text(element: "HtmlElement") -> str:
    """All text within an element as it stands in the source, a line break for each <br>."""
    from lxml import etree

    pieces: list[str] = []
    walk = etree.iterwalk(element, events=("start", "end"))
    for event, part in walk:
        if event == "end":
            pieces.append(part.tail or "" if part is not element else "")
        elif part.tag in ("script", "style"):
            walk.skip_subtree()
        else:
            pieces.append("\n" if part.tag in BREAKS else part.text or "")
    return "".join(pieces)


def _spaced(text: str | None) -> str:
    """Text of the source, whose line breaks mean no more than spaces."""
    return (text or "").replace("\r", " ").replace("\n", " ")
