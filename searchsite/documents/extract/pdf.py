"""PDF: the text layer, page by page, with headings from its bookmarks; pages that are pictures go to OCR."""

import re
from contextlib import suppress
from datetime import date
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING

from searchsite.documents.extract import ocr, pdf_lines, pdf_page
from searchsite.documents.extract.extracted import Extracted, Limits, Writer, clean
from searchsite.documents.problems import Problem

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument  # type: ignore[import-untyped]

# pypdfium2's error codes, from PDFium's fpdfview.h
WRONG_PASSWORD = 4
UNKNOWN_SECURITY = 5
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
            with suppress(pypdfium2.PdfiumError):  # the text matters more than its fields
                document.init_forms()
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
        page = pdf_page.opened(document, number)
        text, is_picture = pdf_page.text_of(page)
    except pypdfium2.PdfiumError:
        return
    recognised = ""
    if is_picture and not ocr.available():
        writer.unread_page()
    elif is_picture and (picture := pdf_page.rendered(page)):
        limits.tell(number, len(document))
        recognised = ocr.read_page(picture)
        text = _not_in(recognised, text)
    page.close()
    _write_text(writer, recognised, titles, are_paragraphs=True)
    _write_text(writer, text, titles)


def _not_in(recognised: str, text: str) -> str:
    """The lines of a text that OCR did not read as well."""
    seen = "".join(recognised.casefold().split())
    return "\n".join(line for line in text.splitlines() if "".join(line.casefold().split()) not in seen)


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


def _write_text(writer: Writer, text: str, titles: Titles, *, are_paragraphs: bool = False) -> None:
    """Write a page's text; the lines that are titles of bookmarks as headings, each once, at their place.

    are_paragraphs: whether its lines are paragraphs already.
    """
    lines = clean(text).split("\n")
    full = None if are_paragraphs else pdf_lines.full_length(lines)
    rest, start, titles = 0, 0, dict(titles)
    while titles and start < len(lines):
        end = _heading_end(lines, start, titles)
        if end:
            writer.block(pdf_lines.joined(lines[rest:start], full))
            heading = " ".join(lines[start:end])
            writer.heading(titles.pop(_compared(heading)), heading)
            rest = start = end
        else:
            start += 1
    writer.block(pdf_lines.joined(lines[rest:], full))


def _heading_end(lines: list[str], start: int, titles: Titles) -> int:
    """Where the heading that starts at this line ends, 0 if none does; the longest that is a title."""
    if not lines[start].strip():
        return 0
    ends = range(min(start + LONGEST_HEADING, len(lines)), start, -1)
    return next((end for end in ends if _compared(" ".join(lines[start:end])) in titles), 0)
