"""Tables and lines of JSON in which each row is a document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from searchsite.documents.sources import Found


@dataclass(frozen=True)
class Columns:
    """Which columns (in JSON: keys) of a row hold what; "" for none."""

    text: tuple[str, ...]
    title: str = ""
    id: str = ""


class MissingColumns(Exception):
    """Columns were named that the file lacks; as text a sentence that names those there are."""


def csv_rows(path: Path, columns: Columns) -> Iterator[Found]:
    """Each row of a CSV file with a header as a document. Raises MissingColumns and Problem before the first."""
    raise NotImplementedError


def jsonl_rows(path: Path, columns: Columns) -> Iterator[Found]:
    """Each line of JSON as a document. Raises MissingColumns and Problem before the first."""
    raise NotImplementedError


def is_beir(folder: Path) -> bool:
    """Whether a folder is laid out as BEIR's data sets are."""
    return (folder / "corpus.jsonl").is_file() and (folder / "queries.jsonl").is_file()


def beir(folder: Path) -> Iterator[Found]:
    """The documents of a folder laid out as BEIR's data sets are."""
    return jsonl_rows(folder / "corpus.jsonl", Columns(("text",), "title", "_id"))
