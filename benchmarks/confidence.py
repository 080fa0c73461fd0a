"""Can the site tell a question that its documents answer from one that they do not?

    python benchmarks/confidence.py FOLDER... [--queries 600] [--same-prefix]

FOLDER is in BEIR layout, as for `manage.py evaluate`: splitting, vectors, queries and cache are those of that command.
Each query is asked twice: of all passages, and of all but those of its relevant documents. The thresholds are measured
on the set as the site measures them on its documents (search/calibration.py), without a look at query or judgement.

Prints by set
- queries: those with an answer in the corpus, but for the few that leave too little to compare with (a phrase in quotes
  leaves only passages that hold it);
- AUC x 100: how often a query has a larger margin with its answer than one without, of all such pairs, ties half. The
  margin is by how much the best document stands out more than the site asks for (search/confidence.py);
- told with: of queries with an answer, the percentage that is told that there is none;
- told without: of those without, the percentage that is told so;
- hit@1: how often the first passage is of a relevant document. Where it is not, both cases mostly look the same, so
  that about (1 + hit@1) / 2 is the most that AUC can come to.

--same-prefix counts as relevant, too, what has the id of a relevant document but for what follows its last "-": for
sets that judge one page of several that were collected for a query (doc-17-0, doc-17-1, ...).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "searchsite.settings")

if TYPE_CHECKING:
    from searchsite.insight.beir import Document, RetrievalSet
    from searchsite.insight.evaluate import Passage
    from searchsite.search.confidence import Thresholds
    from searchsite.search.ranking import Ranked, Sources

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """By how much each query stands out more than the site asks for, with its answer and without, and whether the
    first passage with it was of a relevant document."""

    with_answer: list[float]
    without: list[float]
    hits: list[bool]


def watched(items: Sequence[T], doing: str) -> Iterator[T]:
    from django.core.management.base import OutputWrapper

    from searchsite.terminal import ProgressBar

    with ProgressBar(len(items), OutputWrapper(sys.stderr)) as bar:
        for item in items:
            yield item
            bar.step(doing)


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """How often one of the first is greater than one of the second, of all pairs, 0 to 1; ties count half."""
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left")
    upto = np.searchsorted(ordered, positive, "right")
    return float((below + upto).mean() / 2 / len(ordered))


def relevant(given: RetrievalSet, same_prefix: bool) -> dict[str, frozenset[int]]:
    """By query the numbers of the documents that answer it, of queries that the corpus has one for."""
    numbers = {document.id: number for number, document in enumerate(given.documents)}
    alike: dict[str, set[int]] = {}
    for key, number in numbers.items():
        alike.setdefault(prefix(key) if same_prefix else key, set()).add(number)
    found = {
        query: frozenset().union(*(alike[prefix(key) if same_prefix else key] for key in grades if key in numbers))
        for query, grades in given.qrels.items()
    }
    return {query: documents for query, documents in found.items() if documents}


def prefix(key: str) -> str:
    """An id without its last "-" and what follows it: itself where it has none."""
    return key.rpartition("-")[0] or key


def thresholds(documents: Sequence[Document], passages: Sequence[Passage], sources: Sources) -> Thresholds:
    """What the site would measure of these documents."""
    from searchsite.search import calibration

    by_document: dict[int, list[int]] = {}
    copies: dict[str, set[int]] = {}
    for number, passage in enumerate(passages):
        by_document.setdefault(passage.document, []).append(number)
        copies.setdefault(documents[passage.document].text, set()).add(number)
    chosen, each = calibration.spread(sorted(by_document))
    asked = [
        (sentence, copies[documents[document].text])
        for document in chosen
        for sentence in calibration.sentences_asked([passages[one].body for one in by_document[document]], each)
    ]
    found = [
        calibration.standing_out(sentence, own, sources)
        for sentence, own in watched(asked[: calibration.SENTENCES], "calibrating")
    ]
    return calibration.thresholds_of([both[1] for both in found if both])


def margin(ranked: Sequence[Ranked], owners: Sequence[int], least: Thresholds) -> float | None:
    """By how much the best of the documents, each by its first passage, stands out more than it must; None where there
    are too few passages to tell."""
    from searchsite.search import confidence

    standings = confidence.standings(ranked)
    if standings is None:
        return None
    seen: set[int] = set()
    margins = []
    for one, standing in zip(ranked, standings, strict=True):
        if owners[one.passage] not in seen:
            seen.add(owners[one.passage])
            margins.append(standing.own - least.own)
            if one.foreign:
                margins.append(standing.foreign - least.foreign)
    return max(margins)


def ask(
    given: RetrievalSet, passages: Sequence[Passage], answers: dict[str, frozenset[int]], sources: Sources
) -> Asked:
    from searchsite.search import calibration
    from searchsite.search.query import parse

    least = thresholds(given.documents, passages, sources)
    owners = [passage.document for passage in passages]
    found = Asked([], [], [])
    for key, documents in watched(list(answers.items()), "asking"):
        own = {number for number, owner in enumerate(owners) if owner in documents}
        ranked, left = calibration.with_and_without(parse(given.queries[key]), own, sources)
        both = margin(ranked, owners, least), margin(left, owners, least)
        if both[0] is not None and both[1] is not None:
            found.with_answer.append(both[0])
            found.without.append(both[1])
            found.hits.append(ranked[0].passage in own)
    return found


def row(folder: Path, most_queries: int, same_prefix: bool) -> str:
    from searchsite.insight import beir
    from searchsite.insight.evaluate import held, split_document

    given = beir.read(folder, limit=most_queries)
    numbered = list(enumerate(given.documents))
    passages = [passage for part in watched(numbered, "splitting") for passage in split_document(*part)]
    with held(passages, watched) as sources:
        found = ask(given, passages, relevant(given, same_prefix), sources)
    name = f"{folder.name}, all of the same prefix out" if same_prefix else folder.name
    if not found.hits:
        return f"| {name} | 0 |  |  |  |  |"
    figures = (auc(found.with_answer, found.without), told(found.with_answer), told(found.without), np.mean(found.hits))
    return f"| {name} | {len(found.hits)} | " + " | ".join(f"{100 * figure:.1f}" for figure in figures) + " |"


def told(margins: Collection[float]) -> float:
    """The share that is told that there is no answer."""
    return float(np.mean([one < 0 for one in margins]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--queries", type=int, default=600, help="0: all")
    parser.add_argument("--same-prefix", action="store_true", help="see above")
    options = parser.parse_args()
    import django

    django.setup()
    print(
        "| set | queries | AUC | told with | told without | hit@1 |\n| --- | --- | --- | --- | --- | --- |", flush=True
    )
    for folder in options.folders:
        print(row(folder, options.queries, options.same_prefix), flush=True)


if __name__ == "__main__":
    main()
