"""DOCX: text, headings, lists and tables of a Word document."""

import re
from collections import Counter
from typing import TYPE_CHECKING

from searchsite.documents.extract import zipped
from searchsite.documents.extract.extracted import Extracted, Limits, Writer, one_line
from searchsite.documents.problems import Problem

if TYPE_CHECKING:
    from kreuzberg._internal_bindings import NodeContent, TableGrid

MIME_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
# A book of a thousand pages has 15 MB of XML. kreuzberg takes up to 45 times as much memory as it is given.
MOST_UNPACKED = 32 * 2**20
REPEATED_ON_EACH_PAGE = ("header", "footer")
# kreuzberg 4.10 silently drops every XML reference, "AT&amp;T" becomes "ATT" (github.com/xberg-io/xberg/pull/1245).
# Until it is mended each goes through it as a character that no text contains.
REFERENCE = re.compile(rb"&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#x([0-9A-Fa-f]{1,6}));")
NAMED = {b"amp": "&", b"lt": "<", b"gt": ">", b"quot": '"', b"apos": "'"}
STANDS_FOR = {character: chr(0xFDD0 + n) for n, character in enumerate(NAMED.values())}  # Unicode noncharacters
RESTORE = str.maketrans({stand_in: character for character, stand_in in STANDS_FOR.items()})
# It also drops these, and so makes one word of what stands left and right of them.
DROPPED = {
    b"<w:tab/>": b'<w:t xml:space="preserve">\t</w:t>',
    b"<w:noBreakHyphen/>": b"<w:t>-</w:t>",
}


def read(data: bytes, limits: Limits) -> Extracted:
    """Read a DOCX; title, author and date are those of its properties.

    Raises Problem: "password", "damaged", "unpacks_too_large", "too_much_text".
    """
    import kreuzberg

    config = kreuzberg.ExtractionConfig(
        use_cache=False, enable_quality_processing=False, include_document_structure=True
    )
    with zipped.open_archive(data) as archive:
        properties = zipped.core_properties(archive)
        # Its XML only: pictures hold no text.
        parts = zipped.repacked(archive, zipped.XML_PART, MOST_UNPACKED, _prepared)
    try:
        result = kreuzberg.extract_bytes_sync(parts, MIME_TYPE, config)
    except kreuzberg.ParsingError as error:
        raise Problem("damaged") from error
    writer = Writer(limits)
    items: Counter[int] = Counter()  # how many each list has had
    nodes = result.document["nodes"] if result.document else []
    for node in nodes:
        if node.get("content_layer") in REPEATED_ON_EACH_PAGE:
            continue
        content, parent = node["content"], node.get("parent")
        if content["node_type"] == "list_item" and parent is not None:
            items[parent] += 1
            marker = f"{items[parent]}. " if nodes[parent]["content"].get("ordered") else "- "
            writer.block(marker + _restored(content["text"]), run="list")
        else:
            _write(content, writer)
    return writer.extracted("docx", properties.title, properties.author, properties.written)


def _prepared(xml: bytes) -> bytes:
    """The same XML without what kreuzberg would drop."""
    for element, text in DROPPED.items():
        xml = xml.replace(element, text)
    return REFERENCE.sub(_stand_in, xml)


def _stand_in(reference: re.Match[bytes]) -> bytes:
    """A character reference as the character, those with a meaning in XML as what stands for them."""
    named, decimal, hexadecimal = reference.groups()
    code = int(decimal) if decimal else int(hexadecimal or b"0", 16)
    if not named and (code > 0x10FFFF or 0xD800 <= code < 0xE000):
        return b""
    character = NAMED[named] if named else chr(code)
    return STANDS_FOR.get(character, character).encode()


def _write(content: "NodeContent", writer: Writer) -> None:
    match content["node_type"]:
        case "title" | "heading":
            writer.heading(content.get("level", 1), _restored(content["text"]))
        case "code":
            writer.preformatted(_restored(content["text"]))
        case "table":
            for row in _rows(content["grid"]):
                writer.block(" | ".join(filter(None, row)), run="table")
        case "image":
            writer.block(_restored(content.get("description") or ""))
        case _:  # a list or group has no text of its own
            writer.block(_restored(content.get("text", "")))


def _rows(grid: "TableGrid") -> list[list[str]]:
    """The cells of each row, from left to right, each on one line."""
    rows: dict[int, list[str]] = {}
    for cell in grid["cells"]:
        rows.setdefault(cell["row"], []).append(one_line(_restored(cell["content"])))
    return [cells for _, cells in sorted(rows.items())]


def _restored(text: str) -> str:
    return text.translate(RESTORE)
