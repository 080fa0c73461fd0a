"""Pictures: the text in them, where the OCR extra is installed."""

import io
import re
import warnings
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING

from searchsite.documents.extract import ocr
from searchsite.documents.extract.extracted import Extracted, Limits, Writer
from searchsite.documents.problems import Problem, megabytes

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF")
# The most memory that decoding and scaling down a picture may take: a colour picture of 10,000 by 10,000 pixels.
MOST_BYTES = 400 * 2**20
# Bytes a pixel by what Pillow holds, with the copy that it makes to blend (RGBA) or to look up colours (P).
BYTES_OF_MODE = {"1": 5, "L": 1, "P": 5, "RGB": 4, "I;16": 6}
OTHER_MODE = 8
BYTES_OF_WEBP = 12  # the library keeps two pictures of its own
BYTES_OF_PROGRESSIVE = 6  # JPEG in passes: all of its coefficients
EXIF_IFD, DATE_TIME_ORIGINAL, DATE_TIME = 0x8769, 36867, 306
EXIF_DATE = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)")


def read(data: bytes, limits: Limits) -> Extracted:
    """Read the text in a picture; each frame of a TIFF is a page, of other pictures the first is read.

    Raises Problem: "damaged", "unpacks_too_large", "too_many_pages", "needs_ocr", "too_much_text", "no_text".
    """
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                return _read(image, limits)
        except (Problem, MemoryError):
            raise
        except Image.DecompressionBombError as error:
            least = OTHER_MODE // 2 * 2 * (Image.MAX_IMAGE_PIXELS or 0)
            raise Problem("unpacks_too_large", size=megabytes(least), limit=megabytes(MOST_BYTES)) from error
        except Exception as error:  # Pillow promises no class of error: struct.error, SyntaxError, KeyError come too
            raise Problem("damaged") from error


def _read(image: "Image", limits: Limits) -> Extracted:
    frames = _frames(image, limits) if image.format == "TIFF" else 1
    _bound(image)
    if not ocr.available():
        raise Problem("needs_ocr")
    writer = Writer(limits)
    written = _written(image)
    for number in range(frames):
        limits.tell(number, frames)
        if image.format == "TIFF":
            image.seek(number)
            _bound(image)
            writer.page()
        picture = _upright(image)
        if frames == 1 and picture is not image:
            image.close()  # frees its pixels, of which there may be 400 MB
        writer.block(ocr.read_page(picture))
    extracted = writer.extracted("image", written=written)
    if not extracted.text:
        raise Problem("no_text")
    return extracted


def _frames(image: "Image", limits: Limits) -> int:
    """The number of frames; those beyond the limit are not counted, as there may be a million."""
    for number in range(1, limits.max_pages + 1):
        try:
            image.seek(number)
        except EOFError:
            image.seek(0)
            return number
    raise Problem("too_many_pages", pages=limits.max_pages + 1, limit=limits.max_pages)


def _bound(image: "Image") -> None:
    """Refuse by its declared size a picture that would take too much memory to decode."""
    pixels = image.width * image.height
    needed = pixels * BYTES_OF_MODE.get(image.mode, OTHER_MODE)
    if image.format == "WEBP":
        needed = pixels * BYTES_OF_WEBP
    elif image.format in ("JPEG", "MPO"):
        progressive = bool(image.info.get("progressive"))
        # The library can scale down while it decodes.
        image.draft("RGB", (ocr.LONGEST_SIDE, ocr.LONGEST_SIDE))
        drafted = image.width * image.height * BYTES_OF_MODE["RGB"]
        needed = drafted + (pixels * BYTES_OF_PROGRESSIVE if progressive else 0)
    if needed > MOST_BYTES:
        raise Problem("unpacks_too_large", size=megabytes(needed), limit=megabytes(MOST_BYTES))


def _upright(image: "Image") -> "Image":
    """The picture as its EXIF data say it is to be held, not larger than can be turned cheaply."""
    from PIL import ImageOps

    if image.mode in ("L", "RGB") and (factor := min(image.size) // ocr.LONGEST_SIDE) > 1:
        orientation = image.getexif()
        image = image.reduce(factor)
        image.getexif().update(orientation)
    return ImageOps.exif_transpose(image)


def _written(image: "Image") -> date | None:
    """The date of the EXIF data: when the picture was taken, else when it was changed."""
    with suppress(Exception):  # as above: hostile EXIF data must not keep a picture from being read
        exif = image.getexif()
        for value in (exif.get_ifd(EXIF_IFD).get(DATE_TIME_ORIGINAL), exif.get(DATE_TIME)):
            if value and (found := EXIF_DATE.match(str(value))):
                with suppress(ValueError):
                    return date(*map(int, found.groups()))
    return None
