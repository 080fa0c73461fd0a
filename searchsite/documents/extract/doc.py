"""DOC: the text of a Word 97 to 2003 document.

Read by its piece table ([MS-DOC] 2.4.1).
"""

import io
import re
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

from searchsite.documents.extract.extracted import Extracted, Limits, Writer, one_line
from searchsite.documents.extract.zipped import Properties
from searchsite.documents.problems import Problem

if TYPE_CHECKING:
    from olefile import OleFileIO  # type: ignore[import-untyped]

WORD_97 = 0xA5EC  # wIdent
ENCRYPTED, TABLE_1 = 0x0100, 0x0200  # flags of the FIB
FLAGS_AT, LENGTHS_AT, CLX_AT = 0x0A, 0x4C, 0x01A2  # offsets in the FIB
# The stories of a document one behind the other: main text, footnotes, headers, macros, remarks, endnotes, text boxes,
# text boxes in headers. Those that are repeated on each page or are not the author's are left out.
STORIES_READ = (True, True, False, False, False, True, True, False)
PROPERTIES, PIECES = 1, 2  # what the Clx consists of
UTF_8 = 65001  # code page
COMPRESSED = 0x40000000  # a piece of one byte a character
FIELD_START, FIELD_SEPARATOR, FIELD_END = "\x13", "\x14", "\x15"
CELL_END = "\x07"
FIELD_MARK_OR_TEXT = re.compile("[\x13\x14\x15]|[^\x13\x14\x15]+")
ENDED = re.compile("([^\r\x07\x0c\x0e]*)([\r\x07\x0c\x0e]|\\Z)")  # by a paragraph's, cell's, page's or column's end
CHARACTERS = str.maketrans({"\x0b": "\n", "\x1e": "-", "\xa0": " "})  # line break, hyphen and space that do not break
# One byte is Windows-1252, with five characters that it lacks in Python's.
CP1252 = {byte: bytes([byte]).decode("cp1252", "replace") for byte in range(0x80, 0xA0)}


def read(data: bytes, limits: Limits) -> Extracted:
    """Read a DOC; title, author and date are those of its properties.

    Raises Problem: "password", "damaged", "too_much_text".
    """
    import olefile

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as container:
            text = _text(container)
            properties = _properties(container)
    except (Problem, MemoryError):
        raise
    except Exception as error:  # olefile promises no class of error; struct.error where the file ends too early
        raise Problem("damaged") from error
    writer = Writer(limits)
    _write(_without_field_codes(text), writer)
    return writer.extracted("doc", properties.title, properties.author, properties.written)


def _text(container: "OleFileIO") -> str:
    """The text of the stories that are read, with Word's control characters. Raises Problem: "password", "damaged"."""
    document = container.openstream("WordDocument").read()
    (identifier,) = struct.unpack_from("<H", document)
    (flags,) = struct.unpack_from("<H", document, FLAGS_AT)
    if identifier != WORD_97:
        raise Problem("damaged")
    if flags & ENCRYPTED:
        raise Problem("password")
    table = container.openstream("1Table" if flags & TABLE_1 else "0Table").read()
    start, length = struct.unpack_from("<II", document, CLX_AT)
    text = "".join(_pieces(document, table[start : start + length]))
    read = []
    position = 0
    for length, is_read in zip(struct.unpack_from("<8I", document, LENGTHS_AT), STORIES_READ, strict=True):
        if is_read:
            read.append(text[position : position + length])
        position += length
    return "\r".join(read)


def _pieces(document: bytes, clx: bytes) -> Iterator[str]:
    """The text of each piece, in the order of the text. Raises Problem("damaged"), struct.error."""
    position = 0
    while clx[position] == PROPERTIES:
        position += 3 + struct.unpack_from("<H", clx, position + 1)[0]
    if clx[position] != PIECES:
        raise Problem("damaged")
    (size,) = struct.unpack_from("<I", clx, position + 1)
    count = (size - 4) // 12
    starts = struct.unpack_from(f"<{count + 1}I", clx, position + 5)
    descriptors = position + 5 + 4 * (count + 1)
    left = len(document)
    for index in range(count):
        length = starts[index + 1] - starts[index]
        (place,) = struct.unpack_from("<I", clx, descriptors + 8 * index + 2)
        # No two pieces share their bytes; in a file that was made to unpack to gigabytes they do.
        left -= length if place & COMPRESSED else 2 * length
        if length < 0 or left < 0:
            raise Problem("damaged")
        if place & COMPRESSED:
            start = (place & ~COMPRESSED) // 2
            yield document[start : start + length].decode("latin-1").translate(CP1252)
        else:
            yield document[place : place + 2 * length].decode("utf-16-le", "surrogatepass")


def _without_field_codes(text: str) -> str:
    """The text with each field (a link, a page number, a table of contents) as what it shows."""
    shown: list[str] = []
    in_code: list[bool] = []  # for each field that is open
    codes = 0  # how many of them are True
    for match in FIELD_MARK_OR_TEXT.finditer(text):
        piece = match[0]
        if piece == FIELD_START:
            in_code.append(True)
            codes += 1
        elif piece in (FIELD_SEPARATOR, FIELD_END):
            if in_code:
                codes -= in_code.pop()
                if piece == FIELD_SEPARATOR:
                    in_code.append(False)
        elif not codes:
            shown.append(piece)
    return "".join(shown)


def _write(text: str, writer: Writer) -> None:
    """Write paragraphs, and rows of tables: each cell ends with a mark, and each row with one more.

    A row is taken to end at an empty cell as well, which cannot be told from its end without the formatting.
    """
    cells: list[str] = []
    for match in ENDED.finditer(text):
        content, end = match[1].translate(CHARACTERS), match[2]
        if end == CELL_END and (cell := one_line(content)):
            cells.append(cell)
        elif end == CELL_END:
            writer.block(" | ".join(cells), run="table")
            cells.clear()
        else:
            writer.block(content)
    writer.block(" | ".join(cells), run="table")


def _properties(container: "OleFileIO") -> Properties:
    """Title, author and date of creation; none where they cannot be read."""
    try:
        metadata = container.get_metadata()
    except Exception:  # noqa: BLE001 - olefile promises no class of error, and the text matters more
        return Properties()
    codepage = (metadata.codepage or 0) & 0xFFFF  # which olefile takes for signed
    encoding = "utf-8" if codepage in (0, UTF_8) else f"cp{codepage}"
    created = metadata.create_time
    return Properties(
        _decoded(metadata.title, encoding), _decoded(metadata.author, encoding), created.date() if created else None
    )


def _decoded(value: object, encoding: str) -> str:
    if isinstance(value, str):
        return value
    try:
        return value.decode(encoding, "replace").rstrip("\0") if isinstance(value, bytes) else ""
    except LookupError:  # no such code page
        return ""
