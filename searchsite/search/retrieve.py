"""From a question to results: scope, encode, nearest passages, checked again in the database, grouped by document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from searchsite.documents.access import visible_collections
from searchsite.documents.language import family
from searchsite.documents.models import Document, Passage
from searchsite.index import backends, follow, space

PER_PAGE = 10
MAX_PAGES = 20
FIRST_DEPTH = 64  # passages asked for at first; more only when they fall into too few documents
MAX_DEPTH = 4096
SNIPPETS = 3


@dataclass(frozen=True)
class Found:
    """A passage and how similar it is to the question."""

    passage: Passage
    score: float
    """The cosine, in the space of index/space.py: 1 is the same text, about 0 has nothing to do with it."""
    likeness: int
    """0 to 100: 0 is what unrelated passages of this site have, 100 is the same text."""


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
    """The documents that `user` may read whose passages are most similar to `question`, PER_PAGE a page.

    Raises index.follow.IndexUnavailable when the index cannot serve, encoder.EncoderError when the encoder cannot.
    """
    scope = frozenset(visible_collections(user).values_list("pk", flat=True))
    if not scope or not question.strip():
        return Answer([], page, False)
    followed = follow.current()
    placed, language = space.current(), family(question)
    query = placed.place_question(backends.get_encoder().encode_queries([question])[0], language)
    unrelated = followed.build.unrelated_cosine if followed.build else 0.0
    wanted = page * PER_PAGE + 1  # one more, to know whether there is a next page
    depth = FIRST_DEPTH
    while True:
        hits = followed.store.search(query, depth, scope)
        found = []
        for passage, score in hydrate(user, hits):
            cosine = placed.cosine(score, language, passage.language)
            found.append(Found(passage, cosine, likeness(cosine, unrelated)))
        grouped = group(found)
        if len(grouped) >= wanted or len(hits) < depth or depth >= MAX_DEPTH:
            break
        depth *= 4
    shown = grouped[(page - 1) * PER_PAGE : page * PER_PAGE]
    return Answer(shown, page, len(grouped) >= wanted and page < MAX_PAGES)


def hydrate(user: AbstractBaseUser | AnonymousUser, hits: Sequence[tuple[int, float]]) -> list[tuple[Passage, float]]:
    """The passages of these hits in the hits' order, without those that the database says are not the user's to see.

    The index is a cache: what is live, and who may see it, is asked of the database for every candidate.
    """
    passages = (
        Passage.objects.filter(
            pk__in=[pk for pk, _score in hits], revision__live_for__collection__in=visible_collections(user)
        )
        .select_related("revision__live_for__collection")
        .defer("revision__text", "revision__headings", "revision__preformatted", "revision__live_for__text")
        .in_bulk()
    )
    return [(passages[pk], score) for pk, score in hits if pk in passages]


def likeness(score: float, unrelated: float) -> int:
    """The cosine `score` on a scale from what unrelated passages have (0) to the same text (100)."""
    return round(100 * min(1.0, max(0.0, (score - unrelated) / (1 - unrelated)))) if unrelated < 1 else 0


def group(found: list[Found]) -> list[Result]:
    """One result a document, in the order of each document's best passage, with its best few passages."""
    documents: dict[int, Result] = {}
    for one in found:
        document = one.passage.revision.live_for
        result = documents.setdefault(document.pk, Result(document, []))
        if len(result.found) < SNIPPETS:
            result.found.append(one)
    return list(documents.values())
