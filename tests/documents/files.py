"""Small files of each kind, made by hand so that a test sees all that is in them."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile

# The padding and the algorithms of PDF 1.4, 3.5 "Encryption", revision 2: RC4 with a key of 40 bits.
PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
PERMISSIONS = -1
FILE_ID = b"0123456789abcdef"


def pdf(*pages: str, title: str = "", password: str = "") -> bytes:
    """A PDF with these lines of Latin text on its pages; an empty page has no text layer."""
    key, encryption = _encryption(password) if password else (b"", b"")
    objects = {1: b"<< /Type /Catalog /Pages 2 0 R >>", 3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"}
    kids = []
    for index, text in enumerate(pages):
        page, content = 10 + 2 * index, 11 + 2 * index
        kids.append(f"{page} 0 R")
        objects[page] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {content} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        ).encode()
        lines = "".join(f"({_quoted(line)}) Tj 0 -20 Td " for line in text.split("\n")) if text else ""
        stream = f"BT /F1 12 Tf 50 750 Td {lines}ET".encode("latin-1")
        if key:
            stream = rc4(hashlib.md5(key + content.to_bytes(3, "little") + b"\0\0").digest()[:10], stream)
        objects[content] = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream)
    objects[2] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    trailer = b"/Root 1 0 R"
    if title:
        objects[4] = f"<< /Title ({_quoted(title)}) >>".encode("latin-1")
        trailer += b" /Info 4 0 R"
    if key:
        objects[5] = encryption
        trailer += b" /Encrypt 5 0 R /ID [<%b> <%b>]" % (FILE_ID.hex().encode(), FILE_ID.hex().encode())
    return _with_table(objects, trailer)


def _with_table(objects: dict[int, bytes], trailer: bytes) -> bytes:
    out = io.BytesIO(b"")
    out.write(b"%PDF-1.4\n")
    table = b"xref\n0 1\n0000000000 65535 f \n"
    for number, content in sorted(objects.items()):
        table += b"%d 1\n%010d 00000 n \n" % (number, out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, content))
    start = out.tell()
    out.write(table + b"trailer\n<< /Size %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (max(objects) + 1, trailer, start))
    return out.getvalue()


def _quoted(text: str) -> str:
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def _encryption(password: str) -> tuple[bytes, bytes]:
    """The key, and the dictionary that says how to check a password."""
    padded = (password.encode() + PADDING)[:32]
    owner = rc4(hashlib.md5(padded).digest()[:5], padded)
    key = hashlib.md5(padded + owner + struct.pack("<i", PERMISSIONS) + FILE_ID).digest()[:5]
    user = rc4(key, PADDING)
    dictionary = f"<< /Filter /Standard /V 1 /R 2 /O <{owner.hex()}> /U <{user.hex()}> /P {PERMISSIONS} >>"
    return key, dictionary.encode()


def rc4(key: bytes, data: bytes) -> bytes:
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    i = j = 0
    out = bytearray()
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.'
    'wordprocessingml.document.main+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
    f'Type="{OFFICE}/officeDocument" Target="word/document.xml"/>'
    f'<Relationship Id="r2" Type="{PACKAGE}/relationships/metadata/core-properties" Target="docProps/core.xml"/>'
    "</Relationships>",
    "word/_rels/document.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r1" '
    f'Type="{OFFICE}/styles" Target="styles.xml"/></Relationships>',
    "word/styles.xml": f'<w:styles xmlns:w="{WORD}">'
    + "".join(
        f'<w:style w:type="paragraph" w:styleId="Heading{n}"><w:name w:val="heading {n}"/>'
        f'<w:pPr><w:outlineLvl w:val="{n - 1}"/></w:pPr></w:style>'
        for n in (1, 2, 3)
    )
    + "</w:styles>",
}


def docx(body: str, title: str = "", **more_parts: bytes) -> bytes:
    """A Word document with this XML for its body."""
    core = (
        f'<cp:coreProperties xmlns:cp="{PACKAGE}/metadata/core-properties" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></cp:coreProperties>'
    )
    document = f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
    return zipped({**PARTS, "docProps/core.xml": core, "word/document.xml": document}, **more_parts)


def paragraph(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def zipped(parts: dict[str, str], **more_parts: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, xml in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>{xml}')
        for name, content in more_parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def ole(*streams: str) -> bytes:
    """An OLE container with empty streams: what Word wrote before 2007, and how Office wraps a file with a password."""
    free, end_of_chain, is_fat = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    header = struct.pack(
        "<8s16s5H6s9I",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"", 0x3E, 3, 0xFFFE, 9, 6, b"", 0, 1, 1, 0, 0x1000, end_of_chain, 0,
        end_of_chain, 0,
    ) + struct.pack("<109I", 0, *[free] * 108)  # fmt: skip
    fat = struct.pack("<128I", is_fat, end_of_chain, *[free] * 126)
    entries = [_entry("Root Entry", 5, child=1), *(_entry(name, 2) for name in streams)]
    return header + fat + b"".join(entries).ljust(512, b"\0")


def _entry(name: str, kind: int, child: int = 0xFFFFFFFF) -> bytes:
    encoded = name.encode("utf-16-le") + b"\0\0"
    none = 0xFFFFFFFF
    return struct.pack(
        "<64sHBB3I16sI8s8sIQ", encoded, len(encoded), kind, 1, none, none, child, b"", 0, b"", b"", 0xFFFFFFFE, 0
    )
