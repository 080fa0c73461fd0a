"""What the lexical index is asked: tantivy's queries, made of what a question asks for; and what its hits are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import tantivy
from tantivy import Occur, Query

from searchsite.index import terms
from searchsite.index.misspelt import MOST_MISSPELT, farthest

# What a term is worth in each field, see benchmarks/README.md.
WORDS, TITLE, GRAMS = 1.0, 0.3, 0.3
EXACT = 4.0  # and more, of a whole identifier: what differs in a digit is another thing
FUZZY_WORTH = 4.0  # about the score of a word that is neither common nor rare
FEW = 2000  # ids that are looked up one by one: a set of them, as tantivy has it, costs ten times as much

Known = list[tuple[terms.Asked, list[tuple[str, int]]]]
"""What is asked for; and those of its terms that there are, with the number of passages."""


def of_question(schema: tantivy.Schema, known: Known) -> Query | None:
    """The sum of what a question asks for; None where it asks for nothing that can be looked up."""
    unknown = [asked.surface for asked, held in known if not held and asked.surface][:MOST_MISSPELT]
    # All in one flat sum: of terms alone tantivy skips what cannot come among the best (block-max WAND, Ding and Suel,
    # SIGIR 2011), of anything nested it looks at all. A passage has one stem of a word, that of its language.
    parts = [part for asked, held in known for one, _count in held for part in _asked(schema, asked, one)]
    parts += [part for word in unknown if (part := _misspelt(schema, word)) is not None]
    return Query.boolean_query([(Occur.Should, part) for part in parts]) if parts else None


def worth(asked: terms.Asked) -> float:
    return (GRAMS if asked.grams else WORDS) * (EXACT if asked.exact else 1.0)


def term(schema: tantivy.Schema, field: str, value: str) -> Query:
    return Query.term_query(schema, field, value, index_option="basic" if field == "surface" else "freq")


def any_of(schema: tantivy.Schema, field: str, values: Iterable[int]) -> Query:
    wanted = sorted(values)
    if len(wanted) > FEW:
        return Query.term_set_query(schema, field, wanted)
    each = [Query.term_query(schema, field, value, index_option="basic") for value in wanted]
    return Query.boolean_query([(Occur.Should, one) for one in each])


def within(asked: Query, required: Sequence[Query]) -> Query:
    """What is asked, of what meets all that is required, which adds nothing to the score."""
    conditions = [(Occur.Must, Query.const_score_query(one, 0.0)) for one in required]
    return Query.boolean_query([(Occur.Must, asked), *conditions])


def _asked(schema: tantivy.Schema, asked: terms.Asked, value: str) -> list[Query]:
    if asked.grams:
        return [Query.boost_query(term(schema, "grams", value), worth(asked))]
    title = Query.boost_query(term(schema, "title", value), TITLE * worth(asked))
    return [Query.boost_query(term(schema, "words", value), worth(asked)), title]


def _misspelt(schema: tantivy.Schema, word: str) -> Query | None:
    if not (distance := farthest(word)):
        return None
    meant = Query.fuzzy_term_query(schema, "surface", word, distance)
    return Query.const_score_query(meant, FUZZY_WORTH * WORDS)


def inside_of(searcher: tantivy.Searcher, hits: Sequence[Any], collections: frozenset[int]) -> list[bool]:
    """Which of these hits, of that searcher, are passages in these collections."""
    found = searcher.fast_field_values("collection", [address for _score, address in hits])
    return [one in collections for one in found]


def in_order(searcher: tantivy.Searcher, hits: Sequence[Any]) -> list[tuple[int, float]]:
    """(passage, score) of these hits, of that searcher, equal ones by their ids."""
    ids = searcher.fast_field_values("passage", [address for _score, address in hits])
    found = [(int(pk or 0), float(score or 0)) for pk, (score, _address) in zip(ids, hits, strict=True)]
    return sorted(found, key=lambda hit: (-hit[1], hit[0]))
