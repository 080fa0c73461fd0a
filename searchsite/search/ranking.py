"""How passages are ranked: by meaning and by keywords, added up on one scale.

The vector leg gives a cosine (index/space.py). The lexical leg gives a BM25 score, of which we take the share of what
the question's terms weigh in all: about 1 is a passage that has each of them, 0 one that has none, whatever the
question and the corpus. So the two can be added without looking at the other candidates, and where the words of a
question occur nowhere, as in another language, they weigh nothing. Fusing scores instead of ranks: Bruch, Gai and
Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval" (ACM TOIS 2023).

Each candidate of either leg is scored by both, so its score does not depend on how many candidates were asked for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from django.conf import settings

from encoder import EncoderError
from searchsite.documents.language import family
from searchsite.index import backends, tokens
from searchsite.index.terms import holds_phrase
from searchsite.search import fusion
from searchsite.search.query import Query

if TYPE_CHECKING:
    from searchsite.index.lexical import LexicalIndex
    from searchsite.index.space import Space
    from searchsite.index.stores.faiss import FaissStore
    from searchsite.index.vectors import Ids, Matrix
    from searchsite.search.conditions import Documents

log = logging.getLogger(__name__)

MOST_WITHOUT = 10  # words and phrases that passages may not hold
MOST_VERIFIED = 16_000  # passages with all words of a phrase whose texts are read
READ_AT_ONCE = 500
# So many times as many passages as are asked for are looked at first whether they meet conditions, and at most so many.
LOOKED_AT, MOST_LOOKED_AT = 4, 5_000


@dataclass(frozen=True)
class Sources:
    """What a question is asked of. `lexical` is None where no index of keywords can be read at the moment; `texts`
    gives what was encoded for passages and `codes` what is kept of their tokens, by their ids."""

    store: FaissStore
    space: Space
    lexical: LexicalIndex | None
    texts: Callable[[Sequence[int]], Mapping[int, str]]
    codes: Callable[[Sequence[int]], Mapping[int, bytes]]
    unrelated: float = 0.0
    """The cosine that unrelated passages have with a question, as the index was built."""


@dataclass(frozen=True)
class Question:
    """A question in all the forms in which it is asked; the vector (dim,) and the tokens (n, dim) are placed in the
    space of the index. Only passages of `documents` (None: of all) answer it."""

    text: str
    phrases: tuple[str, ...]
    without: tuple[str, ...]
    language: str
    vector: Matrix
    tokens: Matrix
    documents: Documents | None = None


class Ranked(NamedTuple):
    """A passage with the score that ranks it, and what that was made of."""

    passage: int
    score: float
    near: float
    """The vector leg's score: a cosine, with what another language gains."""
    keywords: float
    """The share of the question's keywords, by weight: 0 none, about 1 all."""
    credit: float = 0.0
    """The share that it is taken to have instead, being in another language than the question: 0 where it is not."""
    foreign: bool = False
    """Whether it is in another language than the question, and can answer it all the same."""
    tokens: float | None = None
    """The likeness token by token, of those that reranking has looked at."""
    before: int | None = None
    """The place, from 1, that it had before reranking."""
    exact: bool = False
    """Whether it is known to hold, word for word, all that the question has in quotes."""
    document: int = 0
    """The document that the index has it in; 0 where the index was not asked."""


def understood(query: Query, placed: Space, documents: Documents | None = None) -> Question:
    """Encode what is asked. `documents`: those that meet the query's conditions. Raises encoder.EncoderError."""
    language = family(query.text)
    vector, states = backends.question(query.text, tokens.MOST_ASKED)
    asked = tokens.asked(states, language, placed)
    vector = placed.place_question(vector, language)
    return Question(query.text, query.phrases, query.without[:MOST_WITHOUT], language, vector, asked, documents)


def vector_leg(question: Question, sources: Sources, k: int, scope: frozenset[int] | None) -> list[tuple[int, float]]:
    """(passage, score) of the k passages in these collections (None: in all) that are nearest in meaning."""

    def nearest(k: int, documents: Ids | None) -> list[tuple[int, float]]:
        return list(sources.store.search(question.vector, k, scope, documents))

    return _meeting(question.documents, nearest, sources, k)


def lexical_leg(question: Question, sources: Sources, k: int, scope: frozenset[int] | None) -> list[tuple[int, float]]:
    """(passage, BM25 score) of the k passages with the best keywords."""
    if not (lexical := sources.lexical):
        return []
    return _meeting(question.documents, lambda k, own: lexical.search(question.text, k, scope, (), own), sources, k)


def _meeting(
    conditions: Documents | None, best: Callable[[int, Ids | None], list[tuple[int, float]]], sources: Sources, k: int
) -> list[tuple[int, float]]:
    """The k best of passages whose documents meet the conditions. `best`: (k, documents) -> the k best of those.

    Conditions that many meet are looked up for the best of all, among which there are soon k that meet them. Only where
    they are met by few are all these listed: else each search would take the longer the larger the site is.
    """
    if conditions is None:
        return best(k, None)
    ask = LOOKED_AT * k
    while ask <= MOST_LOOKED_AT:
        hits = best(ask, None)
        owners = sources.store.owners([passage for passage, _score in hits])
        meeting = conditions.among(owners.values())
        kept = [hit for hit in hits if owners.get(hit[0]) in meeting]
        if len(kept) >= k or len(hits) < ask:
            return kept[:k]
        ask = max(LOOKED_AT * ask, 2 * k * len(hits) // len(kept)) if kept else MOST_LOOKED_AT + 1
    return best(k, conditions.ids)


def fused(question: Question, sources: Sources, k: int, scope: frozenset[int] | None) -> list[Ranked]:
    """The candidates of both legs, at most k of each, best first; equal ones in the order of their ids.

    Where passages hold what the question has in quotes, word for word, they are the only candidates. None holds what
    the question will not have.
    """
    return looked_up(question, sources, k, scope)[0]


def looked_up(question: Question, sources: Sources, k: int, scope: frozenset[int] | None) -> tuple[list[Ranked], bool]:
    """What `fused` gives, and whether there may be more than k: a deeper look may find what this one did not."""
    candidates: Iterable[int] = _word_for_word(question, sources, k, scope)
    exact = bool(candidates)
    if not exact:
        legs = (vector_leg(question, sources, k, scope), lexical_leg(question, sources, k, scope))
        candidates = {passage for leg in legs for passage, _score in leg}
    found = set(candidates)
    ranked = scored(question, sources, sorted(found - _holding(question.without, sources, found, scope)), scope)
    # Counted before what is not wanted was taken out: those that are left do not tell how many there were.
    more = len(found if question.without else ranked) >= k
    return ([one._replace(exact=True) for one in ranked] if exact else ranked), more


def scored(question: Question, sources: Sources, passages: Sequence[int], scope: frozenset[int] | None) -> list[Ranked]:
    """These passages by both legs, best first; those without a vector are left out."""
    queries = np.stack([question.vector, sources.space.language_axis])
    known = sources.store.products(queries, passages)
    found = list(zip(known.passages.tolist(), known.scores.tolist(), strict=True))
    near = {passage: cosine for passage, (cosine, _sign) in found}
    foreign = {passage for passage, (_cosine, sign) in found if sources.space.is_foreign(sign, question.language)}
    documents = dict(zip(near, known.documents.tolist(), strict=True))
    return with_keywords(question.text, sources.lexical, near, scope, foreign, documents)


def with_keywords(
    question: str,
    lexical: LexicalIndex | None,
    near: Mapping[int, float],
    scope: frozenset[int] | None,
    foreign: Collection[int] = (),
    documents: Mapping[int, int] | None = None,
) -> list[Ranked]:
    """Passages of which the vector leg's scores are known, with their keywords added, best first.

    Those in another language than the question's cannot have its words, but for identifiers, and are not to lose by it.
    """
    of = documents or {}
    bm25 = lexical.scores(question, list(near), scope) if lexical else {}
    full, exact = lexical.weights(question, scope) if bm25 and lexical else (1.0, 0.0)
    shares = {passage: min(bm25.get(passage, 0.0) / full, fusion.MOST_KEYWORDS) for passage in near}
    own = [(share, near[passage]) for passage, share in shares.items() if passage not in foreign]
    credits = {passage: fusion.credit(near[passage], max(own), exact) for passage in foreign if passage in near and own}
    credited = {passage: credit for passage, credit in credits.items() if credit > shares[passage]}
    ranked = [
        Ranked(
            passage,
            fusion.score(cosine, credited.get(passage, shares[passage]), exact),
            cosine,
            shares[passage],
            credited.get(passage, 0.0),
            passage in foreign,
            document=of[passage] if of else 0,
        )
        for passage, cosine in near.items()
    ]
    return sorted(ranked, key=lambda one: (-one.score, one.passage))


def reranked(question: Question, sources: Sources, ranked: Sequence[Ranked]) -> list[Ranked]:
    """The same passages, the first fusion.RERANKED of them in a better order: by another look at their tokens, or at
    their texts by a cross-encoder, as the settings say."""
    first = [one.passage for one in ranked[: fusion.RERANKED]]
    if settings.SEARCHSITE_RERANKER == "none" or len(first) < 2:
        return list(ranked)
    gains: Mapping[int, float] = {}
    if settings.SEARCHSITE_RERANKER == "tokens":
        gains = tokens.likenesses(question.tokens, sources.codes(first))
        scores = fusion.with_tokens([(one.score, gains.get(one.passage)) for one in ranked[: len(first)]])
    else:
        try:
            model = backends.get_cross_encoder()
        except EncoderError as error:
            log.warning("results are not reranked: %s", error)
            return list(ranked)
        texts = sources.texts(first)
        scores = model.scores(question.text, [texts.get(pk, "") for pk in first]).tolist()
    order = sorted(range(len(first)), key=lambda place: (-scores[place], place))
    again = [ranked[place]._replace(tokens=gains.get(first[place]), before=place + 1) for place in order]
    return [*again, *ranked[len(first) :]]


def _word_for_word(question: Question, sources: Sources, k: int, scope: frozenset[int] | None) -> list[int]:
    """The first k passages that hold all quoted phrases of the question: found by their words, verified on the text."""
    if not question.phrases or not sources.lexical:
        return []
    exact: list[int] = []
    depth, verified = k, 0
    documents = question.documents.ids if question.documents else None
    while True:
        hits = sources.lexical.search(question.text, depth, scope, question.phrases, documents)
        found = [pk for pk, _score in hits]
        for first in range(verified, len(found), READ_AT_ONCE):
            some = found[first : first + READ_AT_ONCE]
            texts = sources.texts(some)
            exact += [
                passage
                for passage in some
                if passage in texts and all(holds_phrase(texts[passage], phrase) for phrase in question.phrases)
            ]
        if len(exact) >= k or len(found) < depth or depth >= MOST_VERIFIED:
            return exact[:k]
        depth, verified = min(4 * depth, MOST_VERIFIED), len(found)


def _holding(
    phrases: Collection[str], sources: Sources, passages: Iterable[int], scope: frozenset[int] | None
) -> set[int]:
    """Those of these passages that hold any of the phrases: looked up where that can be, and verified on the text."""
    holding: set[int] = set()
    for phrase in phrases:
        left = sorted(set(passages) - holding)
        may = sorted(sources.lexical.scores(phrase, left, scope)) if sources.lexical else left
        for first in range(0, len(may), READ_AT_ONCE):
            texts = sources.texts(may[first : first + READ_AT_ONCE])
            holding |= {passage for passage, text in texts.items() if holds_phrase(text, phrase)}
    return holding
