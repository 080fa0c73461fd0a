"""How both legs become one ranking: scores, phrases, scope, and another look at the best."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from searchsite.documents.models import Collection, Passage
from searchsite.index import backends, follow, lexical_follow, space
from searchsite.index.models import Vector
from searchsite.search import fusion, ranking, retrieve

pytestmark = pytest.mark.django_db

WORDS = ["apples", "pears apples", "rivers", "apples pears plums", "plums", "clouds over rivers", "a heron", "ERR_4012"]


@pytest.fixture
def sources():
    """What the site asks: sources() after everything has been added."""

    def _sources(**changes) -> ranking.Sources:
        both = ranking.Sources(
            follow.current().store, space.current(), lexical_follow.current(), retrieve.texts, retrieve.codes
        )
        return dataclasses.replace(both, **changes)

    return _sources


@pytest.fixture
def book(public, add):
    """A document of one passage for each of some texts, and what gives it."""

    def _book(texts: list[str], collection=None):
        return add(collection or public, "\n\n".join(f"## {n}\n\n{text}" for n, text in enumerate(texts)), title="b")

    return _book


def understood(text: str) -> ranking.Question:
    return ranking.understood(text, space.current())


def last_lines(ranked) -> list[str]:
    texts = {pk: text.split("\n")[-1] for pk, text in Passage.objects.values_list("pk", "text")}
    return [texts[one.passage] for one in ranked]


# --- both legs ----------------------------------------------------------------------------------------------


def test_scores_do_not_depend_on_how_many_candidates_were_asked_for(book, sources):
    book(WORDS * 4)
    question = understood("apples pears over rivers")
    everything = {one.passage: one for one in ranking.fused(question, sources(), 1000, None)}
    for k in (1, 2, 3, 7, 20):
        some = ranking.fused(question, sources(), k, None)
        assert k <= len(some) <= 2 * k
        assert all(everything[one.passage] == one for one in some)


def test_a_candidate_of_either_leg_has_the_score_of_both(book, sources):
    book(WORDS)
    question = understood("ERR_4012 apples")
    near = dict(ranking.vector_leg(question, sources(), 1000, None))
    bm25 = dict(ranking.lexical_leg(question, sources(), 1000, None))
    full = sources().lexical.full_score(question.text)
    for one in ranking.fused(question, sources(), 1000, None):
        assert one.near == pytest.approx(near[one.passage], abs=1e-5)
        assert one.keywords == pytest.approx(bm25.get(one.passage, 0) / full)
        assert one.score == pytest.approx(one.near + fusion.KEYWORDS * one.keywords, abs=1e-5)


def test_without_a_lexical_index_results_come_by_meaning_alone(book, sources):
    book(WORDS)
    question = understood('apples "pears"')
    ranked = ranking.fused(question, sources(lexical=None), 1000, None)
    assert [one.passage for one in ranked] == [p for p, _score in ranking.vector_leg(question, sources(), 1000, None)]
    assert not any(one.keywords for one in ranked)


def test_equal_passages_come_in_the_order_of_their_ids(public, add, sources):
    for n in range(12):  # at different times, so in different parts of both indexes
        add(public, "exactly the same", title="same", source=str(n))
    ranked = ranking.fused(understood("the same"), sources(), 1000, None)
    assert len({one.score for one in ranked}) == 1
    assert [one.passage for one in ranked] == sorted(one.passage for one in ranked)
    again = ranking.reranked(understood("the same"), sources(), ranked)
    assert [one.passage for one in again] == [one.passage for one in ranked]


def test_scope_holds_in_both_legs_and_in_phrases(book, sources, public):
    hidden = Collection.objects.create(name="Hidden", slug="hidden", visibility=Collection.Visibility.MEMBERS)
    book(["a heron"] * 60, hidden)
    book(["herons are birds", "a heron and much else that is written here", "rivers"])
    scope = frozenset({public.pk})
    seen = set(Passage.objects.filter(revision__live_for__collection=public).values_list("pk", flat=True))
    for text in ("a heron", '"a heron"', "haeron"):
        question = understood(text)
        found = {one.passage for one in ranking.fused(question, sources(), 3, scope)}
        assert found <= seen, text
        assert found, text
        assert len(ranking.vector_leg(question, sources(), 3, scope)) == 3
    assert last_lines(ranking.fused(understood('"a heron"'), sources(), 3, scope)) == [
        "a heron and much else that is written here"
    ]
    assert len(ranking.lexical_leg(understood("heron"), sources(), 2, scope)) == 2
    assert ranking.fused(understood("heron"), sources(), 3, frozenset()) == []


# --- phrases ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "quotes", ['"{}"', "“{}”", "„{}“", "„{}”", "”{}”", "＂{}＂", "「{}」", "『{}』", '“ {} "', 'so "{}" and so']
)
def test_phrases_in_all_kinds_of_quotes(book, sources, quotes):
    book(["the lazy dog", "the dog is lazy", "dog lazy", "lazy\ndog", "a lazydog"])
    ranked = ranking.fused(understood(quotes.format("lazy dog")), sources(), 1000, None)
    assert sorted(last_lines(ranked)) == ["dog", "the lazy dog"]


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("語義搜索", "我们用语义搜索"),
        ("语义搜索", "我們用語義搜索"),
        ("ABC 12", "型号 ＡＢＣ　１２"),
        ("ＡＢＣ", "abc"),
    ],
)
def test_phrases_however_their_characters_are_written(book, sources, phrase, text):
    book([text, "搜索语义", "12 abd"])
    assert last_lines(ranking.fused(understood(f"“{phrase}”"), sources(), 1000, None)) == [text]


def test_all_phrases_must_be_there(book, sources):
    book(["red house", "blue car", "blue car by a red house", "car house"])
    found = last_lines(ranking.fused(understood('"red house" "blue car"'), sources(), 1000, None))
    assert found == ["blue car by a red house"]


@pytest.mark.parametrize(
    "text", ['"plums apples"', '"plums nobodyhasit"', '""', '" "', '"plums', '"_" plums', '"!" plums']
)
def test_a_phrase_that_nobody_has_counts_as_words(book, sources, text):
    book(WORDS)
    ranked = ranking.fused(understood(text), sources(), 1000, None)
    assert len(ranked) == len(WORDS)
    if "plums" in text:
        assert "plums" in last_lines(ranked)[0]
        assert ranked[0].keywords > 0


odd = st.text(st.characters() | st.sampled_from(' \x00\ud800"“”「」『』*()^~:\\猫乾한ไ'), max_size=60)


@with_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd)
def test_anything_may_be_asked(book, sources, text):
    if not Passage.objects.exists():
        book([*WORDS, "猫和狗"])
    question = understood(text)
    ranked = ranking.reranked(question, sources(), ranking.fused(question, sources(), 5, None))
    assert all(np.isfinite(one.score) for one in ranked)
    assert len({one.passage for one in ranked}) == len(ranked)


# --- another look -------------------------------------------------------------------------------------------


def test_without_reranking_nothing_moves(book, sources, settings):
    settings.SEARCHSITE_RERANKER = "none"
    book(WORDS)
    question = understood("apples rivers")
    ranked = ranking.fused(question, sources(), 1000, None)
    assert ranking.reranked(question, sources(), ranked) == ranked


def test_tokens_move_the_first_and_leave_the_rest(book, sources, monkeypatch):
    monkeypatch.setattr(fusion, "RERANKED", 5)
    monkeypatch.setattr(fusion, "TOKENS", 100.0)  # so much that they alone decide
    book(WORDS * 2)
    question = understood("apples over rivers")
    ranked = ranking.fused(question, sources(), 1000, None)
    backwards = {one.passage: float(place) for place, one in enumerate(ranked)}
    monkeypatch.setattr(ranking.tokens, "likenesses", lambda _asked, codes: {pk: backwards[pk] for pk in codes})
    again = ranking.reranked(question, sources(), ranked)
    assert again == [*reversed(ranked[:5]), *ranked[5:]]


def test_passages_without_codes_keep_about_their_place(book, sources):
    book(WORDS * 2)
    question = understood("apples over rivers")
    ranked = ranking.fused(question, sources(), 1000, None)
    Vector.objects.update(tokens=None)
    assert ranking.reranked(question, sources(), ranked) == ranked


def test_one_passage_without_codes_is_neither_first_nor_last_for_it():
    scored = fusion.with_tokens([(0.5, 0.9), (0.5, None), (0.5, 0.1), (0.5, 0.4)])
    assert scored[0] > scored[1] == scored[3] > scored[2]


@pytest.fixture
def cross(tmp_path: Path, settings) -> Path:
    from tests.encoder.test_cross import write_cross

    folder = write_cross(tmp_path / "cross")
    settings.SEARCHSITE_RERANKER = str(folder)
    return folder


def test_a_cross_encoder_orders_the_first_by_its_own_scores(cross, book, sources, monkeypatch):
    from encoder import load_cross_encoder

    monkeypatch.setattr(fusion, "RERANKED", 5)
    book(["the cat sat", "a dog ran", "the cat in the park", "red house", "blue car", "sun", "moon and the cat"])
    question = understood("the cat in the park")
    ranked = ranking.fused(question, sources(), 1000, None)
    first = [one.passage for one in ranked[:5]]
    texts = retrieve.texts(first)
    scores = load_cross_encoder(cross).scores(question.text, [texts[pk] for pk in first])
    again = ranking.reranked(question, sources(), ranked)
    assert [one.passage for one in again[:5]] == [first[place] for place in np.argsort(-scores)]
    assert [one.passage for one in again[:5]] != first
    assert again[5:] == ranked[5:]


def test_nothing_is_kept_of_tokens_where_a_cross_encoder_looks(cross, book):
    book(["the cat sat"])
    assert not Vector.objects.filter(tokens__isnull=False).exists()


def test_a_cross_encoder_that_is_not_there_is_a_sentence(client, book, settings, tmp_path):
    book(["the cat sat", "a dog ran"])
    settings.SEARCHSITE_RERANKER = str(tmp_path / "not there")
    backends.forget()
    response = client.get("/", {"q": "the cat"})
    assert response.status_code == 503
    assert "The encoder cannot be used" in response.content.decode()
