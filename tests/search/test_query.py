"""The query language: what each kind of question says, and the laws that hold for any text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchsite.documents.extract import READERS
from searchsite.search.query import (
    LONGEST_PHRASE,
    MOST_PHRASES,
    TYPES,
    Condition,
    Query,
    kinds_of,
    narrowed,
    parse,
    widened,
)
from tests.search import fuzz_query

FUZZED = 3000


def says(text: str = "", phrases: str = "", without: str = "", **conditions: str) -> Query:
    """Phrases and exclusions are separated by "|"; not_title="x" is -title:x."""
    return Query(
        text,
        *(tuple(filter(None, several.split("|"))) for several in (phrases, without)),
        tuple(Condition(name.removeprefix("not_"), said, name.startswith("not_")) for name, said in conditions.items()),
    )


WORDS = [  # said as they stand
    "", "apple", "remote work policy", "试用期多久", "wi-fi", "2019-2020", "a - b", "-", "--", "- -", "--verbose",
    "-5", "-5°C", "－５", "-.5", "-$5", "-…", "->", "-_", "－－a", "a-", "a–b", "http://x",
    "see http://x.org/a?b=c", "note:this", "12:30", "注意：这里", "C:\\temp", "std::vector", "title::x", "title:",
    "ｔｉｔｌｅ：", "标题：", "title:, a", "title: report", "标题： 手册", "lang:", "a title:", "subtitle:x",
    "(title:x)", "员工title:x", "before:soon", "before:2024-13", "before:2024-02-30", "before:0000", "after:24",
    "after:2024-5/1", "after:2024-", "晚于：昨天", "lang:klingon", "lang:xx", "lang:e", "type:klingon",
    "type:pdf.exe", "type:pdf,docx", "-lang:klingon", "-title:", "-before:soon", 'type:"annual report"',
    '-type:"annual report"', 'title:""', "标题：「」", 'title:" "', '"unclosed', "“unclosed", "「没有结束", "a ” b",
    "」a「", '"', '""', '" "', '"..."', '-""', '-"', '-"…"', "it's", "o'clock", '24" monitor', '24" or 27" monitor',
    "„a", "«a", "a » b", "🔥", "title : x", "a:b:c", "tag: x", "lang：",
]  # fmt: skip

TABLE = [
    # words, and what separates them
    ("  a \t b\n", says("a b")), ("员工\u3000手册", says("员工 手册")), ("a\0b", says("a b")),
    ("a\ud800b", says("a b")), ("\ufeffapple", says("apple")), ("\ud83d", says()),
    # phrases
    *((f"{opened}年度 report{closed}", says("年度 report", "年度 report"))
      for opened, closed in ['""', "“”", "„“", "„”", "＂＂", "「」", "『』", "«»", "»«", '“"', '"”']),
    ('"  two   spaces\u3000"', says("two spaces", "two spaces")),
    ('the "annual report" of', says("the annual report of", "annual report")),
    ('"a b" "c d"', says("a b c d", "a b|c d")), ('"a b""c d"', says("a b c d", "a b|c d")),
    ('"a", b', says("a, b", "a")), ("试用期“劳动合同”多久", says("试用期 劳动合同 多久", "劳动合同")),
    ("怎样“离职”？", says("怎样 离职？", "离职")), ("“他说「好」的”", says("他说「好」的", "他说「好」的")),
    ("「他说“好”的」", says("他说“好”的", "他说“好”的")), ('say"hello"', says("say hello", "hello")),
    ('24" "flat screen"', says('24" flat screen', "flat screen")),
    ('2024"年度报告"', says("2024 年度报告", "年度报告")), ('"title:a"', says("title:a", "title:a")),
    ('"-a"', says("-a", "-a")), ('"a -b title:c" d', says("a -b title:c d", "a -b title:c")),
    ('"C++"', says("C++", "C++")), ('"" "a"', says('"" a', "a")),
    ('"a" "b" "c" "d" "e" "f" -g', says("a b c d e f", "a|b|c|d|e", "g")),
    ('"a" "b" "c" "d" "e" "title:f"', says("a b c d e title:f", "a|b|c|d|e")),
    (f'"{"x" * LONGEST_PHRASE}"', says("x" * LONGEST_PHRASE, "x" * LONGEST_PHRASE)),
    (f'"{"x" * (LONGEST_PHRASE + 1)}"', says("x" * (LONGEST_PHRASE + 1))),
    # without
    ("a -b", says("a", without="b")), ("-a", says(without="a")), ("-a -b c", says("c", without="a|b")),
    ("a －b", says("a", without="b")), ("a −b", says("a", without="b")), ("a –b", says("a", without="b")),
    ("手册\u3000－实习", says("手册", without="实习")), ("a\n-b", says("a", without="b")),
    ('a -"b c"', says("a", without="b c")), ("a －“b c”", says("a", without="b c")),
    ("手册 -「试用期」", says("手册", without="试用期")), ('-"title:a"', says(without="title:a")),
    ('-"5"', says(without="5")), ("a -wi-fi", says("a", without="wi-fi")), ("a -.net", says("a", without=".net")),
    ("a -c++", says("a", without="c++")), ("a -b, c", says("a c", without="b")),
    ("苹果 －梨？", says("苹果", without="梨")), ("-五月", says(without="五月")),
    ("-note:this", says(without="note:this")), ('-foo"bar"', says("bar", "bar", "foo")),
    ('"wi"-fi', says("wi-fi", "wi")), ("a- -b", says("a-", without="b")),
    # title, collection, tag: as they are written
    *((f"{name}{colon}Report", says(title="Report"))
      for name in ("title", "Title", "TITLE", "ｔｉｔｌｅ", "Ｔｉｔｌｅ", "标题", "標題") for colon in ":："),
    ("title:report", says(title="report")), ('title:"annual report"', says(title="annual report")),
    ("title:“annual report” x", says("x", title="annual report")),
    ("collection:「员工手册」", says(collection="员工手册")), ("collection:HR", says(collection="HR")),
    ("tag:«a b»", says(tag="a b")), ("tag:a:b", says(tag="a:b")), ("tag:🔥", says(tag="🔥")),
    ('tag:"why?"', says(tag="why?")), ("tag:a, tag2", says("tag2", tag="a")), ("標題：手冊", says(title="手冊")),
    ("集合：人事 试用期", says("试用期", collection="人事")), ("标签：人事", says(tag="人事")),
    ("title:-a", says(title="-a")), ("title:http://x", says(title="http://x")), ("-title:a", says(not_title="a")),
    ("－标题：“员工 手册”", says(not_title="员工 手册")), ('title:a"b c"', says("b c", "b c", title="a")),
    ('"a"title:b', says("a", "a", title="b")), ("「手册」类型：pdf", says("手册", "手册", type="pdf")),
    ('title:"a"title:b', replace(says(), conditions=(Condition("title", "a"), Condition("title", "b")))),
    ('title:"a"-b', says(without="b", title="a")), ('title:"a\0b"', says(title="a b")),
    ("tag:a tag:a", replace(says(), conditions=(Condition("tag", "a"), Condition("tag", "a")))),
    ("早于：2024-05", says(before="2024-05-01")), ("晚于：2023", says(after="2023-01-01")),
    ("语言：英文", says(lang="en")), ("類型:邮件", says(type="mail")),
    # all together, and what is malformed beside what is not
    ("title:a lang:en", says(title="a", lang="en")),
    ('policy "home office" -draft type:pdf after:2024',
     says("policy home office", "home office", "draft", type="pdf", after="2024-01-01")),
    ("试用期 “合同” －实习 标签：人事 早于：2024年5月",
     says("试用期 合同", "合同", "实习", tag="人事", before="2024-05-01")),
    ('"a title:b', says('"a', title="b")), ("lang:klingon lang:en", says("lang:klingon", lang="en")),
    ('note:"a b"', says("note:a b", "a b")),
]  # fmt: skip
VALUES = {  # what may be typed for the value of a field
    ("type", "pdf"): 'pdf PDF ｐｄｆ .pdf "pdf"', ("type", "word"): "word Word", ("type", "doc"): "doc .DOC",
    ("type", "docx"): "docx", ("type", "odt"): "odt", ("type", "sheet"): "excel xls xlsx sheet 电子表格",
    ("type", "table"): "table 表格", ("type", "csv"): "csv tsv", ("type", "pptx"): "powerpoint slides ppt 幻灯片",
    ("type", "markdown"): "md markdown", ("type", "html"): "htm html web 网页", ("type", "image"): "jpg png 图片",
    ("type", "mail"): "email mail e-mail 邮件", ("type", "eml"): "eml", ("type", "code"): "code py 代码",
    ("type", "text"): "txt text 文本", ("lang", "zh"): "zh zh-CN zh_TW zh-Hans zh-Hans-CN chinese 中文 汉语 「中文」",
    ("lang", "en"): "en EN ｅｎ en-GB English 英文 英语 en,", ("lang", "de"): "de de-AT", ("lang", "ja"): "ja",
    ("lang", "other"): "other", ("after", "2024-01-01"): '2024 2024年 ２０２４ "2024"',
    ("after", "2024-05-01"): "2024-05 2024-5 2024/5 2024.05 2024年5月 ２０２４－０５ ２０２４年５月 2024–05 2024-05-01",
    ("after", "2024-05-17"): "2024-05-17 2024/5/17 2024.5.17 2024年5月17日 ２０２４．５．１７ ２０２４／５／１７",
    ("before", "2024-02-29"): "2024-02-29 2024年2月29日",
}  # fmt: skip
TABLE += [
    (f"{minus}{field}:{typed}", Query("", conditions=(Condition(field, value, bool(minus)),)))
    for (field, value), all_typed in VALUES.items()
    for typed in all_typed.split()
    for minus in ("", "-")
]


def test_no_question_is_in_the_table_twice() -> None:
    assert len({text for text, _ in TABLE} | {*WORDS}) == len(TABLE) + len(WORDS)


@pytest.mark.parametrize(("text", "query"), TABLE)
def test_what_a_question_says(text: str, query: Query) -> None:
    assert parse(text) == query


@pytest.mark.parametrize("text", WORDS)
def test_what_is_no_operator_counts_as_words(text: str) -> None:
    assert parse(text) == Query(text)


@pytest.mark.parametrize("text", [text for text, query in TABLE if len(query.conditions) == 1])
def test_a_condition_knows_where_it_stands(text: str) -> None:
    (condition,) = parse(text).conditions
    assert parse(text[condition.start : condition.end]) == Query("", conditions=(condition,))
    assert not parse(text[: condition.start] + " " + text[condition.end :]).conditions


def test_a_condition_stands_from_its_minus_to_its_closing_quote() -> None:
    text = "a －标题：“员工 手册” lang:en, b"
    assert [text[one.start : one.end] for one in parse(text).conditions] == ["－标题：“员工 手册”", "lang:en,"]


# --- kinds --------------------------------------------------------------------------------------------------


def test_every_kind_that_a_reader_gives_can_be_asked_for_alone() -> None:
    for kind in READERS:
        assert kinds_of(parse(f"type:{kind}").conditions[0].value) == (kind,)


def test_every_name_of_a_type_stands_for_kinds_that_a_reader_gives() -> None:
    for name in TYPES:
        (condition,) = parse(f"type:{name}").conditions
        assert kinds_of(condition.value)
        assert {*kinds_of(condition.value)} <= {*READERS}


def test_a_group_is_several_kinds_and_an_unknown_type_none() -> None:
    assert kinds_of("word") == ("doc", "docx", "odt")
    assert kinds_of("nothing") == ()


# --- narrower and wider -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "field", "value", "narrow"),
    [
        ("", "tag", "hr", "tag:hr"),
        ("remote  work ", "type", "pdf", "remote work type:pdf"),
        ("a", "collection", "HR 2024", 'a collection:"HR 2024"'),
        ("手册", "collection", "员工手册", "手册 collection:员工手册"),
        ("a", "tag", "why?", 'a tag:"why?"'),
        ("a", "tag", ":x", 'a tag:":x"'),
        ("a", "title", '5" disk', 'a title:「5" disk」'),
        ('"unclosed a', "title", "b c", '"unclosed a title:「b c」'),
        ('lang:en "a', "tag", "「『« b", 'tag:"「『« b" lang:en "a'),
        ("a", "after", "2024-05-01", "a after:2024-05-01"),
        ("a", "lang", "other", "a lang:other"),
        ("-tag:hr", "tag", "hr", "-tag:hr tag:hr"),
    ],
)
def test_a_condition_is_added_at_the_end_unless_an_open_quote_would_swallow_it(
    text: str, field: str, value: str, narrow: str
) -> None:
    assert narrowed(text, field, value) == narrow
    assert Condition(field, value) in parse(narrow).conditions


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("a  类型：PDF b", "type", "pdf"),
        ("after:2024年5月", "after", "2024-05-01"),
        ("type:excel", "type", "xlsx"),
        ("lang:中文", "lang", "zh-TW"),
        ("  a", "lang", "klingon"),
        ("  a", "before", "soon"),
        ("  a", "author", "me"),
        ("  a", "title", " \0"),
        ("  a", "title", '"“„＂”「」『』«» x'),
    ],
)
def test_a_condition_that_is_there_or_that_is_none_leaves_the_very_question(text: str, field: str, value: str) -> None:
    assert narrowed(text, field, value) == text


@pytest.mark.parametrize(
    ("text", "wide"),
    [
        ("type:pdf", ""),
        ("a  type:pdf\u3000 b", "a b"),
        ('"a b" -title:"c  d" e', '"a b" e'),
        ("试用期 标签：人事", "试用期"),
        ('title:"a"-b', "-b"),
        ('"a"title:x"b"', '"a" "b"'),
    ],
)
def test_a_condition_is_taken_away_with_its_stretch(text: str, wide: str) -> None:
    assert widened(text, parse(text).conditions[0]) == wide


# --- laws ---------------------------------------------------------------------------------------------------

PIECES = [*fuzz_query.MARKS, *fuzz_query.SIGNS, *fuzz_query.VALUES, *map("{}：".format, fuzz_query.FIELD_NAMES)]
QUESTIONS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
    st.text(st.characters(), max_size=200),  # with NUL and halves of surrogate pairs
)


@given(QUESTIONS)
def test_the_laws_hold_for_any_text(text: str) -> None:
    assert fuzz_query.broken(text) == []


@given(QUESTIONS)
def test_where_no_quotes_are_what_is_asked_is_words_to_the_end(text: str) -> None:
    """Phrases may hold what looks like operators, which come out when their quotes are off."""
    bare = text.translate(dict.fromkeys(map(ord, fuzz_query.MARKS), " "))
    asked = parse(bare).text
    assert parse(asked) == Query(asked)


@given(
    QUESTIONS,
    st.sampled_from(["title", "collection", "tag"]),
    st.text(st.characters(exclude_characters="»"), max_size=30),
)
def test_narrowed_then_widened_says_the_same(text: str, field: str, value: str) -> None:
    before, more = parse(text), narrowed(text, field, value)
    added = [one for one in parse(more).conditions if one not in before.conditions]
    assert len(added) <= 1
    if added:
        assert (added[0].field, added[0].negated) == (field, False)
        assert parse(widened(more, added[0])) == before
        assert narrowed(more, field, value) == more
    else:
        assert more == text


@given(
    st.text(st.characters(exclude_characters='"“”„＂'), max_size=30).filter(
        lambda value: parse(f'tag:"{value}"').conditions
    )
)
def test_whatever_value_can_be_quoted_can_be_added(value: str) -> None:
    assert parse(narrowed("a question", "tag", value)) == parse(f'a question tag:"{value}"')


def test_random_questions_of_the_grammar_break_no_law() -> None:
    wrong, _slowest = fuzz_query.run(FUZZED)
    assert wrong == []


@pytest.mark.parametrize(
    "piece", ['"', "“", "„", "「", "«", "»", '"“„', "「『«", "-", " -",
              "title:", "-title:", 'title:"', "a:", ":", '-"', "-“a", "24\"", "２"]
)  # fmt: skip
def test_no_letter_is_lost_of_adversarial_text_far_longer_than_a_question(piece: str) -> None:
    """Such as would take minutes at quadratic time."""
    text = piece * (200_000 // len(piece))
    query = parse(text)
    assert fuzz_query.word_characters(text) == fuzz_query.word_characters(
        "".join([query.text, *query.without, *(text[one.start : one.end] for one in query.conditions)])
    )
    assert len(query.phrases) <= MOST_PHRASES
