"""A page of a PDF: its text layer, with what was written into forms, and whether it is rather a picture."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from searchsite.documents.extract import ocr
from searchsite.documents.extract.extracted import clean

if TYPE_CHECKING:
    from PIL.Image import Image
    from pypdfium2 import PdfDocument, PdfObject, PdfPage, PdfTextPage  # type: ignore[import-untyped]

# PDFium joins a word that was divided at the end of a line, and marks where; not all such hyphens were for the line.
DIVIDED_WORD = re.compile("(?<=[^\\W\\d_])[\x02\ufffe](?=[^\\W\\d_])")
HYPHEN = re.compile("[\x02\ufffe]")
# What a font without a table of characters gives: control characters, private use, "not known".
GARBAGE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ue000-\uf8ff\ufffd]")
MOST_GARBAGE = 0.5
# 20 pixels a point are 1440 dpi: a scan in a page box as small as a stamp.
MOST_PIXELS_PER_POINT = 20
MOST_OBJECTS = 10_000  # of a page, looked at for a picture; and annotations
LONGEST_STAMP = 100  # characters that show; a scan with more has been read
COVERED = 0.6  # of a page, by pictures; then it is a scan


def opened(document: "PdfDocument", number: int) -> "PdfPage":
    """A page, counted from 0; what fields and typewriter text show is part of it. Raises PdfiumError."""
    from pypdfium2 import raw

    page = document[number]
    written = {raw.FPDF_ANNOT_WIDGET, raw.FPDF_ANNOT_FREETEXT, raw.FPDF_ANNOT_STAMP}
    if not any(raw.FPDFAnnot_GetSubtype(annotation) in written for annotation in _annotations(page)):
        return page
    raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)  # the page is as it was if this fails
    page.close()  # it shows what was flattened only when it is read anew
    return document[number]


def _annotations(page: "PdfPage") -> Iterator[Any]:
    from pypdfium2 import raw

    for index in range(min(raw.FPDFPage_GetAnnotCount(page), MOST_OBJECTS)):
        if annotation := raw.FPDFPage_GetAnnot(page, index):
            try:
                yield annotation
            finally:
                raw.FPDFPage_CloseAnnot(annotation)


def text_of(page: "PdfPage") -> tuple[str, bool]:
    """The text layer of a page, "" for one that no reader could use; and whether what the page says is in a picture."""
    layer = page.get_textpage()
    text = HYPHEN.sub("-", DIVIDED_WORD.sub(_rejoined, layer.get_text_bounded()))
    seen = "".join(text.split())
    if not clean(seen) or len(GARBAGE.findall(seen)) > MOST_GARBAGE * len(seen):
        return "", bool(text) or _has_picture(page)
    return text, len(seen) < LONGEST_STAMP and _is_scan(page, layer)


def _rejoined(mark: re.Match[str]) -> str:
    """Nothing between small letters ("im-portant"); a hyphen before a capital one ("Schwarz-Weiß")."""
    return "" if mark.string[mark.end()].islower() else "-"


def _has_picture(page: "PdfPage") -> bool:
    from pypdfium2 import raw

    return any(item.type == raw.FPDF_PAGEOBJ_IMAGE for item in islice(page.get_objects(), MOST_OBJECTS))


def _is_scan(page: "PdfPage", layer: "PdfTextPage") -> bool:
    """Whether pictures cover the page, and the text is a stamp on them; not what OCR has put behind them."""
    from pypdfium2 import raw

    covered = 0.0
    for item in islice(page.get_objects(textpage=layer), MOST_OBJECTS):
        if item.type == raw.FPDF_PAGEOBJ_IMAGE:
            covered += _share(item, page.get_cropbox())
        elif item.type == raw.FPDF_PAGEOBJ_TEXT and item.extract().strip():
            invisible = raw.FPDFTextObj_GetTextRenderMode(item) == raw.FPDF_TEXTRENDERMODE_INVISIBLE
            if invisible or covered < COVERED:
                return False
    return covered >= COVERED


def _share(item: "PdfObject", box: tuple[float, float, float, float]) -> float:
    """How much of the page an object covers, 0 to 1."""
    left, bottom, right, top = item.get_bounds()
    while (item := item.container) is not None:
        left, bottom, right, top = item.get_matrix().on_rect(left, bottom, right, top)
    area = (box[2] - box[0]) * (box[3] - box[1])
    width = min(right, box[2]) - max(left, box[0])
    height = min(top, box[3]) - max(bottom, box[1])
    return width * height / area if area > 0 and width > 0 and height > 0 else 0.0


def rendered(page: "PdfPage") -> "Image | None":
    """The page as a picture of the size that OCR reads best, whatever the size of its box; None if that is not one."""
    import pypdfium2

    longest = max(page.get_size())
    if not 0 < longest < float("inf"):
        return None
    scale = min(ocr.LONGEST_SIDE / longest, MOST_PIXELS_PER_POINT)
    try:
        picture: Image = page.render(scale=scale).to_pil()
    except pypdfium2.PdfiumError:
        return None
    return picture
