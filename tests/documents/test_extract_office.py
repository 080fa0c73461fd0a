"""Office files become the text that their reader would see; hostile ones are refused in words, and cheaply."""

from __future__ import annotations

import io
import time
import tracemalloc
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from searchsite.documents.extract import Extracted, Limits, extract
from searchsite.documents.problems import MESSAGES, Problem
from tests.documents import files
from tests.documents import files_office as office

LIMITS = Limits(max_bytes=20 * 2**20, max_pages=10, max_characters=500_000)
SIGNS = "AT&amp;T &lt;b&gt; &quot;q&quot; 高血压患者"
READ_SIGNS = 'AT&T <b> "q" 高血压患者'


def read(data: bytes, name: str, limits: Limits = LIMITS) -> Extracted:
    return extract(data, name, limits)


def refusal(data: bytes, name: str, limits: Limits = LIMITS) -> Problem:
    with pytest.raises(Problem) as caught:
        read(data, name, limits)
    assert caught.value.code in MESSAGES
    return caught.value


def text_or_refusal(data: bytes, name: str) -> str:
    """The text, or the sentence that refuses it; any other exception is a fault."""
    try:
        return read(data, name).text
    except Problem as problem:
        return str(problem)


def deck(fill: bool = True) -> bytes:
    """A deck of two slides, the second hidden."""
    presentation = Presentation()
    presentation.core_properties.title = "Deck"
    presentation.core_properties.author = "Ann Lee"
    if fill:
        _first_slide(presentation)
        second = presentation.slides.add_slide(presentation.slide_layouts[5])
        second._element.set("show", "0")
        second.shapes.title.text = "Hidden"
        data = CategoryChartData()
        data.categories = ["North", "South"]
        data.add_series("Sales", (1, 2))
        chart = second.shapes.add_chart(
            XL_CHART_TYPE.COLUMN_CLUSTERED, Inches(1), Inches(2), Inches(3), Inches(3), data
        )
        chart.chart.has_title = True
        chart.chart.chart_title.text_frame.text = "Sales by region"
    return saved(presentation)


def saved(presentation: object) -> bytes:
    out = io.BytesIO()
    presentation.save(out)  # type: ignore[attr-defined]
    return out.getvalue()


def _first_slide(presentation: object) -> None:
    slide = presentation.slides.add_slide(presentation.slide_layouts[1])  # type: ignore[attr-defined]
    shapes = slide.shapes
    # Drawn in another order than they are read.
    for text, top, left in (("bottom", 6, 1), ("right", 5.1, 5), ("left", 5, 1)):
        shapes.add_textbox(Inches(left), Inches(top), Inches(1), Inches(0.3)).text_frame.text = text
    table = shapes.add_table(2, 2, Inches(1), Inches(4), Inches(4), Inches(0.5)).table
    for row, column, text in ((0, 0, "Name"), (0, 1, "R&D <x>"), (1, 0, "two\nlines"), (1, 1, "")):
        table.cell(row, column).text = text
    shapes.title.text = 'AT&T <b> "q" 高血压患者'
    body = shapes.placeholders[1]
    body.text_frame.text = "First"
    body.left, body.top, body.width, body.height = Inches(1), Inches(1.5), Inches(4), Inches(2)
    for text, level in (("Second", 0), ("Below second", 1)):
        paragraph = body.text_frame.add_paragraph()
        paragraph.text, paragraph.level = text, level
    outer = shapes.add_group_shape()
    inner = outer.shapes.add_group_shape()
    inner.shapes.add_textbox(Inches(1), Inches(7), Inches(1), Inches(0.3)).text_frame.text = "grouped"
    slide.notes_slide.notes_text_frame.text = "Say hello"


# --- PPTX


def test_slides_are_pages_with_titles_bullets_tables_groups_charts_and_notes() -> None:
    extracted = read(deck(), "a.pptx")

    assert extracted.text == (
        f"{READ_SIGNS}\n\n- First\n- Second\n  - Below second\n\nName | R&D <x>\ntwo lines\n\n"
        "left\n\nright\n\nbottom\n\ngrouped\n\nSay hello\n\nHidden\n\nSales by region\n\nNorth | South | Sales"
    )
    assert extracted.pages == [0, extracted.text.index("Hidden")]
    assert [(h.level, h.title) for h in extracted.headings] == [(1, READ_SIGNS), (1, "Hidden")]
    assert (extracted.kind, extracted.title, extracted.author) == ("pptx", "Deck", "Ann Lee")


def test_a_deck_without_slides_or_with_too_many_is_refused() -> None:
    assert refusal(deck(fill=False), "a.pptx").code == "no_text"
    problem = refusal(deck(), "a.pptx", Limits(max_bytes=2**20, max_pages=1, max_characters=1000))
    assert (problem.code, problem.params) == ("too_many_pages", {"pages": 2, "limit": 1})


def test_a_list_that_goes_on_to_the_next_slide_starts_where_its_page_does() -> None:
    presentation = Presentation()
    for texts in (["One", "Two"], ["Three & <four>", "五"]):
        frame = presentation.slides.add_slide(presentation.slide_layouts[1]).placeholders[1].text_frame
        frame.text = "\n".join(texts)

    extracted = read(saved(presentation), "a.pptx")

    assert extracted.text == "- One\n- Two\n\n- Three & <four>\n- 五"
    assert extracted.pages == [0, extracted.text.index("- Three")]


def test_what_stands_in_alternatives_is_read_once() -> None:
    data = office.changed(boxes("plain", SHAPE_TEXT), "ppt/slides/slide1.xml", with_alternatives)

    assert read(data, "a.pptx").text == f"plain\n\n{SHAPE_TEXT}\n\ninner"


def with_alternatives(xml: bytes) -> bytes:
    """The last shape as the choice of an mc:AlternateContent, which holds another one."""
    start = xml.rindex(b"<p:sp>")
    end = xml.rindex(b"</p:sp>") + len(b"</p:sp>")
    shape = xml[start:end]
    inner, other = shape.replace(SHAPE_TEXT.encode(), b"inner"), shape.replace(SHAPE_TEXT.encode(), b"fallback")
    inner = alternatives(b'<mc:Choice Requires="p14"/>', b"<mc:Fallback>" + inner + b"</mc:Fallback>")
    choice = b'<mc:Choice Requires="a14">' + shape + inner + b"</mc:Choice>"
    return xml[:start] + alternatives(choice, b"<mc:Fallback>" + other + b"</mc:Fallback>") + xml[end:]


def alternatives(*branches: bytes) -> bytes:
    namespace = b"http://schemas.openxmlformats.org/markup-compatibility/2006"
    return b'<mc:AlternateContent xmlns:mc="' + namespace + b'">' + b"".join(branches) + b"</mc:AlternateContent>"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'<a:prstGeom prst="rect"><a:avLst/></a:prstGeom>', b""),  # a shape of no known type
        (b'<p:cNvPr id="2"', b'<p:cNvPr id="two"'),
        (b'<a:off x="914400" y="914400"/>', b'<a:off x="left" y="top"/>'),
        (b"<p:nvSpPr>", b"<p:nvSpPr_>"),
        (b"<p:nvPr/>", b'<p:nvPr><p:ph type="title" idx="first"/></p:nvPr>'),
    ],
)
def test_one_odd_shape_does_not_hide_the_rest(old: bytes, new: bytes) -> None:
    def odd(xml: bytes) -> bytes:
        assert old in xml
        changed = xml.replace(old, new, 1)
        return changed.replace(b"</p:nvSpPr>", b"</p:nvSpPr_>", 1) if b"nvSpPr_" in new else changed

    data = office.changed(boxes("odd", SHAPE_TEXT), "ppt/slides/slide1.xml", odd)

    assert SHAPE_TEXT in read(data, "a.pptx").text


SHAPE_TEXT = "the other"


def boxes(*texts: str) -> bytes:
    """A slide with these text boxes, one below the other."""
    presentation = Presentation()
    shapes = presentation.slides.add_slide(presentation.slide_layouts[6]).shapes
    for index, text in enumerate(texts, 1):
        shapes.add_textbox(Inches(1), Inches(index), Inches(1), Inches(1)).text_frame.text = text
    return saved(presentation)


# --- ODT

LISTS = (
    '<text:list-style style:name="L1"><text:list-level-style-number text:level="1"/>'
    '<text:list-level-style-bullet text:level="2"/></text:list-style>'
    '<style:style style:name="P1" style:parent-style-name="Title"/>'
)


def item(text: str, more: str = "") -> str:
    return f"<text:list-item><text:p>{text}</text:p>{more}</text:list-item>"


def odt(body: str, **parts: str) -> bytes:
    return office.with_mimetype(office.odt(body, **parts), "text")


def test_odt_text_headings_lists_tables_and_notes() -> None:
    table_cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    body = (
        "<text:tracked-changes><text:deletion><text:p>deleted</text:p></text:deletion></text:tracked-changes>"
        '<text:p text:style-name="P1">The title</text:p>'
        f'<text:h text:outline-level="2">{SIGNS}</text:h>'
        '<text:p>a<text:s text:c="3"/>b<text:tab/>c<text:line-break/>\n  <text:span>d  e</text:span>'
        "<office:annotation><text:p>a remark</text:p></office:annotation>"
        "<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>At the foot</text:p>"
        "</text:note-body></text:note>.<draw:frame><draw:text-box><text:p>boxed</text:p></draw:text-box></draw:frame></text:p>"
        '<text:section><text:list text:style-name="L1">'
        + item("one", f"<text:list>{item('deep')}</text:list>")
        + item("two", "<text:p>more</text:p>")
        + "</text:list></text:section><table:table><table:table-header-rows><table:table-row>"
        + table_cell.format("Name")
        + table_cell.format("Age")
        + "</table:table-row></table:table-header-rows><table:table-row><table:table-cell/>"
        + table_cell.format("x<text:line-break/>y")
        + "</table:table-row></table:table>"
    )

    extracted = read(odt(body, styles=LISTS), "a.odt")

    assert extracted.text == (
        f"The title\n\n{READ_SIGNS}\n\na   b\tc\n d e[1].\n\n[1] At the foot\n\nboxed\n\n"
        "1. one\n  - deep\n2. two\n\nmore\n\nName | Age\nx y"
    )
    assert [(h.level, h.title) for h in extracted.headings] == [(1, "The title"), (2, READ_SIGNS)]
    assert (extracted.title, extracted.author, extracted.written) == ("Q&A", "Ann <Lee>", date(2024, 5, 31))


def test_an_odt_with_a_password_or_nothing_in_it_is_refused() -> None:
    encrypted = "<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>"

    assert refusal(odt("<text:p>x</text:p>", manifest=encrypted), "a.odt").code == "password"
    assert refusal(odt(""), "a.odt").code == "no_text"
    assert refusal(office.with_mimetype(files.zipped({"meta.xml": office.META}), "text"), "a.odt").code == "damaged"


def test_an_odt_with_a_gigabyte_of_spaces_in_one_element() -> None:
    extracted = read(odt('<text:p>a<text:s text:c="999999999"/>b</text:p>'), "a.odt")

    assert len(extracted.text) < 100


# --- spreadsheets

ROWS = (
    '<row r="2">' + office.cell("B2", SIGNS) + office.cell("D2", 3) + office.cell("E2", 0.30000000000000004) + "</row>"
    '<row r="4"><c r="B4" s="1"><v>45443</v></c><c r="C4" t="b"><v>1</v></c><c r="D4" s="1"><v>45443.5</v></c></row>'
)
ROWS_OF_TWO = (
    f'<row r="1">{office.cell("A1", "Name")}{office.cell("F1", SIGNS)}</row>'
    f'<row r="7">{office.cell("A7", 2)}{office.cell("F7", 3)}</row>'
)
FAR = '<row r="1048576">' + office.cell("XFD1048576", "far") + "</row>"


def test_sheets_are_pages_with_their_rows() -> None:
    extracted = read(
        office.xlsx(Numbers=ROWS, Empty="", Second='<row r="1">' + office.cell("A1", "x") + "</row>"), "a.xlsx"
    )

    assert (
        extracted.text == f"Numbers\n\n{READ_SIGNS} | 3 | 0.3\n2024-05-31 | TRUE | 2024-05-31 12:00:00\n\nSecond\n\nx"
    )
    second = extracted.text.index("Second")
    assert extracted.pages == [0, second, second]
    assert [(h.level, h.title) for h in extracted.headings] == [(1, "Numbers"), (1, "Second")]
    assert (extracted.title, extracted.author, extracted.written) == ("Q&A", "Ann <Lee>", date(2024, 5, 31))


def test_xls_xlsb_and_ods() -> None:
    ods = (
        '<table:table table:name="Sheet &amp; co"><table:table-row>'
        '<table:table-cell table:number-columns-repeated="2"/>'
        f'<table:table-cell office:value-type="string"><text:p>{SIGNS}</text:p></table:table-cell></table:table-row>'
        '<table:table-row><table:table-cell office:value-type="float" office:value="2"/>'
        '<table:table-cell office:value-type="date" office:date-value="2024-05-31"/></table:table-row>'
        # What LibreOffice writes below and beside every sheet.
        '<table:table-row table:number-rows-repeated="1048574">'
        '<table:table-cell table:number-columns-repeated="16384"/>'
        "</table:table-row></table:table>"
    )

    assert read(office.xls((1, 1, READ_SIGNS), (1, 2, 2.0)), "a.xls").text == f"Old\n\n{READ_SIGNS} | 2"
    assert read(office.xlsb(2, 3, READ_SIGNS), "a.xlsb").text == f"Binary\n\n{READ_SIGNS}"
    extracted = read(office.with_mimetype(office.ods(ods), "spreadsheet"), "a.ods")
    assert extracted.text == f"Sheet & co\n\n{READ_SIGNS}\n2 | 2024-05-31"
    assert (extracted.title, extracted.author, extracted.written) == ("Q&A", "Ann <Lee>", date(2024, 5, 31))


def test_formatted_cells_without_content_do_not_count() -> None:
    rows = '<row r="1">' + office.cell("A1", "x") + '</row><row r="1048576"><c r="XFD1048576" s="1"/></row>'

    assert read(office.xlsx(S=rows), "a.xlsx").text == "S\n\nx"


ONE_CELL = '<table:table table:name="S"><table:table-row><table:table-cell {}><text:p>x</text:p></table:table-cell>'
END_TABLE = "</table:table-row></table:table>"


def ods_of(start: str, end: str = END_TABLE) -> bytes:
    return office.with_mimetype(office.ods(start + end), "spreadsheet")


@pytest.mark.parametrize(
    ("data", "name", "problem"),
    [
        (office.xlsx(S='<row r="1">' + office.cell("XFE1", "x") + "</row>"), "a.xlsx", "too_many_columns"),
        (
            office.xlsx(S="<row>" + "<c><v>1</v></c>" * 9000 + "</row>" + "<row><c><v>1</v></c></row>" * 500),
            "a.xlsx",
            "cells_far_apart",
        ),
        (office.xls((0, 0, 1.0), (65535, 255, 1.0)), "a.xls", "cells_far_apart"),
        (office.xls((0, 0, 1.0), (65535, 65535, 1.0)), "a.xls", "too_many_columns"),
        (office.xls((0, 0, 1.0), dimensions=b"\0\0\0\0\xff\xff\xff\xff\0\0\0\1\0\0"), "a.xls", "cells_far_apart"),
        (office.xlsb(0, 20_000, "x"), "a.xlsb", "too_many_columns"),
        (ods_of(ONE_CELL.format('table:number-columns-repeated="2000000"')), "a.ods", "too_many_columns"),
        (
            ods_of(
                ONE_CELL.format("").replace(
                    "<table:table-row>", '<table:table-row table:number-rows-repeated="99999999">'
                )
            ),
            "a.ods",
            "cells_far_apart",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_cells_far_apart_are_refused_before_a_rectangle_is_built_around_them(
    data: bytes, name: str, problem: str
) -> None:
    started = time.monotonic()

    assert refusal(data, name).code == problem
    assert time.monotonic() - started < 60


def test_a_stray_cell_at_the_end_of_a_sheet_does_not_hide_the_rest() -> None:
    rows = ROWS_OF_TWO + '<row r="1048576" spans="1:9"><c r="A1048576" s="1"><v>45444</v></c></row>'
    strays = office.cell("A1", SIGNS) + office.cell("F1", 1) + office.cell("XFC1", "last")

    assert read(office.xlsx(S=rows), "a.xlsx").text == f"S\n\nName | {READ_SIGNS}\n2 | 3\n2024-06-01"
    extracted = read(office.xlsx(S=f'<row r="1">{strays}</row>{FAR}', T=ROWS_OF_TWO), "a.xlsx")
    assert extracted.text == f"S\n\n{READ_SIGNS} | 1 | last\nfar\n\nT\n\nName | {READ_SIGNS}\n2 | 3"


def test_cells_far_apart_that_are_many_are_refused() -> None:
    wide = "".join(f"<c><v>{n}</v></c>" for n in range(16_000))
    rows = "".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c></row>' for n in range(2, 1000))

    problem = refusal(office.xlsx(S=f'<row r="1">{wide}</row>{rows}{FAR}'), "a.xlsx")

    assert problem.code == "cells_far_apart"


def test_spreadsheets_that_cannot_be_read() -> None:
    encrypted = "<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>"

    assert refusal(office.xlsx(S=""), "a.xlsx").code == "no_text"
    assert refusal(files.ole("EncryptionInfo", "EncryptedPackage"), "a.xlsx").code == "password"
    assert refusal(office.with_mimetype(office.ods("", encrypted), "spreadsheet"), "a.ods").code == "password"
    assert (
        refusal(office.ole(Workbook=b"\x09\x08\x10\0" + bytes(16) + b"\x2f\0\6\0" + bytes(6)), "a.xls").code
        == "password"
    )
    assert refusal(office.ole(Workbook=b"nonsense" * 20), "a.xls").code in ("damaged", "no_text")
    # A sheet that stands nowhere, on which calamine panics.
    assert refusal(office.xlsb(0, 0, "x", relationship="r7"), "a.xlsb").code == "damaged"
    three = office.xlsx(A=ROWS, B=ROWS, C=ROWS)
    assert refusal(three, "a.xlsx", Limits(2**20, 2, 1000)).code == "too_many_pages"
    assert refusal(three, "a.xlsx", Limits(2**20, 9, 50)).code == "too_much_text"


# --- DOC and DOCX


def test_doc_text_fields_tables_and_footnotes() -> None:
    link = '\x13 HYPERLINK "https://example.org" \\h \x14here\x15'
    nested = "\x13 TOC \\o \x13 PAGE \x14 3 \x15 \x14Contents \x13 PAGEREF _1 \\h \x147\x15\x15"
    text = f'Q&A <b> "高血压"\rSee {link}, or{nested}\x0bnext line\rA\x07B\x07\x07C\x07D & <E>\x07\x07After\x01\r'

    extracted = read(office.doc(text, footnotes="At the foot\r", headers="On each page\r"), "a.doc")

    assert extracted.text == (
        'Q&A <b> "高血压"\n\nSee here, orContents 7\nnext line\n\nA | B\nC | D & <E>\n\nAfter\n\nAt the foot'
    )
    assert (extracted.kind, extracted.headings, extracted.pages) == ("doc", [], None)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (office.doc("Secret\r", flags=0x0300), "password"),
        (office.doc("\r"), "no_text"),
        (office.doc("text\r" * 100)[:2048], "damaged"),
        (office.ole(WordDocument=b"\xdc\xa5" + bytes(600)), "damaged"),  # Word 6
        (office.doc("x" * 5000, pieces=1000), "damaged"),  # the same text a thousand times
    ],
)
def test_docs_that_cannot_be_read(data: bytes, problem: str) -> None:
    assert refusal(data, "a.doc").code == problem


def test_a_doc_of_field_marks_is_read_in_time() -> None:
    started = time.monotonic()

    assert read(office.doc("\x13\x14" * 10_000 + "x" + "\x15" * 5000 + "\r"), "a.doc").text == "x"
    assert time.monotonic() - started < 60


def test_docx_tells_author_and_date() -> None:
    data = office.changed(files.docx(files.paragraph("x")), "docProps/core.xml", lambda _: office.CORE.encode())

    extracted = read(data, "a.docx")

    assert (extracted.title, extracted.author, extracted.written) == ("Q&A", "Ann <Lee>", date(2024, 5, 31))


# --- what is made to harm

ZIPS = {
    "a.docx": (files.docx(files.paragraph("Hello")), "word/document.xml"),
    "a.xlsx": (office.xlsx(S='<row r="1">' + office.cell("A1", "Hello") + "</row>"), "xl/worksheets/sheet1.xml"),
    "a.pptx": (deck(), "ppt/slides/slide1.xml"),
    "a.odt": (odt("<text:p>Hello</text:p>"), "content.xml"),
    "a.ods": (ods_of(ONE_CELL.format("")), "content.xml"),
}


@pytest.mark.parametrize("name", ZIPS)
def test_a_part_that_unpacks_to_gigabytes_is_refused(name: str) -> None:
    data, part = ZIPS[name]
    honest, lying = office.bomb(data, part), office.bomb(data, part, declared=1000)
    assert len(honest) < 5_000_000

    for bomb, problem in ((honest, "unpacks_too_large"), (lying, "damaged")):
        tracemalloc.start()
        started = time.monotonic()
        assert refusal(bomb, name).code == problem
        assert time.monotonic() - started < 60
        assert tracemalloc.get_traced_memory()[1] < 50 * 2**20
        tracemalloc.stop()


LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha">%s]>' % b"".join(
    b'<!ENTITY %c "%s">' % (ord("b") + n, b"&%c;" % (ord("a") + n) * 10) for n in range(9)
)
OUTSIDE = b'<!DOCTYPE x [<!ENTITY j SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize("declaration", [LAUGHS, OUTSIDE, b'<!DOCTYPE x SYSTEM "http://localhost:1/x.dtd">'])
@pytest.mark.parametrize("name", ZIPS)
def test_entities_are_refused(name: str, declaration: bytes) -> None:
    data, part = ZIPS[name]

    def hostile(xml: bytes) -> bytes:
        start = xml.index(b"?>") + 2
        return xml[:start] + declaration + xml[start:].replace(b"Hello", b"&j;Hello")

    assert refusal(office.changed(data, part, hostile), name).code == "damaged"


@pytest.mark.parametrize("name", ZIPS)
def test_a_file_that_ends_too_early_or_whose_xml_does(name: str) -> None:
    data, part = ZIPS[name]

    assert refusal(data[: len(data) // 2], name).code == "damaged"
    assert refusal(office.changed(data, part, lambda xml: xml[: len(xml) // 2]), name).code == "damaged"


FORMATS = [(name, data) for name, (data, _) in ZIPS.items()] + [
    ("a.doc", office.doc("Hello\r")),
    ("a.xls", office.xls((0, 0, "Hello"), (1, 1, 2.0))),
    ("a.xlsb", office.xlsb(1, 1, "Hello")),
]


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_an_office_file_with_some_bytes_wrong_is_read_or_refused(data: st.DataObject) -> None:
    name, content = data.draw(st.sampled_from(FORMATS))
    spoiled = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        position = data.draw(st.integers(0, len(spoiled) - 1))
        spoiled[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3)) or b"\0"
    assert text_or_refusal(bytes(spoiled), name)
