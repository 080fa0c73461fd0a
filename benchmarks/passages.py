"""How long should passages be, and how much should they overlap? nDCG@10 of documents by their best passage.

    python benchmarks/passages.py FOLDER... [--targets 100,200] [--overlaps 0,32] [--documents 500] [--queries 400]

FOLDER is in BEIR layout (corpus.jsonl, queries.jsonl, qrels.tsv) and should hold long documents. Each document is split
and encoded as the site does it (title and passage, the site's space). With fewer documents than the folder holds, all
that are relevant to the queries asked are kept, and others by the hash of their id. Prints a row for each length.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "searchsite.settings")

from languages import judgements, lines, ndcg


def by_hash(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return sorted(rows, key=lambda row: hashlib.sha256(row["_id"].encode()).digest())


def chosen(folder: Path, documents: int, queries: int) -> tuple[list[Any], list[Any], dict[str, dict[str, int]]]:
    """The documents and queries to measure with, and the grades of those documents."""
    grades = judgements(folder / "qrels.tsv")
    asked = by_hash([query for query in lines(folder / "queries.jsonl") if query["_id"] in grades])[:queries]
    relevant = {document for query in asked for document in grades[query["_id"]]}
    corpus = by_hash(lines(folder / "corpus.jsonl"))
    corpus.sort(key=lambda document: document["_id"] not in relevant)
    return corpus[: max(documents, len(relevant))], asked, grades


def measure(corpus: list[Any], asked: list[Any], grades: Any, target: int, overlap: int) -> tuple[int, int, float]:
    """Passages, their tokens, and nDCG@10 x 100."""
    from searchsite.documents.language import family
    from searchsite.documents.split import split
    from searchsite.index import backends, space
    from searchsite.index.vectors import encoded_text

    limit = backends.description().max_tokens
    tokens = backends.token_offsets()
    texts, owners, languages = [], [], []
    for row, document in enumerate(corpus):
        spans = split(document["text"], [], None, tokens, target, max(target, limit * 9 // 10), overlap)
        for span in spans:
            passage = document["text"][span.start : span.end]
            texts.append(encoded_text(document.get("title") or "", (), passage))
            languages.append(family(passage))
            owners.append(row)
    encoder, placed = backends.get_encoder(), space.current()
    passages = placed.place_passages(encoder.encode_passages(texts), languages)
    questions = encoder.encode_queries([query["text"] for query in asked])
    owner = np.array(owners)
    total = 0.0
    for query, vector in zip(asked, questions, strict=True):
        scores = passages @ placed.place_question(vector, family(query["text"]))
        best = np.full(len(corpus), -np.inf)
        np.maximum.at(best, owner, scores)
        ranked = [corpus[row]["_id"] for row in np.argsort(-best, kind="stable")[:10]]
        total += ndcg(ranked, grades[query["_id"]])
    return len(texts), sum(len(tokens(text)) for text in texts), 100 * total / len(asked)


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--targets", type=numbers, default=[100, 150, 200, 256, 320, 400])
    parser.add_argument("--overlaps", type=numbers, default=[0])
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--queries", type=int, default=400)
    options = parser.parse_args()
    import django

    django.setup()
    print("| set | documents | queries | target | overlap | passages | tokens encoded | nDCG@10 | seconds |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for folder in options.folders:
        corpus, asked, grades = chosen(folder, options.documents, options.queries)
        for target, overlap in product(options.targets, options.overlaps):
            began = time.perf_counter()
            count, tokens, score = measure(corpus, asked, grades, target, overlap)
            seconds = time.perf_counter() - began
            print(
                f"| {folder.name} | {len(corpus)} | {len(asked)} | {target} | {overlap} | {count} | {tokens} "
                f"| {score:.1f} | {seconds:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
