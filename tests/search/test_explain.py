"""Why a passage was found: its sentences, its keywords, and what its words give to its likeness in meaning."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder.tiny import TinyEncoder
from searchsite.documents.models import Passage
from searchsite.index import backends, space, terms, tokens
from searchsite.search import explain, ranking, sentences
from searchsite.search.keywords import keyword_spans
from searchsite.search.query import parse
from searchsite.search.sources import texts

DIM = 32


def rows(n: int, seed: int, dim: int = DIM) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)


def units(n: int, seed: int) -> np.ndarray:
    found = rows(n, seed)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def plain(dim: int = DIM) -> space.Space:
    none = np.zeros((3, dim), np.float32)
    return space.Space(none, none, 0.0, none, none)


# --- sentences ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One is here. Two is there! Three?", ["One is here.", "Two is there!", "Three?"]),
        ("第一句。第二句！“第三句？”第四句", ["第一句。", "第二句！", "“第三句？”", "第四句"]),
        ("It costs 3.50 a day, e.g. in May. Ask J. Smith.", ["It costs 3.50 a day, e.g. in May.", "Ask J. Smith."]),
        ("Apples\n\nApples grow. They do.", ["Apples", "Apples grow.", "They do."]),
        ("- one thing\n- another thing\n- 第三", ["- one thing", "- another thing", "- 第三"]),
        ("1. Open it.\n2. Close it. Now.", ["1. Open it.", "2. Close it.", "Now."]),
        ("Name | Kept for. Long\nInvoice | 10 years", ["Name | Kept for. Long", "Invoice | 10 years"]),
        (
            "A line that is full up to its very end goes\non in the next line. And this is the end\nof it.",
            ["A line that is full up to its very end goes\non in the next line.", "And this is the end\nof it."],
        ),
        ("Short heading\nA line that is full, or could be.", ["Short heading", "A line that is full, or could be."]),
        ("这一行写满了就要换行所以还没有\n结束。完了。", ["这一行写满了就要换行所以还没有\n结束。", "完了。"]),
        ("for row in rows:\n    print(row.name)\nreturn 5", ["for row in rows:", "print(row.name)", "return 5"]),
        ("It ends. …\n---\nNext.", ["It ends. …\n---", "Next."]),
        ("  \n ", []),
        ("", []),
    ],
)  # fmt: skip
def test_sentences_end_where_a_reader_would_say_so(text, expected):
    assert [text[start:end] for start, end in sentences.sentences(text)] == expected


@given(st.text(alphabet="ab .!?。！\n\t|-1中文”)", max_size=60))
def test_no_character_is_lost_between_sentences(text):
    found = sentences.sentences(text)
    assert "".join("".join(text[start:end] for start, end in found).split()) == "".join(text.split())
    assert all(start < end for start, end in found)
    edges = [edge for span in found for edge in span]
    assert edges == sorted(edges)


def test_the_best_sentence_is_that_of_the_largest_maxsim_written_out():
    where, question = plain(), units(5, 1)
    offsets = [(n * 3, n * 3 + 3) for n in range(12)]  # each with the space before it
    spans = [(1, 9), (10, 24), (25, 36)]
    of_sentence = [range(0, 3), range(3, 8), range(8, 12)]
    for seed in range(20):
        states = rows(12, 100 + seed)
        cosines = question @ np.sign(states).T
        expected = max(range(3), key=lambda n: sum(max(row[list(of_sentence[n])]) for row in cosines))
        assert sentences.best_sentence(question, tokens.codes(states, "en", where), offsets, spans) == expected


def test_nothing_is_best_where_nothing_can_be_told_apart():
    question, offsets = units(5, 1), [(0, 4), (5, 9)]
    codes = tokens.codes(rows(2, 2), "en", plain())
    assert sentences.best_sentence(question, codes, offsets, [(0, 4), (5, 9)]) in (0, 1)
    assert sentences.best_sentence(question, b"", offsets, [(0, 4), (5, 9)]) is None
    assert sentences.best_sentence(question, codes[:-1], offsets, [(0, 4), (5, 9)]) is None
    assert sentences.best_sentence(question, codes + codes, offsets, [(0, 4), (5, 9)]) is None
    assert sentences.best_sentence(question, codes, offsets, [(0, 9)]) is None
    assert sentences.best_sentence(question[:0], codes, offsets, [(0, 4), (5, 9)]) is None
    assert sentences.best_sentence(question, codes, [(0, 4), (0, 0)], [(0, 4), (5, 9)]) is None


@pytest.mark.django_db
def test_the_sentence_with_the_words_of_the_question_is_marked_and_a_heading_is_not(public, add):
    text = "# Plums and pears\n\nBicycles are cheap. Old pears and ripe plums are sweet. Clouds pass."
    add(public, text, title="Plums and pears")
    add(public, "Only one sentence with pears", title="One")
    asked = ranking.understood(parse("pears and plums"), space.current())
    passages = {passage.pk: passage for passage in Passage.objects.all()}
    encoded = texts([public.pk], list(passages))
    given = {pk: (encoded[pk], len(encoded[pk]) - len(passages[pk].text)) for pk in passages}
    codes = tokens.stored(list(passages), backends.fingerprint())
    shown = {
        passages[pk].text[start:end]
        for pk, (start, end) in sentences.marks(
            asked.tokens, given, codes, {pk: ["Plums and pears"] for pk in passages}
        ).items()
    }
    assert shown == {"Old pears and ripe plums are sweet."}
    with_heading = sentences.marks(asked.tokens, given, codes)
    assert [passages[pk].text[start:end] for pk, (start, end) in with_heading.items()] == ["Plums and pears"]
    assert sentences.marks(asked.tokens, given, {}) == {}


# --- keywords -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "language", "text", "expected"),
    [
        ("How do I report phishing mails?", "en", "Reported the mail; Mail of phishers", ["Reported", "mail", "Mail"]),
        ("os.path.join", "en", "Call os.path.join, or path and joins", ["os.path.join", "path", "joins"]),
        ("path", "en", "Call os.path.join.", ["path"]),
        ("temporary", "en", "a TemporaryDirectory", ["TemporaryDirectory"]),
        ("Häuser", "de", "In den alten HÄUSERN, nicht im Hause.", ["HÄUSERN", "Hause"]),
        ("kunstlerin", "de", "die Ku\u0308nstlerin", ["Ku\u0308nstlerin"]),
        ("笔记本电脑丢了", "zh", "他的筆記本電腦壞了。", ["筆記本電腦"]),
        ("电脑", "zh", "电\n 脑和大脑，电话", ["电\n 脑"]),
        ("爨", "zh", "爨底下村", ["爨"]),
        ("ABC123", "zh", "型号ＡＢＣ１２３的", ["ＡＢＣ１２３"]),
        ("ガス", "ja", "ｶﾞｽと東京", ["ｶﾞｽ"]),
        ("the leave of absence", "en", "the end of a leave", ["leave"]),
        ("the who", "en", "The Who and the others", ["The", "the"]),
        ("हिन्दी", "hi", "यह हिन्दी है", ["हिन्दी"]),
        ("plums", "en", "pears", []),
        ("", "en", "pears", []),
    ],
)  # fmt: skip
def test_the_question_s_keywords_are_found_in_the_text_as_it_is_written(question, language, text, expected):
    spans = keyword_spans(text, language, terms.of_question(question, ["en", "zh", language]))
    assert [text[start:end] for start, end in spans] == expected


@given(st.text(alphabet="aB1._中文繁漢 \n\u0301ﬁｶﾞĲ가ไม้", max_size=40), st.text(alphabet="aB1.中文汉 ﬁガ", max_size=8))
def test_keywords_of_any_text_are_apart_and_in_order(text, question):
    spans = keyword_spans(text, "en", terms.of_question(question, ["en"]))
    edges = [edge for span in spans for edge in span]
    assert edges == sorted(edges)
    assert all(0 <= start < end <= len(text) and text[start:end].strip() for start, end in spans)


# --- shares of words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "zh", "ru"])
def test_the_shares_of_tokens_add_up_to_the_cosine_in_the_space_of_the_index(language):
    offsets = 0.4 * units(3, 7)
    where = space.Space(offsets, 0.5 * offsets, 0.08, offsets, offsets)
    states = rows(50, 3) + 0.5
    mean = states.mean(axis=0)
    question = where.place_question(units(1, 9)[0], "zh")
    placed = where.place_passages((mean / np.linalg.norm(mean))[None], [language])[0]
    shares = where.shares(states, language, question)
    assert shares.shape == (50,)
    assert shares.sum() == pytest.approx(float(placed[:-1] @ question[:-1]), abs=1e-6)
    assert shares.std() > 0.001


def test_what_has_no_direction_has_no_shares():
    question = np.append(units(1, 9)[0], 0).astype(np.float32)
    assert plain().shares(np.zeros((3, DIM), np.float32), "en", question).tolist() == [0, 0, 0]
    assert plain().shares(np.zeros((0, DIM), np.float32), "en", question).tolist() == []
    assert plain().shares(rows(2, 1), "en", np.zeros(DIM + 1, np.float32)).tolist() == [0, 0]


def test_tokens_are_shown_as_what_they_are_and_joined_to_words():
    encoded = "My title › Part\nUnbelievable 中文, is."
    head = (len("My title"), encoded.index("\n") + 1)
    at = encoded.index
    labels = [
        ("special", (0, 0)), ("prefix", (0, 0)), ("text", (0, 0)), ("text", (0, 2)), ("text", (2, 8)),
        ("text", (8, 10)), ("text", (10, 15)), ("text", (15, 18)), ("text", (18, 28)),
        ("text", (28, at("中") + 1)), ("text", (at("文"), at("文") + 1)), ("text", (at(","), at(",") + 1)),
        ("text", (at(" is"), at(" is") + 3)), ("text", (at("."), at(".") + 1)), ("special", (0, 0)),
    ]  # fmt: skip
    given = [0.5, -0.25, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1, 0.11, 0.12, 0.0]
    found = explain.explained(labels, given, encoded, head)
    shown = [(word.part, encoded[word.start : word.end], round(word.share, 6)) for word in found.words]
    assert shown == [  # the space before the title, a token alone, goes with its first word
        ("title", "My", 0.03), ("title", "title", 0.03), ("heading", "›", 0.04), ("heading", "Part", 0.05),
        ("text", "Unbelievable", 0.13), ("text", "中", 0.08), ("text", "文", 0.09), ("text", ",", 0.1),
        ("text", "is.", 0.23),
    ]  # fmt: skip
    assert found.sums == pytest.approx({"special": 0.5, "prefix": -0.25, "title": 0.06, "heading": 0.09, "text": 0.63})
    assert found.total == pytest.approx(sum(given))
    assert sum(found.sums.values()) == pytest.approx(found.total)


def test_shades_grow_with_what_a_token_gives_above_the_average():
    encoded = "T\na b c d e"
    labels = [("text", (0, 1)), *(("text", (2 * n, 2 * n + 1)) for n in range(1, 6)), ("special", (0, 0))]
    found = explain.explained(labels, [0.0, 0.0, 0.01, 0.03, 0.04, 0.06, 9.0], encoded, (1, 2))
    average = 0.14 / 6
    steps = [(share - average) / (0.06 - average) for share in (0.03, 0.04, 0.06)]
    assert [word.shade for word in found.words] == [None, None, None, *(min(4, int(5 * step)) for step in steps)]
    alike = explain.explained(labels, [0.01] * 7, encoded, (1, 2))
    assert {word.shade for word in alike.words} == {None}


@pytest.mark.parametrize("text", ["apples and pears", "苹果和梨都很甜。", "x " * 900])
def test_the_shares_of_the_tiny_encoder_add_up_to_the_cosine_of_its_vector(text):
    encoded = f"Fruit › Basket\n{text}"
    where = plain(64)
    [question] = TinyEncoder().encode_queries(["apples 苹果 basket x"])
    placed = where.place_question(question, "en")
    found = explain.shares((5, len(encoded) - len(text)), encoded, "en", placed, where)
    vector = where.place_passages(TinyEncoder().encode_passages([encoded]), ["en"])[0]
    assert found.total == pytest.approx(float(vector[:-1] @ placed[:-1]), abs=1e-5)
    assert sum(found.sums.values()) == pytest.approx(found.total, abs=1e-9)
    assert sum(word.share for word in found.words) == pytest.approx(found.total, abs=1e-9)
    assert set(found.sums) == {"title", "heading", "text"}


def test_the_pass_of_a_text_is_remembered_for_this_text_and_question_only(monkeypatch):
    passes: list[str] = []
    real = TinyEncoder.passage_sequences
    monkeypatch.setattr(TinyEncoder, "passage_sequences", lambda self, texts: passes.extend(texts) or real(self, texts))
    where = plain(64)
    one, other = (where.place_question(vector, "en") for vector in TinyEncoder().encode_queries(["walnut", "hazel"]))
    first = explain.shares((1, 2), "N\nA walnut is not a hazel.", "en", one, where)
    assert explain.shares((1, 2), "N\nA walnut is not a hazel.", "en", one, where) == first
    assert len(passes) == 1
    assert explain.shares((1, 2), "N\nA walnut is not a hazel.", "en", other, where) != first
    assert explain.shares((1, 2), "N\nA walnut is a hazel.", "en", one, where) != first
    assert len(passes) == 3


def test_other_poolings_have_no_shares(monkeypatch):
    described = dataclasses.replace(backends.description(), pooling="cls")
    monkeypatch.setattr(backends, "description", cache(lambda: described))
    assert explain.shares((1, 2), "T\ntext", "en", np.ones(65, np.float32), plain(64)) is None


def test_pieces_of_a_text_have_the_names_of_all_that_lies_over_them():
    found = explain.apart("abcdef", [(1, 4, "x"), (3, 9, "y"), (2, 2, "z")])
    assert [(piece, sorted(names)) for piece, names in found] == [
        ("a", []),
        ("bc", ["x"]),
        ("d", ["x", "y"]),
        ("ef", ["y"]),
    ]
    assert list(explain.apart("", [(0, 3, "x")])) == []
