"""Retrieval sets in the layout of BEIR: what there is to find, what is asked, and which documents answer it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from django.utils.translation import gettext_noop as _

from searchsite.documents.sources.rows import LONGEST_TITLE, as_text

CORPUS, QUERIES = "corpus.jsonl", "queries.jsonl"
QRELS = ("qrels.tsv", "qrels/test.tsv")  # the second is where BEIR's own sets have it
LONGEST_SHOWN = 60  # characters of a line, in a sentence about it

UNREADABLE = _("%(path)s cannot be read (%(error)s).")

Qrels = dict[str, dict[str, int]]


class BadSet(Exception):
    """A folder is no retrieval set that can be used. The message is a sentence that names file and line.

    It is English, for commands; pages say `form` in the reader's language, with the same `values` (JSON-able).
    """

    def __init__(self, form: str, **values: Path | str | int) -> None:
        self.form = form
        self.values = {name: value if isinstance(value, int) else str(value) for name, value in values.items()}
        super().__init__(form % self.values)


class Place(NamedTuple):
    """A line of a file, from 1."""

    path: Path
    number: int


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
        raise BadSet(_("There is no folder %(folder)s."), folder=folder)
    judged = _judgements(_qrels_file(folder, qrels))
    queries = {key: _string(row, "text", place) for key, row, place in _rows(folder / QUERIES)}
    asked = chosen([key for key in queries if key in judged], limit, fold)
    if not asked:
        places: dict[str, Path | str] = {"folder": folder, "file": QUERIES, "judgements": _qrels_file(folder, qrels)}
        if fold is None:
            raise BadSet(_("%(folder)s: no query in %(file)s has a judgement above 0 in %(judgements)s."), **places)
        form = _("%(folder)s: no query of fold %(fold)s in %(file)s has a judgement above 0 in %(judgements)s.")
        raise BadSet(form, fold=fold, **places)
    documents = [_document(key, row, place) for key, row, place in _rows(folder / CORPUS)]
    known = {document.id for document in documents}
    answers = {key: judged[key] for key in asked}
    missing = sum(document not in known for grades in answers.values() for document in grades)
    if missing == sum(map(len, answers.values())):
        form = _("%(folder)s: none of the documents judged for its queries is in %(file)s.")
        raise BadSet(form, folder=folder, file=CORPUS)
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
        raise BadSet(_("There is no file %(file)s, and none in %(folder)s."), file=given, folder=folder)
    form = _("%(folder)s has no judgements: neither %(first)s nor %(second)s. Name the file: --qrels FILE.")
    raise BadSet(form, folder=folder, first=QRELS[0], second=QRELS[1])


def _judgements(path: Path) -> Qrels:
    """The grades above 0 of a file of lines `query-id <tab> corpus-id <tab> score`, its first the header."""
    found: Qrels = {}
    for number, line in _lines(path):
        fields = line.split("\t")
        if number == 1 and (len(fields) != 3 or not _is_whole(fields[2])):
            continue  # the header
        if len(fields) != 3 or not _is_whole(fields[2]):
            form = _("%(path)s, line %(number)s: “%(line)s” is no query, document and whole number between tabs.")
            raise BadSet(form, path=path, number=number, line=_short(line))
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


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any], Place]]:
    """(id, the object, where it stands) of each line of a file; no id stands twice."""
    if not path.is_file():
        raise BadSet(_("%(folder)s has no %(file)s."), folder=path.parent, file=path.name)
    lines: dict[str, int] = {}
    for number, line in _lines(path):
        place = Place(path, number)
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            form = _("%(path)s, line %(number)s: “%(line)s” is no JSON object.")
            raise BadSet(form, line=_short(line), **place._asdict())
        key = row.get("_id")
        key = str(key) if isinstance(key, int) else key
        if not isinstance(key, str) or not key:
            raise BadSet(_("%(path)s, line %(number)s: it has no “_id”."), **place._asdict())
        if key in lines:
            form = _("%(path)s, line %(number)s: the “_id” %(id)s is that of line %(other)s, too.")
            raise BadSet(form, id=_short(key), other=lines[key], **place._asdict())
        lines[key] = number
        yield key, row, place


def _document(key: str, row: dict[str, Any], place: Place) -> Document:
    title = " ".join(_string(row, "title", place, "").split())[:LONGEST_TITLE]
    text = _string(row, "text", place)
    return Document(key, title, text if text.strip() else title)


def _string(row: dict[str, Any], name: str, place: Place, default: str | None = None) -> str:
    value = row.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        missing = _("%(path)s, line %(number)s: its “%(name)s” is missing.")
        form = missing if value is None else _("%(path)s, line %(number)s: its “%(name)s” is no text.")
        raise BadSet(form, name=name, **place._asdict())
    return as_text(value)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that hold something, without their ends, numbered from 1."""
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except UnicodeDecodeError:
        raise BadSet(_("%(path)s is not in UTF-8."), path=path) from None
    except OSError as error:
        raise BadSet(UNREADABLE, path=path, error=error.strerror or "") from error


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
