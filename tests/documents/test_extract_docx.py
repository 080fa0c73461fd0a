"""Word documents become the text that a reader would see, however their XML is put together."""

from __future__ import annotations

import time

import pytest

from searchsite.documents.extract import Extracted, Limits, docx, docx_body
from searchsite.documents.extract.docx_styles import formatted
from tests.documents import files
from tests.documents import files_office as office
from tests.documents.test_extract import code, outline, read_or_refuse
from tests.documents.test_extract import read as read_any
from tests.documents.test_extract import refusal as refusal_of_any

LIMITS = Limits(max_bytes=10_000_000, max_pages=10, max_characters=500_000)
MATH = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
CHOICE = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'


def read(body: str, **parts: str) -> Extracted:
    """What is read of a document with this XML for its body, and for other parts of its folder."""
    return read_any(document(body, **parts), "a.docx", LIMITS)


def document(body: str, **parts: str) -> bytes:
    xml = {name: f'<w:{name} xmlns:w="{files.WORD}">{content}</w:{name}>' for name, content in parts.items()}
    xml["document"] = f'<w:document xmlns:w="{files.WORD}"><w:body>{body}</w:body></w:document>'
    return files.zipped({**files.PARTS, **{f"word/{name}.xml": content for name, content in xml.items()}})


def text(body: str, **parts: str) -> str:
    return read(body, **parts).text


def run(xml: str, properties: str = "") -> str:
    return f"<w:r><w:rPr>{properties}</w:rPr>{xml}</w:r>"


def said(words: str) -> str:
    return f"<w:r><w:t>{words}</w:t></w:r>"


def paragraph(*runs: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr>{''.join(runs)}</w:p>"


def cell(content: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{content}</w:tc>"


def table(*rows: list[str]) -> str:
    """A table of cells with one paragraph each."""
    return table_of(*([cell(files.paragraph(words)) for words in row] for row in rows))


def table_of(*rows: list[str]) -> str:
    return "<w:tbl><w:tblGrid/>" + "".join(f"<w:tr>{''.join(row)}</w:tr>" for row in rows) + "</w:tbl>"


# --- text


def test_docx_text_headings_and_tables() -> None:
    body = (
        files.paragraph("Before")
        + files.paragraph("Top", "Heading1")
        + files.paragraph("Below", "Heading2")
        + "<w:p><w:r><w:t>left</w:t><w:tab/><w:t>right</w:t></w:r></w:p>"
        + table(["Name", "Age"])
    )

    extracted = read_any(files.docx(body, title="Report"), "a.docx")

    assert extracted.text == "Before\n\nTop\n\nBelow\n\nleft\tright\n\nName | Age"
    assert outline(extracted) == [(1, "Top"), (2, "Below")]
    assert (extracted.title, extracted.pages) == ("Report", None)


def test_docx_keeps_the_signs_that_xml_writes_as_references() -> None:
    body = files.paragraph("AT&amp;T &lt;b&gt; &quot;q&quot; it&apos;s &#8217;x&#x4e2d; &amp;amp;") + files.paragraph(
        "R&amp;D &lt;2026&gt;", "Heading1"
    )

    extracted = read_any(files.docx(body, title="Q&amp;A"), "a.docx")

    assert extracted.text == 'AT&T <b> "q" it\'s ’x中 &amp;\n\nR&D <2026>'
    assert outline(extracted) == [(1, "R&D <2026>")]
    assert extracted.title == "Q&A"


def test_words_that_stand_in_several_runs_stay_words() -> None:
    link = f"<w:hyperlink>{said('高血压')}</w:hyperlink><w:smartTag>{said('患者')}</w:smartTag>"
    control = f"<w:sdt><w:sdtPr><w:t>not read</w:t></w:sdtPr><w:sdtContent>{said('能')}</w:sdtContent></w:sdt>"

    assert text(paragraph(said("im"), said("por"), said("tant "), link, control)) == "important 高血压患者能"


@pytest.mark.parametrize(
    ("xml", "between"),
    [
        ("<w:tab/>", "\t"),
        ("<w:br/>", "\n"),
        ("<w:cr/>", "\n"),
        ("<w:noBreakHyphen/>", "-"),
        ("<w:softHyphen/>", ""),
        ("<w:t>\n</w:t>", " "),
        ('<w:sym w:font="Symbol" w:char="F061"/>', "α"),
        ('<w:sym w:font="Symbol" w:char="00B3"/>', "≥"),
        ('<w:sym w:font="Wingdings" w:char="F0FC"/>', "✓"),
        ('<w:sym w:font="Webdings" w:char="F0FC"/>', ""),
        ('<w:sym w:font="Arial" w:char="00E9"/>', "é"),
        ('<w:sym w:font="Arial" w:char="4E2D"/>', "中"),
        ('<w:sym w:font="Arial" w:char="-1"/>', ""),
        ("<w:instrText> PAGE </w:instrText>", ""),
        ("<w:delText>gone</w:delText>", ""),
        ("<w:commentReference w:id='1'/>", ""),
        (
            "<w:ruby><w:rt><w:r><w:t>pinyin</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>字</w:t></w:r></w:rubyBase></w:ruby>",
            "字",
        ),
    ],
)
def test_what_stands_between_words(xml: str, between: str) -> None:
    assert text(paragraph(said("a"), run(xml), said("b"))) == f"a{between}b"


def test_tab_stops_are_no_tabs() -> None:
    assert text(paragraph(said("a"), properties='<w:tabs><w:tab w:val="left" w:pos="1"/></w:tabs>')) == "a"


def test_fields_are_read_as_what_they_show() -> None:
    def mark(kind: str) -> str:
        return run(f'<w:fldChar w:fldCharType="{kind}"/>')

    inner = mark("begin") + said("1") + mark("separate") + said("2") + mark("end")
    body = paragraph(said("a"), mark("begin"), inner, mark("separate"), said("b"), inner, mark("end"), said("c"))
    unended = paragraph(said("d"), mark("begin"), said("code")) + paragraph(mark("end"), said("e"))

    assert text(body + unended) == "ab2c\n\nd\n\ne"


def test_what_was_deleted_moved_away_or_hidden_is_left_out() -> None:
    styles = (
        '<w:style w:type="character" w:styleId="Unseen"><w:name w:val="Unseen"/><w:rPr><w:vanish/></w:rPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="Top"><w:name w:val="z-Top"/><w:rPr><w:vanish/></w:rPr></w:style>'
    )
    body = paragraph(
        f"<w:ins>{said('new ')}</w:ins><w:del>{said('old ')}</w:del><w:moveFrom>{said('away ')}</w:moveFrom>",
        f"<w:moveTo>{said('here ')}</w:moveTo>",
        run("<w:t>secret</w:t>", "<w:vanish/>"),
        run("<w:t>secret</w:t>", '<w:rStyle w:val="Unseen"/>'),
        run("<w:t>shown</w:t>", '<w:vanish w:val="0"/><w:rPrChange><w:rPr><w:vanish/></w:rPr></w:rPrChange>'),
        properties="<w:rPr><w:vanish/></w:rPr>",
    ) + files.paragraph("secret", "Top")

    assert text(body, styles=styles) == "new here shown"


def test_text_boxes_are_read_once_and_after_their_paragraph() -> None:
    box = f"<w:txbxContent>{files.paragraph('In a box')}{table(['a', 'b'])}</w:txbxContent>"
    both = (
        f'<mc:AlternateContent {CHOICE}><mc:Choice Requires="wps"><w:drawing><docPr descr="A &lt;frame&gt;"/>{box}'
        f"</w:drawing></mc:Choice><mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent>"
    )
    smile = (
        f'<mc:AlternateContent {CHOICE}><mc:Choice Requires="w16se"><w16se:symEx/></mc:Choice>'
        "<mc:Fallback><w:t>😊</w:t></mc:Fallback></mc:AlternateContent>"
    )

    assert text(paragraph(said("Before, "), run(both), said("after "), run(smile))) == (
        "Before, after 😊\n\nA <frame>\n\nIn a box\n\na | b"
    )


def test_a_text_box_in_hidden_text_is_hidden() -> None:
    box = f"<w:txbxContent>{files.paragraph('secret')}</w:txbxContent>"

    assert text(paragraph(run(box, "<w:vanish/>"), said("shown"))) == "shown"


def test_equations() -> None:
    half = "<m:f><m:num><m:r><m:t>1</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f>"

    assert text(paragraph(said("y = "), f"<m:oMath {MATH}>{half}<m:r><m:t>x</m:t></m:r></m:oMath>")) == "y = 1/2x"


def test_notes_stand_behind_their_paragraph_or_table() -> None:
    footnotes = (
        '<w:footnote w:type="separator" w:id="-1"><w:p><w:r><w:t>___</w:t></w:r></w:p></w:footnote>'
        f'<w:footnote w:id="2">{files.paragraph("First")}{files.paragraph("note")}</w:footnote>'
        f'<w:footnote w:id="3">{files.paragraph("* Marked")}</w:footnote>'
    )
    endnotes = f'<w:endnote w:id="2">{files.paragraph("Last &amp; least")}</w:endnote>'
    refer = run('<w:footnoteReference w:id="2"/>')
    marked = run('<w:footnoteReference w:customMarkFollows="1" w:id="3"/><w:t>*</w:t>')
    body = paragraph(said("one"), refer, said(", two"), marked) + table_of(
        [cell(paragraph(said("a"), run('<w:endnoteReference w:id="2"/>'))), cell(files.paragraph("b"))],
        [cell(files.paragraph("c"))],
    )

    assert text(body + paragraph(said("again"), refer), footnotes=footnotes, endnotes=endnotes) == (
        "one[1], two*\n\n[1] First note\n\n* Marked\n\na[i] | b\nc\n\n[i] Last & least\n\nagain[2]"
    )


# --- styles


def style(name: str, more: str = "", based_on: str = "", style_id: str = "") -> str:
    return (
        f'<w:style w:type="paragraph" w:styleId="{style_id or name}"><w:name w:val="{name}"/>'
        f'<w:basedOn w:val="{based_on}"/><w:pPr>{more}</w:pPr></w:style>'
    )


def test_headings_by_outline_style_and_name() -> None:
    styles = "".join(
        [
            style("heading 1", '<w:outlineLvl w:val="0"/>', style_id="1"),
            style("heading 3", style_id="Überschrift3"),
            style("Ours", based_on="1"),
            style("Body after all", '<w:outlineLvl w:val="9"/>', based_on="1"),
            style("Title", style_id="Titel"),
            style("Loop", based_on="Loop"),
        ]
    )
    body = "".join(
        files.paragraph(*pair)
        for pair in [
            ("Document", "Titel"), ("One", "1"), ("Three", "Überschrift3"), ("Ours", "Ours"), ("x", "Body after all"),
            ("y", "Loop"), ("Unknown", "Heading2"),
        ]
    )  # fmt: skip
    body += paragraph(said("Own\nlevel"), properties='<w:pStyle w:val="Loop"/><w:outlineLvl w:val="4"/>')
    body += paragraph(said("z"), properties='<w:pStyle w:val="1"/><w:outlineLvl w:val="9"/>')

    extracted = read(body, styles=styles)

    assert outline(extracted) == [
        (1, "Document"), (1, "One"), (3, "Three"), (1, "Ours"), (2, "Unknown"), (5, "Own level"),
    ]  # fmt: skip
    assert extracted.text.endswith("Ours\n\nx\n\ny\n\nUnknown\n\nOwn level\n\nz")


def test_tables_of_contents_are_left_out() -> None:
    styles = style("TOC Heading") + style("toc 1", style_id="Verzeichnis1")
    body = files.paragraph("Contents", "TOC Heading") + files.paragraph("Top\t1", "Verzeichnis1")

    assert text(body + files.paragraph("Top", "Heading1"), styles=styles) == "Top"


def test_code_is_one_block() -> None:
    styles = style("Source Code", style_id="Code1")
    lines = ["def f():", "    return 1 &lt; 2", "", "f()"]
    body = "".join(f'<w:p><w:pPr><w:pStyle w:val="Code1"/></w:pPr>{said(line)}</w:p>' for line in lines)

    extracted = read(files.paragraph("Like so") + body + files.paragraph("End"), styles=styles)

    assert extracted.text == "Like so\n\ndef f():\n    return 1 < 2\n\nf()\n\nEnd"
    assert code(extracted) == ["def f():\n    return 1 < 2\n\nf()"]


def test_strict_namespaces_and_other_prefixes_are_read() -> None:
    document = (
        '<n:document xmlns:n="http://purl.oclc.org/ooxml/wordprocessingml/main"><n:body>'
        '<n:p><n:pPr><n:pStyle n:val="Heading1"/></n:pPr><n:r><n:t>Top</n:t></n:r></n:p></n:body></n:document>'
    )
    data = office.changed(files.docx(""), "word/document.xml", lambda _: document.encode())

    assert outline(read_any(data, "a.docx")) == [(1, "Top")]


def test_parts_may_have_other_names() -> None:
    relations = files.PARTS["word/_rels/document.xml.rels"].replace("styles.xml", "styles2.xml")
    body = f"<w:body>{files.paragraph('Top', 'A')}</w:body>"
    parts = {
        **files.PARTS,
        "_rels/.rels": files.PARTS["_rels/.rels"].replace("word/document.xml", "/word/document2.xml"),
        "word/_rels/document2.xml.rels": relations,
        "word/styles2.xml": f'<w:styles xmlns:w="{files.WORD}">{style("heading 4", style_id="A")}</w:styles>',
        "word/document.xml": "<w:document>not this one</w:document>",
        "word/document2.xml": f'<w:document xmlns:w="{files.WORD}">{body}</w:document>',
    }

    assert outline(read_any(files.zipped(parts), "a.docx")) == [(4, "Top")]
    del parts["_rels/.rels"], parts["word/document.xml"]
    assert outline(read_any(files.zipped(parts), "a.docx")) == [(4, "Top")]


# --- lists


def level(number: int, number_format: str, start: int = 1, style_id: str = "") -> str:
    linked = f'<w:pStyle w:val="{style_id}"/>' if style_id else ""
    return f'<w:lvl w:ilvl="{number}"><w:start w:val="{start}"/><w:numFmt w:val="{number_format}"/>{linked}</w:lvl>'


NUMBERING = (
    f'<w:abstractNum w:abstractNumId="0">{level(0, "decimal")}{level(1, "lowerLetter", start=3)}'
    f"{level(2, 'upperRoman', style_id='Deep')}{level(3, 'none')}</w:abstractNum>"
    f'<w:abstractNum w:abstractNumId="1">{level(0, "bullet")}<w:styleLink w:val="Ours"/></w:abstractNum>'
    f'<w:abstractNum w:abstractNumId="2">{level(0, "chineseCounting", start=4)}</w:abstractNum>'
    '<w:abstractNum w:abstractNumId="3"><w:numStyleLink w:val="Ours"/></w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
    '<w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>'
    '<w:num w:numId="3"><w:abstractNumId w:val="2"/></w:num>'
    '<w:num w:numId="4"><w:abstractNumId w:val="0"/></w:num>'
    '<w:num w:numId="5"><w:abstractNumId w:val="0"/><w:lvlOverride w:ilvl="0"><w:startOverride w:val="7"/>'
    "</w:lvlOverride></w:num>"
    '<w:num w:numId="6"><w:abstractNumId w:val="3"/></w:num>'
)


def item(words: str, list_id: int, at: int = 0) -> str:
    return paragraph(said(words), properties=f'<w:numPr><w:ilvl w:val="{at}"/><w:numId w:val="{list_id}"/></w:numPr>')


def test_lists_count_by_list_and_level() -> None:
    body = "".join(
        [
            item("one", 1), item("inner", 1, 1), item("inner", 1, 1), item("deep", 1, 2), item("two", 1),
            item("inner", 1, 1), item("bullet", 2), item("四", 3), item("three", 4), item("seven", 5), item("eight", 5),
            item("unmarked", 1, 3), item("bullet", 6), item("no list", 0), item("unknown", 99),
        ]
    )  # fmt: skip

    assert text(body, numbering=NUMBERING) == (
        "1. one\n  c. inner\n  d. inner\n    I. deep\n2. two\n  c. inner\n- bullet\n4. 四\n3. three\n7. seven\n"
        "8. eight\n\nunmarked\n\n- bullet\n\nno list\n\nunknown"
    )


def test_lists_by_style() -> None:
    styles = style("List Number", '<w:numPr><w:numId w:val="1"/></w:numPr>', style_id="Number") + style(
        "Deep", based_on="Number"
    )
    leaves = paragraph(said("text"), properties='<w:pStyle w:val="Number"/><w:numPr><w:numId w:val="0"/></w:numPr>')
    body = files.paragraph("one", "Number") + leaves + files.paragraph("two", "Number") + files.paragraph("x", "Deep")

    assert text(body, styles=styles, numbering=NUMBERING) == "1. one\n\ntext\n\n2. two\n    I. x"


def test_an_item_that_was_deleted_does_not_count() -> None:
    gone = item("", 1).replace("</w:pPr>", "<w:rPr><w:del/></w:rPr></w:pPr>")

    assert text(item("one", 1) + gone + item("two", 1), numbering=NUMBERING) == "1. one\n2. two"


@pytest.mark.parametrize(
    ("count", "number_format", "written"),
    [
        (1994, "lowerRoman", "mcmxciv"),
        (4000, "upperRoman", "4000"),
        (0, "upperRoman", "0"),
        (26, "upperLetter", "Z"),
        (28, "lowerLetter", "bb"),
        (1000, "lowerLetter", "1000"),
        (12, "decimalZero", "12"),
    ],
)
def test_numbers(count: int, number_format: str, written: str) -> None:
    assert formatted(count, number_format) == written


# --- tables


def test_merged_cells_are_read_once() -> None:
    body = table_of(
        [cell(files.paragraph("tall"), '<w:vMerge w:val="restart"/>'), cell(files.paragraph("a &amp; b"))],
        [cell(files.paragraph("unseen"), "<w:vMerge/>"), cell(files.paragraph("c") + files.paragraph("d"))],
        [cell(files.paragraph("wide"), '<w:gridSpan w:val="2"/>')],
        [cell("<w:p/>"), cell("<w:p/>")],
    )

    assert text(body + files.paragraph("End")) == "tall | a & b\nc d\nwide\n\nEnd"


def test_a_table_of_one_cell_is_a_frame() -> None:
    content = files.paragraph("Top", "Heading1") + files.paragraph("one") + files.paragraph("two")

    extracted = read(table_of([cell(content)]))

    assert extracted.text == "Top\n\none\n\ntwo"
    assert outline(extracted) == [(1, "Top")]


def test_cells_that_hold_parts_of_a_page_are_read_one_after_the_other() -> None:
    inner = table(["1", "2"], ["3", "4"])
    section = files.paragraph("Left", "Heading1") + files.paragraph("below")

    extracted = read(table_of([cell(section), cell(files.paragraph("right") + inner)], [cell(files.paragraph("last"))]))

    assert extracted.text == "Left\n\nbelow\n\nright\n\n1 | 2\n3 | 4\nlast"
    assert outline(extracted) == [(1, "Left")]


def test_a_heading_that_is_all_of_a_cell_is_a_value() -> None:
    cells = [cell(files.paragraph(words, "Heading1")) for words in ("Name", "Age")]

    assert text(table_of(cells)) == "Name | Age"


# --- what is too much, or made to harm


def test_a_docx_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = files.docx(files.paragraph("text"), **{"word/footnotes.xml": bytes(docx.MOST_UNPACKED)})
    assert len(bomb) < 200_000
    monkeypatch.setattr("zipfile.ZipFile.read", lambda *_: pytest.fail("unpacked"))

    problem = refusal_of_any(bomb, "a.docx")

    assert problem.code == "unpacks_too_large"
    assert problem.params["limit"] == "64"


def test_what_is_not_read_of_a_docx_does_not_count() -> None:
    data = files.docx(files.paragraph("text"), **{"word/media/image1.bmp": bytes(docx.MOST_UNPACKED + 1)})

    assert read_any(data, "a.docx").text == "text"


def test_an_empty_and_a_truncated_document() -> None:
    assert refusal_of_any(files.docx(""), "a.docx").code == "no_text"
    for spoil in (lambda xml: xml[: len(xml) // 2], lambda _: b"", lambda _: b"no XML"):
        data = office.changed(files.docx(files.paragraph("text")), "word/document.xml", spoil)
        assert refusal_of_any(data, "a.docx").code == "damaged"
    for part in ("styles", "numbering", "footnotes"):
        data = document(files.paragraph("text"), **{part: "<w:unended>"})
        assert refusal_of_any(data, "a.docx").code == "damaged"


def test_an_encoding_that_does_not_exist() -> None:
    xml = b'<?xml version="1.0" encoding="x-none"?><w:document/>'

    assert (
        refusal_of_any(office.changed(files.docx(""), "word/document.xml", lambda _: xml), "a.docx").code == "damaged"
    )


def test_utf16_is_read() -> None:
    xml = f'<?xml version="1.0" encoding="UTF-16"?><document>{files.paragraph("中文").replace("w:", "")}</document>'

    assert (
        read_any(office.changed(files.docx(""), "word/document.xml", lambda _: xml.encode("utf-16")), "a.docx").text
        == "中文"
    )


def test_tables_in_tables_a_thousand_deep() -> None:
    around = "<w:tbl><w:tr><w:tc>", "</w:tc></w:tr></w:tbl>"

    def nested(depth: int) -> str:
        return around[0] * depth + files.paragraph("deep") + around[1] * depth

    assert text(nested(1000)) == "deep"
    problem = refusal_of_any(files.docx(nested(5000)), "a.docx", LIMITS)
    assert problem.as_json() == {"code": "nested_too_deep", "params": {"limit": docx_body.DEEPEST}}


def test_a_note_that_is_referred_to_ever_again_is_read_once() -> None:
    footnotes = f'<w:footnote w:id="1">{files.paragraph("word " * 1000)}</w:footnote>'
    body = table_of([cell(paragraph(run('<w:footnoteReference w:id="1"/>') * 20_000)), cell("<w:p/>")])

    assert text(body, footnotes=footnotes).count("word") == 1000


@pytest.mark.parametrize(
    ("before", "piece", "after"),
    [
        ("<w:p>", '<w:r><w:fldChar w:fldCharType="begin"/></w:r>', "</w:p>"),
        ("", "<w:p><w:r><w:txbxContent>", ""),
        ("<w:tbl>", "<w:tr><w:tc><w:p/></w:tc></w:tr>", "</w:tbl>"),
        ("<w:tbl><w:tr>", "<w:tc><w:p/></w:tc>", "</w:tr></w:tbl>"),
        ("", '<w:p><w:pPr><w:pStyle w:val="Loop"/></w:pPr></w:p>', ""),
        ("<w:tbl><w:tr><w:tc>", "<w:p><w:r><w:t>x</w:t></w:r></w:p>", "</w:tc></w:tr></w:tbl>"),
        ("<w:p><w:r><w:txbxContent>", "<w:p><w:r><w:t>x</w:t></w:r></w:p>", "</w:txbxContent></w:r></w:p>"),
    ],
)
def test_hostile_documents_take_no_longer_than_their_length(before: str, piece: str, after: str) -> None:
    data = files.docx(before + piece * 50_000 + after)
    start = time.perf_counter()

    read_or_refuse(data, "a.docx")
    assert time.perf_counter() - start < 60  # less than 1 s; what is quadratic takes a minute and more
