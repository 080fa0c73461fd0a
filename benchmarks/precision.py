"""Do vectors find as well in the type in which the encoder computes here as in float32?

    python benchmarks/precision.py FOLDER [--checkpoint e5-small|minilm|both] [--types float32 auto] [--documents N]

FOLDER is in BEIR layout. Documents are encoded whole, as title and text; each query's nearest by cosine are measured by
nDCG@10, in per cent. Beside it stands how much of the ten nearest in float32 is among the ten nearest, and how often a
document's vector has a cosine to its own in float32 below 0.999. With --documents those that are judged are taken, and
of the others, by the hash of their ids, so many that it is N in all.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from languages import judgements, lines, ndcg

import encoder
from encoder import local

K = 10
Found = tuple[np.ndarray, np.ndarray, str]


def vectors(description: encoder.Description, kind: Any, documents: list[str], queries: list[str]) -> Found:
    loaded = local.load(description, dtype=kind)
    name = type(loaded.model.encoder).__name__.replace("Layers", "").lower()
    return loaded.encode_passages(documents), loaded.encode_queries(queries), f"{kind} ({name}, {loaded._dtype()})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--checkpoint", choices=["e5-small", "minilm", "both"], default="both")
    parser.add_argument("--types", nargs="+", default=["float32", "auto"])
    parser.add_argument("--models", type=Path, default=Path("var/models"), help="where checkpoints are made ready")
    parser.add_argument("--documents", type=int)
    asked = parser.parse_args()
    corpus, judged = lines(asked.folder / "corpus.jsonl"), judgements(asked.folder / "qrels.tsv")
    queries = [row for row in lines(asked.folder / "queries.jsonl") if row["_id"] in judged]
    answers = {document for own in judged.values() for document in own}
    corpus.sort(key=lambda row: (row["_id"] not in answers, hashlib.sha256(row["_id"].encode()).digest()))
    corpus = corpus[: asked.documents]
    ids = [row["_id"] for row in corpus]
    texts = [f"{row.get('title', '')}\n{row['text']}".strip() for row in corpus]
    print(
        "| checkpoint | type | nDCG@10 | of the ten nearest in float32 | documents below 0.999 |\n" + "| --- " * 5 + "|"
    )
    for name in ["minilm", "e5-small"] if asked.checkpoint == "both" else [asked.checkpoint]:
        description, exact = encoder.describe(name, asked.models), None
        for kind in asked.types:
            held, placed, said = vectors(description, kind, texts, [row["text"] for row in queries])
            nearest = np.argsort(-(placed @ held.T), axis=1, kind="stable")[:, :K]
            exact = exact or (held, nearest)
            same = np.mean([len(set(own) & set(other)) for own, other in zip(nearest, exact[1], strict=True)]) / K
            below = int(((held * exact[0]).sum(axis=1) < 0.999).sum())
            scores = [
                ndcg([ids[place] for place in found], judged[row["_id"]])
                for row, found in zip(queries, nearest.tolist(), strict=True)
            ]
            print(f"| {name} | {said} | {100 * np.mean(scores):.2f} | {same:.1%} | {below} of {len(ids)} |", flush=True)


if __name__ == "__main__":
    main()
