"""Markdown made to harm, and what only looks like a fence, becomes text all the same."""

from __future__ import annotations

import time

import pytest

from searchsite.documents.extract import Extracted, Limits, extract

LIMITS = Limits(max_bytes=20_000_000, max_pages=10, max_characters=5_000_000)


def read(source: str) -> Extracted:
    return extract(source.encode(), "a.md", LIMITS)


@pytest.mark.parametrize("code", ["```inline```", "````a`b```` and", "- ```x```"])
def test_code_in_backticks_at_the_start_of_a_line_is_no_fence(code: str) -> None:
    text = read(f"{code} text & 中文\n\n<!-- secret comment -->\n\nend").text

    assert text.endswith("text & 中文\n\nend")


def test_comments_in_fences_are_kept() -> None:
    extracted = read("```html <x>\n<!-- one -->\n```\n\n~~~ a`b`\n<!-- two -->\n~~~\n\n<!-- three -->")

    assert extracted.text == "<!-- one -->\n\n<!-- two -->"
    assert len(extracted.preformatted) == 2


@pytest.mark.parametrize("piece", ["<!--", "&", "<a", "](", "[", "![", "[a](", "<a@", "*a ", "[" * 100 + "\n\n"])
def test_a_megabyte_of_what_might_begin_something_is_read_in_no_time(piece: str) -> None:
    start = time.perf_counter()
    assert read(piece * (1_000_000 // len(piece))).text
    assert time.perf_counter() - start < 60  # 1 s


def test_of_a_paragraph_that_would_take_too_long_the_marks_are_kept() -> None:
    for paragraph in ("*long* & <b>\n" * 3000, "[" * 21 + "*a*"):
        assert read(f"# A *title*\n\n{paragraph}\n\nan *end*").text == f"A title\n\n{paragraph.strip()}\n\nan end"
    assert read("[*a*](b) " * 1000).text == " ".join(["a"] * 1000)


def test_numbered_items_are_counted_as_a_reader_sees_them() -> None:
    source = "1. one\n1. two\n   1. inner\n   1. inner too\n1. three\n\nbetween\n\n7) seven\n7) eight\n"
    text = read(source).text
    assert [line.strip() for line in text.splitlines() if line.strip()] == [
        "1. one", "2. two", "1. inner", "2. inner too", "3. three", "between", "7) seven", "8) eight",
    ]  # fmt: skip
