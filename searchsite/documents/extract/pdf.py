"""PDF: the text layer, page by page."""

import re
from threading import Lock
from typing import TYPE_CHECKING

from searchsite.documents.extract.extracted import Extracted, Limits, Writer
from searchsite.documents.problems import Problem

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument  # type: ignore[import-untyped]

# pypdfium2's error codes, from PDFium's fpdfview.h
WRONG_PASSWORD = 4
UNKNOWN_SECURITY = 5
# PDFium joins a word that was divided at the end of a line, and marks where; not all such hyphens were for the line.
DIVIDED_WORD = re.compile("(?<=[^\\W\\d_])[\x02\ufffe](?=[^\\W\\d_])")
HYPHEN = re.compile("[\x02\ufffe]")
# PDFium's state is shared by the whole process, and two threads at once break it.
PDFIUM = Lock()


def read(data: bytes, limits: Limits) -> Extracted:
    """Read a PDF's text layer; its title is that of its metadata.

    Raises Problem: "password", "damaged", "too_many_pages", "too_much_text", "no_text_layer".
    """
    import pypdfium2

    with PDFIUM:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            secured = error.err_code in (WRONG_PASSWORD, UNKNOWN_SECURITY)
            raise Problem("password" if secured else "damaged") from error
        try:
            if len(document) > limits.max_pages:
                raise Problem("too_many_pages", pages=len(document), limit=limits.max_pages)
            writer = Writer(limits)
            for number in range(len(document)):
                writer.page()
                writer.block(_page_text(document, number))
            extracted = writer.extracted("pdf", _title(document))
        finally:
            document.close()
    if not extracted.text:
        raise Problem("no_text_layer" if extracted.pages else "damaged")
    return extracted


def _title(document: "PdfDocument") -> str:
    """The title of the metadata; none where it is not the UTF-16 that it should be."""
    try:
        return str(document.get_metadata_value("Title"))
    except UnicodeDecodeError:
        return ""


def _page_text(document: "PdfDocument", number: int) -> str:
    """The text of a page, counted from 0; none for a page that is broken, as the others may still be read."""
    import pypdfium2

    try:
        page = document[number]
        text = page.get_textpage().get_text_bounded()
    except pypdfium2.PdfiumError:
        return ""
    page.close()
    return HYPHEN.sub("-", DIVIDED_WORD.sub(_rejoined, text))


def _rejoined(mark: re.Match[str]) -> str:
    """Nothing between small letters ("im-portant"); a hyphen before a capital one ("Schwarz-Weiß")."""
    return "" if mark.string[mark.end()].islower() else "-"
