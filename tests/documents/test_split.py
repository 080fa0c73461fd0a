"""The passages of a text hold all of it, in order, within bounds, and end where a reader would pause."""

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchsite.documents.extract import Heading
from searchsite.documents.split import LONGEST_TOKEN, Span, split


def word_offsets(text: str) -> list[tuple[int, int]]:
    """A tokenizer: words, and one token for each sign or Chinese character."""
    return [match.span() for match in re.finditer(r"[a-zA-Z0-9]+|[^\sa-zA-Z0-9]", text)]


def count(text: str) -> int:
    return len(word_offsets(text))


def passages(text: str, **options: object) -> list[str]:
    return [text[span.start : span.end] for span in split(text, [], None, word_offsets, **options)]  # type: ignore[arg-type]


def words(number: int, word: str = "word") -> str:
    return " ".join(f"{word}{n}" for n in range(number))


texts = st.text(
    alphabet=st.one_of(
        st.sampled_from('ab \n\t.!?。！？；,，"”)中文字é\u0301😀\u200b\xa0'),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=400,
)
joined = st.lists(
    st.sampled_from(["word ", "word", "\n\n", "\n", ". ", "中文。", "“好！”", "  ", "x" * 300, " " * 200, "é"]),
    max_size=60,
).map("".join)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, list[Heading], list[int] | None, list[tuple[int, int]]]:
    text = draw(texts | joined)
    offsets = st.lists(st.integers(0, len(text)), max_size=6, unique=True).map(sorted)
    headings = [
        Heading(offset, draw(st.integers(1, 4)), f"h{offset}") for offset in draw(offsets) if offset < len(text)
    ]
    pages = draw(st.none() | offsets.map(lambda starts: sorted({0, *starts})))
    code = [(a, b) for a, b in pairwise(draw(offsets))][::2]
    return text, headings, pages, code


@settings(max_examples=400, deadline=None)
@given(documents(), st.integers(1, 12), st.integers(0, 6))
def test_without_overlap_passages_hold_all_but_white_space(
    document: tuple[str, list[Heading], list[int] | None, list[tuple[int, int]]], target: int, more: int
) -> None:
    text, headings, pages, code = document
    spans = split(text, headings, pages, word_offsets, target, target + more, preformatted=code)

    position = 0
    for span in spans:
        assert position <= span.start < span.end <= len(text)
        assert not text[position : span.start].strip()
        assert not text[span.start].isspace()
        assert not text[span.end - 1].isspace()
        position = span.end
    assert not text[position:].strip()


@settings(max_examples=400, deadline=None)
@given(documents(), st.integers(1, 12), st.integers(0, 6), st.integers(0, 8))
def test_passages_are_bounded_and_stay_on_their_page_and_in_their_section(
    document: tuple[str, list[Heading], list[int] | None, list[tuple[int, int]]], target: int, more: int, overlap: int
) -> None:
    text, headings, pages, code = document
    spans = split(text, headings, pages, word_offsets, target, target + more, overlap, code)

    assert [s.start for s in spans] == sorted({s.start for s in spans})
    assert [s.end for s in spans] == sorted({s.end for s in spans})
    titles = {h.title for h in headings}
    for span in spans:
        assert count(text[span.start : span.end]) <= target + more
        assert span.end - span.start <= (target + more) * LONGEST_TOKEN + 1
        assert titles.issuperset(span.heading_path)
        if pages is None:
            assert span.page is None
        else:
            assert span.page is not None
            assert pages[span.page - 1] <= span.start
            assert all(span.end <= start for start in pages[span.page :])
        # Within a passage a heading follows nothing but another heading's line.
        assert not headings or not span.start < headings[0].offset < span.end
        for before, heading in pairwise(headings):
            if span.start < heading.offset < span.end:
                line_end = text.find("\n", before.offset) % (len(text) + 1)
                assert not text[line_end : heading.offset].strip()


@settings(max_examples=200, deadline=None)
@given(texts | joined, st.integers(2, 12), st.integers(1, 8))
def test_with_overlap_nothing_is_lost_and_at_most_the_asked_for_repeated(text: str, target: int, overlap: int) -> None:
    spans = split(text, [], None, word_offsets, target, target, overlap)

    covered = [False] * len(text)
    for span in spans:
        covered[span.start : span.end] = [True] * (span.end - span.start)
    assert all(c or text[i].isspace() for i, c in enumerate(covered))
    for before, after in pairwise(spans):
        assert count(text[after.start : before.end]) <= overlap


def test_overlap_repeats_the_words_before() -> None:
    first, second = passages(words(30), target_tokens=20, max_tokens=20, overlap_tokens=5)

    assert first == words(20)
    assert second.startswith("word15 ")


def test_overlap_repeats_whole_sentences_where_none_was_cut() -> None:
    text = "One two three four. Five six. Seven eight nine ten. Eleven twelve."

    assert passages(text, target_tokens=13, max_tokens=13, overlap_tokens=6) == [
        "One two three four. Five six. Seven eight nine ten.",
        "Seven eight nine ten. Eleven twelve.",
    ]
    assert passages(text, target_tokens=13, max_tokens=13, overlap_tokens=4)[1] == "Eleven twelve."


def test_short_text_is_one_passage() -> None:
    assert split("  A short text.\n", [], None, word_offsets) == [Span(2, 15, None, ())]


@pytest.mark.parametrize("text", ["", " \n\n\t "])
def test_no_text_no_passages(text: str) -> None:
    assert split(text, [], None, word_offsets) == []


def test_paragraphs_are_kept_whole_while_they_fit() -> None:
    text = "\n\n".join(words(6, word) for word in "abcd")

    assert passages(text, target_tokens=13, max_tokens=16) == [
        "\n\n".join((words(6, "a"), words(6, "b"))),
        "\n\n".join((words(6, "c"), words(6, "d"))),
    ]


def test_a_long_paragraph_is_cut_behind_sentences() -> None:
    text = "One two three. Four five six! Seven eight nine? Ten eleven twelve."

    assert passages(text, target_tokens=8, max_tokens=8) == [
        "One two three. Four five six!",
        "Seven eight nine? Ten eleven twelve.",
    ]


def test_chinese_sentences_keep_their_closing_quotes() -> None:
    text = "他说：“今天天气很好！”我们去爬山吧。第二天下雨了；大家都在家里。"

    assert passages(text, target_tokens=14, max_tokens=14) == [
        "他说：“今天天气很好！”",
        "我们去爬山吧。第二天下雨了；",
        "大家都在家里。",
    ]


def test_a_text_without_spaces_is_cut_between_characters() -> None:
    assert passages("中" * 25, target_tokens=10, max_tokens=10) == ["中" * 10, "中" * 10, "中" * 5]


def test_a_small_remainder_joins_the_passage_before() -> None:
    text = f"{words(20)}. And {words(2)}."

    assert len(passages(text, target_tokens=21, max_tokens=25)) == 1
    assert len(passages(text, target_tokens=21, max_tokens=23)) == 2


def test_a_word_without_end_is_cut_by_its_length() -> None:
    lengths = [len(passage) for passage in passages("x" * 10_000, target_tokens=10, max_tokens=12)]

    assert sum(lengths) == 10_000
    assert max(lengths) <= 12 * LONGEST_TOKEN


def test_full_stops_in_code_are_no_sentence_ends() -> None:
    code = "a = b. c. d. e\nf = g. h. i. j\nk = l. m. n. o"

    assert passages(code, target_tokens=18, max_tokens=18, preformatted=[(0, len(code))])[0].endswith("i. j")


def code_in_text(before: int, code: int, after: int) -> tuple[str, list[tuple[int, int]]]:
    """Words, a block of code with blank lines in it, and words; the block's place."""
    block = "\n\n".join(words(5, "code") for _ in range(code // 5))
    text = f"{words(before)}.\n\n{block}\n\n{words(after, 'more')}."
    start = text.index(block)
    return text, [(start, start + len(block))]


@pytest.mark.parametrize(("before", "code"), [(5, 15), (12, 15), (19, 15), (5, 25), (2, 30), (50, 30)])
def test_code_that_fits_is_not_cut(before: int, code: int) -> None:
    text, blocks = code_in_text(before, code, 40)
    (start, end), *_ = blocks
    for overlap in (0, 4):
        spans = split(text, [], None, word_offsets, 20, 30, overlap, blocks)
        assert any(s.start <= start and end <= s.end for s in spans), [text[s.start : s.end] for s in spans]


@settings(max_examples=600, deadline=None)
@given(documents(), st.integers(1, 12), st.integers(0, 6), st.integers(0, 8))
def test_a_block_that_fits_is_never_cut(
    document: tuple[str, list[Heading], list[int] | None, list[tuple[int, int]]], target: int, more: int, overlap: int
) -> None:
    text, headings, pages, code = document
    spans = split(text, headings, pages, word_offsets, target, target + more, overlap, code)

    borders = [h.offset for h in headings] + (pages or [])
    # What is longer counts as several tokens.
    ordinary = all(len(run) <= LONGEST_TOKEN for run in re.findall(r"\S+|\s+", text))
    for start, end in code:
        block = text[start:end]
        within_one_section = not any(start < border < end for border in borders)
        if block.strip() and within_one_section and ordinary and count(block) <= target + more:
            first, last = start + len(block) - len(block.lstrip()), start + len(block.rstrip())
            assert any(s.start <= first and last <= s.end for s in spans), (start, end)


def test_code_that_does_not_fit_is_cut_at_its_blank_lines() -> None:
    text, blocks = code_in_text(3, 60, 3)
    spans = split(text, [], None, word_offsets, 20, 30, 0, blocks)
    ends = [span.end for span in spans if blocks[0][0] < span.end < blocks[0][1]]
    assert ends
    assert all(text[end : end + 2] == "\n\n" for end in ends)


def test_rows_of_a_table_are_not_cut_within() -> None:
    rows = [f"Dr. A. Quince | {n}, St. Mary St. | came, saw. went; all." for n in range(12)]
    for passage in passages("\n".join(rows), target_tokens=40, max_tokens=60):
        assert all(line in rows for line in passage.split("\n"))


def sections(text: str, *levels: int, pages: list[int] | None = None) -> list[tuple[str, tuple[str, ...]]]:
    """Split a text whose headings are its lines that start with #, of these levels."""
    starts = [match.start() for match in re.finditer(r"^#", text, re.MULTILINE)]
    headings = [
        Heading(start, level, text[start + 1 :].partition("\n")[0]) for start, level in zip(starts, levels, strict=True)
    ]
    return [(text[s.start : s.end], s.heading_path) for s in split(text, headings, pages, word_offsets)]


def test_each_section_starts_a_passage_and_knows_the_headings_above() -> None:
    text = "Before.\n#Top\none\n#Sub\ntwo\n#Next\nthree"

    assert sections(text, 1, 2, 1) == [
        ("Before.", ()),
        ("#Top\none", ("Top",)),
        ("#Sub\ntwo", ("Top", "Sub")),
        ("#Next\nthree", ("Next",)),
    ]


def test_a_heading_without_text_joins_the_section_below() -> None:
    assert sections("#Top\n\n#Sub\n#Deep\ntext\n#Last", 1, 2, 3, 1) == [
        ("#Top\n\n#Sub\n#Deep\ntext", ("Top", "Sub", "Deep")),
        ("#Last", ("Last",)),
    ]


def test_a_section_goes_on_over_a_page_but_its_passage_ends() -> None:
    text = "#Top\none\n\ntwo"

    assert sections(text, 1, pages=[0, text.index("two")]) == [("#Top\none", ("Top",)), ("two", ("Top",))]


def test_pages_are_counted_over_those_without_text() -> None:
    text = "first\n\nfourth"

    spans = split(text, [], [0, 7, 7, 7, 13], word_offsets)

    assert [(text[s.start : s.end], s.page) for s in spans] == [("first", 1), ("fourth", 4)]


def test_special_tokens_and_several_of_one_character_are_counted_right() -> None:
    def byte_offsets(text: str) -> list[tuple[int, int]]:
        three_each = [(n, n + 1) for n, c in enumerate(text) if not c.isspace() for _ in range(3)]
        return [(0, 0), *three_each, (0, 0)]

    spans = split("中文文字", [], None, byte_offsets, 6, 6)

    assert [(s.start, s.end) for s in spans] == [(0, 2), (2, 4)]


@pytest.mark.parametrize(("target", "most", "overlap"), [(0, 10, 0), (11, 10, 0), (5, 10, -1)])
def test_impossible_lengths_are_refused(target: int, most: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="target_tokens"):
        split("text", [], None, word_offsets, target, most, overlap)


@pytest.mark.parametrize(
    "text",
    ["." * 300_000, "a\n\n" * 100_000, "中" * 300_000, " " * 300_000 + "x", "x, " * 100_000, "a | b. c\n" * 40_000],
)
def test_time_grows_with_length_only(text: str) -> None:
    """Three times the text takes about three times as long, with room for a busy machine; nine would be quadratic."""
    third = text[: len(text) // 3]

    def seconds(part: str) -> float:
        start = time.perf_counter()
        split(part, [], None, word_offsets)
        return time.perf_counter() - start

    assert min(seconds(text) for _ in range(2)) < 6 * max(0.02, min(seconds(third) for _ in range(3)))


def test_the_number_of_a_list_item_stays_with_it() -> None:
    text = "\n".join(f"{n}. {words(8, 'item')}" for n in range(1, 9))
    found = passages(text, target_tokens=20, max_tokens=60)
    assert len(found) > 2
    assert all(re.match(r"\d\. item0", passage) for passage in found)
    assert not [passage for passage in found if re.search(r"\d\.\Z", passage)]
