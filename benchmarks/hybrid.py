"""How well does the site find beside txtai's hybrid search, on the same passages with the same encoder's vectors?

    python benchmarks/hybrid.py FOLDER... [--queries 600]

FOLDER is in BEIR layout, as for `manage.py evaluate`: splitting, vectors, queries, measure and cache are those of that
command. txtai is no dependency of the site: copy the environment, and `pip install txtai==9.14.0` into the copy. Where
the environment must stay as it is, `pip install --no-deps --target DIRECTORY txtai==9.14.0 msgpack` and
PYTHONPATH=DIRECTORY do, since all else that it needs is here.

Prints nDCG@10 of documents by their best passage, and the median time of a query without its encoding, of
- txtai as it comes: BM25 over words (Chinese: over single characters), added to the cosine half and half;
- txtai at its best: with those of its options below that do best on these very queries, so in its favour;
- txtai in the site's space: likewise, and it is handed the vectors in which the languages meet (index/space.py);
- the site's fused and reranked.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "searchsite.settings")

if TYPE_CHECKING:
    from searchsite.index.vectors import Matrix
    from searchsite.insight.beir import RetrievalSet
    from searchsite.insight.evaluate import Passage
    from searchsite.search.ranking import Question, Sources

T = TypeVar("T")
Ranker = Callable[[str], list[int]]  # a query's id -> the numbers of documents, best first
Vectors = dict[str, "Matrix"]  # of each passage and question by its text

MISSING = (
    "txtai is not installed in this environment, so there is nothing to compare with: see --help for how to get it."
)
LIMIT = 100  # passages asked of txtai, which looks at ten times as many in each index: the site's DEPTH
ENOUGH = 10  # documents

# All pairs of neighbouring Chinese characters, and whole words of what is not Chinese.
PAIRS = r"(?=(\p{Han}{2}|(?<![^\W\p{Han}])[^\W\p{Han}]+))"
TOKENIZERS: dict[str, dict[str, Any]] = {
    "words": {},
    "words but stop words": {"tokenizer": {"stopwords": True}},
    "Chinese in pairs": {"tokenizer": {"regexp": PAIRS}},
}
FUSIONS: dict[str, dict[str, Any]] = {
    "added": {"normalize": True},
    "log-odds": {"normalize": "bb25"},
    "by rank": {"normalize": False},
}
WEIGHTS = (0.3, 0.5, 0.7, 0.9, 0.97)  # of the vectors, whose cosines lie close together: 0.7 to 0.9 with e5


@dataclass(frozen=True)
class Asked:
    """A set with its passages, and all its questions encoded once."""

    given: RetrievalSet
    passages: list[Passage]
    sources: Sources
    questions: dict[str, Question]
    owners: list[int]
    """The number of each passage's document."""


def watched(items: Sequence[T], doing: str) -> Iterator[T]:
    from django.core.management.base import OutputWrapper

    from searchsite.terminal import ProgressBar

    with ProgressBar(len(items), OutputWrapper(sys.stderr)) as bar:
        for item in items:
            yield item
            bar.step(doing)


def vectors_of(asked: Asked, *, placed: bool) -> Vectors:
    """By text the encoder's own vectors, or what the site makes of them (txtai brings all to length 1 again)."""
    from searchsite.index import backends
    from searchsite.index.vectors import as_matrix
    from searchsite.insight.kept import passages_kept

    kept = passages_kept([(passage.text, passage.language) for passage in asked.passages], watched)
    own = as_matrix([vector for vector, _codes in kept], backends.description().dim)
    texts, queries = [passage.text for passage in asked.passages], asked.given.queries
    if placed:
        own = asked.sources.space.place_passages(own, [passage.language for passage in asked.passages])
        questions = {text: asked.questions[key].vector for key, text in queries.items()}
    else:
        encode = backends.get_encoder().encode_queries
        questions = {text: encode([text])[0] for text in watched(list(queries.values()), "encoding")}
    return dict(zip(texts, own, strict=True)) | questions


def built(asked: Asked, vectors: Vectors, options: dict[str, Any]) -> Any:
    """txtai's index of the passages, numbered as in their list."""
    from txtai.embeddings import Embeddings  # type: ignore[import-not-found, unused-ignore]

    def transform(texts: Sequence[str]) -> Matrix:
        return np.stack([vectors[text] for text in texts])

    index = Embeddings({"method": "external", "transform": transform, "hybrid": True, "content": False, **options})
    index.index((number, passage.text) for number, passage in enumerate(asked.passages))
    return index


def ranked_by_txtai(asked: Asked, index: Any, weight: float | None, key: str) -> list[int]:
    limit = LIMIT
    while True:
        found = index.search(asked.given.queries[key], limit, weight)
        documents = list(dict.fromkeys(asked.owners[passage] for passage, _score in found))
        if len(documents) >= ENOUGH or len(found) < limit:
            return documents
        limit *= 4


def measured(asked: Asked, rankers: dict[str, Ranker], doing: str) -> dict[str, tuple[float, float]]:
    """Of each (nDCG@10 x 100, median seconds). They take turns at each query, so that other work hits all alike."""
    from searchsite.insight.evaluate import means

    runs: dict[str, dict[str, list[str]]] = {name: {} for name in rankers}
    seconds: dict[str, list[float]] = {name: [] for name in rankers}
    for key in watched(list(asked.given.queries), doing):
        for name, rank in rankers.items():
            began = time.perf_counter()
            documents = rank(key) if asked.given.queries[key].strip() else []
            seconds[name].append(time.perf_counter() - began)
            runs[name][key] = [asked.given.documents[number].id for number in documents]
    return {name: (100 * means(asked.given.qrels, run)["nDCG@10"], median(seconds[name])) for name, run in runs.items()}


def tuned(asked: Asked, vectors: Vectors) -> tuple[str, Ranker]:
    """The setting of txtai that does best on these queries, in words, and its ranking: first how it fuses, then how it
    splits text."""
    found: dict[str, tuple[float, Ranker]] = {}

    def best() -> str:
        return max(found, key=lambda name: found[name][0])

    for fusing in FUSIONS:
        found |= tried(asked, vectors, "words", fusing)
    fusing = best().split(", ")[1]
    for tokens in list(TOKENIZERS)[1:]:
        found |= tried(asked, vectors, tokens, fusing)
    return best(), found[best()][1]


def tried(asked: Asked, vectors: Vectors, tokens: str, fusing: str) -> dict[str, tuple[float, Ranker]]:
    """nDCG@10 and ranking of txtai with this tokenizer and this fusion, by each of WEIGHTS."""
    scoring = {"method": "bm25", "terms": True, **TOKENIZERS[tokens], **FUSIONS[fusing]}
    # Its own choice for more than 5,000 passages is approximate.
    index = built(asked, vectors, {"scoring": scoring, "faiss": {"components": "IDMap,Flat"}})
    rankers: dict[str, Ranker] = {
        f"{tokens}, {fusing}, vectors {weight}": partial(ranked_by_txtai, asked, index, weight) for weight in WEIGHTS
    }
    figures = measured(asked, rankers, f"txtai: {tokens}, {fusing}")
    return {name: (ndcg, rankers[name]) for name, (ndcg, _seconds) in figures.items()}


def compared(asked: Asked) -> dict[str, tuple[float, float]]:
    from searchsite.insight.evaluate import ranked_documents, systems

    def ranked_here(find: Any, key: str) -> list[int]:
        return ranked_documents(partial(find, asked.questions[key], asked.sources), asked.owners)

    own, placed = vectors_of(asked, placed=False), vectors_of(asked, placed=True)
    (setting, best), (setting_placed, best_placed) = tuned(asked, own), tuned(asked, placed)
    rankers: dict[str, Ranker] = {
        "txtai as it comes": partial(ranked_by_txtai, asked, built(asked, own, {}), None),
        f"txtai at its best ({setting})": best,
        f"txtai in the site's space ({setting_placed})": best_placed,
    }
    here = {name: partial(ranked_here, find) for name, find in systems().items() if name in ("fused", "reranked")}
    return measured(asked, rankers | here, "asking")


def rows(folder: Path, most_queries: int) -> Iterator[str]:
    from searchsite.insight import beir
    from searchsite.insight.evaluate import held, split_document
    from searchsite.search.query import parse
    from searchsite.search.ranking import understood

    given = beir.read(folder, limit=most_queries)
    numbered = list(enumerate(given.documents))
    passages = [passage for part in watched(numbered, "splitting") for passage in split_document(*part)]
    with held(passages, watched) as sources:
        questions = {key: understood(parse(text), sources.space) for key, text in given.queries.items()}
        owners = [passage.document for passage in passages]
        figures = compared(Asked(given, passages, sources, questions, owners))
    first, _seconds = next(iter(figures.values()))
    size = f"{folder.name}: {len(passages)} passages, {len(questions)} queries"
    for name, (ndcg, seconds) in figures.items():
        yield f"| {size} | {name} | {ndcg:.1f} | {ndcg / first:.3f} | {1000 * seconds:.1f} |"
        size = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--queries", type=int, default=600, help="0: all")
    options = parser.parse_args()
    import django

    django.setup()
    try:
        import txtai.embeddings  # type: ignore[import-not-found, unused-ignore]  # noqa: F401
    except ImportError:
        sys.exit(MISSING)
    print("| set | system | nDCG@10 | to txtai as it comes | ms a query |\n| --- | --- | --- | --- | --- |", flush=True)
    for folder in options.folders:
        for row in rows(folder, options.queries):
            print(row, flush=True)


if __name__ == "__main__":
    main()
