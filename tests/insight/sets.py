"""Small retrieval sets, written as BEIR's are."""

from __future__ import annotations

import json
from pathlib import Path

# Four words each, so that the order by any measure of likeness to "heron" is plain.
HERONS = {
    "thrice": "heron heron heron otter",
    "twice": "heron heron otter otter",
    "once": "heron otter otter otter",
    "never": "willow willow willow willow",
}


def write_set(
    folder: Path,
    documents: dict[str, str | dict],
    queries: dict[str, str],
    judged: dict[str, dict[str, int]],
    qrels: str = "qrels.tsv",
) -> Path:
    """A set in that folder, from texts (or {"title", "text"}) by their ids, and grades by query and document."""
    (folder / qrels).parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {"_id": key, "title": "", **(value if isinstance(value, dict) else {"text": value})}
        for key, value in documents.items()
    ]
    (folder / "corpus.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    asked = [{"_id": key, "text": text} for key, text in queries.items()]
    (folder / "queries.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in asked))
    lines = [
        f"{query}\t{document}\t{grade}\n" for query, grades in judged.items() for document, grade in grades.items()
    ]
    (folder / qrels).write_text("".join(["query-id\tcorpus-id\tscore\n", *lines]))
    return folder
