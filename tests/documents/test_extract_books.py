"""Books become their chapters, notebooks their cells."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
from datetime import date
from typing import Any

import pytest

from searchsite.documents.extract import Extracted, Limits, epub, extract
from searchsite.documents.problems import Problem

LIMITS = Limits(max_bytes=20_000_000, max_pages=10, max_characters=1_000_000)
CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""
PACKAGE = """<?xml version="1.0"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:title>Ducks &amp; Geese</dc:title><dc:creator>Ann Bee</dc:creator><dc:creator>Bob</dc:creator>
<dc:date>2024-03-05T00:00:00Z</dc:date></metadata><manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="two" href="text/two%20.xhtml" media-type="application/xhtml+xml"/>
<item id="one" href="text/one.xhtml" media-type="application/xhtml+xml"/>
<item id="notes" href="notes.xhtml" media-type="application/xhtml+xml"/>
<item id="gone" href="gone.xhtml" media-type="application/xhtml+xml"/>
<item id="art" href="art.svg" media-type="image/svg+xml"/></manifest>
<spine><itemref idref="nav"/><itemref idref="one"/><itemref idref="two"/><itemref idref="one"/><itemref idref="art"/>
<itemref idref="gone"/><itemref idref="unknown"/><itemref idref="notes" linear="no"/></spine></package>"""
ONE = """<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/>
<script src="x"/></head>
<body><h1>One &amp; only</h1><p>A <a id="x"/>duck.&#160;鸭子 &lt;b&gt;</p><p/><p>End.</p></body></html>"""
PARTS = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": CONTAINER,
    "OEBPS/book.opf": PACKAGE,
    "OEBPS/text/one.xhtml": ONE,
    "OEBPS/text/two .xhtml": "<html><body><h1>Two</h1><ul><li>seeds</li></ul></body></html>",
    "OEBPS/nav.xhtml": "<html><body><nav>One</nav>Contents</body></html>",
    "OEBPS/notes.xhtml": "<html><body>Notes</body></html>",
    "OEBPS/art.svg": "<svg/>",
}
ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;"><!ENTITY f SYSTEM "file:///etc/passwd">]>'


def book(**changed: str) -> bytes:
    """A book with some parts changed: container, opf, one, encryption."""
    names = {
        "container": "META-INF/container.xml",
        "opf": "OEBPS/book.opf",
        "one": "OEBPS/text/one.xhtml",
        "encryption": "META-INF/encryption.xml",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (PARTS | {names[key]: value for key, value in changed.items()}).items():
            archive.writestr(name, content)
    return out.getvalue()


def read(data: bytes | str | dict[str, Any], name: str = "a.epub") -> Extracted:
    data = json.dumps(data) if isinstance(data, dict) else data
    return extract(data.encode() if isinstance(data, str) else data, name, LIMITS)


def refusal(data: bytes | str | dict[str, Any], name: str = "a.epub") -> str:
    with pytest.raises(Problem) as caught:
        read(data, name)
    return caught.value.code


def outline(extracted: Extracted) -> list[tuple[int, str]]:
    return [(heading.level, heading.title) for heading in extracted.headings]


def test_a_book_is_its_chapters_in_their_order() -> None:
    extracted = read(book())

    assert extracted.text == "One & only\n\nA duck. 鸭子 <b>\n\nEnd.\n\nTwo\n\n- seeds\n\nNotes"
    assert outline(extracted) == [(1, "One & only"), (1, "Two")]
    assert (extracted.kind, extracted.title, extracted.author) == ("epub", "Ducks & Geese", "Ann Bee, Bob")
    assert extracted.written == date(2024, 3, 5)


def encryption(part: str) -> str:
    return (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
        'xmlns:e="http://www.w3.org/2001/04/xmlenc#">'
        f'<e:EncryptedData><e:CipherData><e:CipherReference URI="{part}"/></e:CipherData></e:EncryptedData>'
        "</encryption>"
    )


def test_a_book_with_encrypted_chapters_is_refused_one_with_encrypted_fonts_is_not() -> None:
    assert refusal(book(encryption=encryption("OEBPS/text/two%20.xhtml"))) == "password"
    assert read(book(encryption=encryption("OEBPS/fonts/a.otf"))).title == "Ducks & Geese"


def test_entities_do_no_harm() -> None:
    assert refusal(book(container=CONTAINER.replace("<container", f"{ENTITIES}<container"))) == "damaged"
    assert refusal(book(opf=PACKAGE.replace("<package", f"{ENTITIES}<package"))) == "damaged"
    chapter = ONE.replace("<html", f"{ENTITIES.replace('x [', 'html [')}<html", 1).replace("duck", "&b;&f;duck")
    text = read(book(one=chapter)).text
    assert "root:" not in text
    assert "aaaa" * 10 not in text


OEB = '"+//ISBN 0-9673008-1-9//DTD OEB 1.2 Package//EN" "http://openebook.org/dtds/oeb-1.2/oebpkg12.dtd"'


def test_a_package_of_open_ebook_is_read_with_its_doctype_and_with_no_more() -> None:
    for allowed in (f"PUBLIC {OEB}", 'SYSTEM "oebpkg1.dtd"'):
        doctype = f"<!DOCTYPE package\n {allowed}>"
        assert read(book(opf=PACKAGE.replace("<package", f"{doctype}<package"))) == read(book())
    for refused in (f"package PUBLIC {OEB} [<!ENTITY a 'b'>]", "package", f"x PUBLIC {OEB}", "package [ ]"):
        assert refusal(book(opf=PACKAGE.replace("<package", f"<!DOCTYPE {refused}><package"))) == "damaged"
    twice = f"<!DOCTYPE package PUBLIC {OEB}>" * 2
    assert refusal(book(opf=PACKAGE.replace("<package", f"{twice}<package"))) == "damaged"


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_kind_that_unpacks_to_more_than_is_declared_costs_no_memory(method: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("mimetype", b"x" * 30_000_000)
    lying = out.getvalue().replace(struct.pack("<I", 30_000_000), struct.pack("<I", 50))
    tracemalloc.start()
    try:
        assert refusal(lying) in ("damaged", "not_what_it_says")
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("part", ["container", "opf"])
@pytest.mark.parametrize("content", ["", "<x/>", "no xml", "<container>"])
def test_a_book_that_does_not_say_what_it_consists_of(part: str, content: str) -> None:
    assert refusal(book(**{part: content})) in ("damaged", "no_text")


def test_damaged_books() -> None:
    whole = book()
    for size in (100, len(whole) // 2, len(whole) - 10):
        assert refusal(whole[:size]) == "damaged"
    elsewhere = (
        PACKAGE.replace("text/one", "../../../../etc/passwd?").replace("text/two", "x").replace("notes.x", "y.x")
    )
    assert refusal(book(opf=elsewhere)) == "no_text"


def test_a_book_that_unpacks_to_too_much() -> None:
    bomb = book(one="x" * (epub.MOST_UNPACKED + 1))
    assert len(bomb) < 100_000
    assert refusal(bomb) == "unpacks_too_large"


# --- notebooks


def notebook(*cells: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": list(cells)}


def test_a_notebook() -> None:
    output = [
        {"output_type": "stream", "name": "stdout", "text": ["\x1b[31mred\x1b[0m\n", "  1 < 2"]},
        {"output_type": "execute_result", "data": {"text/plain": ["'<b>'"], "text/html": "<b>", "image/png": "AAAA"}},
        {"output_type": "error", "ename": "E", "evalue": "boom", "traceback": ["boom"]},
    ]

    extracted = read(
        notebook(
            {"cell_type": "markdown", "source": ["# Top & *more*\n", "\n", "说明 `code`"]},
            {"cell_type": "code", "source": "for x in y:\n    print(x)", "outputs": output},
            {"cell_type": "raw", "source": "as it is"},
            title="My notebook",
            authors=[{"name": "Ann"}, {"name": "Bob"}],
        ),
        "a.ipynb",
    )

    assert extracted.text == (
        "Top & more\n\n说明 code\n\nfor x in y:\n    print(x)\n\nred\n  1 < 2\n\n'<b>'\n\nas it is"
    )
    preformatted = [extracted.text[start:end] for start, end in extracted.preformatted]
    assert preformatted == ["for x in y:\n    print(x)", "red\n  1 < 2", "'<b>'"]
    assert outline(extracted) == [(1, "Top & more")]
    assert (extracted.kind, extracted.title, extracted.author) == ("ipynb", "My notebook", "Ann, Bob")


def test_a_notebook_of_version_3() -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["Old"]},
        {"cell_type": "code", "input": "1 + 1", "outputs": [{"output_type": "pyout", "text": ["2"]}]},
    ]
    extracted = read({"nbformat": 3, "metadata": {"name": "n"}, "worksheets": [{"cells": cells}]}, "a.ipynb")

    assert (extracted.title, extracted.text, outline(extracted)) == ("n", "Old\n\n1 + 1\n\n2", [(2, "Old")])


def test_long_output_is_cut() -> None:
    cell = {"cell_type": "code", "source": "x", "outputs": [{"output_type": "stream", "text": "y" * 100_000}]}

    assert len(read(notebook(cell), "a.ipynb").text) < 5000


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{}", "damaged"),
        ("[1]", "damaged"),
        ("not JSON", "damaged"),
        ("[" * 100_000, "damaged"),
        (json.dumps(notebook({"cell_type": "code", "source": "x"}))[:-5], "damaged"),
        ('{"nbformat": 4, "cells": []}', "no_text"),
        (
            '{"cells": [1, {"cell_type": ["x"]}, {"cell_type": "code", "source": 3, "outputs": {}}], "metadata": []}',
            "no_text",
        ),
    ],
)
def test_what_is_no_notebook(source: str, problem: str) -> None:
    assert refusal(source, "a.ipynb") == problem
