"""ODT: text, headings, lists and tables of an OpenDocument text."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from searchsite.documents.extract import zipped
from searchsite.documents.extract.extracted import Extracted, Limits, Writer, as_date, one_line
from searchsite.documents.problems import Problem

if TYPE_CHECKING:
    import zipfile

    from lxml.etree import _Element  # type: ignore[import-untyped]

# A book of a thousand pages has 15 MB of XML. lxml takes up to 30 times as much memory as it is given.
MOST_UNPACKED = 32 * 2**20
CONTENT, STYLES, META, MANIFEST = "content.xml", "styles.xml", "meta.xml", "META-INF/manifest.xml"
ODF = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
OFFICE, TEXT, TABLE, STYLE = ODF % "office", ODF % "text", ODF % "table", ODF % "style"
MOST_SPACES = 80  # that one <text:s> stands for
WHITE_SPACE = re.compile(r"[ \t\r\n]+")
NOT_READ = frozenset([
    # deletions that are kept for review; remarks of reviewers
    TEXT + "tracked-changes", OFFICE + "annotation",
    # what repeats headings and captions with page numbers
    TEXT + "table-of-content", TEXT + "illustration-index", TEXT + "table-index", TEXT + "object-index",
    TEXT + "alphabetical-index", TEXT + "ruby-text", OFFICE + "forms", OFFICE + "scripts", OFFICE + "event-listeners",
])  # fmt: skip
ROWS = frozenset(TABLE + name for name in ("table-header-rows", "table-rows", "table-row-group"))
CELLS = frozenset(TABLE + name for name in ("table-header-columns", "table-columns"))


def read(data: bytes, limits: Limits) -> Extracted:
    """Read an ODT; title, author and date are those of its metadata.

    Raises Problem: "password", "damaged", "unpacks_too_large", "too_much_text".
    """
    with zipped.open_archive(data) as archive:
        refuse_password(archive)
        names = [name for name in (CONTENT, STYLES) if name in archive.namelist()]
        parts = zipped.read_parts(archive, re.compile("(?:content|styles)\\.xml\\Z"), MOST_UNPACKED)
        properties = odf_properties(archive)
    if CONTENT not in parts:
        raise Problem("damaged")
    roots = [zipped.parse_xml(parts[name]) for name in names]
    body = roots[0].find(f"{OFFICE}body/{OFFICE}text")
    if body is None:
        raise Problem("damaged")
    blocks = _Blocks(Writer(limits), roots)
    blocks.write(body)
    return blocks.writer.extracted("odt", properties.title, properties.author, properties.written)


def refuse_password(archive: "zipfile.ZipFile") -> None:
    """Raises Problem("password") for an OpenDocument file that is encrypted."""
    if MANIFEST in archive.namelist() and b"encryption-data" in zipped.read_part(archive, MANIFEST, MOST_UNPACKED):
        raise Problem("password")


def odf_properties(archive: "zipfile.ZipFile") -> zipped.Properties:
    """Title, author and date of creation of an OpenDocument file; none where its metadata cannot be read."""
    if META not in archive.namelist():
        return zipped.Properties()
    try:
        root = zipped.parse_xml(zipped.read_part(archive, META, zipped.MOST_PROPERTIES))
    except Problem:  # the text matters more
        return zipped.Properties()

    def first(*names: str) -> str:
        return next(filter(None, (root.findtext(f".//{{*}}{name}") for name in names)), "")

    return zipped.Properties(
        first("title"), first("initial-creator", "creator"), as_date(first("creation-date", "date"))
    )


class _Blocks:
    """Writes the blocks of a document. Recursion is bounded: libxml2 takes no more than 256 levels of elements."""

    def __init__(self, writer: Writer, roots: "list[_Element]") -> None:
        self.writer = writer
        self.numbered: dict[str, set[int]] = {}  # list style -> the levels that have numbers
        self.titles = {"Title"}  # styles of paragraphs that are the document's title
        for root in roots:
            for style in root.iter(f"{TEXT}list-style"):
                levels = style.iter(f"{TEXT}list-level-style-number")
                name = style.get(f"{STYLE}name", "")
                self.numbered.setdefault(name, {_number(level.get(f"{TEXT}level")) for level in levels})
            for style in root.iter(f"{STYLE}style"):
                if style.get(f"{STYLE}parent-style-name") == "Title":
                    self.titles.add(style.get(f"{STYLE}name", ""))

    def write(self, parent: "_Element") -> None:
        """Write what is below an element, block by block."""
        for element in parent:
            if element.tag in NOT_READ:
                continue
            if element.tag in (f"{TEXT}h", f"{TEXT}p"):
                self._paragraph(element)
            elif element.tag == f"{TEXT}list":
                self._list(element, 1, "")
            elif element.tag == f"{TABLE}table":
                self._table(element)
            else:
                self.write(element)

    def _paragraph(self, element: "_Element", marker: str = "") -> None:
        aside: list[_Element] = []
        text = "".join(_inline(element, aside)).strip(" ")
        if element.tag == f"{TEXT}h":
            self.writer.heading(_number(element.get(f"{TEXT}outline-level")), text)
        elif element.get(f"{TEXT}style-name") in self.titles:
            self.writer.heading(1, text)
        elif text:
            self.writer.block(marker + text, run="list" if marker else None)
        for part in aside:
            if part.tag == f"{TEXT}note":
                text = " ".join(_texts(part.find(f"{TEXT}note-body")))
                self.writer.block(f"{_citation(part)} {text}")
            else:
                self.write(part)

    def _list(self, element: "_Element", level: int, style: str) -> None:
        style = element.get(f"{TEXT}style-name") or style
        is_numbered = level in self.numbered.get(style, ())
        number = 0
        for item in element.iterchildren(f"{TEXT}list-item", f"{TEXT}list-header"):
            marker = ""
            if item.tag == f"{TEXT}list-item":
                number = _number(item.get(f"{TEXT}start-value"), number + 1)
                marker = "  " * (level - 1) + (f"{number}. " if is_numbered else "- ")
            for part in item:
                if part.tag == f"{TEXT}list":
                    self._list(part, level + 1, style)
                elif part.tag in (f"{TEXT}h", f"{TEXT}p"):
                    self._paragraph(part, marker)
                    marker = ""

    def _table(self, table: "_Element") -> None:
        for row in _descend(table, f"{TABLE}table-row", ROWS):
            cells = (" ".join(_texts(cell)) for cell in _descend(row, f"{TABLE}table-cell", CELLS))
            self.writer.block(" | ".join(filter(None, cells)), run="table")


def _descend(parent: "_Element", tag: str, through: frozenset[str]) -> "Iterator[_Element]":
    """The elements with this tag right below an element, or within the groups that are right below it."""
    for element in parent:
        if element.tag == tag:
            yield element
        elif element.tag in through:
            yield from _descend(element, tag, through)


def _texts(parent: "_Element | None") -> Iterator[str]:
    """The text of each paragraph below an element, each on one line."""
    for element in () if parent is None else parent:
        if element.tag in (f"{TEXT}h", f"{TEXT}p"):
            aside: list[_Element] = []
            yield one_line("".join(_inline(element, aside)))
            for part in aside:
                yield from _texts(part)
        elif element.tag not in NOT_READ:
            yield from _texts(element)


def _inline(element: "_Element", aside: "list[_Element]") -> Iterator[str]:
    """The pieces of a paragraph's text; notes and frames, which are blocks of their own, are put aside."""
    yield WHITE_SPACE.sub(" ", element.text or "")
    for child in element:
        if child.tag == f"{TEXT}s":
            yield " " * min(_number(child.get(f"{TEXT}c")), MOST_SPACES)
        elif child.tag == f"{TEXT}tab":
            yield "\t"
        elif child.tag == f"{TEXT}line-break":
            yield "\n"
        elif child.tag == f"{TEXT}note":
            yield _citation(child)
            aside.append(child)
        elif child.tag.startswith(ODF % "drawing"):
            aside.append(child)
        elif child.tag not in NOT_READ:
            yield from _inline(child, aside)
        yield WHITE_SPACE.sub(" ", child.tail or "")


def _citation(note: "_Element") -> str:
    return f"[{one_line(note.findtext(f'{TEXT}note-citation') or '*')}]"


def _number(text: str | None, default: int = 1) -> int:
    """A counting number of an attribute; `default` where there is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else default
