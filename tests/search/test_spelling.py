"""Did you mean: which words of a question are put right, with which, and for whom."""

from __future__ import annotations

import unicodedata
from functools import partial

import pytest
from django.contrib.auth.models import AnonymousUser, User
from hypothesis import HealthCheck, given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from searchsite.documents.access import visible_collections
from searchsite.documents.models import Collection, Passage
from searchsite.index import lexical, lexical_follow, terms
from searchsite.index.lexical import Row
from searchsite.search import sources, spelling


@pytest.fixture
def suggested(tmp_path):
    """suggested(question, "text", ...) -> what is suggested where these passages are all there are."""

    def _suggested(question: str, *written: str, language: str = "en") -> str:
        folder = tmp_path / f"lexical-{len(list(tmp_path.iterdir()))}"
        lexical.create(folder)
        rows = [Row(n, n, 1, "", text, language) for n, text in enumerate(written, 1)]
        with lexical.writing(folder) as writer:
            writer.replace([], rows)
            writer.commit(1)
        held = {row.passage: row.text for row in rows}
        return spelling.suggestion(
            question, lexical.opened(folder), frozenset({1}), lambda pks: {pk: held[pk] for pk in pks}
        )

    return _suggested


@pytest.fixture
def hidden(db):
    return Collection.objects.create(name="Hidden", slug="hidden", visibility=Collection.Visibility.MEMBERS)


def suggested_to(reader, question: str) -> str:
    scope = frozenset(visible_collections(reader).values_list("pk", flat=True))
    return spelling.suggestion(question, lexical_follow.current(), scope, partial(sources.texts, scope))


# --- which word ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "meant"),
    [
        ("rivesr", "rivers"), ("riversss", "rivers"), ("rivrs", "rivers"), ("rivars", "rivers"),
        ("comitee", ""), ("comiteee", "committee"), ("the rivres of commitees", "the rivers of committee"),
    ],
)  # fmt: skip
def test_one_letter_may_be_wrong_and_two_in_long_words(suggested, question, meant):
    assert suggested(question, "all the rivers of a committee") == meant


def test_the_nearest_word_wins_over_those_that_more_passages_have(suggested):
    assert suggested("comittee", "he committed", "she committed", "the committee") == "committee"
    assert suggested("comittee", *["he committed"] * 30, "the committee") == "committee"


def test_of_words_equally_near_the_one_in_most_passages_then_the_first_by_alphabet(suggested):
    assert suggested("bork", "pork pork pork", "a fork", "fork") == "fork"
    assert suggested("bork", "pork", "fork") == "fork"


def test_nothing_is_suggested_where_all_words_are_known_also_by_their_stems_only(suggested):
    assert suggested("index houses", "an index of house") == ""
    assert suggested("indexs", "an index") == ""
    assert suggested("indxe", "an index") == "index"


def test_where_all_words_are_known_nothing_is_looked_up_or_read(tmp_path, monkeypatch):
    lexical.create(tmp_path / "lexical")
    with lexical.writing(tmp_path / "lexical") as writer:
        writer.replace([], [Row(1, 1, 1, "", "rivers and clouds", "en")])
        writer.commit(1)
    index = lexical.opened(tmp_path / "lexical")
    looked_up: list[str] = []
    near = index.near
    monkeypatch.setattr(index, "near", lambda word, *rest: looked_up.append(word) or near(word, *rest))
    texts = {1: "rivers and clouds"}
    for question in ("cloud river", "", "!?", "河流", "xyz", "ab1 12345 ERR_4021"):
        assert spelling.suggestion(question, index, frozenset({1}), lambda _pks: texts) == ""
    assert looked_up == []
    assert spelling.suggestion("clouds rivesr", index, frozenset({1}), lambda _pks: texts) == "clouds rivers"
    assert looked_up == ["rivesr"]


@pytest.mark.parametrize(
    "question",
    [
        "mian.py", "os.path.jion", "ERR_MIAN", "v1.92", "123465", "sha265", "mian@example.org", "C:\\mian", "http://mian",
        "mian/home",
        "a_mian", "mian2", "ｍｉａｎ．ｐｙ", "mian_", "mIan", "PathJion", "mia", "机器学刁",
    ],
)  # fmt: skip
def test_identifiers_numbers_short_words_and_chinese_are_never_put_right(suggested, question):
    text = "main os.path.join ERR_MAIN v1.29 123456 sha256 home path join 机器学习"
    assert suggested(question, text) == ""
    assert suggested(f"{question} and mian", text) == f"{question} and main"


def test_words_of_identifiers_may_be_meant(suggested):
    assert suggested("direcotry", "use tempfile.TemporaryDirectory()") == "directory"


def test_words_of_other_languages_only_where_something_is_near(suggested):
    assert suggested("Wetter im Frühling", "rivers and clouds") == ""
    assert suggested("Wetter im Frühling", "rivers and letters, water, better") == "Better im Frühling"


def test_a_suggested_word_has_the_accents_with_which_it_is_mostly_written(suggested):
    texts = ["La Réunion", "une réunion", "la reunion", "cafe"]
    assert suggested("reuinon", *texts, language="fr") == "réunion"
    assert suggested("RÉUINON", *texts, language="fr") == "RÉUNION"
    assert suggested("cafr", "ein Café", language="de") == "café"


def test_russian_words_are_put_right_too(suggested):
    assert suggested("кинга о реках", "книга о реках", language="ru") == "книга о реках"


# --- the rest of the question -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "meant"),
    [
        ("Rivesr", "Rivers"), ("RIVESR", "RIVERS"), ("  rivesr\tand  CLOUDS! ", "  rivers\tand  CLOUDS! "),
        ('"the rivesr" (clouds)', '"the rivers" (clouds)'), ("「rivesr」，云", "「rivers」，云"),
        ("关于rivesr的河流", "关于rivers的河流"), ("关于：rivesr。", "关于：rivers。"),
        ("ｒｉｖｅｓｒ　ｃｌｏｕｄｓ", "rivers　ｃｌｏｕｄｓ"),
        ("Ｒｉｖｅｓｒ", "Rivers"), ("繁體 rivesr 簡體", "繁體 rivers 簡體"), ("rivesr's", "rivers's"),
        ("rivesr’s", "rivers’s"),
        ("cloud-rivesr", "cloud-rivers"), ("rivesr.", "rivers."), ("rivesr, Rivesr; rivesr", "rivers, Rivers; rivers"),
        ("rivesr in rivesr.txt", "rivers in rivesr.txt"), ("\x00rivesr\ud800", "\x00rivers\ud800"),
    ],
)  # fmt: skip
def test_all_else_stays_as_it_is_typed(suggested, question, meant):
    assert suggested(question, "the rivers and clouds", "云 河流 关于 繁体") == meant


@pytest.mark.parametrize(
    ("question", "meant"),
    [
        ('type:"markdown" vacatoin', 'type:"markdown" vacation'),
        ('vacatoin -title:"vacatoin" after:"2020"', 'vacation -title:"vacatoin" after:"2020"'),
        ('vacation tag:"vacatoin tittel"', ""), ('标题：“vacatoin” vacation', ""),
        ('-vacatoin titel:"tape"', '-vacation title:"tape"'),
    ],
)  # fmt: skip
def test_conditions_are_left_alone(suggested, question, meant):
    assert suggested(question, "a tape of the vacation with a title in the rafter, tittle tattle") == meant


def test_no_more_words_are_put_right_than_the_first_few(suggested):
    question = "rivesr cluods herno stnoe plmus rivesr"
    assert suggested(question, "rivers clouds heron stone plums") == "rivers clouds heron stnoe plmus rivers"


def test_corrections_can_be_put_into_a_text_around_what_was_asked():
    found = {"Rivesr": "Rivers", "clodus": "clouds"}
    whole = 'title:Rivesr -"x" Rivesr clodus rivesr clodusx.clodus'
    assert spelling.corrected(whole, found) == 'title:Rivesr -"x" Rivers clouds rivesr clodusx.clodus'
    assert spelling.corrected(whole, {}) == whole


# --- who asks -----------------------------------------------------------------------------------------------


def test_words_of_hidden_documents_are_neither_suggested_nor_told_to_be_there(public, hidden, add):
    member = User.objects.create_user("member")
    hidden.users.add(member)
    add(hidden, "The takeover of Kestrelbank is a secret.", title="Hidden heading Wagtailing")
    add(public, "Rivers and clouds.", title="Public heading Starlings")
    for question, meant in [("kestrelbnak", "kestrelbank"), ("Takeovre", "Takeover"), ("wagtialing", "wagtailing")]:
        assert suggested_to(member, question) == meant
        assert suggested_to(AnonymousUser(), question) == ""
    assert suggested_to(AnonymousUser(), "staarlings") == "starlings"


def test_a_word_that_only_hidden_documents_have_is_put_right_for_those_who_may_not_see_them(public, hidden, add):
    member = User.objects.create_user("member")
    hidden.users.add(member)
    add(hidden, "The clowds of secrecy.", title="h")
    add(public, "Rivers and clouds.", title="p")
    assert suggested_to(AnonymousUser(), "clowds") == "clouds"
    assert suggested_to(member, "clowds") == ""


def test_what_hidden_documents_have_changes_nothing_in_what_others_are_told(public, hidden, add):
    add(public, "A fork and pork.", title="p")
    before = suggested_to(AnonymousUser(), "bork")
    for n in range(spelling.READ + 1):
        add(hidden, "Pork, cork, work and born.", title=f"h{n}", source=str(n))
    assert suggested_to(AnonymousUser(), "bork") == before == "fork"


def test_what_the_index_still_has_and_the_database_does_not_is_not_suggested(public, hidden, add):
    document = add(public, "Rivers and clouds.", title="p")
    index = lexical_follow.current()
    scope = frozenset({public.pk})
    document.collection = hidden
    document.save()
    assert index.unknown("clodus", scope) == ["clodus"]
    assert spelling.suggestion("clodus", index, scope, partial(sources.texts, scope)) == ""


def test_without_an_index_or_collections_nothing_is_suggested(public, add):
    add(public, "Rivers and clouds.", title="p")
    texts = partial(sources.texts, [public.pk])
    assert spelling.suggestion("clodus", lexical_follow.current(), None, texts) == "clouds"
    assert spelling.suggestion("clodus", None, None, texts) == ""
    assert spelling.suggestion("clodus", lexical_follow.current(), frozenset(), texts) == ""


WRITTEN = [
    "Rivers and clouds über den Häusern",
    "the committee of os.path.join",
    "机器学习 mit Straßen, TemporaryDirectory",
]
pieces = st.sampled_from(
    ["rivesr", "RIVRES", "Cluods", "uberr", "Hausern", "commitee", "pahtt", "strassn", "temporaryy", "direktory",
     "机器", " ", "　", ".", "-", "_", "'", "’", '"', "：", "ｃｌｏｕｄｓｓ", "ﬁve", "\u0301", "\ud800", "\x00", "İ"]
)  # fmt: skip


@with_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(pieces | st.text(max_size=6), max_size=12).map("".join))
def test_whatever_is_asked_each_suggested_word_is_one_of_a_visible_passage(prepared, question):
    index, scope, texts = prepared
    found = spelling.corrections(question, index, scope, texts)
    visible = set(terms.of_passage("\n".join(WRITTEN), "en").surface)
    assert len({terms.of_phrase(typed)[0][0] for typed in found}) <= spelling.MOST_PUT_RIGHT
    for typed, meant in found.items():
        assert typed in question
        assert terms.of_phrase(meant)[0] == [word for word in terms.of_phrase(meant)[0] if word in visible] != []
        assert terms.of_phrase(typed)[0] != terms.of_phrase(meant)[0]
    suggested = spelling.suggestion(question, index, scope, texts)
    assert (suggested != "") == bool(found)
    so_far = spelling.while_typing(question, suggested)
    assert so_far in ("", suggested) or question.endswith(so_far[-1])
    assert not so_far or not_letters(so_far) == not_letters(question)
    assert not_letters(spelling.corrected(question, found)) == not_letters(question)


@pytest.mark.parametrize(
    ("typed", "suggested", "so_far"),
    [
        ("laptpo", "laptop", ""),
        ("lsot laptpo", "lost laptop", "lost laptpo"),
        ("lsot la", "lost la", "lost la"),
        ("laptpo laptpo", "laptop laptop", "laptop laptpo"),
        ("a lsot laptpo?", "a lost laptop?", "a lost laptop?"),
        ("laptpo lang:en", "laptop lang:en", "laptop lang:en"),
        ("lost laptop", "", ""),
    ],
)
def test_the_word_that_is_being_typed_is_not_put_right_yet(typed, suggested, so_far):
    assert spelling.while_typing(typed, suggested) == so_far


def not_letters(text: str) -> list[str]:
    return [one for one in text if not one.isalpha() and not unicodedata.category(one).startswith("M")]


@pytest.fixture
def prepared(public, hidden, add):
    """The index of WRITTEN and of what is hidden, the collections to be seen, and their texts."""
    for n, text in enumerate(WRITTEN):
        add(public, text, title="t", source=str(n))
    add(hidden, "rivre cluodss commiteee hauserns temporaryyy", title="h")
    scope = frozenset({public.pk})
    held = dict(Passage.objects.filter(revision__live_for__collection=public).values_list("pk", "text"))
    return lexical_follow.current(), scope, lambda pks: {pk: held[pk] for pk in pks}
