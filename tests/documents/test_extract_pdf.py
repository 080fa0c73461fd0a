"""PDFs: pages without a text layer, metadata, and headings from bookmarks."""

from __future__ import annotations

from datetime import date

import pytest

from searchsite.documents.extract import Extracted, Limits, extract, ocr, pdf_lines
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


# --- scans with something on them

STAMP = "DEF-000123 & <co>"
WHOLE = "q 600 0 0 800 0 0 cm /I Do Q "
STRIPS = "q 600 0 0 300 0 0 cm /I Do Q q 600 0 0 300 0 300 cm /I Do Q "
NESTED = "q 300 0 0 400 0 0 cm /N Do Q "
SMALL = "q 300 0 0 400 0 0 cm /I Do Q "


def stamped(*pictures: str, text: str = STAMP, mode: int = 0, first: bool = False) -> bytes:
    """A PDF, each page with one of these pictures, and the text on it, or first and behind it."""
    shown = f"BT {mode} Tr /F1 12 Tf 50 20 Td ({files._quoted(text)}) Tj ET "
    contents = {100 + 2 * n: shown + picture if first else picture + shown for n, picture in enumerate(pictures)}
    resources = "/Resources << /Font << /F1 3 0 R >> /XObject << /I 5 0 R /N 6 0 R >> >>"
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: f"<< /Type /Pages /Kids [{' '.join(f'{n} 0 R' for n in contents)}] /Count {len(contents)} >>".encode(),
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        5: stream("/Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8", "x"),
        6: stream(f"/Type /XObject /Subtype /Form /BBox [0 0 2 2] /Matrix [2 0 0 2 0 0] {resources}", "/I Do"),
    }
    for number, content in contents.items():
        page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {number + 1} 0 R {resources} >>"
        objects |= {number: page.encode(), number + 1: stream("", content)}
    return files._with_table(objects, b"/Root 1 0 R")


def stream(entries: str, content: str) -> bytes:
    return f"<< {entries} /Length {len(content)} >>\nstream\n{content}\nendstream".encode()


def test_a_scan_with_a_stamp_is_unread_and_keeps_the_stamp(no_ocr: None) -> None:
    extracted = read(stamped(WHOLE, STRIPS, NESTED, SMALL, ""))

    assert extracted.text == "\n\n".join([STAMP] * 5)
    assert extracted.unread == [1, 2, 3]


def test_a_scan_with_a_stamp_is_recognised_and_keeps_what_ocr_did_not_read(pictures: list[tuple[int, int]]) -> None:
    assert read(stamped(WHOLE)).text == f"Read by OCR & <more>\n\n{STAMP}"
    assert read(stamped(WHOLE, text="READ by  OCR")).text == "Read by OCR & <more>"
    assert len(pictures) == 2


@pytest.mark.parametrize(
    "scan",
    [
        stamped(WHOLE, mode=3),  # an invisible text layer
        stamped(WHOLE, first=True),  # one behind the picture
        stamped(WHOLE, text="ill " * 40),
    ],
)
def test_a_scan_that_was_recognised_before_stays_as_it_is(pictures: list[tuple[int, int]], scan: bytes) -> None:
    extracted = read(scan)

    assert (extracted.unread, pictures) == ([], [])
    assert "OCR" not in extracted.text


def test_a_page_that_cannot_be_rendered_is_not_read_anew_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    from pypdfium2 import PdfiumError, PdfPage  # type: ignore[import-untyped]

    def render(*_args: object, **_options: object) -> None:
        raise PdfiumError("no bitmap")

    monkeypatch.setattr(ocr, "available", lambda: True)
    monkeypatch.setattr(PdfPage, "render", render)

    extracted = read(stamped(WHOLE))

    assert (extracted.text, extracted.unread) == (STAMP, [])


# --- what was filled in


def form(*, appearances: bool, fields: bool = True, text: str = "FILLED & <in>") -> bytes:
    """A page with a field, one that takes its value from above, a typewriter text, a hidden one, a note and a link."""
    shown = {20: text, 21: "Typed text", 23: "INHERITED", 24: "HIDDEN"}
    annotations = {
        20: f"/Subtype /Widget /FT /Tx /T (a) /V ({files._quoted(text)}) /F 4",
        21: "/Subtype /FreeText /Contents (Typed text) /F 4",
        23: "/Subtype /Widget /Parent 22 0 R /F 4",
        24: "/Subtype /FreeText /Contents (HIDDEN) /F 2",
        25: "/Subtype /Text /Contents (NOTE) /F 4",
        26: "/Subtype /Link /F 4",
    }
    resources = "/Resources << /Font << /F1 3 0 R >> >>"
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R "
        + (b"/AcroForm << /Fields [20 0 R 22 0 R] /DR << /Font << /F1 3 0 R >> >> >>" if fields else b"")
        + b">>",
        2: b"<< /Type /Pages /Kids [10 0 R] /Count 1 >>",
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        10: f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 11 0 R {resources} "
        f"/Annots [{' '.join(f'{n} 0 R' for n in annotations)}] >>".encode(),
        11: stream("", "BT /F1 12 Tf 50 750 Td (Name:) Tj ET"),
        22: b"<< /FT /Tx /T (b) /V (INHERITED) /Kids [23 0 R] >>",
    }
    for index, (number, entries) in enumerate(annotations.items()):
        place = f"/Rect [100 {740 - 30 * index} 300 {760 - 30 * index}] /DA (/F1 12 Tf 0 g)"
        if appearances and number in shown:
            place += f" /AP << /N {number + 20} 0 R >>"
            content = f"BT /F1 12 Tf 2 5 Td ({files._quoted(shown[number])}) Tj ET"
            objects[number + 20] = stream(f"/Type /XObject /Subtype /Form /BBox [0 0 200 20] {resources}", content)
        objects[number] = f"<< /Type /Annot {entries} {place} >>".encode()
    return files._with_table(objects, b"/Root 1 0 R")


@pytest.mark.parametrize("appearances", [True, False])
def test_fields_and_typewriter_text_are_read_once(appearances: bool) -> None:
    text = read(form(appearances=appearances)).text

    assert text.split() == ["Name:", "FILLED", "&", "<in>", "Typed", "text", "INHERITED"]


def test_typewriter_text_is_read_where_there_is_no_form() -> None:
    text = read(form(appearances=True, fields=False)).text

    assert text.count("Typed text") == 1
    assert "HIDDEN" not in text
    assert "NOTE" not in text


def test_no_damage_to_a_form_lets_an_error_out(no_ocr: None) -> None:
    data = form(appearances=True)
    for cut in range(10, len(data), 61):
        for broken in (data[:cut], data[:cut] + b"\xff" + data[cut + 1 :]):
            try:
                extract(broken, "a.pdf", LIMITS)
            except Problem as problem:
                assert problem.code in ("damaged", "no_text_layer", "password", "not_what_it_says")  # noqa: PT017


# --- lines

ENGLISH = (
    "The committee met on the first day of the month and heard\n"
    "the report of the treasurer, who said that the funds of the\n"
    "society & its branches were in good order. The members of\n"
    "Lower Saxony thanked him for the work that he had done in a\n"
    "year of trouble."
)
CHINESE = (
    "具体而言，本指南在中文技术文档的语言风格、结构样式、内容元素、标点符号、格式排版等 2 3\n"
    "面给出明确要求或参考建议。之后实际编写文档时碰到相应问题时，再回来查找相应的规范和 TiDB\n"
    "文档，或者请向团队进行确认，以免出现风格不统一的情况，降低与文档相关的沟通成本和时间成\n"
    "本，并且改进。"
)


@pytest.mark.parametrize(
    ("lines", "paragraphs"),
    [
        (ENGLISH, ENGLISH.replace("\n", " ")),
        (CHINESE, CHINESE.replace("TiDB\n", "TiDB ").replace("3\n", "3 ").replace("\n", "")),
        (f"Minutes\n{ENGLISH}\nNext", f"Minutes\n{ENGLISH.replace(chr(10), ' ')}\nNext"),
    ],
)
def test_the_lines_of_a_paragraph_are_joined(lines: str, paragraphs: str) -> None:
    assert joined(lines) == paragraphs


@pytest.mark.parametrize(
    "kept",
    [
        # behind a full line: items, headings, tables, code
        "• The first of the items that the society has bought",
        "2. The second of the items that the society has bought",
        "(b) another of the items that the society has bought",
        "[12] A. Smith and B. Jones. On the reading of pages, 2003",
        "2.3 Means of the society",
        "Means of the Society",
        "3See the appendix for a discussion of what was bought",
        "Chapter one . . . . . . . . . . . . . . . . . . . . 17",
        "for (var index = 0; index < 100; ++index) {",
        "mov edx, ebx(748) // load primes from the record",
        "一、会议的目的",
        "（二）会议的目的",
    ],
)
def test_what_is_no_prose_keeps_its_breaks(kept: str) -> None:
    first, rest = ENGLISH.split("\n", 1)

    assert f"and heard\n{kept}" in joined(f"{ENGLISH}\n{first}\n{kept}\n{rest}")


POEM = (
    "Let not a murmur meet the ear of them that\nNor discontent have sway among the men who\n"
    "Let not a sullen brow appear upon the field\nThrough all the camp to-day and all the night"
)
TABLE = (
    "Austria Vienna German republic since the war\nBelgium Brussels Dutch kingdom since the year\n"
    "Denmark Copenhagen Danish kingdom since ever\nFinland Helsinki Finnish republic since then"
)


@pytest.mark.parametrize("text", [POEM, TABLE, "Too few lines of a length that\nis usual", "", "\n\n"])
def test_poems_tables_and_pages_with_little_text_keep_their_breaks(text: str) -> None:
    assert joined(text) == text


def test_no_more_than_line_breaks_changes() -> None:
    page = f"{POEM}\n\n{ENGLISH}\n{TABLE}\n{CHINESE}"

    assert "".join(joined(page).split()) == "".join(page.split())


def joined(text: str) -> str:
    lines = text.split("\n")
    return pdf_lines.joined(lines, pdf_lines.full_length(lines))


def test_paragraphs_of_a_page_are_joined_between_its_headings() -> None:
    extracted = read(build(f"{ENGLISH}\nTitle of a part\n{ENGLISH}", outline=[(1, "Title of a part", 1)]))

    paragraph = ENGLISH.replace("\n", " ")
    assert extracted.text == f"{paragraph}\n\nTitle of a part\n\n{paragraph}"
    assert extracted.headings == [Heading(len(paragraph) + 2, 1, "Title of a part")]


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
