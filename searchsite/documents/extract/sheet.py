"""Spreadsheets: XLSX, XLSM, XLSB, XLS and ODS, a page per sheet.

calamine builds each sheet as a full rectangle around its cells, and ends the process when there is no memory for it. So
the extent of the cells is told before it sees the file.
"""

import io
import re
import struct
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from searchsite.documents.extract import zipped
from searchsite.documents.extract.extracted import Extracted, Limits, Writer, one_line
from searchsite.documents.extract.odt import odf_properties, refuse_password
from searchsite.documents.problems import Problem

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

ZIP = b"PK"
MOST_UNPACKED = 96 * 2**20
MOST_COLUMNS = 16_384  # what Excel has
# Twice the 32 bytes that calamine spends on a cell, for it builds the rectangle from a list of the cells.
BYTES_PER_CELL = 64
MOST_MEMORY = 256 * 2**20
PART = re.compile(r"(?!.*(?:vbaProject|printerSettings)).*\.(?:xml|rels|bin)\Z|mimetype\Z", re.IGNORECASE | re.DOTALL)
REFERENCE = re.compile(r"([A-Za-z]{1,7})([0-9]{1,10})\Z")
# The start of a row or cell of an XLSX, and the reference that says where it lies.
PLACED = re.compile(rb"(<(?:\w{1,20}:)?(?:row|c)\b[^<>]{0,999}?)\sr\s*=\s*(?:\"[^\"<]*\"|'[^'<]*')")
LARGEST_EXACT = 10**15
# [MS-XLS] 2.3: records of cells, which begin with row and column.
BIFF_CELLS = frozenset([0x0006, 0x00BD, 0x00D6, 0x00FD, 0x0203, 0x0204, 0x0205, 0x027E])
BIFF_MULTIPLE = 0x00BD  # ends with its last column
BIFF_DIMENSIONS = 0x0200  # calamine believes it
BIFF_START, BIFF_PASSWORD = 0x0809, 0x002F
# [MS-XLSB] 2.3.1: row headers, and the cells of a row, which begin with their column.
XLSB_ROW, XLSB_CELLS, XLSB_SHEET = 0, frozenset(range(2, 12)), 129


def read(data: bytes, limits: Limits) -> Extracted:
    """Read a spreadsheet; title, author and date are those of its properties, where it is a zip.

    Raises Problem: "password", "damaged", "unpacks_too_large", "cells_far_apart", "too_many_columns", "too_many_pages",
    "too_much_text".
    """
    properties = zipped.Properties()
    if data.startswith(ZIP):
        with zipped.open_archive(data) as archive:
            refuse_password(archive)
            properties = zipped.core_properties(archive)
            if properties == zipped.Properties():
                properties = odf_properties(archive)
            data = zipped.repacked(archive, PART, MOST_UNPACKED, _checked_xml)
        # Only now, since all its parts together are known to be within the limit.
        with zipped.open_archive(data) as archive:
            for name in archive.namelist():
                if name.lower().endswith(".bin"):
                    _check_xlsb(zipped.read_part(archive, name, MOST_UNPACKED))
    else:
        _check_xls(data)
    writer = Writer(limits)
    try:
        _write(data, writer, limits)
    except (Problem, MemoryError):
        raise
    except BaseException as error:
        # Beside its own errors calamine lets out Rust's panics, which are no Exception and have no importable class.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise Problem("password" if type(error).__name__ == "PasswordError" else "damaged") from error
        raise
    return writer.extracted("sheet", properties.title, properties.author, properties.written)


def _write(data: bytes, writer: Writer, limits: Limits) -> None:
    from python_calamine import CalamineWorkbook, SheetTypeEnum

    with CalamineWorkbook.from_filelike(io.BytesIO(data)) as workbook:
        sheets = [sheet.name for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
        if len(sheets) > limits.max_pages:
            raise Problem("too_many_pages", pages=len(sheets), limit=limits.max_pages)
        for name in sheets:
            writer.page()
            _write_sheet(workbook, name, writer)


def _write_sheet(workbook: "CalamineWorkbook", name: str, writer: Writer) -> None:
    sheet = workbook.get_sheet_by_name(name)
    if sheet.width > MOST_COLUMNS:
        raise Problem("too_many_columns", limit=MOST_COLUMNS)
    rows = (" | ".join(filter(None, map(_cell, row))) for row in sheet.iter_rows())
    has_text = False
    for row in filter(None, rows):
        if not has_text:
            # The name of a sheet without cells ("Sheet3") is no text.
            writer.heading(1, name)
            has_text = True
        writer.block(row, run="table")


def _cell(value: Any) -> str:
    """A cell as a reader would write it; dates in ISO 8601."""
    match value:
        case str():
            return one_line(value)
        case bool():
            return str(value).upper()
        case float():
            # Excel has 15 digits too, so that 0.1 + 0.2 is 0.3.
            return str(int(value)) if value.is_integer() and abs(value) <= LARGEST_EXACT else f"{value:.15g}"
        case datetime():
            return value.isoformat(" ", "seconds")
        case date() | time():
            return value.isoformat()
        case _:
            return str(value)


class _Extent:
    """Where the cells of a sheet lie, or of the sheets of a file together."""

    def __init__(self) -> None:
        self.top = self.left = self.bottom = self.right = -1

    def add(self, row: int, column: int, rows: int = 1, columns: int = 1) -> None:
        """Count a cell, or a rectangle of cells, with something in it.

        Raises Problem: "too_many_columns", "cells_far_apart".
        """
        first = self.bottom < 0
        self.top, self.left = (row, column) if first else (min(self.top, row), min(self.left, column))
        self.bottom, self.right = max(self.bottom, row + rows - 1), max(self.right, column + columns - 1)
        if self.right >= MOST_COLUMNS:
            raise Problem("too_many_columns", limit=MOST_COLUMNS)
        cells = (self.bottom - self.top + 1) * (self.right - self.left + 1)
        if cells * BYTES_PER_CELL > MOST_MEMORY:
            raise Problem("cells_far_apart", cells=cells)


def _checked_xml(xml: bytes) -> bytes:
    """The XML of a sheet or of anything else; the cells of a sheet closed up where they lie too far apart.

    Raises Problem as `_Extent.add` does, and "damaged".
    """
    try:
        _scan_xml(xml)
    except Problem as problem:
        if problem.code != "cells_far_apart":
            raise
        # Where a cell lies does not show in the text. Without references, each lies behind the one before.
        xml = PLACED.sub(rb"\1", xml)
        _scan_xml(xml)
    return xml


def _scan_xml(xml: bytes) -> None:
    parser = expat.ParserCreate()
    parser.StartElementHandler = _XmlScan().start
    try:
        parser.Parse(xml, True)
    except StopIteration:  # no sheet
        return
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise Problem("damaged") from error


class _XmlScan:
    """Finds the extent of the cells in a sheet of an XLSX, or in the tables of an ODS."""

    ROOTS = frozenset(["worksheet", "document-content"])

    def __init__(self) -> None:
        self.is_root = True
        self.extent = _Extent()
        self.row = self.column = -1
        self.rows = self.columns = 1  # for how many the current one of an ODS stands

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        if self.is_root:
            if name not in self.ROOTS:
                raise StopIteration
            self.is_root = False
        match name:
            case "row":
                number = attributes.get("r", "")
                self.row = int(number) - 1 if number.isdecimal() and len(number) < 10 else self.row + 1
                self.column = -1
            case "c":
                self._move(attributes.get("r", ""))
            case "v" | "is":
                self.extent.add(max(self.row, 0), max(self.column, 0))
            case "table":
                self.extent = _Extent()
                self.row, self.rows = 0, 0
            case "table-row":
                self.row += self.rows
                self.rows = _repeated(attributes, "rows")
                self.column, self.columns = 0, 0
            case "table-cell" | "covered-table-cell":
                self.column += self.columns
                self.columns = _repeated(attributes, "columns")
                if any(key.endswith((":value-type", ":formula")) for key in attributes):
                    self.extent.add(self.row, self.column, self.rows, self.columns)
            case "p":
                self.extent.add(self.row, self.column, self.rows, self.columns)

    def _move(self, reference: str) -> None:
        """Go to a cell such as B7, or to the next one."""
        if not (match := REFERENCE.match(reference)):
            self.column += 1
            return
        letters, number = match.groups()
        column = 0
        for letter in letters.upper():
            column = column * 26 + ord(letter) - ord("A") + 1
        self.row, self.column = int(number) - 1, column - 1


def _repeated(attributes: dict[str, str], what: str) -> int:
    number = next((value for key, value in attributes.items() if key.endswith(f":number-{what}-repeated")), "1")
    return int(number) if number.isdecimal() and len(number) < 10 else 1


def _check_xls(data: bytes) -> None:
    """Raises Problem as `_Extent.add` does for the cells of an XLS; "damaged", "password"."""
    import olefile  # type: ignore[import-untyped]

    try:
        with olefile.OleFileIO(io.BytesIO(data)) as container:
            name = next(name for name in ("Workbook", "Book") if container.exists(name))
            stream = container.openstream(name).read()
    except Exception as error:  # olefile promises no class of error
        raise Problem("damaged") from error
    extent = _Extent()
    position = 0
    while position + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, position)
        record = stream[position + 4 : position + 4 + length]
        position += 4 + length
        if kind == BIFF_START:
            extent = _Extent()
        elif kind == BIFF_PASSWORD:
            raise Problem("password")
        elif kind in BIFF_CELLS and len(record) >= 6:
            row, column = struct.unpack_from("<HH", record)
            last = struct.unpack_from("<H", record, len(record) - 2)[0] if kind == BIFF_MULTIPLE else column
            extent.add(row, column, columns=max(1, last - column + 1))
        elif kind == BIFF_DIMENSIONS and len(record) >= 10:
            # Rows are counted with 4 bytes since Excel 97, with 2 before.
            first, end, left, right = struct.unpack_from("<IIHH" if len(record) >= 14 else "<4H", record)
            _Extent().add(first, left, max(1, end - first), max(1, right - left))


def _check_xlsb(part: bytes) -> None:
    """Raises Problem as `_Extent.add` does for the cells of a sheet of an XLSB; other parts pass."""
    extent = _Extent()
    row = 0
    for number, (kind, record) in enumerate(_xlsb_records(part)):
        if number == 0 and kind != XLSB_SHEET:
            return
        if kind == XLSB_ROW and len(record) >= 4:
            (row,) = struct.unpack_from("<I", record)
        elif kind in XLSB_CELLS and len(record) >= 4:
            extent.add(row, struct.unpack_from("<I", record)[0])


def _xlsb_records(part: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, content) of each record: both type and length are numbers of seven bits a byte, the lowest first."""
    position = 0
    while position < len(part):
        numbers = []
        for most in (2, 4):
            value = 0
            for index in range(most):
                byte = part[position] if position < len(part) else 0
                position += 1
                value |= (byte & 0x7F) << (7 * index)
                if not byte & 0x80:
                    break
            numbers.append(value)
        kind, length = numbers
        yield kind, part[position : position + length]
        position += length
