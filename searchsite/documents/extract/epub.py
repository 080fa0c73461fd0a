"""EPUB: the chapters of a book, in the order in which it is read."""

import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote

from searchsite.documents.extract import html
from searchsite.documents.extract.extracted import Extracted, Limits, Writer, as_date
from searchsite.documents.extract.text import decode
from searchsite.documents.extract.zipped import check_size, open_archive, parse_xml, read_part
from searchsite.documents.problems import Problem

if TYPE_CHECKING:
    from zipfile import ZipFile

    from lxml.etree import _Element  # type: ignore[import-untyped]

CONTAINER = "META-INF/container.xml"
# What the Open eBook standard, from before EPUB, has a package begin with; another DOCTYPE is refused as anywhere.
OEB_DOCTYPE = re.compile(rb"<!DOCTYPE\s+package\s+(?:PUBLIC\s+\"[^\"<>]{0,200}\"|SYSTEM)(?:\s+\"[^\"<>]{0,200}\")?\s*>")
ENCRYPTION = "META-INF/encryption.xml"
MOST_MARKUP = 8 * 2**20  # bytes of a part that says what the book consists of
MOST_UNPACKED = 64 * 2**20  # bytes of chapters; the longest novels have 5 MB
PAGES = frozenset(["application/xhtml+xml", "text/html", "text/x-oeb1-document"])
# In XHTML any element may be closed in itself; in HTML what follows <title/> would be the title.
CLOSED_IN_ITSELF = re.compile(
    r"<(?!(?:area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr)\b)([a-zA-Z][\w:-]*)((?:\s[^<>]*)?)/>"
)


def read(data: bytes, limits: Limits) -> Extracted:
    """Read a book; title, author and date are those of its metadata.

    Raises Problem: "damaged", "password", "unpacks_too_large", "too_much_text", "nested_too_deep".
    """
    archive = open_archive(data)
    container = parse_xml(read_part(archive, CONTAINER, MOST_MARKUP))
    root_file = container.find(".//{*}rootfile")
    path = "" if root_file is None else root_file.get("full-path", "")
    package = parse_xml(OEB_DOCTYPE.sub(b"", read_part(archive, path, MOST_MARKUP), count=1))
    parts = set(archive.namelist())
    chapters = [chapter for chapter in _chapters(package, posixpath.dirname(path)) if chapter in parts]
    if _encrypted(archive) & set(chapters):
        raise Problem("password")
    check_size(sum(archive.getinfo(chapter).file_size for chapter in chapters), MOST_UNPACKED)
    writer = Writer(limits)
    for chapter in chapters:
        source = decode(read_part(archive, chapter, MOST_UNPACKED)) or ""
        if (page := html.parse(CLOSED_IN_ITSELF.sub(r"<\1\2></\1>", source))) is not None:
            html.write(page, writer)
    titles, authors, dates = (_metadata(package, name) for name in ("title", "creator", "date"))
    written = next(filter(None, map(as_date, dates)), None)
    return writer.extracted("epub", next(iter(titles), ""), ", ".join(authors), written)


def _chapters(package: "_Element", folder: str) -> Iterator[str]:
    """The names of the parts in the order in which they are read, behind them those outside of it (notes, answers).

    A table of contents is left out.
    """
    items = {item.get("id"): item for item in package.iterfind("{*}manifest/{*}item")}
    references = sorted(package.iterfind("{*}spine/{*}itemref"), key=lambda item: item.get("linear") == "no")
    seen = set()
    for reference in references:
        item = items.get(reference.get("idref"))
        if item is None or "nav" in item.get("properties", "").split():
            continue
        if item.get("media-type", "").lower() not in PAGES:
            continue
        name = posixpath.normpath(posixpath.join(folder, unquote(item.get("href", "").partition("#")[0])))
        if name not in seen:
            seen.add(name)
            yield name


def _encrypted(archive: "ZipFile") -> set[str]:
    """The names of the parts that are encrypted; often the fonts only."""
    if ENCRYPTION not in archive.namelist():
        return set()
    root = parse_xml(read_part(archive, ENCRYPTION, MOST_MARKUP))
    return {posixpath.normpath(unquote(part.get("URI", ""))) for part in root.iter("{*}CipherReference")}


def _metadata(package: "_Element", name: str) -> list[str]:
    """All values of a property of Dublin Core."""
    found = package.iterfind(f"{{*}}metadata//{{http://purl.org/dc/elements/1.1/}}{name}")
    return [text for element in found if (text := "".join(element.itertext()).strip())]
