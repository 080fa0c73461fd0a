"""A page of a PDF as people see it: its picture, and where on it the lines of a passage stand."""

import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING

from searchsite.documents.extract import pdf_page
from searchsite.documents.extract.pdf import PDFIUM
from searchsite.documents.problems import Problem

if TYPE_CHECKING:
    from pypdfium2 import PdfPage, PdfTextPage  # type: ignore[import-untyped]

VERSION = 1  # raised when a page comes to another picture or other marks
WIDEST = 1000  # pixels
LONGEST_SIDE = 8000  # of a picture; WebP holds 16383
MOST_PIXELS = 2_000_000
QUALITY = 80
EFFORT = 2  # of WebP's encoder, 0 to 6; more takes twice the time for a tenth of the size
MOST_RECTS = 400
MOST_CHARACTERS = 500_000  # of a page that are compared
LONGEST_PASSAGE = 50_000  # characters
# A piece of a passage that was not found whole: a sentence or line. Shorter ones stand anywhere.
PIECE = re.compile(r"[^\n.!?。！？；]+")
SHORTEST_PIECE = 6  # letters and digits
MOST_PUNCTUATION = 5  # characters at an end of a passage
LAST_CHARACTER = 0x10FFFF
FINER = 20  # PDFium gives places in whole pixels, so it is asked about a picture that is so many times larger
PADDING = 2  # pixels around a line, which else would touch its letters
NEAR = 1.5  # heights of a line: the widest gap between words of one
SAMPLES = 100  # letters, to see which way a text runs
SAME_LINE = 0.5  # of the lower one's height is shared

Point = tuple[float, float]
Rect = tuple[float, float, float, float]  # left, top, right, bottom: pixels of the picture, from its upper left corner


@dataclass(frozen=True)
class Marks:
    """Where a passage's lines stand, in pixels of the page's picture, which has this width and height."""

    width: int
    height: int
    rects: list[Rect]


def picture(data: bytes, number: int) -> bytes:
    """The page, counted from 1, as WebP of a bounded size. Raises Problem("damaged")."""
    from pypdfium2 import PdfBitmap, raw

    with _page(data, number) as page:
        width, height = _size(page)
        bitmap = PdfBitmap.new_native(width, height, raw.FPDFBitmap_BGR)
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
        raw.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, raw.FPDF_ANNOT)
        out = io.BytesIO()
        bitmap.to_pil().save(out, "WEBP", quality=QUALITY, method=EFFORT)
        return out.getvalue()


def marks(data: bytes, number: int, passage: str, place: int) -> Marks:
    """Where the lines of a passage stand on the page, counted from 1; no rects where it is not found.

    passage: as `pdf.read` gave it. place: how many letters and digits stand before it on the page (`compared`); of
    several places with the same words, the nearest to that is taken.
    Raises Problem("damaged").
    """
    with _page(data, number) as page:
        width, height = _size(page)
        layer = page.get_textpage()
        text, indexes = _compared_layer(page, layer)
        boxes: list[Rect] = []
        letters: list[int] = []
        for start, end in _places(text, passage[:LONGEST_PASSAGE], place):
            first, behind = _with_punctuation(layer, indexes[start], indexes[end - 1] + 1)
            boxes += _rects(page, layer, first, behind, width, height)
            letters += indexes[start:end]
        samples = (layer.get_charbox(index) for index in letters[:SAMPLES])
        centres = [_on_picture(page, (x1 + x2) / 2, (y1 + y2) / 2, width, height) for x1, y1, x2, y2 in samples]
        lines = map(_turned, _lines(map(_turned, boxes))) if _runs_down(centres) else _lines(boxes)
        return Marks(width, height, _padded(lines, width, height)[:MOST_RECTS])


def compared(text: str) -> str:
    """The letters and digits of a text, those that look alike made the same: what extraction does not change."""
    return "".join(map(_compared, text))


def _compared(character: str) -> str:
    if character.isascii():
        return character.lower() if character.isalnum() else ""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", character).casefold()))


@contextmanager
def _page(data: bytes, number: int) -> Iterator["PdfPage"]:
    """The page as `pdf.read` saw it. Raises Problem("damaged")."""
    import pypdfium2

    with PDFIUM:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            raise Problem("damaged") from error
        try:
            with suppress(pypdfium2.PdfiumError):
                document.init_forms()
            if not 1 <= number <= len(document):
                raise Problem("damaged")
            yield pdf_page.opened(document, number - 1)
        except pypdfium2.PdfiumError as error:
            raise Problem("damaged") from error
        finally:
            document.close()


def _size(page: "PdfPage") -> tuple[int, int]:
    """Width and height of the page's picture in pixels, at least 1. Raises Problem("damaged")."""
    width, height = page.get_size()
    if not (0 < width < float("inf") and 0 < height < float("inf")):
        raise Problem("damaged")
    scale = min(
        WIDEST / width,
        LONGEST_SIDE / height,
        (MOST_PIXELS / width / height) ** 0.5,
        pdf_page.MOST_PIXELS_PER_POINT,
    )
    return max(1, int(width * scale)), max(1, int(height * scale))


# --- which characters


def _compared_layer(page: "PdfPage", layer: "PdfTextPage") -> tuple[str, list[int]]:
    """The letters and digits of a page's text layer, and of which of PDFium's characters each is."""
    from pypdfium2 import raw

    box = page.get_bbox()
    parts: list[str] = []
    indexes: list[int] = []
    for index in range(min(layer.count_chars(), MOST_CHARACTERS)):
        part = _compared(chr(min(raw.FPDFText_GetUnicode(layer, index), LAST_CHARACTER)))
        if part and _touches(layer.get_charbox(index), box):
            parts.append(part)
            indexes += [index] * len(part)
    return "".join(parts), indexes


def _touches(one: Rect, other: Rect) -> bool:
    """Whether two boxes (left, bottom, right, top) share a point; what lies outside the page was not read."""
    return one[0] <= other[2] and other[0] <= one[2] and one[1] <= other[3] and other[1] <= one[3]


def _places(text: str, passage: str, place: int) -> list[tuple[int, int]]:
    """Where in the text the passage stands, from and to, or else each of its pieces that is found."""
    whole = _nearest(text, compared(passage), place)
    if whole:
        return [whole]
    found = []
    for piece in PIECE.finditer(passage):
        sought = compared(piece[0])
        at = _nearest(text, sought, place) if len(sought) >= SHORTEST_PIECE else None
        found += [at] if at else []
        place += len(sought)
    return found


def _nearest(text: str, sought: str, place: int) -> tuple[int, int] | None:
    """Where it stands in the text, from and to, nearest to that place."""
    if not sought:
        return None
    before, behind = text.rfind(sought, 0, place + len(sought)), text.find(sought, max(0, place))
    places = [at for at in (before, behind) if at >= 0]
    if not places:
        return None
    at = min(places, key=lambda at: abs(at - place))
    return at, at + len(sought)


def _with_punctuation(layer: "PdfTextPage", start: int, end: int) -> tuple[int, int]:
    """From and to which of PDFium's characters, with the quotes and full stops that stand at them."""
    from pypdfium2 import raw

    def is_punctuation(index: int) -> bool:
        character = chr(min(raw.FPDFText_GetUnicode(layer, index), LAST_CHARACTER))
        return character.isprintable() and not character.isspace() and not character.isalnum()

    total = layer.count_chars()
    before = takewhile(is_punctuation, range(start - 1, max(start - 1 - MOST_PUNCTUATION, -1), -1))
    behind = takewhile(is_punctuation, range(end, min(end + MOST_PUNCTUATION, total)))
    return start - len(list(before)), end + len(list(behind))


# --- where they stand


def _rects(page: "PdfPage", layer: "PdfTextPage", start: int, end: int, width: int, height: int) -> Iterator[Rect]:
    """The boxes of PDFium's characters from start to end, as they lie on the page's picture."""
    for index in range(min(layer.count_rects(start, end - start), MOST_CHARACTERS)):
        left, bottom, right, top = layer.get_rect(index)
        corners = [_on_picture(page, x, y, width, height) for x, y in ((left, bottom), (right, top))]
        (x1, x2), (y1, y2) = (sorted(side) for side in zip(*corners, strict=True))
        yield x1, y1, x2, y2


def _on_picture(page: "PdfPage", x: float, y: float, width: int, height: int) -> Point:
    """A point of the page, which may be turned and cropped, on its picture."""
    from ctypes import c_int

    from pypdfium2 import raw

    across, down = c_int(), c_int()
    raw.FPDF_PageToDevice(page, 0, 0, width * FINER, height * FINER, 0, x, y, across, down)
    return across.value / FINER, down.value / FINER


def _lines(boxes: Iterable[Rect]) -> list[Rect]:
    """The boxes, those of one line joined."""
    joined: list[Rect] = []
    for box in boxes:
        if joined and _goes_on(joined[-1], box):
            last = joined[-1]
            joined[-1] = min(last[0], box[0]), min(last[1], box[1]), max(last[2], box[2]), max(last[3], box[3])
        else:
            joined.append(box)
    return joined


def _runs_down(centres: list[Point]) -> bool:
    """Whether a text whose letters stand there runs up or down the picture, not across it."""
    steps = [abs(y2 - y1) > abs(x2 - x1) for (x1, y1), (x2, y2) in pairwise(centres)]
    return 2 * sum(steps) > len(steps)


def _turned(box: Rect) -> Rect:
    """The box with its axes exchanged."""
    left, top, right, bottom = box
    return top, left, bottom, right


def _padded(boxes: Iterable[Rect], width: int, height: int) -> list[Rect]:
    """The boxes, a little wider than their letters, as far as they lie within the picture."""
    padded = [
        (max(x1 - PADDING, 0), max(y1 - PADDING, 0), min(x2 + PADDING, width), min(y2 + PADDING, height))
        for x1, y1, x2, y2 in boxes
    ]
    return [(x1, y1, x2, y2) for x1, y1, x2, y2 in padded if x1 < x2 and y1 < y2]


def _goes_on(line: Rect, box: Rect) -> bool:
    """Whether a box stands in a line, touching what is there of it, or a word's distance away."""
    lower = min(line[3] - line[1], box[3] - box[1])
    shared = min(line[3], box[3]) - max(line[1], box[1])
    gap = max(line[0], box[0]) - min(line[2], box[2])
    return shared >= SAME_LINE * lower and gap <= NEAR * max(line[3] - line[1], box[3] - box[1])
