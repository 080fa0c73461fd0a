"""Does taking out the languages' offsets help? nDCG@10 in the encoder's own space and in the site's, side by side.

    python benchmarks/languages.py FOLDER... [--queries 400]

FOLDER is in BEIR layout (corpus.jsonl, queries.jsonl, qrels.tsv). Texts are cut to about 256 tokens, since the splitter
is not what is measured here. Prints one row a folder, both spaces measured on the same vectors.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "searchsite.settings")

CUT = {"zh": 350, "en": 1000, "other": 600}  # characters that are about 256 tokens


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.open(encoding="utf-8")]


def judgements(path: Path) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for line in path.read_text().splitlines()[1:]:
        query, document, grade = line.split("\t")
        found.setdefault(query, {})[document] = int(grade)
    return found


def ndcg(ranked: list[str], grades: dict[str, int], k: int = 10) -> float:
    """Normalised discounted cumulative gain, with gain 2^grade - 1 (Burges et al. 2005)."""

    def dcg(ordered: list[int]) -> float:
        return sum((2**grade - 1) / np.log2(place + 2) for place, grade in enumerate(ordered[:k]))

    ideal = dcg(sorted(grades.values(), reverse=True))
    return dcg([grades.get(document, 0) for document in ranked[:k]]) / ideal if ideal else 0.0


def measure(folder: Path, most_queries: int) -> tuple[int, int, float, float]:
    from searchsite.documents.language import family
    from searchsite.index import backends, space

    corpus = lines(folder / "corpus.jsonl")
    grades = judgements(folder / "qrels.tsv")
    queries = [query for query in lines(folder / "queries.jsonl") if query["_id"] in grades]
    queries = sorted(queries, key=lambda query: hashlib.sha256(query["_id"].encode()).digest())[:most_queries]
    texts = [f"{document.get('title') or ''}\n{document['text']}".strip() for document in corpus]
    languages = [family(text) for text in texts]
    encoder, placed = backends.get_encoder(), space.current()
    passages = encoder.encode_passages([text[: CUT[lang]] for text, lang in zip(texts, languages, strict=True)])
    questions = encoder.encode_queries([query["text"] for query in queries])
    here = placed.place_passages(passages, languages)
    totals = np.zeros(2)
    for query, vector in zip(queries, questions, strict=True):
        question = placed.place_question(vector, family(query["text"]))
        for number, scores in enumerate((passages @ vector, here @ question)):
            best = [corpus[row]["_id"] for row in np.argsort(-scores, kind="stable")[:10]]
            totals[number] += ndcg(best, grades[query["_id"]])
    own, site = 100 * totals / len(queries)
    return len(corpus), len(queries), own, site


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--queries", type=int, default=400)
    options = parser.parse_args()
    import django

    django.setup()
    print(
        "| set | passages | queries | encoder's space | site's space | ratio |\n| --- | --- | --- | --- | --- | --- |"
    )
    for folder in options.folders:
        corpus, queries, own, site = measure(folder, options.queries)
        print(f"| {folder.name} | {corpus} | {queries} | {own:.1f} | {site:.1f} | {site / own:.3f} |", flush=True)


if __name__ == "__main__":
    main()
