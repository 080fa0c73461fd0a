"""OCR: the text in a picture, by RapidOCR where it is installed (requirements-ocr.txt); nothing is fetched, ever."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from statistics import median
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

# A page is best read at this many pixels on its longer side. Lines are looked for in a smaller copy of it, as that
# takes most of the memory, and recognised one at a time, as a batch is as wide as its widest (docs/operations.md).
LONGEST_SIDE = 1800
DETECTION_SIDE = 1120
PADDING = 32  # pixels, on both sides together
LONGEST_RATIO = 3  # of height to width; taller pictures, such as screenshots of web pages, are read in parts
MOST_PARTS = 20
THREADS = 2
WELL_ENOUGH = 0.5  # how sure the engine must be of a line
UPRIGHT = 0.7  # how sure it is on average of lines that are not upside down
MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}
# Written without spaces between words: Han, kana and their punctuation. (Korean has spaces.)
UNSPACED = re.compile("[\u2e80-\u312f\u3190-\u33ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef]")
DIVIDED = re.compile(r"[^\W\d_]-\Z")
# In heights of a line: what parts paragraphs, how wide lines of prose in columns are.
PARAGRAPH_GAP = 0.9
MOST_ACROSS = 0.2  # of the lines, between two columns
COLUMN_WIDTH = 8
FEWEST_LINES_OF_COLUMN = 3
FULL_LINE = 0.8  # of its column's width; behind a shorter line a new paragraph begins
# The engine keeps state between its steps.
ENGINE = Lock()


@dataclass(frozen=True)
class Line:
    """A line as it was recognised, and the rectangle round it in pixels."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        return self.bottom - self.top


def available() -> bool:
    """Whether the OCR extra is installed."""
    return all(map(find_spec, ("rapidocr", "onnxruntime")))


def read_page(image: "Image") -> str:
    """The text of a picture in reading order, paragraphs parted by blank lines; "" where there is none.

    Larger pictures are scaled down, so that memory is bounded. Needs the OCR extra.
    """
    paragraphs: list[str] = []
    for part in _parts(image):
        lines, score = _lines(part)
        if lines and score < UPRIGHT:
            upside_down, other = _lines(part.rotate(180))
            lines = upside_down if other > score else lines
        for block in _blocks(lines):
            paragraphs += _paragraphs(block)
    return "\n\n".join(paragraphs)


@cache
def _engine() -> Any:
    import rapidocr  # type: ignore[import-not-found,import-untyped,unused-ignore]

    folder = Path(rapidocr.__file__).parent / "models"
    # Without a path of each model, RapidOCR would compare checksums, and download on a mismatch.
    models = {f"{step}.model_path": str(folder / name) for step, name in MODELS.items()}
    engine = rapidocr.RapidOCR(
        params={
            **models,
            "Global.log_level": "critical",
            "Global.use_preprocess_img": False,
            "Global.use_vertical_padding": False,
            # It tells lines that are upside down, and is wrong about many that are long: a third of a page was lost.
            "Global.use_cls": False,
            "Global.text_score": 0,
            "Det.limit_type": "max",
            "Det.limit_side_len": DETECTION_SIDE,
            "Rec.rec_batch_num": 1,
            "EngineConfig.onnxruntime.intra_op_num_threads": THREADS,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
    logging.getLogger("RapidOCR").disabled = True
    return engine


def _lines(image: "Image") -> tuple[list[Line], float]:
    """The lines that are recognised well enough, and how sure the engine is of all that it found, 0 to 1."""
    import numpy

    with ENGINE:
        found = _engine()(numpy.asarray(image)[:, :, ::-1])
    if getattr(found, "txts", None) is None or found.boxes is None:
        return [], 0.0
    lines = []
    for text, box, score in zip(found.txts, found.boxes, found.scores, strict=True):
        if text.strip() and score >= WELL_ENOUGH:
            (left, top), (right, bottom) = box.min(axis=0).tolist(), box.max(axis=0).tolist()
            lines.append(Line(text.strip(), left, top, right, bottom))
    return lines, sum(found.scores) / max(1, len(found.scores))


def _parts(image: "Image") -> Iterator["Image"]:
    """The picture in RGB, scaled and padded to what the engine reads well; a very tall one in several parts."""
    from PIL import Image

    tall = image.height > LONGEST_RATIO * image.width
    image = _opaque(image, LONGEST_SIDE // 2 if tall else LONGEST_SIDE, tall=tall)
    for top, bottom in _cuts(image):
        part = image.crop((0, top, image.width, bottom))
        # A sliver is not found at all, and lines at an edge worse.
        width, height = (max(side + PADDING, max(part.size) // 8) for side in part.size)
        padded = Image.new("RGB", (width, height), part.getpixel((0, 0)))
        padded.paste(part, ((width - part.width) // 2, (height - part.height) // 2))
        yield padded


def _opaque(image: "Image", most: int, *, tall: bool) -> "Image":
    """The picture in RGB, its longer side (its width, if it is tall) at most so many pixels."""
    from PIL import Image

    scale = min(1.0, most / (image.width if tall else max(image.size)))
    # However tall, no more than the parts that will be read.
    scale = min(scale, MOST_PARTS * LONGEST_SIDE / image.height)
    transparent = image.has_transparency_data
    if image.mode not in ("L", "RGB"):
        image = image.convert("RGBA" if transparent else "RGB")
    if scale < 1:
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    if transparent:
        image = image.convert("RGBA")
        # What shows is light on a dark page, or dark on a light one.
        grey = image.convert("L").histogram(image.getchannel("A").point(lambda alpha: 255 * (alpha > 127)))
        light = sum(grey[128:]) > sum(grey[:128])
        page = Image.new("RGBA", image.size, "black" if light else "white")
        image = Image.alpha_composite(page, image)
    return image.convert("RGB")


def _cuts(image: "Image") -> Iterator[tuple[int, int]]:
    """(top, bottom) of the parts of a picture, cut where its rows of pixels are most even: between lines."""
    import numpy

    top = 0
    while image.height - top > LONGEST_SIDE:
        # Looked for in the lower third of a part.
        start = top + LONGEST_SIDE * 2 // 3
        rows = numpy.asarray(image.crop((0, start, image.width, top + LONGEST_SIDE)).convert("L"))
        bottom = start + int(rows.std(axis=1).argmin())
        yield top, bottom
        top = bottom
    yield top, image.height


def _blocks(lines: list[Line]) -> Iterator[list[Line]]:
    """The blocks of a page in reading order: columns from left to right, between the lines that reach over them."""
    height = median(line.height for line in lines) if lines else 0.0
    gutter = _gutter(lines, height)
    if gutter is None:
        yield lines
        return
    for across, group in groupby(sorted(lines, key=lambda line: line.top), lambda line: _side(line, gutter) == 0):
        members = list(group)
        if across:
            yield members
        else:
            yield from _blocks([line for line in members if _side(line, gutter) < 0])
            yield from _blocks([line for line in members if _side(line, gutter) > 0])


def _side(line: Line, gutter: float) -> int:
    """-1: left of the gutter, 1: right of it, 0: across."""
    return -1 if line.right <= gutter else 1 if line.left >= gutter else 0


def _gutter(lines: list[Line], height: float) -> float | None:
    """Where two columns of prose meet, crossed by few lines such as a title or page number; None in other pages."""
    most_across = MOST_ACROSS * len(lines)
    best = None
    for gutter in {line.left - 1 for line in lines}:
        sides = [_side(line, gutter) for line in lines]
        if (across := sides.count(0)) <= most_across:
            columns = ([line for line, side in zip(lines, sides, strict=True) if side == which] for which in (-1, 1))
            if all(_is_column(column, height) for column in columns):
                best, most_across = gutter, across - 1
    return best


def _is_column(lines: list[Line], height: float) -> bool:
    """Whether it is a column of prose, to be read downwards; those of a table are read across."""
    if len(lines) < FEWEST_LINES_OF_COLUMN:
        return False
    return median(line.right - line.left for line in lines) >= COLUMN_WIDTH * height


def _paragraphs(lines: list[Line]) -> list[str]:
    """The text of a block: lines put together to paragraphs at gaps, and behind lines that end early."""
    if not lines:
        return []
    left, right = min(line.left for line in lines), max(line.right for line in lines)
    paragraphs: list[str] = []
    before: Line | None = None
    for line in _rows(lines):
        goes_on = (
            before is not None
            and line.top - before.bottom <= PARAGRAPH_GAP * min(line.height, before.height)
            and before.right >= left + FULL_LINE * (right - left)
        )
        if goes_on:
            paragraphs[-1] = _joined(paragraphs[-1], line.text)
        else:
            paragraphs.append(line.text)
        before = line
    return paragraphs


def _rows(lines: list[Line]) -> list[Line]:
    """Lines that stand beside each other, as the cells of a table do, made one."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.top + line.bottom):
        if rows and rows[-1][0].bottom - line.top > 0.5 * min(line.height, rows[-1][0].height):
            rows[-1].append(line)
        else:
            rows.append([line])
    merged = []
    for row in rows:
        row.sort(key=lambda line: line.left)
        text = " ".join(line.text for line in row)
        merged.append(
            Line(text, row[0].left, min(r.top for r in row), max(r.right for r in row), max(r.bottom for r in row))
        )
    return merged


def _joined(text: str, more: str) -> str:
    """Two lines of a paragraph: with a space, but in Chinese; a word that was divided at the line's end made whole."""
    if DIVIDED.search(text) and more[0].islower():
        return text[:-1] + more
    unspaced = UNSPACED.match(text[-1]) or UNSPACED.match(more[0])
    return text + ("" if unspaced else " ") + more
