"""How well the site would answer the queries of a retrieval set, by each of its ways to rank.

The set is held beside the site: its vectors in memory, its lexical index in a temporary folder. The site's database and
its index are not touched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from django.conf import settings

from searchsite.documents.language import detect
from searchsite.documents.split import split
from searchsite.index import backends, lexical, space
from searchsite.index.stores.faiss import FaissStore
from searchsite.index.vectors import Rows, as_matrix, encoded_text
from searchsite.insight.beir import Document, Qrels, RetrievalSet
from searchsite.insight.kept import Watch, passages_kept
from searchsite.search import ranking
from searchsite.search.query import parse
from searchsite.search.ranking import Question, Sources
from searchsite.search.sources import DEPTH, MAX_DEPTH

MEASURES = ("nDCG@10", "R@100", "RR@10")
DOCUMENTS = 100  # to be ranked for each query: as far as the measures look
COLLECTION = 1  # that all documents are in
SCOPE = frozenset({COLLECTION})

System = Callable[[Question, Sources, int], list[int]]  # (question, sources, passages of each leg) -> passages, ranked


@dataclass(frozen=True)
class Passage:
    """A passage of document number `document`; `text` is what is encoded of it, `body` the passage alone."""

    document: int
    title: str
    body: str
    language: str

    @property
    def text(self) -> str:
        return encoded_text(self.title, (), self.body)


@dataclass(frozen=True)
class Figures:
    """What a way to rank comes to: the mean of each measure, 0 to 1, and the seconds for a query in the median."""

    means: dict[str, float]
    seconds: float


def evaluate(given: RetrievalSet, watch: Watch) -> dict[str, Figures]:
    """The figures of each system that the site has the means for. Raises encoder.EncoderError."""
    numbered = list(enumerate(given.documents))
    passages = [passage for part in watch(numbered, "splitting") for passage in split_document(*part)]
    with held(passages, watch) as sources:
        return measured(given, passages, sources, watch)


def split_document(number: int, document: Document) -> list[Passage]:
    """The passages of a document, as index/ingest.py makes them of plain text."""
    limit = backends.description().max_tokens
    language = detect(document.text)
    spans = split(
        document.text,
        headings=[],
        pages=None,
        token_offsets=backends.token_offsets(),
        target_tokens=min(settings.SEARCHSITE_PASSAGE_TOKENS, limit * 4 // 5),
        max_tokens=limit * 9 // 10,
        overlap_tokens=settings.SEARCHSITE_PASSAGE_OVERLAP,
    )
    bodies = [document.text[span.start : span.end] for span in spans]
    return [Passage(number, document.title, body, detect(body, language)) for body in bodies]


@contextmanager
def held(passages: Sequence[Passage], watch: Watch) -> Iterator[Sources]:
    """What the site's ranking searches in, made of these passages; their ids are their places in the list."""

    def texts(wanted: Sequence[int]) -> dict[int, str]:
        return {number: passages[number].text for number in wanted}

    def codes(wanted: Sequence[int]) -> dict[int, bytes]:
        return {number: data for number in wanted if (data := kept[number][1]) is not None}

    placed = space.current()
    store = FaissStore(placed.dim)
    kept = passages_kept([(passage.text, passage.language) for passage in passages], watch)
    vectors = placed.place_passages(
        as_matrix([vector for vector, _codes in kept], placed.dim - 1), [passage.language for passage in passages]
    )
    documents = np.array([passage.document for passage in passages], np.int64)
    store.apply(
        np.unique(documents).tolist(),
        Rows(vectors, np.arange(len(passages)), documents, np.full(len(passages), COLLECTION, np.int64)),
    )
    with TemporaryDirectory(prefix="searchsite-evaluate-") as folder:
        yield Sources(store, placed, _lexical(Path(folder) / "lexical", passages), texts, codes)


def _lexical(folder: Path, passages: Sequence[Passage]) -> lexical.LexicalIndex:
    lexical.create(folder)
    rows = (
        lexical.Row(number, passage.document, COLLECTION, passage.title, passage.body, passage.language)
        for number, passage in enumerate(passages)
    )
    with lexical.writing(folder) as writer:
        writer.replace([], rows)
        writer.commit(1)
    return lexical.opened(folder)


def measured(given: RetrievalSet, passages: Sequence[Passage], sources: Sources, watch: Watch) -> dict[str, Figures]:
    """Ask all queries of all systems."""
    owners = [passage.document for passage in passages]
    finds = systems()
    runs: dict[str, dict[str, list[str]]] = {name: {} for name in finds}
    seconds: dict[str, list[float]] = {name: [] for name in finds}
    for key, text in watch(list(given.queries.items()), "asking"):
        began = time.perf_counter()
        question = ranking.understood(parse(text), sources.space)
        encoding = time.perf_counter() - began
        for name, find in finds.items():
            began = time.perf_counter()
            ranked = ranked_documents(partial(find, question, sources), owners) if text.strip() else []
            took = time.perf_counter() - began
            seconds[name].append(took if name == "lexical" else took + encoding)
            runs[name][key] = [given.documents[number].id for number in ranked]
    return {name: Figures(means(given.qrels, runs[name]), median(seconds[name])) for name in finds}


def ranked_documents(find: Callable[[int], list[int]], owners: Sequence[int]) -> list[int]:
    """The numbers of the first DOCUMENTS documents in the order of each one's best passage."""
    depth = DEPTH
    while True:
        passages = find(depth)
        documents = list(dict.fromkeys(owners[passage] for passage in passages))
        if len(documents) >= DOCUMENTS or len(passages) < depth or depth >= MAX_DEPTH:
            return documents[:DOCUMENTS]
        depth *= 4


def _lexical_leg(question: Question, sources: Sources, k: int) -> list[int]:
    return [passage for passage, _score in ranking.lexical_leg(question, sources, k, SCOPE)]


def _vector_leg(question: Question, sources: Sources, k: int) -> list[int]:
    return [passage for passage, _score in ranking.vector_leg(question, sources, k, SCOPE)]


def _fused(question: Question, sources: Sources, k: int) -> list[int]:
    return [ranked.passage for ranked in ranking.fused(question, sources, k, SCOPE)]


def _reranked(question: Question, sources: Sources, k: int) -> list[int]:
    ranked = ranking.reranked(question, sources, ranking.fused(question, sources, k, SCOPE))
    return [one.passage for one in ranked]


def systems() -> dict[str, System]:
    """The ways to rank that the site has: one that reranks only where a reranker is set."""
    found: dict[str, System] = {"lexical": _lexical_leg, "vector": _vector_leg, "fused": _fused}
    return found if settings.SEARCHSITE_RERANKER == "none" else {**found, "reranked": _reranked}


def means(qrels: Qrels, run: dict[str, list[str]]) -> dict[str, float]:
    """The mean of each of MEASURES over all judged queries; one that found nothing counts as 0."""
    import ir_measures

    # It sorts by score, and equal ones by id, so it is handed a score that says the place.
    scored = {
        query: {document: -float(place) for place, document in enumerate(documents)} for query, documents in run.items()
    }
    measures = [ir_measures.parse_measure(name) for name in MEASURES]
    found = ir_measures.calc_aggregate(measures, qrels, scored)
    return {name: float(found[measure]) for name, measure in zip(MEASURES, measures, strict=True)}
