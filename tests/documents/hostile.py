"""Files made to harm whoever reads them, and a script that shows what reading each one costs.

python -m tests.documents.hostile
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from tests.documents import files
from tests.documents import files_office as office

LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha">%s]>' % b"".join(
    b'<!ENTITY %c "%s">' % (ord("b") + n, b"&%c;" % (ord("a") + n) * 10) for n in range(12)
)
OUTSIDE = b'<!DOCTYPE x [<!ENTITY j SYSTEM "file:///etc/hostname">]>'
A_WORD = files.docx(files.paragraph("Hello"))
A_CELL = '<row r="1">' + office.cell("A1", "Hello") + "</row>"
A_FAR_CELL = '<row r="1048576">' + office.cell("XFD1048576", 1) + "</row>"


def with_declaration(declaration: bytes) -> bytes:
    def hostile(xml: bytes) -> bytes:
        start = xml.index(b"?>") + 2
        return xml[:start] + declaration + xml[start:].replace(b"Hello", b"&j;Hello")

    return office.changed(A_WORD, "word/document.xml", hostile)


# name -> how to make it, and what becomes of it: the codes of the refusals that are right, or "" when it is read.
FILES: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "bomb.docx": (lambda: office.bomb(A_WORD, "word/document.xml"), {"unpacks_too_large"}),
    "lying-bomb.docx": (lambda: office.bomb(A_WORD, "word/document.xml", declared=1000), {"damaged"}),
    "bomb.xlsx": (lambda: office.bomb(office.xlsx(S=A_CELL), "xl/worksheets/sheet1.xml"), {"unpacks_too_large"}),
    "far-cell.xlsx": (lambda: office.xlsx(S=A_CELL + A_FAR_CELL), {""}),
    "xxe.docx": (lambda: with_declaration(OUTSIDE), {"damaged"}),
    "laughs.docx": (lambda: with_declaration(LAUGHS), {"damaged"}),
    "laughs.html": (lambda: LAUGHS + b"<html><body><p>&m;" + b"Hello. " * 50 + b"</p></body></html>", {""}),
    "pages.pdf": (lambda: files.pdf(*["page"] * 5000), {"too_many_pages"}),
    "nested.html": (lambda: b"<html><body>" + b"<div>" * 1_000_000 + b"deep", {"nested_too_deep"}),
    "nested-quotes.md": (lambda: b">" * 1_000_000 + b" deep", {"no_text", "nested_too_deep"}),
    "nested-lists.md": (lambda: b"".join(b"  " * n + b"- deep\n" for n in range(2000)), {"", "too_slow"}),
    "comments.md": (lambda: b"a <!-- b\n\n" * 300_000, {"", "too_much_memory"}),
    "links.md": (lambda: b"[" * 500_000, {"", "too_slow"}),
    "columns.csv": (lambda: b",".join([b"x"] * 1_000_000), {"too_many_columns"}),
    "rows.csv": (lambda: b"a,b\n" * 4_000_000, {"", "too_much_text", "too_much_memory"}),
    "quote.csv": (lambda: b'"' + b"x,y\n" * 4_000_000, {"", "too_much_text", "damaged", "too_much_memory"}),
    "nested.jsonl": (lambda: b"[" * 1_000_000 + b"]" * 1_000_000, {"", "nested_too_deep", "damaged"}),
    "nested.ipynb": (lambda: b'{"cells":' * 300_000, {"damaged", "nested_too_deep"}),
    "nested.rst": (lambda: b"".join(b"  " * n + b"- deep\n\n" for n in range(500)), {"", "too_slow"}),
    "nested.eml": (
        lambda: b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(5000)
        ) + b"\nHello",
        {"", "nested_too_deep", "no_text"},
    ),
    "longest-line.txt": (lambda: b"x" * 9_000_000, {""}),
    "too-long.txt": (lambda: b"x" * 19_000_000, {"too_much_text"}),
    "headings.md": (lambda: b"# a\n" * 2_000_000, {"", "too_slow", "too_much_memory", "too_much_text"}),
    "wide.png": (lambda: png(200_000, 200_000), {"unpacks_too_large"}),
}  # fmt: skip


def png(width: int, height: int) -> bytes:
    """The beginning of a picture of that size."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def main() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "searchsite.settings")
    django.setup()
    from django.conf import settings

    from searchsite.documents import reading
    from searchsite.documents.problems import Problem
    from searchsite.documents.revisions import limits

    print("| file | MB | what became of it | as it should | child's peak, MB | seconds |\n" + "| --- " * 6 + "|")
    for name, (make, right) in FILES.items():
        data = make()
        child = reading.Child(reading.Bounds(reading.memory_mb(), settings.SEARCHSITE_READ_SECONDS))
        began = time.perf_counter()
        try:
            extracted = reading._read_with(child, data, name, limits())
            code, said = "", f"read, {len(extracted.text):,} characters"
        except Problem as problem:
            code, said = problem.code, str(problem)
        except reading.Died as death:
            code, said = death.problem.code, str(death.problem)
        seconds = time.perf_counter() - began
        child.end()
        ok = "yes" if code in right else "**NO**"
        print(f"| {name} | {len(data) / 2**20:.1f} | {said} | {ok} | {child.peak >> 20} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
