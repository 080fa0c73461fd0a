"""What does it cost to compare the best passages with a question token by token, and what do stored codes of the tokens
keep of what the tokens' own states would give?

    python benchmarks/reranking.py FOLDER... [--queries 100]

FOLDER is in BEIR layout, as for `manage.py evaluate`: splitting, vectors, codes, queries, measure and cache are those
of that command. Prints nDCG@10 of documents by their best passage, and the median time of the reranking alone, of
- fused: not reranked;
- stored codes: as the site does it, with the codes read from a table of an SQLite file;
- states: MaxSim with the encoder's states themselves, in float32, from a pass of the model over the best 20 while the
  question waits: the peer that the ratios are to; over the best 10; and over the best 20 cut to so many tokens.
"At best" is with the weight of the likenesses, of those below, that does best on these very queries: what differs there
is not that one weight suits one way better.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median, stdev
from typing import TYPE_CHECKING, TypeVar

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "searchsite.settings")

if TYPE_CHECKING:
    from searchsite.index.vectors import Matrix
    from searchsite.insight.beir import RetrievalSet
    from searchsite.insight.evaluate import Passage
    from searchsite.search.ranking import Question, Ranked, Sources

T = TypeVar("T")
Likenesses = Mapping[int, float]  # of passages

CUT = 128  # tokens
WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.2)
CODES, PEER = "stored codes, best 20", "states, best 20"
WAYS = {  # name -> passages that go through the model, and the tokens that they are cut to
    PEER: (20, 0),
    "states, best 10": (10, 0),
    f"states, best 20, {CUT} tokens": (20, CUT),
}


@dataclass(frozen=True)
class Asked:
    """A question of a set, its candidates, and what each way to look again finds: likenesses, and in what time."""

    ranked: list[Ranked]
    found: dict[str, tuple[Likenesses, float]]


def watched(items: Sequence[T], doing: str) -> Iterator[T]:
    from django.core.management.base import OutputWrapper

    from searchsite.terminal import ProgressBar

    with ProgressBar(len(items), OutputWrapper(sys.stderr)) as bar:
        for item in items:
            yield item
            bar.step(doing)


def stored_in(file: sqlite3.Connection, codes: Mapping[int, bytes]) -> None:
    with file:
        file.execute("CREATE TABLE vector (passage INTEGER PRIMARY KEY, tokens BLOB)")
        file.executemany("INSERT INTO vector VALUES (?, ?)", codes.items())


def read_from(file: sqlite3.Connection, wanted: Sequence[int]) -> dict[int, bytes]:
    places = ", ".join("?" * len(wanted))
    return dict(file.execute(f"SELECT passage, tokens FROM vector WHERE passage IN ({places})", list(wanted)))  # noqa: S608


def by_states(question: Question, passages: Mapping[int, Passage], tokens: int, sources: Sources) -> Likenesses:
    """MaxSim of the question's tokens with the states of each passage's, of its first `tokens` ones (0: of all)."""
    from searchsite.index import backends

    texts = [cut(passage.text, tokens) for passage in passages.values()]
    states: dict[int, list[Matrix]] = {}
    backends.get_encoder().encode_passages(texts, states=lambda place, some: states.setdefault(place, []).append(some))
    found = {}
    for place, (pk, passage) in enumerate(passages.items()):
        same = texts.index(texts[place])  # of equal texts only the first is encoded
        placed = sources.space.place_tokens(np.concatenate(states[same]), passage.language)
        found[pk] = float((question.tokens @ placed.T).max(axis=1).mean())
    return found


def cut(text: str, tokens: int) -> str:
    from searchsite.index import backends

    ends = [end for _start, end in backends.token_offsets()(text)] if tokens else []
    return text[: ends[tokens - 1]] if len(ends) > tokens else text


def looked_at(text: str, passages: Sequence[Passage], sources: Sources) -> Asked:
    """Ask one question, and have each way look at its best passages."""
    from searchsite.index import tokens
    from searchsite.insight.evaluate import SCOPE
    from searchsite.search import ranking
    from searchsite.search.fusion import RERANKED
    from searchsite.search.query import parse
    from searchsite.search.sources import DEPTH

    question = ranking.understood(parse(text), sources.space)
    ranked = ranking.fused(question, sources, DEPTH, SCOPE)
    began = time.perf_counter()
    ranking.reranked(question, sources, ranked)
    took = {CODES: time.perf_counter() - began}
    first = [one.passage for one in ranked[:RERANKED]]
    found: dict[str, Likenesses] = {CODES: tokens.likenesses(question.tokens, sources.codes(first))}
    for way, (most, length) in WAYS.items():
        began = time.perf_counter()
        found[way] = by_states(question, {pk: passages[pk] for pk in first[:most]}, length, sources)
        took[way] = time.perf_counter() - began
    return Asked(ranked, {way: (likenesses, took[way]) for way, likenesses in found.items()})


def order(ranked: Sequence[Ranked], likenesses: Likenesses, weight: float) -> list[int]:
    """As fusion.with_tokens and ranking.reranked have it, with another weight; only what has a likeness moves."""
    first = [one.passage for one in ranked[: len(likenesses)]]
    scores = {one.passage: one.score + weight * likenesses[one.passage] for one in ranked[: len(first)]}
    return [*sorted(first, key=lambda pk: -scores[pk]), *(one.passage for one in ranked[len(first) :])]


def figures(
    given: RetrievalSet, owners: Sequence[int], asked: Mapping[str, Asked], way: str
) -> dict[float, list[float]]:
    """nDCG@10 x 100 of each query, by the weight of the likenesses; of weight 0 alone for what is not reranked."""
    import ir_measures

    measure = ir_measures.parse_measure("nDCG@10")
    found = {}
    for weight in (*WEIGHTS, 0.0) if way else (0.0,):
        run = {}
        for key, one in asked.items():
            passages = order(one.ranked, one.found[way][0] if way else {}, weight)
            documents = dict.fromkeys(given.documents[owners[passage]].id for passage in passages)
            run[key] = {document: -float(place) for place, document in enumerate(documents)}
        by_query = {
            metric.query_id: 100 * metric.value for metric in ir_measures.iter_calc([measure], given.qrels, run)
        }
        found[weight] = [by_query.get(key, 0.0) for key in given.queries]
    return found


def asked_of(given: RetrievalSet, passages: Sequence[Passage], sources: Sources) -> Iterator[tuple[str, Asked]]:
    """Each question, with the codes in a table as in the site's database."""
    with tempfile.TemporaryDirectory() as folder:
        file = sqlite3.connect(Path(folder) / "codes.sqlite3")
        stored_in(file, sources.codes(range(len(passages))))
        reading = replace(sources, codes=lambda wanted: read_from(file, wanted))
        looked_at(next(iter(given.queries.values())), passages, reading)  # loads the model
        for key, text in watched(list(given.queries.items()), "asking"):
            yield key, looked_at(text, passages, reading)
        file.close()


def rows(folder: Path, most_queries: int) -> Iterator[str]:
    from searchsite.insight import beir
    from searchsite.insight.evaluate import held, split_document
    from searchsite.search.fusion import TOKENS

    given = beir.read(folder, limit=most_queries)
    numbered = list(enumerate(given.documents))
    passages = [passage for part in watched(numbered, "splitting") for passage in split_document(*part)]
    owners = [passage.document for passage in passages]
    with held(passages, watched) as sources:
        asked = dict(asked_of(given, passages, sources))
        of_codes = mean(map(len, sources.codes(range(len(passages))).values()))
    size = (
        f"{folder.name}: {len(passages):,} passages of {of_codes:,.0f} bytes of codes "
        f"and {2 * (sources.space.dim - 1)} of vector"
    )
    peer = figures(given, owners, asked, PEER)[TOKENS]
    peer_seconds = median(one.found[PEER][1] for one in asked.values())
    for way in ("", CODES, *WAYS):
        by_weight = figures(given, owners, asked, way)
        ours = by_weight[TOKENS if way else 0.0]
        differences = [one - other for one, other in zip(ours, peer, strict=True)]
        lost = f"{mean(differences):+.1f} ± {stdev(differences) / len(ours) ** 0.5:.1f}" if way != PEER else ""
        seconds = median(one.found[way][1] for one in asked.values()) if way else 0.0
        times = f"{1000 * seconds:.1f} | {seconds / peer_seconds:.3f}" if way else " | "
        best = f"{max(map(mean, by_weight.values())):.1f}" if way else ""
        yield f"| {size} | {way or 'not (fused)'} | {mean(ours):.1f} | {lost} | {best} | {times} |"
        size = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--queries", type=int, default=100, help="0: all")
    options = parser.parse_args()
    os.environ["SEARCHSITE_RERANKER"] = "tokens"
    import django

    django.setup()
    print("| set | reranked by | nDCG@10 | to the states, ± standard error | at best | ms | to the states |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for folder in options.folders:
        for row in rows(folder, options.queries):
            print(row, flush=True)


if __name__ == "__main__":
    main()
