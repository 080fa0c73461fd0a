"""PDF: the text layer, page by page, with headings from its bookmarks; pages that are pictures go to OCR."""

import re
from contextlib import suppress
from datetime import date
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING

from searchsite.documents.extract import ocr
from searchsite.documents.extract.extracted import Extracted, Limits, Writer, clean
from searchsite.documents.problems import Problem

if TYPE_CHECKING:
    from PIL.Image import Image
    from pypdfium2 import PdfDocument, PdfPage  # type: ignore[import-untyped]

# pypdfium2's error codes, from PDFium's fpdfview.h
WRONG_PASSWORD = 4
UNKNOWN_SECURITY = 5
# PDFium joins a word that was divided at the end of a line, and marks where; not all such hyphens were for the line.
DIVIDED_WORD = re.compile("(?<=[^\\W\\d_])[\x02\ufffe](?=[^\\W\\d_])")
HYPHEN = re.compile("[\x02\ufffe]")
# What a font without a table of characters gives: control characters, private use, "not known".
GARBAGE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ue000-\uf8ff\ufffd]")
MOST_GARBAGE = 0.5
# 20 pixels a point are 1440 dpi: a scan in a page box as small as a stamp.
MOST_PIXELS_PER_POINT = 20
MOST_OBJECTS = 10_000  # of a page, looked at for a picture
MOST_BOOKMARKS = 10_000
DEEPEST_BOOKMARK = 6
LONGEST_HEADING = 3  # lines
NUMBERING = re.compile(r"\A\s*\d+(?:\.\d+)*\.?\s+(?=\D)")  # often only in the bookmark, or only on the page
PDF_DATE = re.compile(r"\s*(?:D:)?(\d{4})(\d\d)?(\d\d)?")
# PDFium's state is shared by the whole process, and two threads at once break it.
PDFIUM = Lock()
# Of one page: the titles of the bookmarks that lead there, as compared -> their level.
Titles = dict[str, int]


def read(data: bytes, limits: Limits) -> Extracted:
    """Read a PDF's text layer, and by OCR, where that is installed, its pages that are pictures.

    Title, author and date are those of its metadata.
    Raises Problem: "password", "damaged", "too_many_pages", "too_much_text", "no_text_layer" (OCR is not installed),
    "no_text".
    """
    import pypdfium2

    with PDFIUM:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            secured = error.err_code in (WRONG_PASSWORD, UNKNOWN_SECURITY)
            raise Problem("password" if secured else "damaged") from error
        try:
            total = len(document)
            if total > limits.max_pages:
                raise Problem("too_many_pages", pages=total, limit=limits.max_pages)
            writer = Writer(limits)
            bookmarks = _bookmarks(document)
            for number in range(total):
                writer.page()
                _write_page(writer, document, number, bookmarks.get(number, {}), limits)
            written = _as_date(_metadata(document, "CreationDate"))
            author = _metadata(document, "Author")
            extracted = writer.extracted("pdf", _metadata(document, "Title"), author, written)
        finally:
            document.close()
    if not extracted.text:
        raise Problem("damaged" if not total else "no_text" if ocr.available() else "no_text_layer")
    return extracted


def _metadata(document: "PdfDocument", key: str) -> str:
    """A value of the metadata; none where it is not the UTF-16 that it should be."""
    try:
        return str(document.get_metadata_value(key))
    except UnicodeDecodeError:
        return ""


def _as_date(text: str) -> date | None:
    """The day of a PDF's date, such as "D:20240131093000+01'00'"."""
    if found := PDF_DATE.match(text):
        year, month, day = (int(part or 1) for part in found.groups())
        with suppress(ValueError):
            return date(year, month, day)
    return None


def _write_page(writer: Writer, document: "PdfDocument", number: int, titles: Titles, limits: Limits) -> None:
    """Write a page, counted from 0; nothing for one that is broken, as the others may still be read."""
    import pypdfium2

    try:
        page = document[number]
        text, readable = _page_text(page)
        if not readable and (text or _has_picture(page)):
            text = ""
            if ocr.available() and (picture := _rendered(page)):
                limits.tell(number, len(document))
                text = ocr.read_page(picture)
            else:
                writer.unread_page()
        page.close()
    except pypdfium2.PdfiumError:
        return
    _write_text(writer, text, titles)


def _page_text(page: "PdfPage") -> tuple[str, bool]:
    """The text layer of a page, and whether there is one that a reader could use."""
    text = page.get_textpage().get_text_bounded()
    text = HYPHEN.sub("-", DIVIDED_WORD.sub(_rejoined, text))
    seen = "".join(text.split())
    return text, bool(clean(seen)) and len(GARBAGE.findall(seen)) <= MOST_GARBAGE * len(seen)


def _rejoined(mark: re.Match[str]) -> str:
    """Nothing between small letters ("im-portant"); a hyphen before a capital one ("Schwarz-Weiß")."""
    return "" if mark.string[mark.end()].islower() else "-"


def _has_picture(page: "PdfPage") -> bool:
    from pypdfium2.raw import FPDF_PAGEOBJ_IMAGE  # type: ignore[import-untyped]

    return any(item.type == FPDF_PAGEOBJ_IMAGE for item in islice(page.get_objects(), MOST_OBJECTS))


def _rendered(page: "PdfPage") -> "Image | None":
    """The page as a picture of the size that OCR reads best, whatever the size of its box; None if that is not one."""
    longest = max(page.get_size())
    if not 0 < longest < float("inf"):
        return None
    scale = min(ocr.LONGEST_SIDE / longest, MOST_PIXELS_PER_POINT)
    picture: Image = page.render(scale=scale).to_pil()
    return picture


# --- headings


def _bookmarks(document: "PdfDocument") -> dict[int, Titles]:
    """Page, counted from 0 -> the titles of its bookmarks. Bookmarks that are broken are left out."""
    import pypdfium2

    found: dict[int, Titles] = {}
    with suppress(pypdfium2.PdfiumError):
        for bookmark in islice(document.get_toc(max_depth=DEEPEST_BOOKMARK), MOST_BOOKMARKS):
            with suppress(pypdfium2.PdfiumError, UnicodeDecodeError):
                target = bookmark.get_dest()
                page = target.get_index() if target else None
                title = _compared(bookmark.get_title())
                if page is not None and title:
                    found.setdefault(page, {}).setdefault(title, bookmark.level + 1)
    return found


def _compared(title: str) -> str:
    """A title without what bookmark and page often differ in: white space and the section's number."""
    return "".join(NUMBERING.sub("", clean(title), count=1).split())


def _write_text(writer: Writer, text: str, titles: Titles) -> None:
    """Write a page's text; the lines that are titles of bookmarks as headings, each once, at their place."""
    lines = clean(text).split("\n")
    rest, start, titles = 0, 0, dict(titles)
    while titles and start < len(lines):
        end = _heading_end(lines, start, titles)
        if end:
            writer.block("\n".join(lines[rest:start]))
            heading = " ".join(lines[start:end])
            writer.heading(titles.pop(_compared(heading)), heading)
            rest = start = end
        else:
            start += 1
    writer.block("\n".join(lines[rest:]))


def _heading_end(lines: list[str], start: int, titles: Titles) -> int:
    """Where the heading that starts at this line ends, 0 if none does; the longest that is a title."""
    if not lines[start].strip():
        return 0
    ends = range(min(start + LONGEST_HEADING, len(lines)), start, -1)
    return next((end for end in ends if _compared(" ".join(lines[start:end])) in titles), 0)
