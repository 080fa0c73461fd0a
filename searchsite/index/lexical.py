"""Keywords: a BM25 index of all findable passages, in a folder of its own (tantivy).

BM25 with k1 = 1.2 and b = 0.75 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009), one document a
passage. What its terms are is said in terms.py; this module stores them and looks them up. One process writes; any
number read, each what was committed when it last reloaded. The folder is a cache of the database.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tantivy
from numpy.typing import NDArray
from tantivy import Query

from searchsite.index import lexical_query, terms
from searchsite.index.lexical_errors import LexicalBusy, LexicalError, as_lexical_error
from searchsite.index.lexical_query import Known, in_order, inside_of, within, worth
from searchsite.index.misspelt import farthest

FORMAT = 3  # of the folder and of what terms.py makes: an index of another format is made anew
ABOUT = "lexical.json"
HEAP = 64_000_000  # bytes that a writer may fill before it writes a segment
SLACK = 16  # asked for beyond k, so that equal scores at the k-th place come in the order of their ids
REMEMBERED = 100  # questions of which it is known what of them can be found
COMMON = 1000  # passages from which on a term is common
WIDE = 0.2  # of all passages: a scope of so many is sought in what is found anywhere


@dataclass(frozen=True)
class Row:
    """A findable passage. `title`: of its document, with the headings above it; `language`: ISO 639-1."""

    passage: int
    document: int
    collection: int
    title: str
    text: str
    language: str


class Weights(NamedTuple):
    """What a question's terms weigh: about the score of a passage of average length that has each of them once, where
    those that no passage has weigh most (0: no terms); and which part of it identifiers have, 0 to 1."""

    full: float
    exact: float


class LexicalIndex:
    """What was committed to a folder when it was opened or last reloaded."""

    def __init__(self, folder: Path, index: tantivy.Index) -> None:
        self.folder = folder
        self._index = index
        self._schema = index.schema
        self._see()

    def reload(self) -> None:
        """See the newest commit. Raises LexicalError."""
        with as_lexical_error(self.folder):
            self._index.reload()
            self._see()

    def _see(self) -> None:
        searcher = self._index.searcher()
        stated = searcher.search(Query.term_query(self._schema, "state", 1), 1, count=False).hits
        if not stated:
            raise ValueError("it was never committed")
        number = searcher.fast_field_values("number", [stated[0][1]])[0]
        languages = tuple(term for term, _count in searcher.terms_with_prefix("language", ""))
        known: dict[tuple[str, frozenset[int] | None], Known] = {}
        shares: dict[frozenset[int], float] = {}
        # At once: another thread sees all of it or nothing.
        self._seen = searcher, int(number or 0), languages, known, shares

    @property
    def number(self) -> int:
        """The change number of the database up to which the index has come."""
        return self._seen[1]

    @property
    def languages(self) -> tuple[str, ...]:
        return self._seen[2]

    def ids(self) -> NDArray[np.int64]:
        """The ids of all passages in the index, ascending."""
        return np.array([pk for pk, _ in self._best(Query.exists_query("passage"), self._seen[0].num_docs)], np.int64)

    def search(
        self,
        question: str,
        k: int,
        collections: frozenset[int] | None = None,
        phrases: Sequence[str] = (),
        documents: Iterable[int] | None = None,
    ) -> list[tuple[int, float]]:
        """(passage, BM25 score) of the k best passages in these collections and documents (None: in all), equal ones by
        their ids.

        With phrases, only passages that hold all their words: whether in this order, the text must tell.
        """
        if k <= 0 or collections == frozenset():
            return []
        with as_lexical_error(self.folder):
            asked = self._question(" ".join([question, *phrases]), collections)
        if asked is None:
            return []
        if collections is not None and not phrases and documents is None and self._share(collections) >= WIDE:
            return self._best_in(asked, k, collections)
        required = [self._any("collection", collections)] if collections is not None else []
        required += [self._any("document", documents)] if documents is not None else []
        for phrase in phrases:
            surface, grams = terms.of_phrase(phrase)
            required += [self._term("surface", term) for term in surface]
            required += [self._term("grams", term) for term in grams]
        return self._best(within(asked, required), k)

    def scores(
        self, question: str, passages: Sequence[int], collections: frozenset[int] | None = None
    ) -> dict[int, float]:
        """BM25 scores of those of these passages that have any of the question's terms. `collections`: in which the
        question is asked."""
        with as_lexical_error(self.folder):
            asked = self._question(question, collections)
        if asked is None or not passages:
            return {}
        return dict(self._best(within(asked, [self._any("passage", passages)]), len(passages)))

    def weights(self, question: str, collections: frozenset[int] | None = None) -> Weights:
        """What the question's terms weigh in these collections."""
        searcher = self._seen[0]
        full = exact = 0.0
        with as_lexical_error(self.folder):
            for asked, known in self._known(question, collections):
                held = max((held for _term, held in known), default=0)
                passages = max(searcher.num_docs, held)  # `held` may still count deleted ones, `num_docs` does not
                weight = worth(asked) * math.log(1 + (passages - held + 0.5) / (held + 0.5))
                full += weight
                exact += weight if asked.exact else 0.0
        return Weights(full, exact / full if full else 0.0)

    def unknown(self, question: str, collections: frozenset[int] | None) -> list[str]:
        """The question's words (Terms.surface) that no passage in these collections has in any form."""
        with as_lexical_error(self.folder):
            return [asked.surface for asked, held in self._known(question, collections) if asked.surface and not held]

    def near(self, word: str, distance: int, k: int, collections: frozenset[int] | None) -> list[int]:
        """The k passages in these collections with the lowest ids that have words at most so many letters away."""
        with as_lexical_error(self.folder):
            meant = Query.fuzzy_term_query(self._schema, "surface", word, distance)
            inside = within(meant, [] if collections is None else [self._any("collection", collections)])
            found = self._seen[0].search(inside, k, count=False, order_by_field="passage", order=tantivy.Order.Asc)
        return [int(passage or 0) for passage, _address in found.hits]

    def _known(self, question: str, collections: frozenset[int] | None) -> Known:
        """What is asked for; and those of its terms that these collections have, with the number of passages.

        Not those of all collections: neither whether a word is taken for a typing error, nor what it weighs, may tell
        what is in others. Only of what is common everywhere the number in all is taken: to count takes long.
        """
        remembered = self._seen[3]
        found = remembered.get((question, collections))
        if found is None:
            found = []
            for asked in terms.of_question(question, self.languages):
                field, options = ("grams", asked.grams) if asked.grams else ("words", asked.words)
                counted = [(term, self._count(field, term, collections, asked.surface)) for term in options]
                found.append((asked, [(term, count) for term, count in counted if count]))
            if len(remembered) >= REMEMBERED:
                remembered.clear()
            remembered[question, collections] = found
        return found

    def _count(self, field: str, term: str, collections: frozenset[int] | None, surface: str) -> int:
        searcher = self._seen[0]
        everywhere = int(searcher.doc_freq(field, term))
        if collections is None or not everywhere or (everywhere > COMMON and not farthest(surface)):
            return everywhere
        # Passages that have the term are looked at, and not those of the collections, which are many more.
        hits = searcher.search(self._term(field, term), COMMON, count=False).hits
        found = sum(inside_of(searcher, hits, collections))
        if everywhere <= COMMON:
            return found
        if not found:
            inside = within(self._term(field, term), [self._any("collection", collections)])
            found = len(searcher.search(inside, 1, count=False).hits)
        return everywhere if found else 0

    def _share(self, collections: frozenset[int]) -> float:
        """About which part of all passages are in these collections, 0 to 1."""
        shares = self._seen[4]
        if collections not in shares:
            if len(shares) >= REMEMBERED:
                shares.clear()
            held = sum(self._seen[0].doc_freq("collection", one) for one in collections)
            shares[collections] = min(1.0, held / max(1, self._seen[0].num_docs))
        return shares[collections]

    def _best_in(self, query: Query, k: int, collections: frozenset[int]) -> list[tuple[int, float]]:
        """As `_best` of the passages in collections that hold a good part of all: of the best anywhere, those in them.
        A condition would have every passage with any of the terms looked at, and so take as long as there are many."""
        searcher, ask = self._seen[0], int(k / self._share(collections) * 1.2) + SLACK
        with as_lexical_error(self.folder):
            while True:
                hits = searcher.search(query, ask, count=False).hits
                inside = inside_of(searcher, hits, collections)
                kept = [hit for hit, one in zip(hits, inside, strict=True) if one]
                if len(hits) < ask or (len(kept) >= k and hits[-1][0] != kept[k - 1][0]):
                    return in_order(searcher, kept)[:k]
                ask *= 4

    def _best(self, query: Query, k: int) -> list[tuple[int, float]]:
        searcher, ask = self._seen[0], k + SLACK
        with as_lexical_error(self.folder):
            while len(hits := searcher.search(query, ask, count=False).hits) == ask:
                if hits[-1][0] != hits[k - 1][0]:
                    break
                ask *= 4  # the last is as good as the k-th: others as good as these, with lower ids, may be missing
            return in_order(searcher, hits)[:k]

    def _question(self, question: str, collections: frozenset[int] | None) -> Query | None:
        return lexical_query.of_question(self._schema, self._known(question, collections))

    def _any(self, field: str, values: Iterable[int]) -> Query:
        return lexical_query.any_of(self._schema, field, values)

    def _term(self, field: str, value: str) -> Query:
        return lexical_query.term(self._schema, field, value)


class Writer:
    """Changes to a folder's index, seen by nobody before `commit`."""

    def __init__(self, schema: tantivy.Schema, writer: tantivy.IndexWriter) -> None:
        self._schema = schema
        self._writer = writer

    def replace(self, documents: Sequence[int], rows: Iterable[Row]) -> None:
        """From the next commit on these documents have exactly these rows."""
        for some in (documents[first : first + 1000] for first in range(0, len(documents), 1000)):
            self._writer.delete_documents_by_query(Query.term_set_query(self._schema, "document", list(some)))
        for row in rows:
            self._writer.add_document(_document(row))

    def commit(self, number: int) -> None:
        """Make the changes durable, together with the database's change number up to which they go."""
        # Not delete_documents_by_term: it takes the 1 for a signed number, which this field's terms are not.
        self._writer.delete_documents_by_query(Query.term_query(self._schema, "state", 1))
        state = tantivy.Document()
        state.add_unsigned("state", 1)
        state.add_unsigned("number", number)
        self._writer.add_document(state)
        self._writer.commit()


def _document(row: Row) -> tantivy.Document:
    text, title = terms.of_passage(row.text, row.language), terms.of_passage(row.title, row.language)
    document = tantivy.Document()
    for field, value in (("passage", row.passage), ("document", row.document), ("collection", row.collection)):
        document.add_unsigned(field, value)
    document.add_text("language", row.language)
    document.add_text("words", " ".join([*title.words, *text.words]))
    document.add_text("title", " ".join(title.words))
    document.add_text("grams", " ".join([*title.grams, *text.grams]))
    document.add_text("surface", " ".join(dict.fromkeys([*title.surface, *text.surface])))
    return document


def create(folder: Path) -> None:
    """Make an index without passages, at number 0, in a folder that does not exist yet."""
    folder.mkdir(parents=True)
    schema = tantivy.SchemaBuilder()
    for field in ("passage", "document", "collection", "state", "number"):
        schema.add_unsigned_field(field, indexed=True, fast=True)
    schema.add_text_field("language", tokenizer_name="raw", index_option="basic")
    for field in ("words", "title", "grams"):
        schema.add_text_field(field, tokenizer_name="whitespace", index_option="freq")
    schema.add_text_field("surface", tokenizer_name="whitespace", index_option="basic")
    tantivy.Index(schema.build(), str(folder))
    with _writer(folder) as writer:
        writer.commit(0)
    (folder / ABOUT).write_text(json.dumps({"format": FORMAT}))  # last: without it the folder is not whole


def opened(folder: Path) -> LexicalIndex:
    """The index in a folder, as of its newest commit. Raises LexicalError."""
    with as_lexical_error(folder):
        _check_format(folder)
        return LexicalIndex(folder, _open(folder))


@contextmanager
def writing(folder: Path) -> Iterator[Writer]:
    """A writer to the index in a folder; what was not committed at the end is forgotten.

    Raises LexicalBusy and LexicalError.
    """
    with as_lexical_error(folder):
        _check_format(folder)
    with _writer(folder) as writer:
        yield writer


@contextmanager
def _writer(folder: Path) -> Iterator[Writer]:
    with as_lexical_error(folder):
        index = _open(folder)
        try:
            writer = index.writer(HEAP, 1)
        except ValueError as error:
            if "LockBusy" in str(error) or "lock" in str(error).lower():
                raise LexicalBusy(f"Another process writes to {folder.name}.") from error
            raise
    try:
        yield Writer(index.schema, writer)
    except BaseException:
        writer.rollback()
        raise
    finally:
        writer.wait_merging_threads()  # lets go of the lock


def _open(folder: Path) -> tantivy.Index:
    index = tantivy.Index.open(str(folder))
    index.register_tokenizer("whitespace", tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())
    index.config_reader("manual")
    index.reload()
    return index


def _check_format(folder: Path) -> None:
    found = json.loads((folder / ABOUT).read_text())["format"]
    if found != FORMAT:
        raise LexicalError(f"The lexical index in {folder.name} has format {found}, not {FORMAT}: make it anew.")
