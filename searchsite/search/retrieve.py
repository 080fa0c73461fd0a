"""From a question to results: scope, ranking, checked again in the database, grouped by document."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from searchsite.documents.access import visible_collections
from searchsite.documents.models import Document, Passage
from searchsite.index import backends, follow, lexical_follow, space, tokens
from searchsite.index.space import Space
from searchsite.index.vectors import encoded_text
from searchsite.search import fusion, ranking
from searchsite.search.ranking import Question, Ranked, Sources

if TYPE_CHECKING:
    from searchsite.index.lexical import LexicalIndex

PER_PAGE = 10
MAX_PAGES = 20
DEPTH = 1000  # passages asked of each leg, so many that pages do not overlap; more only when they are of few documents
MAX_DEPTH = 16_000
HYDRATED = 100  # read from the database at once
SNIPPETS = 3


@dataclass(frozen=True)
class Found:
    """A passage and how similar it is to the question."""

    passage: Passage
    score: float
    """The cosine, in the space of index/space.py: 1 is the same text, about 0 has nothing to do with it."""
    keywords: float
    """The share of the question's keywords that it has, by their weight: 0 none, about 1 all."""
    likeness: int
    """0 to 100, of both together: 0 is what unrelated passages of this site have."""


@dataclass(frozen=True)
class Result:
    """A document, with its best passages in rank order (the first decides the document's rank)."""

    document: Document
    found: list[Found]

    @property
    def best(self) -> Found:
        return self.found[0]

    @property
    def others(self) -> list[Found]:
        return self.found[1:]


@dataclass(frozen=True)
class Answer:
    """One page of results, in rank order."""

    results: list[Result]
    page: int
    has_next: bool


def search(user: AbstractBaseUser | AnonymousUser, question: str, page: int = 1) -> Answer:
    """The documents that `user` may read whose passages answer `question` best, PER_PAGE a page.

    Raises index.follow.IndexUnavailable when the index cannot serve, encoder.EncoderError when the encoder cannot.
    """
    scope = frozenset(visible_collections(user).values_list("pk", flat=True))
    if not scope or not question.strip():
        return Answer([], page, False)
    return lexical_follow.tried(lambda lexical: _answer(user, question, page, scope, lexical))


def _answer(
    user: AbstractBaseUser | AnonymousUser,
    question: str,
    page: int,
    scope: frozenset[int],
    lexical: LexicalIndex | None,
) -> Answer:
    followed = follow.current()
    sources = Sources(followed.store, space.current(), lexical, partial(texts, scope), codes)
    asked = ranking.understood(question, sources.space)
    unrelated = followed.build.unrelated_cosine if followed.build else 0.0
    wanted = page * PER_PAGE + 1  # one more, to know whether there is a next page
    depth = DEPTH
    while True:
        ranked = ranking.reranked(asked, sources, ranking.fused(asked, sources, depth, scope))
        grouped = _documents(user, ranked, wanted, asked, sources.space, unrelated)
        if len(grouped) >= wanted or len(ranked) < depth or depth >= MAX_DEPTH:
            break
        depth *= 4
    shown = grouped[(page - 1) * PER_PAGE : page * PER_PAGE]
    return Answer(shown, page, len(grouped) >= wanted and page < MAX_PAGES)


def _documents(
    user: AbstractBaseUser | AnonymousUser,
    ranked: Sequence[Ranked],
    wanted: int,
    asked: Question,
    placed: Space,
    unrelated: float,
) -> list[Result]:
    """The first documents, as many as wanted, that these passages belong to."""
    found: list[Found] = []
    for first in range(0, len(ranked), HYDRATED):
        some = {one.passage: one for one in ranked[first : first + HYDRATED]}
        for passage in hydrate(user, list(some)):
            one = some[passage.pk]
            cosine = placed.cosine(one.near, asked.language, passage.language)
            found.append(Found(passage, cosine, one.keywords, likeness(one.score, unrelated)))
        if len({one.passage.revision.document_id for one in found}) >= wanted:
            break
    return group(found)[:wanted]


def texts(scope: Collection[int], passages: Sequence[int]) -> dict[int, str]:
    """What was encoded for those of these passages that are live in these collections, by their ids."""
    live = Passage.objects.filter(pk__in=passages, revision__live_for__collection__in=scope)
    rows = live.values_list("pk", "revision__encoded_title", "revision__title", "heading_path", "text")
    return {pk: encoded_text(encoded or title, path, text) for pk, encoded, title, path, text in rows}


def codes(passages: Sequence[int]) -> dict[int, bytes]:
    """What is kept of these passages' tokens, by their ids."""
    return tokens.stored(passages, backends.fingerprint())


def hydrate(user: AbstractBaseUser | AnonymousUser, ranked: Sequence[int]) -> list[Passage]:
    """The passages with these ids in their order, without those that the database says are not the user's to see.

    The index is a cache: what is live, and who may see it, is asked of the database for every candidate.
    """
    passages = (
        Passage.objects.filter(pk__in=ranked, revision__live_for__collection__in=visible_collections(user))
        .select_related("revision__live_for__collection")
        .defer("revision__text", "revision__headings", "revision__preformatted", "revision__live_for__text")
        .in_bulk()
    )
    return [passages[pk] for pk in ranked if pk in passages]


def likeness(score: float, unrelated: float) -> int:
    """A score that ranks, on a scale from what unrelated passages have (0) to the same text (100)."""
    most = fusion.score(1.0, 1.0)
    return round(100 * min(1.0, max(0.0, (score - unrelated) / (most - unrelated)))) if unrelated < most else 0


def group(found: list[Found]) -> list[Result]:
    """One result a document, in the order of each document's best passage, with its best few passages."""
    documents: dict[int, Result] = {}
    for one in found:
        document = one.passage.revision.live_for
        result = documents.setdefault(document.pk, Result(document, []))
        if len(result.found) < SNIPPETS:
            result.found.append(one)
    return list(documents.values())
