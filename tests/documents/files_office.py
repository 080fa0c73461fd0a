"""Small office files, made by hand so that a test sees all that is in them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

from tests.documents.files import OFFICE, PACKAGE, zipped

SPREADSHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
CORE = (
    f'<cp:coreProperties xmlns:cp="{PACKAGE}/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:dcterms="http://purl.org/dc/terms/"><dc:title>Q&amp;A</dc:title><dc:creator>Ann &lt;Lee&gt;</dc:creator>'
    "<dcterms:created>2024-05-31T10:00:00Z</dcterms:created></cp:coreProperties>"
)


def xlsx(**sheets: str) -> bytes:
    """A workbook: the name of each sheet, and the XML of its rows."""
    return zipped(xlsx_parts(**sheets))


def xlsx_parts(**sheets: str) -> dict[str, str]:
    numbered = list(enumerate(sheets, 1))
    return {
        **_package("xl/workbook.xml"),
        "docProps/core.xml": CORE,
        "xl/workbook.xml": f'<workbook xmlns="{SPREADSHEET}" xmlns:r="{OFFICE}"><sheets>'
        + "".join(f'<sheet name="{name}" sheetId="{n}" state="hidden" r:id="r{n}"/>' for n, name in numbered)
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": _relationships(
            *((f"r{n}", f"{OFFICE}/worksheet", f"worksheets/sheet{n}.xml") for n, _ in numbered),
            ("r0", f"{OFFICE}/styles", "styles.xml"),
        ),
        # Style 1 is a date.
        "xl/styles.xml": f'<styleSheet xmlns="{SPREADSHEET}"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
        "</styleSheet>",
    } | {
        f"xl/worksheets/sheet{n}.xml": f'<worksheet xmlns="{SPREADSHEET}">'
        f"<sheetData>{sheets[name]}</sheetData></worksheet>"
        for n, name in numbered
    }


def cell(reference: str, value: str | float) -> str:
    if isinstance(value, str):
        return f'<c r="{reference}" t="inlineStr"><is><t>{value}</t></is></c>'
    return f'<c r="{reference}"><v>{value}</v></c>'


def _package(main: str, kind: str = "") -> dict[str, str]:
    override = f'<Override PartName="/{main}" ContentType="{kind}"/>' if kind else ""
    return {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f"{override}</Types>",
        "_rels/.rels": _relationships(
            ("r1", f"{OFFICE}/officeDocument", main),
            ("r2", f"{PACKAGE}/relationships/metadata/core-properties", "docProps/core.xml"),
        ),
    }


def _relationships(*relationships: tuple[str, str, str]) -> str:
    return (
        f'<Relationships xmlns="{PACKAGE}/relationships">'
        + "".join(f'<Relationship Id="{i}" Type="{kind}" Target="{target}"/>' for i, kind, target in relationships)
        + "</Relationships>"
    )


def xlsb(row: int, column: int, text: str, relationship: str = "r1") -> bytes:
    """A binary workbook with one cell, rows and columns counted from 0."""
    workbook = _xlsb(
        (131, b""),
        (153, bytes(12)),
        (143, b""),
        (156, struct.pack("<II", 0, 1) + _wide(relationship) + _wide("Binary")),
        (144, b""),
        (157, bytes(26)),
        (132, b""),
    )
    sheet = _xlsb(
        (129, b""),
        (148, struct.pack("<4I", row, row, column, column)),
        (145, b""),
        (0, struct.pack("<I", row) + bytes(21)),
        (6, struct.pack("<II", column, 0) + _wide(text)),
        (146, b""),
        (130, b""),
    )
    relationships = _relationships(("r1", f"{OFFICE}/worksheet", "worksheets/sheet1.bin"))
    return zipped(
        {**_package("xl/workbook.bin"), "xl/_rels/workbook.bin.rels": relationships},
        **{"xl/workbook.bin": workbook, "xl/worksheets/sheet1.bin": sheet},
    )


def _xlsb(*records: tuple[int, bytes]) -> bytes:
    def kind(number: int) -> bytes:
        return bytes([number]) if number < 0x80 else bytes([number & 0x7F | 0x80, number >> 7])

    return b"".join(kind(number) + bytes([len(content)]) + content for number, content in records)


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def xls(*cells: tuple[int, int, float | str], dimensions: bytes = b"") -> bytes:
    """A workbook of Excel 97 with one sheet: (row, column, value), counted from 0."""

    def record(kind: int, content: bytes) -> bytes:
        return struct.pack("<HH", kind, len(content)) + content

    def start(kind: int) -> bytes:
        return record(0x0809, struct.pack("<6H", 0x0600, kind, 0, 1997, 0, 0) + bytes(4))

    end = record(0x000A, b"")
    globals_length = len(start(5)) + len(record(0x0085, bytes(8) + b"Old")) + len(end)
    book = start(5) + record(0x0085, struct.pack("<IBBBB", globals_length, 0, 0, 3, 0) + b"Old") + end + start(16)
    if dimensions:
        book += record(0x0200, dimensions)
    for row, column, value in cells:
        place = struct.pack("<HHH", row, column, 0)
        if isinstance(value, str):
            book += record(0x0204, place + struct.pack("<HB", len(value), 1) + value.encode("utf-16-le"))
        else:
            book += record(0x0203, place + struct.pack("<d", value))
    return ole(Workbook=book + end)


ODF = "urn:oasis:names:tc:opendocument:xmlns:{}:1.0"
NAMESPACES = (
    "".join(f' xmlns:{name}="{ODF.format(name)}"' for name in ("office", "text", "table", "style", "meta", "manifest"))
    + f' xmlns:draw="{ODF.format("drawing")}" xmlns:dc="http://purl.org/dc/elements/1.1/"'
)
META = (
    f"<office:document-meta{NAMESPACES}><office:meta><dc:title>Q&amp;A</dc:title>"
    "<meta:initial-creator>Ann &lt;Lee&gt;</meta:initial-creator><dc:creator>Someone else</dc:creator>"
    "<meta:creation-date>2024-05-31T10:00:00.123</meta:creation-date></office:meta></office:document-meta>"
)


def odt(body: str, styles: str = "", manifest: str = "") -> bytes:
    return zipped(odt_parts(body, styles, manifest))


def odt_parts(body: str, styles: str = "", manifest: str = "") -> dict[str, str]:
    return _odf_parts("text", body, styles, manifest)


def ods(tables: str, manifest: str = "") -> bytes:
    return zipped(_odf_parts("spreadsheet", tables, "", manifest))


def _odf_parts(kind: str, body: str, styles: str, manifest: str) -> dict[str, str]:
    return {
        "META-INF/manifest.xml": f"<manifest:manifest{NAMESPACES}>{manifest}</manifest:manifest>",
        "meta.xml": META,
        "content.xml": f"<office:document-content{NAMESPACES}>"
        f"<office:automatic-styles>{styles}</office:automatic-styles><office:body><office:{kind}>{body}</office:{kind}></office:body></office:document-content>",
    }


def with_mimetype(data: bytes, kind: str) -> bytes:
    """An OpenDocument file that says what it is."""
    out = io.BytesIO(data)
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}")
    return out.getvalue()


def doc(main: str, footnotes: str = "", headers: str = "", flags: int = 0x0200, pieces: int = 1) -> bytes:
    """A Word 97 document: the text of three of its stories; the first character is kept as one byte, if it can be."""
    text = main + footnotes + headers
    fib = bytearray(0x200)
    struct.pack_into("<H", fib, 0, 0xA5EC)
    struct.pack_into("<H", fib, 0x0A, flags)
    struct.pack_into("<3I", fib, 0x4C, len(main), len(footnotes), len(headers))
    first, rest = text[:1].encode("cp1252", "replace"), text[1:].encode("utf-16-le")
    starts = [0, 1, len(text)]
    descriptors = struct.pack("<HIH", 0, 0x200 * 2 | 0x40000000, 0) + struct.pack("<HIH", 0, 0x202, 0)
    for _ in range(pieces - 1):  # the same bytes again
        starts.append(starts[-1] + len(text) - 1)
        descriptors += descriptors[8:16]
    table = struct.pack(f"<{len(starts)}I", *starts) + descriptors
    # Formatting that comes first is passed over.
    clx = b"\x01" + struct.pack("<H", 3) + b"abc" + b"\x02" + struct.pack("<I", len(table)) + table
    struct.pack_into("<II", fib, 0x1A2, 0, len(clx))
    return ole(WordDocument=bytes(fib) + first + b"\0" + rest, **{"1Table": clx})


def ole(**streams: bytes) -> bytes:
    """An OLE container with up to three streams, each padded so that none is of the small ones that are kept apart."""
    free, end_of_chain, is_fat = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    fat, sectors, entries = [is_fat, end_of_chain], b"", [_entry("Root Entry", 5, child=1)]
    for index, (name, content) in enumerate(streams.items(), 1):
        padded = content.ljust(max(4096, -(-len(content) // 512) * 512), b"\0")
        start, count = len(fat), len(padded) // 512
        fat += [*range(start + 1, start + count), end_of_chain]
        sectors += padded
        entries.append(
            _entry(name, 2, right=index + 1 if index < len(streams) else free, start=start, size=len(padded))
        )
    assert len(fat) <= 128
    fat += [free] * (128 - len(fat))
    header = struct.pack(
        "<8s16s5H6s9I",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6, b"", 0, 1, 1, 0, 0x1000, end_of_chain, 0,
        end_of_chain, 0,
    ) + struct.pack("<109I", 0, *[free] * 108)  # fmt: skip
    return header + struct.pack("<128I", *fat) + b"".join(entries).ljust(512, b"\0") + sectors


def _entry(
    name: str, kind: int, child: int = 0xFFFFFFFF, right: int = 0xFFFFFFFF, start: int = 0xFFFFFFFE, size: int = 0
) -> bytes:
    encoded = name.encode("utf-16-le") + b"\0\0"
    return struct.pack(
        "<64sHBB3I16sI8s8sIQ",
        encoded, len(encoded), kind, 1, 0xFFFFFFFF, right, child, b"", 0, b"", b"", start, size,
    )  # fmt: skip


def bomb(data: bytes, name: str, declared: int | None = None) -> bytes:
    """The same zip with one part more, or in the place of another, that unpacks to 2 GiB of spaces.

    declared: the size that the zip says it has; None for the truth.
    """
    size = 2 * 2**30
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    mebibyte = packer.compress(b" " * 2**20) + packer.flush(zlib.Z_FULL_FLUSH)
    content = mebibyte * (size // 2**20) + b"\x03\0"
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.infolist():
            if entry.filename != name:
                new.writestr(entry.filename, old.read(entry))
        new.writestr(name, content)
        local = new.getinfo(name).header_offset
        directory = new.start_dir
    packed = bytearray(out.getvalue())
    central = packed.rindex(name.encode()) - 46
    assert central >= directory
    for at, method, unpacked in ((local, 8, 22), (central, 10, 24)):
        struct.pack_into("<H", packed, at + method, zipfile.ZIP_DEFLATED)
        struct.pack_into("<I", packed, at + unpacked, size if declared is None else declared)
    return bytes(packed)


def changed(data: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The same zip with one of its parts changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(entry.filename, change(content) if entry.filename == name else content)
    return out.getvalue()
