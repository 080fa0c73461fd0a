"""Files of each kind become the text that a reader would see, and what cannot be read is refused with the reason."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from datetime import date

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from searchsite.documents.extract import Extracted, Limits, extract, safe_name
from searchsite.documents.extract.text import UNREADABLE, decode
from searchsite.documents.problems import MESSAGES, Problem
from tests.documents import files

LIMITS = Limits(max_bytes=2_000_000, max_pages=10, max_characters=500_000)
CHINESE = "高血压患者能吃党参吗？这是一个常见的问题，医生说可以少量食用。"
TAIWANESE = "這是一個繁體中文的文件，用來測試編碼的偵測。臺灣的天氣很好。"
JAPANESE = "これは日本語の文書です。文字コードの判定を試しています。"
FRENCH = "Voilà une phrase française déjà écrite à la main, où l'été fut très chaud."


def read(data: bytes | str, name: str, limits: Limits = LIMITS) -> Extracted:
    return extract(data.encode() if isinstance(data, str) else data, name, limits)


def refusal(data: bytes | str, name: str, limits: Limits = LIMITS) -> Problem:
    with pytest.raises(Problem) as caught:
        read(data, name, limits)
    assert caught.value.code in MESSAGES
    return caught.value


def read_or_refuse(data: bytes, name: str) -> Extracted | None:
    """What is read, or None where it is refused; any other exception is a fault."""
    try:
        return read(data, name)
    except Problem as refused:
        problem = refused
    assert problem.code in MESSAGES
    return None


def outline(extracted: Extracted) -> list[tuple[int, str]]:
    """(level, title) of each heading, each checked to stand where it says, on a line of its own."""
    for heading in extracted.headings:
        before, after = extracted.text[: heading.offset], extracted.text[heading.offset :]
        assert before == "" or before.endswith("\n")
        assert after.partition("\n")[0] == heading.title
    return [(heading.level, heading.title) for heading in extracted.headings]


def code(extracted: Extracted) -> list[str]:
    return [extracted.text[start:end] for start, end in extracted.preformatted]


# --- any file


@pytest.mark.parametrize(
    ("data", "name", "problem"),
    [
        (b"", "a.txt", "empty_file"),
        (b" \n\t\n", "a.txt", "no_text"),
        (b"<html><body><script>1</script></body></html>", "a.html", "no_text"),
        (b"<!-- only a comment -->", "a.md", "no_text"),
        (b"just a line of text", "a.docx", "not_what_it_says"),
        (b"just a line of text", "a.pdf", "not_what_it_says"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\x02\0\0\0", "a.png", "damaged"),
        (b"{\\rtf1\\ansi Hello}", "a.rtf", "unsupported_kind"),
        (files.zipped({"xl/workbook.xml": "<x/>"}), "a.xlsx", "damaged"),
        (files.zipped({"any/part.xml": "<x/>"}), "a.zip", "unsupported_kind"),
        (files.zipped({"any/part.xml": "<x/>"}), "a.docx", "not_what_it_says"),
        (files.docx(files.paragraph("text"))[:-40], "a.docx", "damaged"),
        (files.docx("<w:p><w:r><w:t>text</w:r></w:p>"), "a.docx", "damaged"),
        (files.docx(""), "a.docx", "no_text"),
        (files.ole("EncryptionInfo", "EncryptedPackage"), "a.docx", "password"),
        (files.ole("WordDocument"), "a.doc", "damaged"),
        (files.ole("PowerPoint Document"), "a.ppt", "unsupported_kind"),
        (files.ole("PowerPoint Document"), "a.doc", "not_what_it_says"),
        (files.pdf("Secret", password="tika"), "a.pdf", "password"),
        (files.pdf("", ""), "a.pdf", "no_text_layer"),
        (b"%PDF-1.7\n" + bytes(range(128)) * 4, "a.pdf", "damaged"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_refused_with_the_reason(data: bytes, name: str, problem: str) -> None:
    assert refusal(data, name).code == problem


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.txt", "a.md", "a.html", "a.bin", "a"])
def test_random_bytes_are_refused(name: str) -> None:
    data = random.Random(7).randbytes(1024)

    named = name in ("a.pdf", "a.docx", "a.txt", "a.md", "a.html")
    assert refusal(data, name).code == ("not_what_it_says" if named else "unsupported_kind")


def test_bytes_that_happen_to_be_utf8_are_not_yet_text() -> None:
    assert refusal(bytes(range(1, 9)) * 50, "a.txt").code == "not_what_it_says"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (files.pdf("Hello"), "pdf"),
        (files.docx(files.paragraph("Hello")), "docx"),
        (b"<!DOCTYPE html><p>Hello", "html"),
        (b"\n<!-- note -->\n<html><body>Hello", "html"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.pdf.exe", "a"])
def test_content_decides_not_the_name(data: bytes, kind: str, name: str) -> None:
    extracted = read(data, name)

    assert (extracted.kind, extracted.text) == (kind, "Hello")


def test_a_program_keeps_its_lines_whatever_they_look_like() -> None:
    extracted = read("# not a heading\nif x:\n    y()\n", "a.py")
    assert (extracted.kind, extracted.text) == ("code", "# not a heading\nif x:\n    y()")
    assert (extracted.headings, extracted.preformatted) == ([], [(0, len(extracted.text))])


@pytest.mark.parametrize("beginning", ["<!-- -->" * 500, "<?xml ?>" * 500, " " * 4000])
def test_what_begins_like_a_page_for_long_is_told_in_no_time(beginning: str) -> None:
    assert read(beginning + "text", "a.txt").kind == "text"


def test_a_mail_may_hold_bytes_that_are_no_text() -> None:
    mail = b"From a@b.c Mon\nSubject: x\nContent-Type: text/plain; charset=gbk\n\nHello " + bytes(range(1, 32))
    assert read(mail, "a.eml").kind == "eml"


def test_text_under_any_name_is_text() -> None:
    assert read("x = 1\n", "a.unheard-of").kind == "text"
    assert read("x = 1\n", "README").kind == "text"
    assert read("# not a heading\n", "a.conf").text == "# not a heading"


def test_limits_name_themselves() -> None:
    small = Limits(max_bytes=2**20, max_pages=2, max_characters=20)

    assert refusal(b"x" * (2**20 + 1), "a.txt", small).params == {"size": "1.1", "limit": "1"}
    assert refusal(files.pdf("a", "b", "c"), "a.pdf", small).as_json() == {
        "code": "too_many_pages",
        "params": {"pages": 3, "limit": 2},
    }
    for data, name in [
        ("x" * 21, "a.txt"),
        (files.pdf("x" * 11, "y" * 11), "a.pdf"),
        ("# Title\n\n" + "x" * 20, "a.md"),
    ]:
        assert refusal(data, name, small).as_json() == {"code": "too_much_text", "params": {"limit": 20}}
    assert read("x" * 20, "a.txt", small).text == "x" * 20


def test_importing_the_package_loads_no_library() -> None:
    code = (
        "import sys, searchsite.documents.extract, searchsite.documents.split\n"
        "print([m for m in ('pypdfium2', 'trafilatura', 'lxml', 'markdown_it', 'charset_normalizer')"
        " if m in sys.modules])"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# --- titles and names


@pytest.mark.parametrize(
    ("data", "name", "title"),
    [
        (files.pdf("First line", title="From the file"), "a.pdf", "From the file"),
        (files.pdf("First line", title="Microsoft Word - x.doc"), "a.pdf", "First line"),
        (files.pdf("First line", title="thesis_final.pdf"), "a.pdf", "First line"),
        (b"text\n\n# Heading\n", "a.md", "Heading"),
        (b"A short line\n\nand more", "a.txt", "A short line"),
        (b"word " * 40, "notes on flying.txt", "notes on flying"),
        (b"id,name\n1,x", "people.csv", "people"),
        (b"import os", "C:\\code\\walk.py", "walk.py"),
    ],
)
def test_titles(data: bytes, name: str, title: str) -> None:
    assert read(data, name).title == title


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\报告.docx", "报告.docx"),
        ("..\\../x\\y.txt", "y.txt"),
        ("a\0b\nc\x1b[31m.txt", "abc[31m.txt"),
        ("\u202egpj.exe", "gpj.exe"),  # right-to-left override, which shows as exe.jpg
        ("  spaced .txt ", "spaced .txt"),
        (".env", ".env"),
        ("x" * 500 + ".pdf", "x" * 196 + ".pdf"),
        ("x." + "y" * 500, "x." + "y" * 198),
    ],
)
def test_safe_name(name: str, safe: str) -> None:
    assert safe_name(name) == safe


@pytest.mark.parametrize("name", ["", "/", "a/", "..", "../..", " \t", "\0", "."])
def test_a_name_of_which_nothing_is_left_is_refused(name: str) -> None:
    with pytest.raises(Problem) as caught:
        safe_name(name)
    assert caught.value.code == "bad_name"


@given(st.text(max_size=300))
def test_a_safe_name_leads_nowhere(name: str) -> None:
    try:
        safe = safe_name(name)
    except Problem:
        return
    assert not set("/\\\0\n\r") & set(safe)
    assert safe not in ("", ".", "..")
    assert len(safe) <= 200


# --- character sets and plain text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CHINESE, "utf-8"),
        (CHINESE, "utf-8-sig"),
        (CHINESE, "gb18030"),
        (CHINESE, "gbk"),
        (CHINESE, "utf-16"),
        (CHINESE, "utf-16-le"),
        (CHINESE, "utf-16-be"),
        (CHINESE, "utf-32"),
        (TAIWANESE, "big5"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (FRENCH, "cp1252"),
        ("Plain English, all of it.", "utf-16-le"),
        ("Plain English, all of it.", "utf-16-be"),
        ("Это русский текст для проверки кодировки. Сегодня хорошая погода.", "cp1251"),
    ],
)
def test_character_sets(text: str, encoding: str) -> None:
    assert read(text.encode(encoding), "a.txt").text == text


def test_utf8_cut_within_a_character_or_with_one_wrong_byte_stays_utf8() -> None:
    assert decode((CHINESE * 3).encode()[:-1]) == (CHINESE * 3)[:-1] + "\N{REPLACEMENT CHARACTER}"
    assert decode(CHINESE.encode() + b"\xff" + CHINESE.encode()) == f"{CHINESE}\N{REPLACEMENT CHARACTER}{CHINESE}"


def test_text_is_normalised() -> None:
    raw = "\ufeffone\r\ntwo\rthree\x0cfour\x07\x1b\n\n\n\n \n\nfive\tsix ex\xadample\n"

    assert read(raw, "a.txt").text == "one\ntwo\nthree\nfour\n\n\nfive\tsix example"


def test_a_stray_nul_in_a_long_text_is_taken_out() -> None:
    assert read("line of text\n" * 100 + "a\0b", "a.txt").text.endswith("\nab")


# Not with NUL, nor ASCII with several control characters: two bytes of those are also a letter in UTF-16.
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
@example("\x07a bell")
def test_every_text_is_read_or_refused_and_comes_out_normal(text: str) -> None:
    assume(not text.isascii() or len(UNREADABLE.findall(text)) < 2)
    extracted = read_or_refuse(text.encode(), "a.txt")
    if extracted is None:
        return
    assert not set("\r\0\x0c\x1b") & set(extracted.text)
    assert "\n\n\n\n" not in extracted.text
    assert extracted.title
    # Whatever a reader sees is kept.
    seen = "".join(c for c in text if c.isprintable() and not c.isspace() and c not in "\xad\ufeff")
    assert "".join(c for c in extracted.text if c.isprintable() and not c.isspace()) == seen


# --- Markdown


MARKDOWN = """\
---
title: "Guide: the second"
tags: [a, b]
---
# Getting *started* with `pip` {#start}

See [the manual](https://example.org/x) and ![a duck](duck.png), run `a  <b> *c*`.
Install <package> or <b>bold</b><br>now &amp; then 2 \\* 3.

<!-- hidden
# no heading

still hidden -->
Shown.

- one
- two
  1. inner
<!--
hidden in a list

-->

| Name | Age |
|------|-----|
| Ann  | 30  |

```python
# a comment, no heading
def f():


    return "<!-- kept -->"
```

Second level
------------

> quoted **words**

<h3 align="center">Raw <i>heading</i></h3>
<script>alert(1)</script>
"""


def test_markdown_becomes_the_text_a_reader_sees() -> None:
    extracted = read(MARKDOWN, "a.md")

    assert extracted.text == (
        "Getting started with pip\n\n"
        "See the manual and a duck, run a  <b> *c*.\nInstall <package> or bold\nnow & then 2 * 3.\n\n"
        "Shown.\n\n"
        "- one\n- two\n  1. inner\n\n"
        "Name | Age\nAnn | 30\n\n"
        '# a comment, no heading\ndef f():\n\n\n    return "<!-- kept -->"\n\n'
        "Second level\n\nquoted words\n\nRaw heading"
    )
    assert extracted.title == "Guide: the second"
    assert outline(extracted) == [(1, "Getting started with pip"), (2, "Second level"), (3, "Raw heading")]
    assert code(extracted) == ['# a comment, no heading\ndef f():\n\n\n    return "<!-- kept -->"']


def test_a_comment_may_span_the_end_of_a_list() -> None:
    source = "- one\n  <!-- hidden\n\nhidden too\n\n# hidden as well\n-->\n- two `<!-- shown -->`\n"

    assert read(source, "a.md").text == "- one\n- two <!-- shown -->"


def test_a_comment_that_is_never_closed_is_text() -> None:
    assert "and on" in read("Write <!-- to begin a comment.\n\nand on", "a.md").text


def test_a_thematic_break_is_no_front_matter() -> None:
    assert read("---\nintroduction\n\n---\n\nbody", "a.md").text == "introduction\n\nbody"


def test_markdown_of_a_title_alone_is_found_by_it() -> None:
    extracted = read("---\ntitle: Storage\n---\n\n<!-- nothing yet -->\n", "_index.md")
    assert (extracted.text, extracted.title) == ("Storage", "Storage")


def test_quotes_in_quotes_lose_nothing() -> None:
    assert read(">" * 60 + " deep", "a.md").text == "deep"


def test_a_line_break_in_markdown_is_kept() -> None:
    assert read("第一行\n第二行", "a.md").text == "第一行\n第二行"


@pytest.mark.parametrize(
    ("front_matter", "author"),
    [
        ("author: Ann Bee\ndate: 2024-03-05", "Ann Bee"),
        ("authors: [Ann, 'Bob']\ndate: '2024/3/5'", "Ann, Bob"),
        ('authors:\n  - Ann\n  - "Bob"\nDate: 5 Mar 2024 10:00', "Ann, Bob"),
        ("author:\ndate: 2024年3月5日", ""),
    ],
)
def test_front_matter_tells_author_and_date(front_matter: str, author: str) -> None:
    extracted = read(f"---\ntitle: x\n{front_matter}\n---\ntext", "a.md")

    assert (extracted.title, extracted.text) == ("x", "text")
    assert (extracted.author, extracted.written) == (author, date(2024, 3, 5))


@pytest.mark.parametrize("piece", ["<!-- ", "<? ", "<![CDATA[ ", "<!A ", "<!doctype ", "`<!-- "])
def test_markdown_with_many_open_declarations_is_read_in_no_time(piece: str) -> None:
    start = time.perf_counter()
    read_or_refuse(piece.encode() * 5_000, "a.md")
    assert time.perf_counter() - start < 60  # 2 s at most


def test_what_looks_like_a_declaration_in_markdown_is_text() -> None:
    source = "Write <?php echo 1 ?> or `<!-- x`.\n\n    <!-- code\n\n<!DOCTYPE html>\n"

    assert read(source, "a.md").text == "Write <?php echo 1 ?> or <!-- x.\n\n<!-- code"


# --- HTML


SENTENCES = "Ducks are mostly aquatic birds and may be found in fresh water. " * 6
PAGE = f"""<!doctype html><html><head><title>Ducks | Example</title><style>p {{}}</style></head><body>
<nav><a href="/">Home</a> <a href="/all">All the animals</a></nav>
<article><h1>Ducks</h1><p>{SENTENCES}</p>
<h2>Feeding &amp; more<a href="#x">¶</a></h2><p>Other  {SENTENCES}<!-- secret --></p>
<ul><li>seeds<li>worms</ul><ol><li>first<li>second</ol>
<table><tr><th>Kind<th>Weight</tr><tr><td>Mallard<td>1.1 kg</tr></table>
<pre>quack():
    loud</pre></article>
<script>var tracker = "evil";</script><footer>Copyright by nobody</footer></body></html>"""


def test_html_keeps_the_main_text_and_its_form() -> None:
    extracted = read(PAGE, "a.html")

    assert outline(extracted) == [(1, "Ducks"), (2, "Feeding & more")]
    assert extracted.title == "Ducks"
    assert extracted.text == (
        f"Ducks\n\n{SENTENCES.strip()}\n\nFeeding & more\n\nOther {SENTENCES.strip()}\n\n"
        "- seeds\n- worms\n1. first\n2. second\n\nKind | Weight\nMallard | 1.1 kg\n\nquack():\n    loud"
    )
    assert code(extracted) == ["quack():\n    loud"]


def test_a_page_with_little_text_keeps_all_but_its_navigation() -> None:
    page = (
        "<html><nav>Home</nav><h1>产品指南</h1><p>第一步：<b>打开</b>应用。<br>第二步</p>"
        "<style>x</style><h2>条款</h2>欢迎"
    )

    extracted = read(page, "a.html")

    assert extracted.text == "产品指南\n\n第一步：打开应用。\n第二步\n\n条款\n\n欢迎"
    assert outline(extracted) == [(1, "产品指南"), (2, "条款")]


def test_a_heading_outside_of_the_main_text_is_not_lost() -> None:
    page = PAGE.replace("<h1>Ducks</h1>", "").replace("<nav>", "<header><h1>All about ducks</h1></header><nav>")

    assert outline(read(page, "a.html"))[0] == (1, "All about ducks")


def test_html_declared_in_a_chinese_character_set() -> None:
    page = f'<html><head><meta charset="gb2312"><title>问题</title></head><body><p>{CHINESE}</p></body></html>'

    extracted = read(page.encode("gb18030"), "a.html")

    assert (extracted.title, extracted.text) == ("问题", CHINESE)


@pytest.mark.parametrize("piece", ["<li>x", "<p>x", "<div>", "<b>x</b>", "<tr><td>x", "<ul><li>", "<!-- x -->"])
def test_hostile_html_takes_no_longer_than_its_length(piece: str) -> None:
    around = {"<li>x": "<ol>", "<tr><td>x": "<table>"}.get(piece, "")
    start = time.perf_counter()
    read_or_refuse(f"<html><body>{around}{piece * 20_000}".encode(), "a.html")
    assert time.perf_counter() - start < 60  # about 1 s; what is quadratic takes a minute and more


def test_html_tells_author_and_date() -> None:
    page = PAGE.replace(
        "<style>",
        '<meta name="author" content="Ann Bee"><meta property="article:published_time" content="2024-03-05T23:00:00Z">'
        "<style>",
    )

    extracted = read(page, "a.html")

    assert (extracted.author, extracted.written) == ("Ann Bee", date(2024, 3, 5))
    assert (read(PAGE, "a.html").author, read(PAGE, "a.html").written) == ("", None)


@pytest.mark.parametrize("tag", ["div", "b", "code", "blockquote"])
def test_a_deep_page_is_read_whole_or_refused(tag: str) -> None:
    def nested(depth: int) -> str:
        return f"<html><body>{f'<{tag}>' * depth}deep{f'</{tag}>' * depth}<p>after</p>{'<p>x' * 5000}"

    assert read(nested(2000), "a.html").text.startswith("deep\n\nafter\n\nx")
    problem = refusal(nested(3000), "a.html")
    assert problem.as_json() == {"code": "nested_too_deep", "params": {"limit": 2048}}


# --- PDF


def test_pdf_pages_start_where_they_say() -> None:
    extracted = read(files.pdf("First page\nline two", "", "Third (page)", title="Three"), "a.pdf")

    assert extracted.pages is not None
    assert extracted.text == "First page\nline two\n\nThird (page)"
    ends = [*extracted.pages[1:], len(extracted.text)]
    texts = [extracted.text[start:end].strip() for start, end in zip(extracted.pages, ends, strict=True)]
    assert texts == ["First page\nline two", "", "Third (page)"]


def test_pdf_without_text_at_its_end_keeps_its_pages_within_the_text() -> None:
    assert read(files.pdf("One", ""), "a.pdf").pages == [0, 3]


def test_pdf_with_a_title_in_broken_utf16_is_read() -> None:
    broken = "\xfe\xff\xd8\x00\x00A"  # a byte order mark, and half of a pair

    assert read(files.pdf("First line", title=broken), "a.pdf").title == "First line"


def test_pdf_words_divided_at_a_line_end_are_joined() -> None:
    assert "important" in read(files.pdf("This is im-\nportant to know"), "a.pdf").text


# --- files that went wrong


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_file_with_some_bytes_wrong_is_read_or_refused(data: st.DataObject) -> None:
    content, name = data.draw(
        st.sampled_from(
            [
                (files.pdf("Hello", "world"), "a.pdf"),
                (files.docx(files.paragraph("Hello") + files.paragraph("Top", "Heading1")), "a.docx"),
                (MARKDOWN.encode(), "a.md"),
                (PAGE.encode(), "a.html"),
            ]
        )
    )
    spoiled = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        position = data.draw(st.integers(0, len(spoiled) - 1))
        spoiled[position : position + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        if not spoiled:
            break
    extracted = read_or_refuse(bytes(spoiled), name)
    if extracted is None:
        return
    assert extracted.text
    assert extracted.title
    outline(extracted)
    for start, end in extracted.preformatted:
        assert 0 <= start < end <= len(extracted.text)
