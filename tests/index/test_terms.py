"""Terms: what a passage is found by and what a question looks up must meet, in every script."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchsite.documents.language import HAN
from searchsite.index import terms


def met(question: str, passage: str, language: str = "en", held: tuple[str, ...] = ()) -> bool:
    """Whether everything that the question asks for is in the passage. Chinese words are not counted: how a question
    is cut into words need not be how the passage is, which is what pairs and single characters are there for."""
    there = terms.of_passage(passage, language)
    asked = [one for one in terms.of_question(question, {language, *held}) if not HAN.match("".join(one.words))]
    return bool(asked) and all({*one.words} & {*there.words} or {*one.grams} & {*there.grams} for one in asked)


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("猫", "小猫在睡觉"), ("睡觉", "小猫在睡觉"), ("张韡", "会议由张韡主持"), ("爨底下", "我们去了爨底下村"),
        ("語義搜索", "语义搜索"), ("语义搜索", "語義搜索"), ("乾", "乾坤大挪移"), ("乾坤", "扭转乾坤"), ("干", "乾坤"),
        ("ＡＢＣ１２３", "abc123"), ("abc123", "型号ＡＢＣ１２３的"), ("〇", "二〇二四"), ("人々", "人々"),
        ("ﾀﾜｰ", "東京タワー"), ("タワー", "東京タワー"), ("서울", "서울의 봄"), ("ไทย", "ภาษาไทย"), ("မြန်", "a.မြန်မာ"),
    ],
)  # fmt: skip
def test_scripts_without_spaces_are_found_by_any_part(question, passage):
    assert met(question, passage, "zh")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("os.path.join", ["os.path.join", "path", "join", "os"]),
        ("ERR_4012", ["err_4012", "ERR", "4012", "ＥＲＲ＿４０１２"]),
        ("v1.29", ["v1.29", "1.29", "V1.29"]),
        ("TemporaryDirectory", ["temporarydirectory", "temporary", "Directory"]),
        ("getHTTPResponse", ["gethttpresponse", "http", "response", "get"]),
        ("k8s", ["K8s"]),
        ("C++", ["c++", "C"]),
        ("sha256", ["SHA256", "sha", "256"]),
        ("sha-256", ["sha-256", "sha", "256"]),
        ("anna.berg@example.org", ["anna.berg@example.org", "berg", "example"]),
        ("report_final-2.pdf", ["report_final-2.pdf", "final", "pdf", "report"]),
        ("010-62770334", ["010-62770334", "62770334"]),
        ("+1 (555) 010-9999", ["555", "9999", "010-9999", "+1 (555) 010-9999"]),
        ("192.168.0.17", ["192.168.0.17", "168"]),
        ("C:\\Users\\anna", ["users", "anna"]),
        ("__init__", ["init", "__init__"]),
    ],
)
def test_identifiers_are_found_whole_and_in_parts(text, parts):
    for part in parts:
        assert met(part, f"see {text}, please"), part
        assert met(part, f"请看{text}的说明", "zh"), part


def test_another_identifier_is_not_it_although_it_shares_a_part():
    assert not met("os.path.split", "os.path.join")
    assert not met("ERR_4013", "ERR_4012")
    assert not met("v1.30", "v1.29")
    assert not met("C++", "C and C#")


@pytest.mark.parametrize(
    ("language", "question", "passage"),
    [
        ("de", "Häuser", "in den Häusern"), ("de", "hauser", "in den Häusern"), ("de", "STRASSEN", "die Straße"),
        ("fr", "cheval", "cheval et chevaux"), ("fr", "maisons", "la maison"), ("fr", "or", "un collier d'or"),
        ("fr", "cafe", "le café"), ("fr", "eau", "l’eau"), ("ru", "книга", "в книгах"), ("ru", "КНИГУ", "книги"),
        ("en", "running", "they run"), ("en", "dog", "the dog's bowl"), ("en", "dogs", "the dog’s bowl"),
        ("tr", "istanbul", "İstanbul"), ("vi", "viet", "tiếng Việt"), ("he", "שלום", "שָׁלוֹם"),
        ("hi", "भाषा", "हिन्दी भाषा"), ("ar", "كتاب", "كِتَابٌ"), ("th", "ไทย", "ภาษาไทย"), ("el", "ΛΟΓΟΣ", "λογος"),
    ],
)  # fmt: skip
def test_words_are_found_in_other_forms_of_their_language(language, question, passage):
    assert met(question, passage, language, ("de", "fr", "ru", "en", "zh"))


def test_words_with_signs_over_and_behind_letters_are_whole():
    there = terms.of_passage("हिन्दी भाषा", "hi")
    assert len(there.surface) == 2
    assert not met("हि भा", "हिन्दी भाषा", "hi")


def test_a_stem_of_another_language_is_not_taken_for_a_word():
    """Stems are those of the passage's language: Russian endings are not cut off by the English stemmer."""
    assert not met("книга", "в книгах", "en")


def test_words_that_only_ask_are_left_out_unless_there_is_nothing_else():
    assert [one.surface for one in terms.of_question("What does a heron eat", ["en"])] == ["a", "heron", "eat"]
    assert [one.surface for one in terms.of_question("why", ["en"])] == ["why"]


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("over the lazy dog", "jumps over\n  the\tlazy DOG."),
        ("語義搜索", "用语义搜索来找"),
        ("语义搜索", "用語義搜索來找"),
        ("ＡＢＣ　１２３", "abc 123"),
        ("abc 123", "ＡＢＣ　１２３"),
        ("don't", "I don’t"),
        ("don’t", "I don't"),
        ("C++", "in C++, and"),
        ("乾", "乾坤"),
        ("a (b) [c].*", "A (B) [C].*"),
    ],
)
def test_a_phrase_is_in_a_text(phrase, text):
    assert terms.holds_phrase(text, phrase)
    surface, grams = terms.of_phrase(phrase)
    there = terms.of_passage(text, "en")
    assert surface or grams
    assert {*surface} <= {*there.surface}
    assert {*grams} <= {*there.grams}


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("lazy dog", "the dog is lazy"),
        ("cat", "concatenate"),
        ("err", "ERR_4012"),
        ("索搜", "语义搜索"),
        ("a.c", "abc"),
        ("dog lazy", "lazy dog"),
    ],
)
def test_a_phrase_is_not_in_a_text(phrase, text):
    assert not terms.holds_phrase(text, phrase)


odd = st.text(st.characters() | st.sampled_from("_.-'’\"\x00\ud800\udfff々猫乾İ¼ﬁ\u0301\u0903カ한"), max_size=60)


@settings(max_examples=300, deadline=None)
@given(odd, st.sampled_from(["en", "zh", "de", "vi", "xx", ""]))
def test_any_text_has_terms_that_find_it(text, language):
    there = terms.of_passage(text, language)
    everything = [*there.words, *there.grams, *there.surface]
    # The index splits them at white space, and takes no empty ones.
    assert all(term and len(term) <= 3 * terms.LONGEST and term.split() == [term] for term in everything)
    assert terms.holds_phrase(text, text)
    if terms.of_question(text, [language]):
        assert met(text, text, language)
    surface, grams = terms.of_phrase(text)
    assert {*surface} <= {*there.surface}
    assert {*grams} <= {*there.grams}


def test_long_words_are_cut_alike_and_long_questions_at_their_end():
    assert met("x" * 100_000, "y " + "x" * 100_000)
    assert len(terms.of_question(" ".join(f"w{n}x" for n in range(100_000)), [])) <= terms.LONGEST_QUESTION
    assert terms.of_question("猫" * 10 + "x" * terms.LONGEST_QUESTION + " last", []) != []


def test_folding_keeps_what_it_does_not_know():
    assert terms.fold("\ud800 乾坤 ＡＢＣ\x00") == "\ud800 干坤 abc\x00"
