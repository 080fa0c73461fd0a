"""How both legs become one ranking: scores, phrases, scope, and another look at the best."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as with_settings
from hypothesis import strategies as st

from searchsite.documents.models import Collection, Document, Passage
from searchsite.index import backends, follow, lexical_follow, space
from searchsite.index.models import TokenCodes
from searchsite.search import fusion, ranking
from searchsite.search import sources as asked_of
from searchsite.search.query import parse

pytestmark = pytest.mark.django_db

WORDS = ["apples", "pears apples", "rivers", "apples pears plums", "plums", "clouds over rivers", "a heron", "ERR_4012"]


def texts_of_all(passages):
    return asked_of.texts(None, passages)


@pytest.fixture
def sources():
    """What the site asks: sources() after everything has been added."""

    def _sources(**changes) -> ranking.Sources:
        both = ranking.Sources(
            follow.current().store, space.current(), lexical_follow.current(), texts_of_all, asked_of.codes
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
    return ranking.understood(parse(text), space.current())


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
    question = understood("rivers apples")
    near = dict(ranking.vector_leg(question, sources(), 1000, None))
    bm25 = dict(ranking.lexical_leg(question, sources(), 1000, None))
    full = sources().lexical.weights(question.text).full
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
    assert [one.passage for one in again] == [one.passage for one in [*reversed(ranked[:5]), *ranked[5:]]]
    assert [one.before for one in again[:5]] == [5, 4, 3, 2, 1]
    assert [one.tokens for one in again[:5]] == [4, 3, 2, 1, 0]
    assert again[5:] == ranked[5:]


def test_passages_without_codes_keep_about_their_place(book, sources):
    book(WORDS * 2)
    question = understood("apples over rivers")
    ranked = ranking.fused(question, sources(), 1000, None)
    TokenCodes.objects.all().delete()
    again = ranking.reranked(question, sources(), ranked)
    assert [one.passage for one in again] == [one.passage for one in ranked]
    assert all(one.tokens is None for one in again)


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
    texts = texts_of_all(first)
    scores = load_cross_encoder(cross).scores(question.text, [texts[pk] for pk in first])
    again = ranking.reranked(question, sources(), ranked)
    assert [one.passage for one in again[:5]] == [first[place] for place in np.argsort(-scores)]
    assert [one.passage for one in again[:5]] != first
    assert again[5:] == ranked[5:]


def test_nothing_is_kept_of_tokens_where_a_cross_encoder_looks(cross, book):
    book(["the cat sat"])
    assert not TokenCodes.objects.exists()


def test_where_the_cross_encoder_cannot_be_loaded_results_keep_their_order(client, book, settings, tmp_path, caplog):
    book(["the cat sat", "a dog ran"])
    settings.SEARCHSITE_RERANKER = "none"
    unranked = client.get("/", {"q": "the cat"}).context["answer"].results
    settings.SEARCHSITE_RERANKER = str(tmp_path / "not there")
    backends.forget()
    response = client.get("/", {"q": "the cat"})
    assert response.status_code == 200
    assert [r.document for r in response.context["answer"].results] == [r.document for r in unranked]
    assert "not reranked" in caplog.text


def test_a_document_that_was_hidden_before_the_keywords_knew_leaves_no_trace_in_a_search_for_its_phrase(
    client, public, add, monkeypatch
):
    """The index of keywords may be behind; what it says of a hidden text must not tell that the text is there."""
    hidden = add(public, "The salary list of all rivers.", title="hidden")
    add(public, "A list of rivers, and where the salary office is.", title="open")
    private = Collection.objects.create(name="Private", slug="private", visibility=Collection.Visibility.MEMBERS)
    behind = lexical_follow.current()
    Document.objects.filter(pk=hidden.pk).update(collection=private)
    monkeypatch.setattr(lexical_follow, "current", lambda: behind)
    results = client.get("/", {"q": '"salary list"'}).context["answer"].results
    assert [result.document.shown_title for result in results] == ["open"]


def test_what_a_question_s_words_weigh_tells_nothing_of_collections_that_are_not_searched(public, add):
    private = Collection.objects.create(name="Private", slug="private", visibility=Collection.Visibility.MEMBERS)
    add(public, "rivers")
    add(public, "layoffs")
    scope = frozenset({public.pk})
    for number in range(3):
        add(private, f"layoffs {number}")
    index = lexical_follow.current()
    assert index.weights("layoffs", scope) == index.weights("rivers", scope)
    assert index.weights("layoffs", None).full < index.weights("rivers", None).full


def test_the_same_question_is_encoded_once_and_anew_by_another_encoder(sources, book, monkeypatch):
    book(WORDS)
    asked: list[list[str]] = []
    encoder = type(backends.get_encoder())
    encode = encoder.encode_queries

    def counted(self, texts, *rest, **named):
        asked.append(list(texts))
        return encode(self, texts, *rest, **named)

    monkeypatch.setattr(encoder, "encode_queries", counted)
    first, again, other = understood("pears apples"), understood("pears apples -plums"), understood("rivers")
    assert asked == [["pears apples"], ["rivers"]]
    assert (first.vector == again.vector).all()
    assert (first.tokens == again.tokens).all()
    assert (first.vector != other.vector).any()
    backends.forget()
    understood("pears apples")
    assert asked[2:] == [["pears apples"]]
