"""PDFs: pages without a text layer, metadata, and headings from bookmarks."""

from __future__ import annotations

from datetime import date

import pytest

from searchsite.documents.extract import Extracted, Limits, extract, ocr
from searchsite.documents.extract.extracted import Heading
from searchsite.documents.problems import Problem
from tests.documents import files

LIMITS = Limits(max_bytes=2_000_000, max_pages=10, max_characters=500_000)


@pytest.fixture
def no_ocr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ocr, "available", lambda: False)


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """An OCR that says the same of every picture; gives the sizes of those that it was shown."""
    shown: list[tuple[int, int]] = []

    def read_page(image: object) -> str:
        shown.append(image.size)  # type: ignore[attr-defined]
        return "Read by OCR & <more>"

    monkeypatch.setattr(ocr, "available", lambda: True)
    monkeypatch.setattr(ocr, "read_page", read_page)
    return shown


def read(data: bytes, limits: Limits = LIMITS) -> Extracted:
    return extract(data, "a.pdf", limits)


def build(
    *pages: str, info: str = "", outline: list[tuple[int, str, int]] | None = None, box: str = "0 0 600 800"
) -> bytes:
    """A PDF whose pages hold these lines; "picture" stands for a page with a picture, "" for a blank one.

    info: entries of the metadata. outline: (level, title, page) of the bookmarks, all of one chain but for level 2.
    """
    objects: dict[int, bytes] = {
        1: b"<< /Type /Catalog /Pages 2 0 R /Outlines 6 0 R >>",
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        4: f"<< {info} >>".encode("latin-1"),
        5: b"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 "
        b"/Length 1 >>\nstream\nx\nendstream",
    }
    for index, text in enumerate(pages):
        lines = "".join(f"({files._quoted(line)}) Tj 0 -20 Td " for line in text.split("\n"))
        content = b"q 300 0 0 300 0 0 cm /I Do Q" if text == "picture" else f"BT /F1 12 Tf 50 750 Td {lines}ET".encode()
        objects[100 + 2 * index] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] /Contents {101 + 2 * index} 0 R "
            "/Resources << /Font << /F1 3 0 R >> /XObject << /I 5 0 R >> >> >>"
        ).encode()
        objects[101 + 2 * index] = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content)
    kids = " ".join(f"{100 + 2 * index} 0 R" for index in range(len(pages)))
    objects[2] = f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode()
    objects |= _outline(outline or [])
    return files._with_table(objects, b"/Root 1 0 R /Info 4 0 R")


def _outline(items: list[tuple[int, str, int]]) -> dict[int, bytes]:
    """Bookmarks as objects from 50 on; one of level 2 is the only child of the one before."""
    objects = {6: b"<< /Type /Outlines /First 50 0 R /Last 50 0 R >>" if items else b"<< /Type /Outlines >>"}
    for index, (level, title, page) in enumerate(items):
        links = ""
        if index + 1 < len(items) and items[index + 1][0] > level:
            links += f" /First {51 + index} 0 R /Last {51 + index} 0 R"
        later = [n for n in range(index + 1, len(items)) if items[n][0] == level]
        if later and level == 1:
            links += f" /Next {50 + later[0]} 0 R"
        objects[50 + index] = (
            f"<< /Title ({files._quoted(title)}) /Dest [{100 + 2 * (page - 1)} 0 R /Fit]{links} >>".encode()
        )
    return objects


# --- pages that are pictures


def test_a_page_that_is_a_picture_is_noted_where_there_is_no_ocr(no_ocr: None) -> None:
    extracted = read(build("One", "picture", "", "Two"))

    assert (extracted.text, extracted.pages, extracted.unread) == ("One\n\nTwo", [0, 5, 5, 5], [2])


@pytest.mark.parametrize("pages", [["picture"], ["", "picture"], [""]])
def test_without_any_text_and_without_ocr_the_reason_is_the_text_layer(no_ocr: None, pages: list[str]) -> None:
    with pytest.raises(Problem) as caught:
        read(build(*pages))
    assert caught.value.code == "no_text_layer"


def test_with_ocr_only_pages_that_are_pictures_are_rendered(pictures: list[tuple[int, int]]) -> None:
    extracted = read(build("One", "picture", ""))

    assert (extracted.text, extracted.unread) == ("One\n\nRead by OCR & <more>", [])
    assert pictures == [(1350, 1800)]
    with pytest.raises(Problem) as caught:
        read(build("", ""))
    assert caught.value.code == "no_text"


@pytest.mark.parametrize("box", ["0 0 1000000 1000000", "0 0 0 0", "0 0 1 1", "0 0 0.001 14000", "0 0 -5 -5"])
def test_the_size_of_a_picture_is_bounded_whatever_the_page_says(pictures: list[tuple[int, int]], box: str) -> None:
    read(build("text", "picture", box=box))

    assert all(0 < side <= 1801 for size in pictures for side in size)


def test_a_text_layer_of_control_characters_is_none(no_ocr: None) -> None:
    extracted = read(build("Text", "\x01\x02\x03\x04\x05\x06"))

    assert extracted.text == "Text"


def test_each_page_that_is_recognised_is_a_sign_of_life(pictures: list[tuple[int, int]]) -> None:
    told: list[tuple[int, int]] = []

    read(build("One", "picture"), Limits(2_000_000, 10, 1000, lambda done, total: told.append((done, total))))

    assert told == [(1, 2)]


# --- metadata


@pytest.mark.parametrize(
    ("created", "written"),
    [
        ("D:20240131093000+01'00'", date(2024, 1, 31)),
        ("D:202402", date(2024, 2, 1)),
        ("2024", date(2024, 1, 1)),
        ("D:20240231", None),
        ("D:00010101", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates(created: str, written: date | None) -> None:
    assert read(build("Text", info=f"/CreationDate ({created})")).written == written


def test_author() -> None:
    assert read(build("Text", info=r"/Author (Ann \(A&B\)  <ann>)")).author == "Ann (A&B) <ann>"
    assert read(build("Text")).author == ""


# --- headings


def test_bookmarks_make_headings_of_the_lines_that_are_their_titles() -> None:
    pages = ["Cover\n1 First & <last>\nsome text", "more\n1.1 Inner\nof it\ntail", "no such line\nInner"]
    outline = [(1, "First  &  <last>", 1), (2, "Inner", 2), (1, "1  Not there", 3), (1, "Beyond", 9)]

    extracted = read(build(*pages, outline=outline))

    text = "Cover\n\n1 First & <last>\n\nsome text\n\nmore\n\n1.1 Inner\n\nof it\ntail\n\nno such line\nInner"
    assert extracted.text == text
    assert extracted.headings == [
        Heading(text.index("1 First"), 1, "1 First & <last>"),
        Heading(text.index("1.1"), 2, "1.1 Inner"),
    ]
    assert extracted.pages == [0, text.index("more"), text.index("no such")]


def test_a_title_of_two_lines_is_one_heading_and_taken_once() -> None:
    extracted = read(
        build("A title of\ntwo lines\nText\nA title of\ntwo lines", outline=[(1, "A title of two lines", 1)])
    )

    assert extracted.text == "A title of two lines\n\nText\nA title of\ntwo lines"
    assert [heading.title for heading in extracted.headings] == ["A title of two lines"]


def test_bookmarks_that_go_in_a_circle_end() -> None:
    data = build("Title\nText", outline=[(1, "Title", 1), (1, "Other", 1)])
    circle = data.replace(b"/Next 51 0 R", b"/Next 50 0 R")

    assert circle != data
    assert [heading.title for heading in read(circle).headings] == ["Title"]


# --- damaged


def test_no_truncation_and_no_wrong_byte_lets_an_error_out(no_ocr: None) -> None:
    data = build("Title\nText", "picture", info="/Author (A) /CreationDate (D:2024)", outline=[(1, "Title", 1)])
    for cut in range(10, len(data), 61):
        for broken in (data[:cut], data[:cut] + b"\xff" + data[cut + 1 :]):
            try:
                extract(broken, "a.pdf", LIMITS)
            except Problem as problem:
                assert problem.code in ("damaged", "no_text_layer", "password", "not_what_it_says")  # noqa: PT017
