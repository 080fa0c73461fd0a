"""From a question to results: parsed, scoped, ranked, checked in the database, counted, grouped by document, marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Coalesce, TruncDate

from searchsite.documents.access import visible_collections, visible_documents
from searchsite.documents.models import Document, Passage
from searchsite.index import lexical_follow
from searchsite.index.terms import holds_phrase
from searchsite.index.vectors import encoded_text
from searchsite.search import calibration, confidence, facets, fusion, ranking, spelling
from searchsite.search.candidates import Candidate, by_document, permitted
from searchsite.search.conditions import Scope, scope
from searchsite.search.facets import Counts
from searchsite.search.marks import ROWS, ROWS_OF_OTHERS, Marks, Piece, lines, marks
from searchsite.search.query import Query, parse
from searchsite.search.ranking import Question, Ranked, Sources
from searchsite.search.sources import DEPTH, MAX_DEPTH, sources, texts

if TYPE_CHECKING:
    from searchsite.index.lexical import LexicalIndex
    from searchsite.index.space import Space
    from searchsite.index.vectors import Matrix

PER_PAGE = 10
MAX_PAGES = 20
SNIPPETS = 3  # passages of a document that are shown
PERMITTED_AT_ONCE = 260  # some more than are counted, as the first page mostly needs no others
FEW = 10_000  # ids that a database is asked for at once
User = AbstractBaseUser | AnonymousUser


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
    lines: list[list[Piece]]
    """Its text, line by line, in pieces with what is marked of it."""


@dataclass(frozen=True)
class Result:
    """A document, with its best passages in rank order (the first decides the document's rank). `weak`: it is among the
    nearest, but nothing says that it answers."""

    document: Document
    found: list[Found]
    weak: bool = False

    @property
    def best(self) -> Found:
        return self.found[0]

    @property
    def others(self) -> list[Found]:
        return self.found[1:]


@dataclass(frozen=True)
class Answer:
    """One page of results, in rank order, those that are weak last."""

    results: list[Result]
    page: int
    has_next: bool
    query: Query
    counts: Counts | None = None
    suggestion: str = ""
    """The question with its unknown words put right; empty where there is nothing to put right."""
    while_typing: str = ""
    """The same without the word at its end, which may be half typed."""
    nothing: bool = False
    """Whether nothing of all that is counted, on whatever page, matches well."""

    @property
    def good(self) -> list[Result]:
        """The results up to the last that answers."""
        strong = [place for place, result in enumerate(self.results, 1) if not result.weak]
        return self.results[: max(strong, default=0)]

    @property
    def weaker(self) -> list[Result]:
        return self.results[len(self.good) :]


@dataclass(frozen=True)
class Ask:
    """Who asks what, and in what order the answers shall come."""

    user: User
    text: str
    query: Query
    scope: Scope
    page: int
    newest_first: bool


def search(user: User, question: str, page: int = 1, newest_first: bool = False) -> Answer:
    """The documents that `user` may read whose passages answer `question` best, PER_PAGE a page.

    Raises index.follow.IndexUnavailable when the index cannot serve, encoder.EncoderError when the encoder cannot.
    """
    query = parse(question)
    asked = Ask(user, question, query, scope(query, visible_collections(user)), page, newest_first)
    if not asked.scope.collections or query == Query(""):
        return Answer([], page, False, query, facets.count(question, query, [], visible_collections(user)))
    if not query.text:
        return _listed(asked)
    return lexical_follow.tried(lambda lexical: _answer(asked, lexical))


def _answer(ask: Ask, lexical: LexicalIndex | None) -> Answer:
    asked_of = sources(ask.scope.collections, lexical)
    question = ranking.understood(ask.query, asked_of.space, ask.scope.documents)
    candidates = _candidates(ask, question, asked_of)
    ranked = [one.ranked for one in candidates]
    answering = confidence.answering(ranked, calibration.thresholds())
    strong = {one.ranked.passage for one, answers in zip(candidates, answering, strict=True) if answers}
    documents = by_document(candidates, SNIPPETS)
    order = _ordered(documents, strong, ask.newest_first)
    first = (ask.page - 1) * PER_PAGE
    shown = [documents[document] for document in order[first : first + PER_PAGE]]
    results = _results(ask, question, asked_of, shown, strong)
    suggestion = spelling.suggestion(ask.text, lexical, ask.scope.collections, asked_of.texts)
    return Answer(
        results,
        ask.page,
        len(order) > first + PER_PAGE and ask.page < MAX_PAGES,
        ask.query,
        facets.count(ask.text, ask.query, candidates, visible_collections(ask.user)),
        suggestion,
        spelling.while_typing(ask.text, suggestion),
        not any(own[0].ranked.passage in strong for own in by_document(candidates[: facets.COUNTED], 1).values()),
    )


def _candidates(ask: Ask, question: Question, asked_of: Sources) -> list[Candidate]:
    """Passages that the reader may see, best first: more than are counted, and of as many documents as the page needs,
    if there are so many."""
    # The index of keywords may not know yet of a move to another collection.
    searched = visible_collections(ask.user).filter(pk__in=ask.scope.collections)
    # By date any candidate may come first: pages are of one order only if they are cut from the same candidates.
    documents = (MAX_PAGES if ask.newest_first else ask.page) * PER_PAGE
    depth = DEPTH
    candidates: list[Candidate] = []
    seen: set[int] = set()
    while True:
        ranked, more = ranking.looked_up(question, asked_of, depth, ask.scope.collections)
        # What only a deeper look finds comes behind, whatever its score: else pages would not follow each other.
        found = [one for one in ranked if one.passage not in seen]
        ordered = found if seen else ranking.reranked(question, asked_of, found)
        for first in range(0, len(ordered), PERMITTED_AT_ONCE):
            candidates += permitted(ordered[first : first + PERMITTED_AT_ONCE], searched)
            if len(candidates) > facets.COUNTED and len({one.document for one in candidates}) > documents:
                return candidates
        seen.update(one.passage for one in found)
        if not more or depth >= MAX_DEPTH:
            return candidates
        depth *= 4


def _ordered(documents: dict[int, list[Candidate]], strong: set[int], newest_first: bool) -> list[int]:
    """The documents in the order in which they are shown: behind the last that answers come the weak ones."""
    order = list(documents)
    if newest_first:
        order.sort(key=lambda pk: (-documents[pk][0].date.toordinal(), pk))
        order.sort(key=lambda pk: documents[pk][0].ranked.passage not in strong)
    return order


def _results(
    ask: Ask, question: Question, asked_of: Sources, shown: Sequence[Sequence[Candidate]], strong: set[int]
) -> list[Result]:
    """What is shown of these documents: read from the database, and marked."""
    passages = {one.pk: one for one in hydrate(ask.user, [one.ranked.passage for own in shown for one in own])}
    encoded = {pk: whole_text(one) for pk, one in passages.items()}
    # What was saved a moment ago may not be in the index of keywords yet, which was asked for it.
    unwanted = {pk for pk, text in encoded.items() if any(holds_phrase(text, one) for one in question.without)}
    marked = marks(question, asked_of, passages, encoded)
    results: list[Result] = []
    for own in shown:
        found: list[Found] = []
        for one in (one.ranked for one in own if one.ranked.passage in passages.keys() - unwanted):
            passage = passages[one.passage]
            cosine = asked_of.space.cosine(one.near, question.language, passage.language)
            close = likeness(one.score, asked_of.unrelated)
            rows = ROWS_OF_OTHERS if found else ROWS
            found.append(Found(passage, cosine, one.keywords, close, lines(passage, marked[passage.pk], rows)))
        if found:
            results.append(Result(found[0].passage.revision.live_for, found, own[0].ranked.passage not in strong))
    return results


def whole_text(passage: Passage) -> str:
    """What was encoded for a passage."""
    revision = passage.revision
    return encoded_text(revision.encoded_title or revision.title, passage.heading_path, passage.text)


def _listed(ask: Ask) -> Answer:
    """Where nothing is asked but conditions: the documents that meet them, the newest first, with their beginnings."""
    visible = visible_collections(ask.user)
    documents = visible_documents(ask.user).filter(collection__in=ask.scope.collections, live_revision__isnull=False)
    met = ask.scope.documents.ids if ask.scope.documents else None
    few = met is not None and len(met) <= FEW
    if met is not None and few:
        documents = documents.filter(pk__in=met.tolist())
    dated = documents.annotate(date=Coalesce("live_revision__written", TruncDate("updated"))).order_by("-date", "-pk")
    first = Passage.objects.filter(revision__live_for=OuterRef("pk")).order_by("ordinal").values("pk")[:1]
    rows: Iterator[tuple[int, int]]
    rows = dated.annotate(first=Subquery(first)).filter(first__isnull=False).values_list("pk", "first").iterator()
    if met is not None and not few:  # more than a database takes as parameters
        wanted = set(met.tolist())
        rows = (row for row in rows if row[0] in wanted)
    if ask.query.without:
        rows = _holding_none(rows, ask)
    first_rows = islice(rows, facets.COUNTED + 1)
    ranked = [Ranked(passage, 0.0, 0.0, 0.0, document=document) for document, passage in first_rows]
    candidates = permitted(ranked, visible)
    start = (ask.page - 1) * PER_PAGE
    passages = hydrate(ask.user, [one.ranked.passage for one in candidates[start : start + PER_PAGE]])
    results = [Result(one.revision.live_for, [Found(one, 0.0, 0.0, 0, lines(one, Marks()))]) for one in passages]
    more = len(candidates) > start + PER_PAGE and ask.page < MAX_PAGES
    return Answer(results, ask.page, more, ask.query, facets.count(ask.text, ask.query, candidates, visible))


def _holding_none(rows: Iterator[tuple[int, int]], ask: Ask) -> Iterator[tuple[int, int]]:
    """Those of the first MAX_DEPTH (document, passage) whose passage holds nothing that the question will not have."""
    without = ask.query.without[: ranking.MOST_WITHOUT]
    first = islice(rows, MAX_DEPTH)
    while some := list(islice(first, ranking.READ_AT_ONCE)):
        read = texts(ask.scope.collections, [passage for _document, passage in some])
        for document, passage in some:
            if passage in read and not any(holds_phrase(read[passage], one) for one in without):
                yield document, passage


@dataclass(frozen=True)
class Explained:
    """How a passage came to its place among all that answers a question. `place`: from 1, None where it is not among
    the candidates; `stored`: its vector in the index (dim,)."""

    asked: Question
    ranked: Ranked
    place: int | None
    space: Space
    stored: Matrix


def ranked_passage(user: User, question: str, passage: Passage) -> Explained | None:
    """What ranks this passage, asked by this reader; None where it is not to be found.

    Raises index.follow.IndexUnavailable and encoder.EncoderError.
    """
    query = parse(question)
    asked = Ask(user, question, query, scope(query, visible_collections(user)), 1, False)
    if not query.text or not asked.scope.collections:
        return None
    return lexical_follow.tried(lambda lexical: _explained(asked, passage, lexical))


def _explained(ask: Ask, passage: Passage, lexical: LexicalIndex | None) -> Explained | None:
    asked_of = sources(ask.scope.collections, lexical)
    stored = asked_of.store.vector(passage.pk)
    if stored is None:
        return None
    question = ranking.understood(ask.query, asked_of.space, ask.scope.documents)
    for page in (1, MAX_PAGES):  # what is shown on later pages may not be among the candidates for the first
        candidates = _candidates(replace(ask, page=page), question, asked_of)
        for place, one in enumerate(candidates, 1):
            if one.ranked.passage == passage.pk:
                return Explained(question, one.ranked, place, asked_of.space, stored)
    alone = ranking.scored(question, asked_of, [passage.pk], ask.scope.collections)
    return Explained(question, alone[0], None, asked_of.space, stored) if alone else None


def hydrate(user: User, ranked: Sequence[int]) -> list[Passage]:
    """The passages with these ids in their order, without those that the database says are not the user's to see."""
    passages = (
        Passage.objects.filter(pk__among=ranked, revision__live_for__isnull=False)
        .select_related("revision__live_for__collection")
        .defer("revision__text", "revision__headings", "revision__preformatted", "revision__live_for__text")
        .in_bulk()
    )
    visible = set(visible_collections(user).values_list("pk", flat=True))
    passages = {pk: one for pk, one in passages.items() if one.revision.live_for.collection_id in visible}
    return [passages[pk] for pk in ranked if pk in passages]


def likeness(score: float, unrelated: float) -> int:
    """A score that ranks, on a scale from what unrelated passages have (0) to the same text (100)."""
    most = fusion.score(1.0, 1.0)
    return round(100 * min(1.0, max(0.0, (score - unrelated) / (most - unrelated)))) if unrelated < most else 0
