"""PPTX: the slides of a presentation, with their tables, charts, diagrams and speaker notes."""

import io
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from searchsite.documents.extract import zipped
from searchsite.documents.extract.extracted import Extracted, Limits, Writer, one_line
from searchsite.documents.problems import Problem

if TYPE_CHECKING:
    from pptx.slide import Slide
    from pptx.text.text import TextFrame

# A deck of a thousand slides has 15 MB of XML. lxml takes up to 30 times as much memory as it is given.
MOST_UNPACKED = 32 * 2**20
DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
COMPATIBILITY = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
ALTERNATIVES = b"AlternateContent"
DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
RELATIONSHIP = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
# Shapes whose tops differ by less stand side by side: a quarter of an inch, in EMU.
ONE_LINE = 228_600


def read(data: bytes, limits: Limits) -> Extracted:
    """Read a PPTX, a page per slide, hidden ones too; title, author and date are those of its properties.

    Raises Problem: "password", "damaged", "unpacks_too_large", "too_many_pages", "too_much_text".
    """
    with zipped.open_archive(data) as archive:
        properties = zipped.core_properties(archive)
        # python-pptx wants the pictures and embedded files to be there, and does not look into them.
        copy = zipped.repacked(archive, zipped.XML_PART, MOST_UNPACKED, _without_alternatives, empty_others=True)
    writer = Writer(limits)
    try:
        _write(copy, writer, limits)
    except (Problem, MemoryError):
        raise
    except Exception as error:  # python-pptx promises no class of error, and reads on demand
        raise Problem("damaged") from error
    return writer.extracted("pptx", properties.title, properties.author, properties.written)


def _without_alternatives(xml: bytes) -> bytes:
    """The same part, each mc:AlternateContent replaced by the first of its choices; Problem("damaged") for no XML.

    python-pptx passes over what stands in one, such as a text box with an equation.
    """
    if ALTERNATIVES not in xml:
        return xml
    from lxml import etree  # type: ignore[import-untyped]

    root = zipped.parse_xml(xml)
    for alternatives in list(root.iter(f"{COMPATIBILITY}AlternateContent")):
        parent = alternatives.getparent()
        if parent is None:
            continue
        branches = [*alternatives.iterchildren(f"{COMPATIBILITY}Choice", f"{COMPATIBILITY}Fallback")]
        for child in next((list(branch) for branch in branches if len(branch)), []):
            alternatives.addprevious(child)
        parent.remove(alternatives)
    rewritten: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return rewritten


def _write(data: bytes, writer: Writer, limits: Limits) -> None:
    from pptx import Presentation

    slides = Presentation(io.BytesIO(data)).slides
    if len(slides) > limits.max_pages:
        raise Problem("too_many_pages", pages=len(slides), limit=limits.max_pages)
    for slide in slides:
        writer.page()
        _write_slide(slide, writer)


def _write_slide(slide: "Slide", writer: Writer) -> None:
    title = None
    with _reading_on():
        title = slide.shapes.title
        if title is not None:
            writer.heading(1, title.text_frame.text)
    for shape in _in_reading_order(slide.shapes):
        if shape != title:
            with _reading_on():
                _write_shape(shape, writer)
    with _reading_on():
        if slide.has_notes_slide and (notes := slide.notes_slide.notes_text_frame) is not None:
            _write_text(notes, writer)


def _in_reading_order(shapes: Iterable[Any]) -> Iterator[Any]:
    """From top to bottom, side by side from left to right; one without a position behind the one drawn before it."""
    keyed: list[tuple[tuple[int, int], Any]] = []
    position = (0, 0)
    for shape in shapes:
        with suppress(ValueError):  # a position that is no number
            if shape.top is not None and shape.left is not None:
                position = (shape.top // ONE_LINE, shape.left)
        keyed.append((position, shape))
    for _, shape in sorted(keyed, key=lambda pair: pair[0]):
        yield shape


@contextmanager
def _reading_on() -> Iterator[None]:
    """Pass over what is broken, so that the rest of the deck is read."""
    try:
        yield
    except (Problem, MemoryError):
        raise
    except Exception:  # noqa: BLE001, S110 - python-pptx promises no class of error
        pass


def _write_shape(shape: Any, writer: Writer) -> None:
    from pptx.shapes.group import GroupShape

    if isinstance(shape, GroupShape):
        for part in _in_reading_order(shape.shapes):
            with _reading_on():
                _write_shape(part, writer)
    elif shape.has_text_frame:
        if not _is_on_each_slide(shape):
            _write_text(shape.text_frame, writer, may_inherit_bullets=_has_bullets(shape))
    elif shape.has_table:
        for row in shape.table.rows:
            cells = (one_line(cell.text) for cell in row.cells if not cell.is_spanned)
            writer.block(" | ".join(filter(None, cells)), run="table")
    elif shape.has_chart:
        _write_chart(shape.chart, writer)
    else:
        _write_diagram(shape, writer)


def _is_on_each_slide(shape: Any) -> bool:
    """Whether it is the number, date, header or footer that every slide repeats."""
    from pptx.enum.shapes import PP_PLACEHOLDER

    repeated = (PP_PLACEHOLDER.SLIDE_NUMBER, PP_PLACEHOLDER.DATE, PP_PLACEHOLDER.FOOTER, PP_PLACEHOLDER.HEADER)
    return shape.is_placeholder and shape.placeholder_format.type in repeated


def _has_bullets(shape: Any) -> bool:
    """Whether its paragraphs are bullets unless they say otherwise, as those of a slide's body are."""
    from pptx.enum.shapes import PP_PLACEHOLDER

    return shape.is_placeholder and shape.placeholder_format.type in (PP_PLACEHOLDER.BODY, PP_PLACEHOLDER.OBJECT)


def _write_text(frame: "TextFrame", writer: Writer, *, may_inherit_bullets: bool = False) -> None:
    paragraphs = [p for p in frame.paragraphs if p.text.strip()]
    # The only paragraph of a body is a text rather than a list.
    inherits = may_inherit_bullets and len(paragraphs) > 1
    numbers: Counter[int] = Counter()  # how many items each level has had
    for paragraph in paragraphs:
        marks = (
            {child.tag.removeprefix(DRAWING) for child in paragraph._p.pPr} if paragraph._p.pPr is not None else set()
        )
        level = paragraph.level
        for deeper in [n for n in numbers if n > level]:
            del numbers[deeper]
        if "buAutoNum" in marks:
            numbers[level] += 1
            marker = f"{numbers[level]}. "
        elif "buNone" not in marks and (inherits or marks & {"buChar", "buBlip"} or level):
            marker = "- "
        else:
            writer.block(paragraph.text)
            continue
        writer.block("  " * level + marker + paragraph.text.strip(), run="list")


def _write_chart(chart: Any, writer: Writer) -> None:
    """What stands on a chart: its title, and the names of its categories and series."""
    space = chart._chartSpace
    for rich in space.iter("{*}title"):
        writer.block(" ".join(_paragraphs(rich)))
    names: dict[str, None] = {}
    for holder in (*space.iter("{*}cat"), *space.iter("{*}tx")):
        names |= dict.fromkeys(one_line(value.text or "") for value in holder.iter("{*}v"))
    writer.block(" | ".join(filter(None, names)))


def _write_diagram(shape: Any, writer: Writer) -> None:
    """The texts of a SmartArt diagram, which stand in a part of their own; nothing for any other shape."""
    for reference in shape._element.iter(f"{{{DIAGRAM}}}relIds"):
        part = shape.part.related_part(reference.get(f"{RELATIONSHIP}dm"))
        for text in _paragraphs(zipped.parse_xml(part.blob)):
            writer.block(f"- {text}", run="list")


def _paragraphs(element: Any) -> Iterator[str]:
    """The text of each paragraph below an element that is not empty."""
    for paragraph in element.iter(f"{DRAWING}p"):
        if text := one_line("".join(run.text or "" for run in paragraph.iter(f"{DRAWING}t"))):
            yield text
