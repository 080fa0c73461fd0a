"""The passages of one document that answer a question best, in the order of its text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from searchsite.documents.models import Passage, Revision
from searchsite.index import backends, follow, lexical_follow, space
from searchsite.index.models import Vector
from searchsite.index.vectors import as_matrix
from searchsite.search import ranking
from searchsite.search.query import parse
from searchsite.search.retrieve import likeness

if TYPE_CHECKING:
    from searchsite.index.lexical import LexicalIndex

MOST = 10
CHUNK = 1000  # vectors in memory at once


@dataclass(frozen=True)
class Match:
    """A passage and its likeness to the question, 0 to 100, made as that on the page of results is."""

    passage: int
    start: int
    likeness: int
    score: float


@dataclass(frozen=True)
class Matches:
    """Matches in the order of the text, and the number among them (from 1) of the passage shown; 0: it is none."""

    found: list[Match]
    number: int

    @property
    def previous(self) -> Match | None:
        return self.found[self.number - 2] if self.number > 1 else None

    @property
    def next(self) -> Match | None:
        return self.found[self.number] if self.number < len(self.found) else None


def matches(revision: Revision, question: str, shown: Passage | None) -> Matches:
    """At most MOST passages of the revision whose likeness to the question is at least half of the best one's.

    The passage shown is always among them. Exact: every vector of the revision is compared, CHUNK at a time.
    Raises index.follow.IndexUnavailable when the index is another encoder's, encoder.EncoderError when there is none.
    """
    asked = shown.pk if shown else None
    best = lexical_follow.tried(lambda lexical: _best(revision, question, asked, lexical))
    strongest = max((match.likeness for match in best), default=0)
    found = [match for match in best if match.passage == asked or 0 < strongest <= 2 * match.likeness]
    found.sort(key=lambda match: match.start)
    return Matches(found, next((n for n, match in enumerate(found, 1) if match.passage == asked), 0))


def _best(revision: Revision, question: str, shown: int | None, lexical: LexicalIndex | None) -> list[Match]:
    build = follow.active_build()
    best: list[Match] = []
    for some in _scored(revision, question, build.unrelated_cosine if build else 0.0, lexical):
        best = sorted(best + some, key=lambda match: (match.passage != shown, -match.score, match.start))[:MOST]
    return best


def _scored(revision: Revision, question: str, unrelated: float, lexical: LexicalIndex | None) -> Iterator[list[Match]]:
    placed = space.current()
    query = parse(question)
    asked = ranking.understood(query, placed)
    scope = frozenset({revision.document.collection_id})
    vectors = Vector.objects.filter(fingerprint=backends.fingerprint(), passage__revision=revision)
    rows = vectors.order_by("passage_id").values_list("passage_id", "passage__start", "passage__language", "data")
    last = 0
    while chunk := list(rows.filter(passage_id__gt=last)[:CHUNK]):
        last = chunk[-1][0]
        passages, starts, languages, data = zip(*chunk, strict=True)
        vectors_here = placed.place_passages(as_matrix(data, placed.dim - 1), languages)
        near = dict(zip(passages, (vectors_here @ asked.vector).tolist(), strict=True))
        signs = zip(passages, (vectors_here @ placed.language_axis).tolist(), strict=True)
        foreign = {passage for passage, sign in signs if placed.is_foreign(sign, asked.language)}
        start_of = dict(zip(passages, starts, strict=True))
        yield [
            Match(one.passage, start_of[one.passage], likeness(one.score, unrelated), one.score)
            for one in ranking.with_keywords(query.text, lexical, near, scope, foreign)
        ]
