"""Retrieval sets in the layout of BEIR: what there is to find, what is asked, and which documents answer it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchsite.documents.sources.rows import LONGEST_TITLE, as_text

CORPUS, QUERIES = "corpus.jsonl", "queries.jsonl"
QRELS = ("qrels.tsv", "qrels/test.tsv")  # the second is where BEIR's own sets have it
LONGEST_SHOWN = 60  # characters of a line, in a sentence about it

Qrels = dict[str, dict[str, int]]


class BadSet(Exception):
    """A folder is no retrieval set that can be used. The message is a sentence that names file and line."""


@dataclass(frozen=True)
class Document:
    """A document of a corpus, its title on one line, as an import into the site would have it."""

    id: str
    title: str
    text: str


@dataclass(frozen=True)
class RetrievalSet:
    """A corpus in its order, the queries to ask of it by their ids, and of each the documents that answer it.

    qrels: query id -> document id -> grade above 0; of each query at least one. Some may name documents that the
    corpus lacks (`missing` judgements): they count as never found.
    """

    documents: list[Document]
    queries: dict[str, str]
    qrels: Qrels
    missing: int


def read(folder: Path, qrels: str = "", limit: int = 0, fold: int | None = None) -> RetrievalSet:
    """The set in a folder, with those `limit` queries that come first by the SHA-256 of their ids (0: with all).

    qrels: another file of judgements, or its path within the folder. fold: 0 or 1 leaves only the queries whose hash
    ends in an even or an odd digit, so that what is chosen by one half can be tried on the other.
    Queries that nothing answers are left out. Raises BadSet.
    """
    if not folder.is_dir():
        raise BadSet(f"There is no folder {folder}.")
    judged = _judgements(_qrels_file(folder, qrels))
    queries = {key: _string(row, "text", place) for key, row, place in _rows(folder / QUERIES)}
    asked = chosen([key for key in queries if key in judged], limit, fold)
    if not asked:
        half = "" if fold is None else f" of fold {fold}"
        raise BadSet(f"{folder}: no query{half} in {QUERIES} has a judgement above 0 in {_qrels_file(folder, qrels)}.")
    documents = [_document(key, row, place) for key, row, place in _rows(folder / CORPUS)]
    known = {document.id for document in documents}
    answers = {key: judged[key] for key in asked}
    missing = sum(document not in known for grades in answers.values() for document in grades)
    if missing == sum(map(len, answers.values())):
        raise BadSet(f"{folder}: none of the documents judged for its queries is in {CORPUS}.")
    return RetrievalSet(documents, {key: queries[key] for key in asked}, answers, missing)


def chosen(queries: list[str], limit: int, fold: int | None) -> list[str]:
    """The first `limit` of these query ids (0: all) in the order of their hashes, of one half or both: see `read`."""
    hashed = sorted((hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest(), key) for key in queries)
    ordered = [key for digest, key in hashed if fold is None or int(digest[-1], 16) % 2 == fold]
    return ordered[:limit] if limit else ordered


def _qrels_file(folder: Path, given: str) -> Path:
    places = [Path(given), folder / given] if given else [folder / name for name in QRELS]
    for place in places:
        if place.is_file():
            return place
    if given:
        raise BadSet(f"There is no file {given}, and none in {folder}.")
    raise BadSet(f"{folder} has no judgements: neither {QRELS[0]} nor {QRELS[1]}. Name the file: --qrels FILE.")


def _judgements(path: Path) -> Qrels:
    """The grades above 0 of a file of lines `query-id <tab> corpus-id <tab> score`, its first the header."""
    found: Qrels = {}
    for number, line in _lines(path):
        fields = line.split("\t")
        if number == 1 and (len(fields) != 3 or not _is_whole(fields[2])):
            continue  # the header
        if len(fields) != 3 or not _is_whole(fields[2]):
            raise BadSet(
                f"{path}, line {number}: “{_short(line)}” is no query, document and whole number between tabs."
            )
        query, document, score = fields
        if int(score) > 0:
            found.setdefault(query, {})[document] = int(score)
    return found


def _is_whole(text: str) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any], str]]:
    """(id, the object, where it stands) of each line of a file; no id stands twice."""
    if not path.is_file():
        raise BadSet(f"{path.parent} has no {path.name}.")
    lines: dict[str, int] = {}
    for number, line in _lines(path):
        place = f"{path}, line {number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            raise BadSet(f"{place}: “{_short(line)}” is no JSON object.")
        key = row.get("_id")
        key = str(key) if isinstance(key, int) else key
        if not isinstance(key, str) or not key:
            raise BadSet(f"{place}: it has no “_id”.")
        if key in lines:
            raise BadSet(f"{place}: the “_id” {_short(key)} is that of line {lines[key]}, too.")
        lines[key] = number
        yield key, row, place


def _document(key: str, row: dict[str, Any], place: str) -> Document:
    title = " ".join(_string(row, "title", place, "").split())[:LONGEST_TITLE]
    text = _string(row, "text", place)
    return Document(key, title, text if text.strip() else title)


def _string(row: dict[str, Any], name: str, place: str, default: str | None = None) -> str:
    value = row.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise BadSet(f"{place}: its “{name}” is {'missing' if value is None else 'no text'}.")
    return as_text(value)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that hold something, without their ends, numbered from 1."""
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except UnicodeDecodeError:
        raise BadSet(f"{path} is not in UTF-8.") from None
    except OSError as error:
        raise BadSet(f"{path} cannot be read ({error.strerror}).") from error


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
