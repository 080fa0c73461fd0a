"""DOCX: the elements of a Word document become paragraphs, headings, items of lists and rows of tables."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from searchsite.documents.extract.docx_blocks import Block, Blocks, Output
from searchsite.documents.extract.docx_styles import (
    LEVELS,
    OFF,
    Attributes,
    Lists,
    Styles,
    attribute,
    formatted,
    is_on,
    level_of,
    local,
    number,
    symbol,
)
from searchsite.documents.problems import Problem

DEEPEST = 4000  # elements one in the other; a table takes three
# What the author took out, or what properties were before a change; how fields to fill in are set up; tab stops;
# how characters are pronounced.
NOT_READ = frozenset([
    "moveFrom", "pPrChange", "rPrChange", "sectPrChange", "tblPrChange", "tblPrExChange", "tblGridChange", "trPrChange",
    "tcPrChange", "numberingChange", "sdtPr", "sdtEndPr", "tabs", "tabLst", "rt",
])  # fmt: skip
NOTE_FORMAT = {"footnote": "decimal", "endnote": "lowerRoman"}
SEPARATORS = ("separator", "continuationSeparator", "continuationNotice")  # footnotes that are lines
NO_LIST = "0"  # the id of no list, by which a paragraph leaves the list of its style
SAID = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "den": "/"}  # element -> its text


@dataclass
class _Paragraph:
    style: str = ""
    outline: int | None = None
    list_id: str = ""
    list_level: int | None = None
    pieces: list[str] = field(default_factory=list)
    beside: Blocks = field(default_factory=Blocks)  # text boxes and descriptions of pictures


class Body:
    """Takes the elements of footnotes.xml, endnotes.xml and document.xml, in this order, and writes what they say."""

    def __init__(self, output: Output, styles: Styles, lists: Lists) -> None:
        self.output, self.styles, self.lists = output, styles, lists
        self.depth = 0
        self.skipped_from = 0  # the depth of the element that is not read, 0 outside of one
        self.paragraphs = [_Paragraph()]  # the first takes what stands outside of any
        self.fields: list[bool] = []  # for each field that is open, whether it is in its code
        self.codes = 0  # how many of them are
        self.in_properties = self.in_text = self.hidden = False
        self.said = 0  # how much was said so far, to see whether something was
        self.alternatives: list[int] = []  # for each choice that is open, what was said before it
        self.notes: dict[tuple[str, str], str] = {}
        self.note = ("", "")
        self.referred: Counter[str] = Counter()

    def start(self, name: str, attributes: Attributes) -> None:
        """An element starts. Raises Problem: "nested_too_deep", "too_much_text"."""
        self.depth += 1
        if self.skipped_from:
            return
        if self.depth > DEEPEST:
            raise Problem("nested_too_deep", limit=DEEPEST)
        name = local(name)
        if name in NOT_READ:
            self.skipped_from = self.depth
        elif name in SAID:
            self._say(SAID[name])
        elif (handler := STARTS.get(name)) is not None:
            handler(self, attributes)

    def end(self, name: str) -> None:
        """An element ends. Raises Problem("too_much_text")."""
        if self.skipped_from:
            if self.skipped_from == self.depth:
                self.skipped_from = 0
        elif (handler := ENDS.get(local(name))) is not None:
            handler(self)
        self.depth -= 1

    def data(self, text: str) -> None:
        """Characters, within text or between elements."""
        if self.in_text:
            self._say(text.replace("\n", " "))

    def finish(self) -> None:
        """Write what is left. Raises Problem("too_much_text")."""
        self._end_paragraph()
        self.output.finish()

    def _say(self, text: str) -> None:
        if not self.hidden and not self.codes:
            self.paragraphs[-1].pieces.append(text)
            self.said += 1

    # --- paragraphs

    def _start_paragraph(self, _: Attributes) -> None:
        self.paragraphs.append(_Paragraph())

    def _end_paragraph(self) -> None:
        paragraph = self.paragraphs.pop()
        self.fields.clear()  # one without an end must not hide the rest of the document
        self.codes = 0
        text = "".join(paragraph.pieces)
        look = self.styles.look(paragraph.style)
        level = look.level if paragraph.outline is None else level_of(paragraph.outline)
        marker = self._marker(paragraph, paragraph.list_id or look.list_id, look.list_level)
        blocks = Blocks()
        if look.code:
            blocks.add(Block(text, "code"))
        elif not look.repeating and (text := text.strip()):
            kind = "heading" if level else "list" if marker else "text"
            blocks.add(Block(text if level else marker + text, kind, level))
        blocks.take(paragraph.beside)
        self.output.take(blocks)

    def _marker(self, paragraph: _Paragraph, list_id: str, level_of_style: int | None) -> str:
        if not list_id:
            return ""
        level = paragraph.list_level if paragraph.list_level is not None else level_of_style
        if level is None:
            level = self.lists.level_of_style.get(paragraph.style, 0)
        return self.lists.marker(list_id, level)

    def _start_properties(self, _: Attributes) -> None:
        self.in_properties = True

    def _end_properties(self) -> None:
        self.in_properties = False

    def _style(self, attributes: Attributes) -> None:
        self.paragraphs[-1].style = attribute(attributes, "val")

    def _outline(self, attributes: Attributes) -> None:
        self.paragraphs[-1].outline = number(attribute(attributes, "val"), LEVELS)

    def _list(self, attributes: Attributes) -> None:
        self.paragraphs[-1].list_id = attribute(attributes, "val")

    def _list_level(self, attributes: Attributes) -> None:
        self.paragraphs[-1].list_level = number(attribute(attributes, "val"), 0)

    def _deleted(self, _: Attributes) -> None:
        if self.in_properties:  # the end of this paragraph: it has no number any more
            self.paragraphs[-1].list_id = NO_LIST
        self.skipped_from = self.depth

    # --- runs

    def _start_run(self, _: Attributes) -> None:
        self.hidden = self.styles.look(self.paragraphs[-1].style).hidden

    def _end_run(self) -> None:
        self.hidden = False

    def _run_style(self, attributes: Attributes) -> None:
        if not self.in_properties:
            self.hidden = self.hidden or self.styles.look(attribute(attributes, "val")).hidden

    def _vanish(self, attributes: Attributes) -> None:
        if not self.in_properties:  # there it is the end of the paragraph that is hidden
            self.hidden = is_on(attributes)

    def _start_text(self, _: Attributes) -> None:
        self.in_text = True

    def _end_text(self) -> None:
        self.in_text = False

    def _symbol(self, attributes: Attributes) -> None:
        self._say(symbol(attribute(attributes, "font"), attribute(attributes, "char")))

    def _field(self, attributes: Attributes) -> None:
        kind = attribute(attributes, "fldCharType")
        if kind == "begin":
            self.fields.append(True)
            self.codes += 1
        elif self.fields and kind in ("separate", "end"):
            self.codes -= self.fields.pop()
            if kind == "separate":
                self.fields.append(False)

    def _picture(self, attributes: Attributes) -> None:
        if not self.hidden and (description := attribute(attributes, "descr").strip()):
            self.paragraphs[-1].beside.add(Block(description))
            self.said += 1

    # --- the same said in several ways, of which the first that says something is read

    def _start_alternatives(self, _: Attributes) -> None:
        self.alternatives.append(self.said)

    def _start_alternative(self, _: Attributes) -> None:
        if self.alternatives and self.said != self.alternatives[-1]:
            self.skipped_from = self.depth

    def _end_alternatives(self) -> None:
        self.alternatives.pop()

    # --- text boxes and notes

    def _start_text_box(self, _: Attributes) -> None:
        if self.hidden:
            self.skipped_from = self.depth
        else:
            self.output.open.append(Blocks())

    def _end_text_box(self) -> None:
        self.paragraphs[-1].beside.take(self.output.open.pop())

    def _start_note(self, kind: str, attributes: Attributes) -> None:
        if attribute(attributes, "type") in SEPARATORS:
            self.skipped_from = self.depth
        else:
            self.note = kind, attribute(attributes, "id")
            self.output.open.append(Blocks())

    def _end_note(self) -> None:
        self.notes[self.note] = self.output.open.pop().line()

    def _refer(self, kind: str, attributes: Attributes) -> None:
        if self.hidden:
            return
        # Taken out: a note that is referred to a million times is one note.
        note = self.notes.pop((kind, attribute(attributes, "id")), "")
        citation = ""
        if attribute(attributes, "customMarkFollows") in ("", *OFF):
            self.referred[kind] += 1
            citation = f"[{formatted(self.referred[kind], NOTE_FORMAT[kind])}]"
            self._say(citation)
        if note:
            self.output.notes.append(f"{citation} {note}".strip())

    def _table_description(self, attributes: Attributes) -> None:
        blocks = Blocks()
        blocks.add(Block(attribute(attributes, "val")))
        self.output.take(blocks)

    def _merged(self, attributes: Attributes) -> None:
        if attribute(attributes, "val") != "restart":
            self.output.open[-1].is_merged = True


STARTS: dict[str, Callable[[Body, Attributes], None]] = {
    "p": Body._start_paragraph,
    "pPr": Body._start_properties,
    "pStyle": Body._style,
    "outlineLvl": Body._outline,
    "numId": Body._list,
    "ilvl": Body._list_level,
    "del": Body._deleted,
    "r": Body._start_run,
    "rStyle": Body._run_style,
    "vanish": Body._vanish,
    "t": Body._start_text,
    "sym": Body._symbol,
    "fldChar": Body._field,
    "docPr": Body._picture,
    "AlternateContent": Body._start_alternatives,
    "Choice": Body._start_alternative,
    "Fallback": Body._start_alternative,
    "txbxContent": Body._start_text_box,
    "footnote": lambda body, attributes: body._start_note("footnote", attributes),
    "endnote": lambda body, attributes: body._start_note("endnote", attributes),
    "footnoteReference": lambda body, attributes: body._refer("footnote", attributes),
    "endnoteReference": lambda body, attributes: body._refer("endnote", attributes),
    "tbl": lambda body, _: body.output.start_table(),
    "tc": lambda body, _: body.output.start_cell(),
    "tblCaption": Body._table_description,
    "tblDescription": Body._table_description,
    "vMerge": Body._merged,
    "hMerge": Body._merged,
}
ENDS: dict[str, Callable[[Body], None]] = {
    "p": Body._end_paragraph,
    "pPr": Body._end_properties,
    "r": Body._end_run,
    "t": Body._end_text,
    "AlternateContent": Body._end_alternatives,
    "txbxContent": Body._end_text_box,
    "footnote": Body._end_note,
    "endnote": Body._end_note,
    "tbl": lambda body: body.output.end_table(),
    "tr": lambda body: body.output.end_row(),
    "tc": lambda body: body.output.end_cell(),
}
