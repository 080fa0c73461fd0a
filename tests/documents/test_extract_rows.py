"""Tables of values and lines of JSON become rows and sections that can be read."""

from __future__ import annotations

import time

import pytest

from searchsite.documents.extract import Extracted, Limits, extract
from searchsite.documents.problems import Problem

LIMITS = Limits(max_bytes=20_000_000, max_pages=10, max_characters=10_000_000)
LONG = "A text that is far too long for a cell of a table. " * 5


def read(source: str, name: str, limits: Limits = LIMITS) -> Extracted:
    return extract(source.encode(), name, limits)


def refusal(source: str, name: str, limits: Limits = LIMITS) -> Problem:
    with pytest.raises(Problem) as caught:
        read(source, name, limits)
    return caught.value


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("a,b,c\n1,2,3\n", "a | b | c\n1 | 2 | 3"),
        ("a;b\n1,5;2,5\n3,1;4,2", "a | b\n1,5 | 2,5\n3,1 | 4,2"),
        ("a\tb\nfirst, that is\tsecond, or so\n", "a | b\nfirst, that is | second, or so"),
        ("a|b\n1|2\n", "a | b\n1 | 2"),
        ("a,b\r\n1,2\r3,4\r\n\r\n", "a | b\n1 | 2\n3 | 4"),
        ('a,b\n"x, ""y"" & <z>","two\nlines"\n', 'a | b\nx, "y" & <z> | two lines'),
        ("问题,答案\n能吃党参吗？,可以，少量。\n", "问题 | 答案\n能吃党参吗？ | 可以，少量。"),
        ("one\ntwo\nthree", "one\ntwo\nthree"),
        ("a,,b\n,,\n ,c,", "a | b\nc"),
        ('size,5" pipe\n2,3', 'size | 5" pipe\n2 | 3'),
        ('a,b\n1,"never closed\n2,3', "a | b\n1 | never closed 2,3"),
        ("a,b\n1", "a | b\n1"),
    ],
)
def test_csv(source: str, text: str) -> None:
    extracted = read(source, "a.csv")

    assert (extracted.kind, extracted.text) == ("csv", text)


def test_a_long_cell_is_a_paragraph() -> None:
    assert read(f"id,text\n1,{LONG}\n2,short\n", "a.csv").text == f"id | text\n1\n\n{LONG.strip()}\n\n2 | short"
    assert read('id,text\n1,"a\nb\nc\nd"\n', "a.csv").text == "id | text\n1\n\na\nb\nc\nd"


@pytest.mark.parametrize("row", ["x" + ",x" * 1_000_000, '"x",' * 1_000_000, "a,b\n" + "," * 20_000])
def test_too_many_columns_are_refused_at_once(row: str) -> None:
    start = time.perf_counter()
    problem = refusal(row, "a.csv")
    assert problem.as_json() == {"code": "too_many_columns", "params": {"limit": 16_384}}
    assert time.perf_counter() - start < 60


def test_as_many_columns_as_a_spreadsheet_has_are_read() -> None:
    assert read(",".join("x" * 16_384), "a.csv").text == " | ".join("x" * 16_384)


def test_csv_without_anything_in_it() -> None:
    assert refusal(",,\n,,\n", "a.csv").code == "no_text"
    assert refusal("a,b\n1,2\n", "a.csv", Limits(1000, 10, 5)).code == "too_much_text"


def test_json_lines() -> None:
    source = (
        '{"title": "A & <b>", "n": 1.5, "none": null, "tags": ["x", "y"], "at": {"city": {"zip": "10"}, "ok": true}}\n'
        "no JSON here {\n\n"
        '["one", {"two": 2}]\n'
        '{"问题": "能吃党参吗？", "答案": "可以"}\r\n'
        '{"a": 1}\n{"a": 2}\n"text"\n'
    )

    extracted = read(source, "a.jsonl")

    assert extracted.text == (
        "A & <b>\n\nn: 1.5\ntags: x, y\nat.city.zip: 10\nat.ok: true\n\nno JSON here {\n\none\n2\n\n"
        "能吃党参吗？\n\n答案: 可以\n\na: 1\n\na: 2\n\ntext"
    )
    assert [(h.level, h.title) for h in extracted.headings] == [(1, "A & <b>"), (1, "能吃党参吗？")]
    assert extracted.kind == "jsonl"


def test_long_texts_in_json_lines_are_paragraphs() -> None:
    assert read(f'{{"id": 1, "body": "{LONG}", "notes": "a\\nb"}}', "a.jsonl").text == (
        f"id: 1\n\nbody\n\n{LONG.strip()}\n\nnotes\n\na\nb"
    )


@pytest.mark.parametrize(
    "line",
    ['{"a":' * 100_000, "[" * 100_000 + "]" * 100_000, '{"a":' * 900 + "1" + "}" * 900, '{"n": 1' + "0" * 5000 + "}"],
)
def test_hostile_json_is_read(line: str) -> None:
    assert read(f'{line}\n{{"last": "one"}}', "a.jsonl").text.endswith("\n\nlast: one")


def test_a_long_key_is_not_repeated_for_each_value() -> None:
    inner = ", ".join(f'"k{n}": {n}' for n in range(10_000))

    assert len(read(f'{{"{"x" * 100_000}": {{{inner}}}}}', "a.jsonl").text) < 3_000_000
