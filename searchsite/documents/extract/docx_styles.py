"""DOCX: what styles, lists and fonts of symbols say about a Word document's text; and the walk through its XML."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat

from searchsite.documents.problems import Problem

Attributes = dict[str, str]

NO_MEMORY = expat.errors.codes[expat.errors.XML_ERROR_NO_MEMORY]
LONGEST_CHAIN = 20  # of styles, each based on the next
LEVELS = 9  # of lists and outlines; the outline level 9 means body text
HEADING = re.compile(r"heading ?([1-9])", re.IGNORECASE)  # also the style's id, where its name is not known
CODE = re.compile(r"(?:.* )?(?:source ?)?code(?: ?block)?|(?:.* )?preformatted(?: text)?|代码", re.IGNORECASE)
# What repeats headings and captions with page numbers.
REPEATING = re.compile(r"(?:toc|index) ?(?:[1-9]|heading)|table of (?:figures|authorities)", re.IGNORECASE)
OFF = ("0", "false", "off")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
MOST_LETTERS = 10  # of one number: 27 is "aa", 53 is "aaa"
ROMAN = {
    1000: "m", 900: "cm", 500: "d", 400: "cd", 100: "c", 90: "xc", 50: "l", 40: "xl", 10: "x", 9: "ix", 5: "v",
    4: "iv", 1: "i",
}  # fmt: skip
MOST_ROMAN = 4000
# Characters of fonts of symbols, from U+F000 on.
SYMBOLS = {
    "Symbol": {code: chr(code) for code in range(0x20, 0x41)}
    | dict(zip(range(0x41, 0x5B), "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ", strict=True))
    | dict(zip(range(0x61, 0x7B), "αβχδεφγηιϕκλμνοπθρστυϖωξψζ", strict=True))
    | dict(zip(b"\xa3\xa5\xab\xac\xad\xae\xaf\xb0\xb1\xb3\xb4", "≤∞↔←↑→↓°±≥×", strict=True))
    | dict(zip(b"\xb6\xb7\xb8\xb9\xba\xbb\xce\xd1\xd6\xd7\xde\xe5\xf2", "∂•÷≠≡≈∈∇√⋅⇒∑∫", strict=True)),
    "Wingdings": dict(zip(b"\x4a\x6c\x6e\x6f\x9f\xa7\xa8\xdf\xe0\xe8\xfb\xfc\xfd\xfe", "☺●■□•▪◻←→➔✗✓☒☑", strict=True)),
}
CODE_POINT = re.compile(r"[0-9A-Fa-f]{1,4}")


def walk(
    xml: bytes,
    start: Callable[[str, Attributes], None],
    end: Callable[[str], None] | None = None,
    data: Callable[[str], None] | None = None,
) -> None:
    """Go through an XML part from its start to its end without keeping it; names have their prefixes.

    Prefixes are not resolved: WordprocessingML has two sets of namespaces with the same local names.
    Raises Problem("damaged"), also for a DTD (entities need one), and what the handlers raise.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, data
    try:
        parser.Parse(xml, True)
    except expat.ExpatError as error:
        if error.code == NO_MEMORY:
            raise MemoryError from error
        raise Problem("damaged") from error
    except (ValueError, LookupError) as error:  # an encoding that does not exist, or has several bytes a character
        raise Problem("damaged") from error


def _refuse(*_: object) -> None:
    raise Problem("damaged")


def local(name: str) -> str:
    return name.rpartition(":")[2]


def attribute(attributes: Attributes, name: str) -> str:
    """The attribute with that local name, "" where there is none."""
    return next((value for key, value in attributes.items() if local(key) == name), "")


def number(text: str, default: int) -> int:
    """A number of an attribute; `default` where there is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default


def is_on(attributes: Attributes) -> bool:
    """Whether a property that is on or off is on, as it is without a value."""
    return attribute(attributes, "val") not in OFF


@dataclass
class Style:
    """What a style says of its own; None or "" where it says nothing. `outline` counts from 0."""

    name: str = ""
    based_on: str = ""
    outline: int | None = None
    list_id: str = ""
    list_level: int | None = None
    hidden: bool | None = None


class Look(NamedTuple):
    """What a style makes of a paragraph; level 0 is no heading."""

    level: int = 0
    list_id: str = ""
    list_level: int | None = None
    hidden: bool = False
    code: bool = False
    repeating: bool = False


class Styles:
    """The styles of a document by id. Raises Problem("damaged")."""

    def __init__(self, xml: bytes | None) -> None:
        self.styles: dict[str, Style] = {}
        self.looks: dict[str, Look] = {}
        self.style = Style()
        if xml:
            walk(xml, self._start)

    def _start(self, name: str, attributes: Attributes) -> None:
        value = attribute(attributes, "val")
        match local(name):
            case "style":
                self.style = self.styles[attribute(attributes, "styleId")] = Style()
            case "name":
                self.style.name = value
            case "basedOn":
                self.style.based_on = value
            case "outlineLvl":
                self.style.outline = number(value, LEVELS)
            case "numId":
                self.style.list_id = value
            case "ilvl":
                self.style.list_level = number(value, 0)
            case "vanish":
                self.style.hidden = is_on(attributes)

    def look(self, style_id: str) -> Look:
        """What a style and those it is based on make of a paragraph; an id of no style is taken for its name."""
        if style_id not in self.looks:
            self.looks[style_id] = self._look(style_id)
        return self.looks[style_id]

    def _look(self, style_id: str) -> Look:
        chain: list[Style] = []
        while style_id and len(chain) < LONGEST_CHAIN:
            chain.append(self.styles.get(style_id) or Style(name=style_id))
            style_id = chain[-1].based_on
        return Look(
            level=next((level for level in map(_heading_level, chain) if level is not None), 0),
            list_id=next((style.list_id for style in chain if style.list_id), ""),
            list_level=next((style.list_level for style in chain if style.list_level is not None), None),
            hidden=next((style.hidden for style in chain if style.hidden is not None), False),
            code=any(CODE.fullmatch(style.name) for style in chain),
            repeating=any(REPEATING.fullmatch(style.name) for style in chain),
        )


def _heading_level(style: Style) -> int | None:
    """The level of the headings that a style makes, 0 for body text, None where it does not say."""
    if style.outline is not None:
        return level_of(style.outline)
    if match := HEADING.fullmatch(style.name):
        return int(match[1])
    return 1 if style.name.lower() == "title" else None


def level_of(outline: int) -> int:
    """The heading level of an outline level, which counts from 0; 0 for body text."""
    return outline + 1 if outline < LEVELS else 0


@dataclass
class Level:
    """A level of a list."""

    start: int = 1
    format: str = "decimal"


@dataclass
class Definition:
    """What a list (w:num) or the definition it shares with others (w:abstractNum) says; `shared` is that one's id."""

    levels: dict[int, Level] = field(default_factory=dict)
    starts: dict[int, int] = field(default_factory=dict)  # of the levels at which this list counts anew
    shared: str = ""


class Lists:
    """The lists of a document by id, and how far each has counted. Raises Problem("damaged")."""

    def __init__(self, xml: bytes | None) -> None:
        self.lists: dict[str, Definition] = {}
        self.shared: dict[str, Definition] = {}
        self.level_of_style: dict[str, int] = {}
        self.style_is: dict[str, str] = {}  # list style -> the definition that it is
        self.style_for: dict[str, str] = {}  # definition -> the list style that stands for it
        self.counted: dict[tuple[str, int], int] = {}
        self.begun: set[tuple[str, int]] = set()
        self.definition = Definition()
        self.id = ""
        self.level = 0
        if xml:
            walk(xml, self._start)

    def _start(self, name: str, attributes: Attributes) -> None:
        value = attribute(attributes, "val")
        match local(name):
            case "abstractNum":
                self.id = attribute(attributes, "abstractNumId")
                self.definition = self.shared[self.id] = Definition()
            case "num":
                self.definition = self.lists[attribute(attributes, "numId")] = Definition()
            case "abstractNumId":
                self.definition.shared = value
            case "styleLink":
                self.style_is[value] = self.id
            case "numStyleLink":
                self.style_for[self.id] = value
            case "lvl" | "lvlOverride" as element:
                self.level = number(attribute(attributes, "ilvl"), 0)
                if element == "lvl":
                    self.definition.levels[self.level] = Level()
            case "startOverride":
                self.definition.starts[self.level] = number(value, 1)
            case "start" if self.level in self.definition.levels:
                self.definition.levels[self.level].start = number(value, 1)
            case "numFmt" if self.level in self.definition.levels:
                self.definition.levels[self.level].format = value
            case "pStyle":
                self.level_of_style[value] = self.level

    def marker(self, list_id: str, at: int) -> str:
        """What stands before the next item of a list, indented by its level; "" where nothing does."""
        own = self.lists.get(list_id)
        if own is None:
            return ""
        shared_id = self.style_is.get(self.style_for.get(own.shared, ""), own.shared)
        shared = self.shared.get(shared_id, Definition())
        at = min(at, LEVELS - 1)
        level = own.levels.get(at) or shared.levels.get(at) or Level(format="bullet")
        start = own.starts.get(at, level.start)
        # Lists that share a definition count on from one another, but one that says where it starts.
        if at in own.starts and (list_id, at) not in self.begun:
            self.counted.pop((shared_id, at), None)
        self.begun.add((list_id, at))
        counted = self.counted[shared_id, at] = self.counted.get((shared_id, at), start - 1) + 1
        for deeper in range(at + 1, LEVELS):
            self.counted.pop((shared_id, deeper), None)
        if level.format == "none":
            return ""
        return "  " * at + ("- " if level.format == "bullet" else f"{formatted(counted, level.format)}. ")


def formatted(count: int, number_format: str) -> str:
    """A number as letters or Roman where the format says so and it has a short form, else in digits."""
    written = str(count)
    if number_format.endswith("Letter") and 0 < count <= MOST_LETTERS * len(LETTERS):
        written = LETTERS[(count - 1) % len(LETTERS)] * ((count - 1) // len(LETTERS) + 1)
    elif number_format.endswith("Roman") and 0 < count < MOST_ROMAN:
        written = ""
        for value, letters in ROMAN.items():
            written += letters * (count // value)
            count %= value
    return written.upper() if number_format.startswith("upper") else written


def symbol(font: str, code: str) -> str:
    """The character with this hexadecimal code; "" for one of a font of symbols whose meaning is not known."""
    if not CODE_POINT.fullmatch(code):
        return ""
    known, code_point = SYMBOLS.get(font, {}), int(code, 16)
    if code_point >> 8 == 0xF0 or (code_point <= 0xFF and known):
        return known.get(code_point & 0xFF, "")
    return chr(code_point)
