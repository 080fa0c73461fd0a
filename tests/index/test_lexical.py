"""The index of keywords, by itself: what it finds, in which order, and within which collections."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from searchsite.index import lexical, misspelt
from searchsite.index.lexical import Row
from searchsite.index.misspelt import MOST_MISSPELT


def write(folder: Path, rows: list[Row], gone: tuple[int, ...] = ()) -> lexical.LexicalIndex:
    if not folder.exists():
        lexical.create(folder)
    with lexical.writing(folder) as writer:
        writer.replace([*gone, *{row.document for row in rows}], rows)
        writer.commit(lexical.opened(folder).number + 1)
    return lexical.opened(folder)


@pytest.fixture
def index_of(tmp_path: Path):
    """index_of("text", ("de", "Text"), ...) -> an index of passages 1, 2, ..., each a document in collection 1."""

    def _index(*texts: str | tuple[str, str], title: str = "") -> lexical.LexicalIndex:
        pairs = [text if isinstance(text, tuple) else ("en", text) for text in texts]
        rows = [Row(n, n, 1, title, text, language) for n, (language, text) in enumerate(pairs, 1)]
        return write(tmp_path / "lexical", rows)

    return _index


def passages(hits) -> list[int]:
    return [passage for passage, _score in hits]


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("猫", "小猫在睡觉"), ("张韡", "会议由张韡主持"), ("語義", "语义搜索"), ("语义", "語義搜索"),
        ("乾", "乾坤大挪移"), ("ＥＲＲ＿４０１２", "err_4012 occurs"), ("4012", "ERR_4012"),
        ("join", "call os.path.join"), ("os.path.join", "call os.path.join()"), ("sha256", "its SHA256"),
        ("c++", "in C++, not C#"), ("anna@example.org", "ask Anna@example.org."), ("タワー", "東京タワー"),
        ("서울", "서울의"), ("ไทย", "ภาษาไทย"),
    ],
)  # fmt: skip
def test_one_of_many_is_found(index_of, question, text):
    index = index_of("rivers and clouds", ("zh", "河流与白云"), ("zh", text), "ภูเขา 한국 カメラ")
    assert passages(index.search(question, 10))[:1] == [3]


def test_sha_256_however_it_is_written_but_first_as_it_is(index_of):
    index = index_of("uses sha256 sums", "uses sha-256 sums", "uses md5 sums")
    assert passages(index.search("sha256", 10))[0] == 1
    assert passages(index.search("sha-256", 10)) == [2, 1]


def test_a_question_in_any_of_the_languages_finds_other_forms(index_of):
    index = index_of(("de", "in den Häusern"), ("fr", "la maison"), ("ru", "в книгах"), ("en", "the houses"))
    for question, found in [("Häuser", 1), ("maisons", 2), ("книга", 3), ("house", 4)]:
        assert passages(index.search(question, 10)) == [found], question


def test_words_in_a_title_weigh_more_than_in_the_text(tmp_path):
    filler = "one two three"
    rows = [Row(1, 1, 1, "", f"heron {filler}", "en"), Row(2, 2, 1, "heron", filler, "en"), Row(3, 3, 1, "", "x", "en")]
    assert passages(write(tmp_path / "lexical", rows).search("heron", 10)) == [2, 1]


# --- typing errors ------------------------------------------------------------------------------------------


def test_a_typing_error_finds_what_was_meant_when_nothing_has_the_word(index_of):
    index = index_of("the committee decided", "rivers and clouds", "committed to it")
    assert passages(index.search("rivesr", 10)) == [2]
    assert 1 in passages(index.search("comittee", 10))
    assert passages(index.search("clouds rivesr", 10)) == [2]


def test_a_typing_error_changes_nothing_when_something_has_the_word(index_of):
    index = index_of("the form is signed", "they come from afar")
    assert passages(index.search("form", 10)) == [1]
    assert passages(index.search("from", 10)) == [2]


@pytest.mark.parametrize("word", ["cta", "dgo", "k9s", "ERR_4021", "123456798"])
def test_short_words_and_numbers_have_no_typing_errors(index_of, word):
    index = index_of("the cat and the dog in k8s")
    assert index.search(word, 10) == []
    assert index_of("the cat and 123456789").search("123456798", 10) == []


@pytest.mark.parametrize("hidden", [1, lexical.COMMON + 1], ids=["rare", "common"])
def test_a_word_is_unknown_to_who_sees_no_passage_with_it_however_many_others_have_it(tmp_path, hidden):
    rows = [Row(n, n, 2, "", "a hreon", "en") for n in range(10, 10 + hidden)]
    index = write(tmp_path / "lexical", [Row(1, 1, 1, "", "a heron", "en"), *rows])
    assert index.unknown("the hreon and herons", frozenset({1})) == ["the", "hreon", "and"]
    assert index.unknown("a hreon", frozenset({1, 2})) == []
    assert index.unknown("a hreon", None) == []
    assert passages(index.search("hreon", 10, frozenset({1}))) == [1]


def test_what_is_not_written_with_letters_is_no_unknown_word(index_of):
    index = index_of("rivers")
    assert index.unknown('河流 カメラ !? "rivers" clouds', None) == ["clouds"]


def test_near_are_the_first_passages_with_words_that_are_so_near(tmp_path):
    texts = ["committees", "committee", "comittee", "committing", "rivers", "committee"]
    rows = [Row(60 - n, n, n % 2, "", text, "en") for n, text in enumerate(texts, 1)]
    index = write(tmp_path / "lexical", rows)
    assert index.near("comitteee", 1, 10, None) == [57]
    assert index.near("comitteee", 2, 10, None) == [54, 57, 58, 59]
    assert index.near("comitteee", 2, 2, None) == [54, 57]
    assert index.near("comitteee", 2, 10, frozenset({1})) == [57, 59]
    assert index.near("comitteee", 2, 10, frozenset({7})) == []


few_letters = st.text("abcé猫", min_size=1, max_size=9)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text("abc", min_size=1, max_size=9), min_size=8, max_size=8, unique=True), few_letters)
def test_the_distance_of_words_is_that_of_the_fuzzy_queries(tmp_path_factory, words, word):
    folder = tmp_path_factory.mktemp("fuzzy") / "lexical"
    index = write(folder, [Row(n, n, 1, "", other, "en") for n, other in enumerate(words)])
    for most in (1, 2):
        near = [n for n, other in enumerate(words) if misspelt.distance(word, other, most) <= most]
        assert index.near(word, most, 10, None) == near


# --- order, scores, scope -----------------------------------------------------------------------------------


def test_equal_scores_come_in_the_order_of_their_ids_also_at_the_kth_place(tmp_path):
    folder = tmp_path / "lexical"
    for first in (200, 1, 100):  # in several segments
        index = write(folder, [Row(n, n, 1, "", "just the same", "en") for n in range(first, first + 60)])
    everything = sorted([*range(200, 260), *range(1, 61), *range(100, 160)])
    assert passages(index.search("same", 1000)) == everything
    for k in (1, 5, 59, 61, 170):
        assert passages(index.search("same", k)) == everything[:k], k


def test_scores_of_some_passages_are_those_of_the_search(index_of):
    index = index_of("apples", "apples and pears", "pears", "plums", "apples apples pears")
    found = dict(index.search("apples pears", 10))
    assert index.scores("apples pears", [5, 4, 3, 99]) == pytest.approx({5: found[5], 3: found[3]})
    assert index.scores("nothing like it", [1, 2]) == {}
    assert index.scores("apples", []) == {}
    assert index.scores("!?", [1]) == {}


def test_k_permitted_passages_come_back_although_others_are_thousands_and_better(tmp_path):
    hidden = [Row(n, n, 2, "heron", "heron heron", "en") for n in range(1, 3001)]
    seen = [Row(n, n, 1, "", f"a heron {'and other things ' * 20}", "en") for n in range(4001, 4006)]
    index = write(tmp_path / "lexical", hidden + seen)
    assert passages(index.search("heron", 5, frozenset({1}))) == [4001, 4002, 4003, 4004, 4005]
    assert passages(index.search("heron", 5, frozenset({1}), ["a heron"])) == [4001, 4002, 4003, 4004, 4005]
    assert index.search("heron", 5, frozenset()) == []
    assert index.search("heron", 5, frozenset({3})) == []
    assert passages(index.search("hreon", 5, frozenset({1}))) == [4001, 4002, 4003, 4004, 4005]
    assert len(index.search("heron", 5000, None)) == 3005


def test_only_of_these_documents_and_still_k_passages_in_their_order(tmp_path):
    others = [Row(n, n, 1, "heron", "heron heron", "en") for n in range(1, 3001)]
    texts = ["heron", "a heron", f"a heron {'and more ' * 9}", "rivers", "two herons"]
    wanted = [Row(4000 + n, 5000 + n // 2, n % 2 + 1, "", text, "en") for n, text in enumerate(texts)]
    index = write(tmp_path / "lexical", others + wanted)
    all_of_them = [4000, 4001, 4004, 4002]
    scores = dict(index.search("heron", 4000))
    for k in (1, 2, 4, 50):
        for documents in ([5000, 5001, 5002], np.array([5002, 5000, 5001, 77777]), {5000, 5001, 5002}):
            found = index.search("heron", k, None, (), documents)
            assert passages(found) == sorted(all_of_them, key=lambda pk: (-scores[pk], pk))[:k]
            assert dict(found) == pytest.approx({pk: scores[pk] for pk in passages(found)})
    assert passages(index.search("heron", 5, frozenset({2}), (), [5000, 5001])) == [4001]
    assert passages(index.search("heron", 5, None, ["two herons"], [5000, 5002])) == [4004]
    assert passages(index.search("hreon", 5, None, (), [5001])) == [4002], "a typing error"
    assert index.search("heron", 5, None, (), []) == []
    assert index.search("heron", 5, None, (), [77777]) == []


def test_equal_scores_of_some_documents_come_in_the_order_of_their_ids(tmp_path):
    index = write(tmp_path / "lexical", [Row(n, n % 10, 1, "", "just the same", "en") for n in range(1, 301)])
    for k in (1, 5, 31, 59, 60):
        expected = [n for n in range(1, 301) if n % 10 in (3, 8)][:k]
        assert passages(index.search("same", k, None, (), [8, 3])) == expected


def test_with_phrases_only_what_has_all_their_words(index_of):
    index = index_of("lazy dog", "lazy cat", "dog", ("zh", "语义搜索"), "a dog that is lazy")
    assert sorted(passages(index.search("", 10, phrases=["lazy dog"]))) == [1, 5]
    assert passages(index.search("cat", 10, phrases=["語義"])) == [4]
    assert index.search("lazy", 10, phrases=["lazy", "nobody has it"]) == []


# --- the weight of a question -------------------------------------------------------------------------------


def test_a_passage_with_each_word_once_scores_about_the_full_weight(index_of):
    index = index_of("heron river", "clouds today", "apples pears", "plums rain", "stone house")
    score = dict(index.search("heron river", 10))[1]
    assert score / index.weights("heron river").full == pytest.approx(1, abs=0.35)
    assert index.weights("!?").full == 0
    assert index.weights("heron nobodyhasit").full > 1.5 * index.weights("heron").full


def test_the_full_score_stays_positive_when_most_passages_were_deleted(tmp_path):
    """Deleted passages still count among those that have a word, and not among all passages."""
    folder = tmp_path / "lexical"
    write(folder, [Row(n, n, 1, "", "heron", "en") for n in range(1, 101)])
    index = write(folder, [], gone=tuple(range(3, 101)))
    assert passages(index.search("heron", 10)) == [1, 2]
    assert index.weights("heron").full > 0


# --- anything may be asked, and written ---------------------------------------------------------------------

odd = st.text(st.characters() | st.sampled_from(" \x00\ud800\"“”「」'*?()[]{}^~:+-&|!\\/猫乾한ไİ"), max_size=80)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(odd, min_size=1, max_size=5), odd)
def test_any_text_can_be_a_passage_and_a_question(tmp_path_factory, texts, question):
    folder = tmp_path_factory.mktemp("odd") / "lexical"
    index = write(folder, [Row(n, n, 1, text[:9], text, "zh") for n, text in enumerate(texts, 1)])
    assert index.ids().tolist() == list(range(1, len(texts) + 1))
    for asked in (question, *texts):
        found = dict(index.search(asked, 10, frozenset({1}), [asked[:20]]))
        assert found.keys() <= set(range(1, len(texts) + 1))
        assert index.scores(asked, [1]).keys() <= {1}
        assert index.weights(asked).full >= 0


@pytest.mark.parametrize(
    "asked",
    [
        "x" * 100_000,
        " ".join(f"w{n}" for n in range(10_000)),
        " ".join("qxz" + "".join(chr(97 + int(d)) for d in str(n)) + "zzzz" for n in range(10_000)),
        "猫狗" * 50_000,
        "." * 100_000,
        "\"“”'" * 25_000,
        ".".join(["a"] * 50_000),
        "aB" * 50_000,
    ],
    ids=["word", "words", "unknown words", "characters", "dots", "quotes", "identifier", "camel"],
)
def test_however_long_it_is_asked_and_written(index_of, asked):
    index = index_of(asked, "heron")
    index.search(asked, 10, frozenset({1}))
    index.scores(asked, [1, 2])
    assert index.weights(asked).full >= 0
    assert passages(index.search("heron", 10)) == [2]


def test_only_some_words_of_a_question_are_taken_for_typing_errors(index_of):
    index = index_of("rivers and clouds")
    unknown = [f"unknown{'abcdefghijklmnopqrstuvwxyz'[n]}" * 2 for n in range(MOST_MISSPELT)]
    assert passages(index.search(" ".join([*unknown[1:], "cloudss"]), 10)) == [1]
    assert index.search(" ".join([*unknown, "cloudsx"]), 10) == []
