"""Tables and lines of JSON in which each row is a document. Files of any length are read as a stream."""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import json
import os
import re
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count, islice
from pathlib import Path
from typing import IO, Any, cast

from django.conf import settings
from django.utils.translation import gettext as _

from searchsite.documents.extract import charsets, safe_name
from searchsite.documents.extract.rows import LONGEST_FIELD, SAMPLE, delimiter_of
from searchsite.documents.extract.text import MARKS, MOST_UNREADABLE, MOST_WRONG, UNREADABLE
from searchsite.documents.problems import Problem
from searchsite.documents.sources import Found, as_path, as_source

SCHEME = "rows:"  # so that rows have other sources than the files below the same folder
COMPRESSED = ".gz"
BROKEN_STREAM = (gzip.BadGzipFile, zlib.error, EOFError)
PIECE = 2**20  # bytes
LONGEST_LINE = 8  # for each character of text that is allowed: JSON may write six, "\u4e2d"
# Where a row of CSV is broken, the lines behind its first are read again: so much of one row, and of a file so many
# times what it has. A line counts as so many characters more.
AGAIN, TIMES_AGAIN, PER_LINE = 2**22, 10, 100  # characters, times, characters
LOOKED_AT = 100  # lines of JSON in which a named key must be found
NAMED = 50  # columns in a sentence
LONGEST_TITLE = 300  # characters, as the model has
SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can write a half of a character
REPLACED = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Columns:
    """Which columns (in JSON: keys) of a row hold what; "" for none."""

    text: tuple[str, ...]
    title: str = ""
    id: str = ""

    def named(self) -> list[str]:
        return [name for name in (*self.text, self.title, self.id) if name]


class MissingColumns(Exception):
    """Columns were named that the file lacks; as text a sentence that names those there are."""

    def __init__(self, missing: list[str], present: list[str], name: str) -> None:
        sentence = _("%(name)s has no column %(missing)s. Its columns are: %(present)s.")
        shown = ", ".join(present[:NAMED]) + (" …" if len(present) > NAMED else "")
        super().__init__(sentence % {"name": name, "missing": ", ".join(missing), "present": shown})


# What is read of a file: (number of the row or line, its values by column, or why it cannot be read).
Row = tuple[int, dict[str, Any] | Problem]


def csv_rows(path: Path, columns: Columns) -> Iterator[Found]:
    """Each row of a CSV file with a header as a document; row 1 is the header, as in a spreadsheet.

    A row that cannot be read is found with its problem, and the rest goes on.
    Raises MissingColumns and Problem ("not_what_it_says", "damaged", "no_text" for no header) before the first, and
    Problem("damaged") where it cannot go on: what comes then is not known.
    """
    encoding = _encoding(path)
    with _text_of(path, encoding) as text:
        delimiter = delimiter_of(text.read(SAMPLE))
    with _text_of(path, encoding) as text:
        csv.field_size_limit(LONGEST_FIELD)
        rows = _csv(_lines(text), delimiter)
        header = next((row for _number, row in rows if not isinstance(row, Problem) and any(row)), None)
        if header is None:
            raise Problem("no_text")
        names = [name.strip() for name in header]
        _check_columns(columns.named(), names, path)
        cells = ((number, _by_name(names, row)) for number, row in rows if isinstance(row, Problem) or any(row))
        yield from _documents(cells, columns, path, _("%(file)s, row %(number)s"))


def jsonl_rows(path: Path, columns: Columns) -> Iterator[Found]:
    """Each line of JSON as a document; what a line holds in lists and objects is written out.

    A line that is no object is found with its problem, and the rest goes on.
    Raises MissingColumns (a key that none of the first 100 lines has) and Problem ("not_what_it_says", "damaged")
    before the first, and Problem("damaged") where it cannot go on: what comes then is not known.
    """
    return _jsonl(path, columns, columns.named())


def is_beir(folder: Path) -> bool:
    """Whether a folder is laid out as BEIR's data sets are."""
    return (folder / "corpus.jsonl").is_file() and (folder / "queries.jsonl").is_file()


def beir(folder: Path) -> Iterator[Found]:
    """The documents of a folder laid out as BEIR's data sets are; some have no titles. Raises as `jsonl_rows`."""
    return _jsonl(folder / "corpus.jsonl", Columns(("text",), "title", "_id"), ["text", "_id"])


def _jsonl(path: Path, columns: Columns, needed: list[str]) -> Iterator[Found]:
    with _text_of(path, _encoding(path)) as text:
        rows = _json_lines(_lines(text))
        first = list(islice(rows, LOOKED_AT))
        present = dict.fromkeys(key for _number, row in first if isinstance(row, dict) for key in row)
        if present:
            _check_columns(needed, list(present), path)
        yield from _documents(chain(first, rows), columns, path, _("%(file)s, line %(number)s"))


def _documents(rows: Iterator[Row], columns: Columns, path: Path, where: str) -> Iterator[Found]:
    """where: a sentence's pattern for the place of a row in its file."""
    base = f"{SCHEME}{os.path.abspath(path)}#"
    seen: set[str] = set()
    for number, row in rows:
        shown = as_path(where % {"file": path.name, "number": number})
        if isinstance(row, Problem):
            yield Found(as_source(f"{base}{number}?"), shown, shown, 0, None, problem=row, unidentified=True)
            continue
        title, text = _title_and_text(row, columns)
        key = as_text(row.get(columns.id)).strip() if columns.id else ""
        given, key = bool(key), key or hashlib.sha256(f"{title}\n{text}".encode()).hexdigest()[:16]
        if key in seen and not given:
            continue  # equal rows are one document
        problem = _problem(title, text) or (Problem("same_id", id=key) if key in seen else None)
        source = f"{base}{key}" if key not in seen else f"{base}{key}?{number}"
        seen.add(key)
        name = safe_name(re.sub(r"[/\\]", "_", key) + ".txt")
        text = text or title
        size = len(text.encode())
        yield Found(
            as_source(source), name, shown, size, None, title[:LONGEST_TITLE], None if problem else text, problem
        )


def _title_and_text(row: dict[str, Any], columns: Columns) -> tuple[str, str]:
    title = " ".join(as_text(row.get(columns.title)).split()) if columns.title else ""
    texts = [(name, as_text(row.get(name)).strip()) for name in columns.text]
    several = len(columns.text) > 1
    return title, "\n\n".join(f"{name}: {text}" if several else text for name, text in texts if text)


def _problem(title: str, text: str) -> Problem | None:
    if not title and not text.strip():
        return Problem("no_text")
    limit = settings.SEARCHSITE_MAX_CHARACTERS
    return Problem("too_much_text", limit=limit) if len(text) > limit else None


def as_text(value: Any) -> str:
    """A value of JSON as text: a list or an object as lines, nothing for null."""
    if value is None:
        return ""
    if isinstance(value, str):
        return SURROGATE.sub(REPLACED, value.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n"))
    if isinstance(value, list):
        return "\n".join(filter(None, map(as_text, value)))
    if isinstance(value, dict):
        return "\n".join(f"{as_text(key)}: {text}" for key, item in value.items() if (text := as_text(item)))
    return json.dumps(value)


def _json_lines(lines: Iterator[tuple[int, str | None]]) -> Iterator[Row]:
    for number, line in lines:
        if line is None:
            yield number, Problem("too_much_text", limit=settings.SEARCHSITE_MAX_CHARACTERS)
        elif line.strip():
            try:
                value = json.loads(line)
                as_text(value)  # what is nested too deep to be written out is found here
            except (ValueError, RecursionError):
                value = None
            yield number, value if isinstance(value, dict) else Problem("damaged")


def _csv(lines: Iterator[tuple[int, str | None]], delimiter: str) -> Iterator[tuple[int, list[str] | Problem]]:
    """(number, cells) of each row. Strict, since a quote out of place would make one cell of all up to the next quote.

    Where that happens the row's first line is what is broken, and those behind it are read once more, if that is not
    too much. Raises Problem("damaged").
    """
    again: deque[str] = deque()
    row: list[str] = []
    size, left = 0, AGAIN  # of the row but its first line; of what may be read again
    most = LONGEST_LINE * settings.SEARCHSITE_MAX_CHARACTERS

    def fed() -> Iterator[str]:
        nonlocal size
        for line in chain(iter(lambda: again.popleft() if again else None, None), (line for _number, line in lines)):
            if line is None or size > most:
                raise Problem("damaged")
            size += len(line) + PER_LINE if row else 0
            if size <= AGAIN:  # else it may still be read, but not again
                row.append(line)
            yield line

    reader = csv.reader(fed(), delimiter=delimiter, strict=True)
    for number in count(1):
        row.clear()
        size = 0
        try:
            yield number, next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield number, Problem("damaged")
            left -= size
            if size > AGAIN or left < 0:
                raise Problem("damaged") from None
            again.extendleft(reversed(row[1:]))
            reader = csv.reader(fed(), delimiter=delimiter, strict=True)
        left += TIMES_AGAIN * (len(row[0]) + PER_LINE)


def _by_name(names: list[str], cells: list[str] | Problem) -> dict[str, Any] | Problem:
    """The cells by column; of two columns with one name the first counts. More cells than columns are out of place."""
    if isinstance(cells, Problem) or any(cell.strip() for cell in cells[len(names) :]):
        return cells if isinstance(cells, Problem) else Problem("damaged")
    return dict(reversed(list(zip(names, cells, strict=False))))


def _check_columns(needed: list[str], present: list[str], path: Path) -> None:
    if missing := [name for name in needed if name not in present]:
        raise MissingColumns(missing, present, path.name)


def _lines(text: io.TextIOWrapper) -> Iterator[tuple[int, str | None]]:
    """Each line with its number; None for one that is too long to be held in memory."""
    most = LONGEST_LINE * settings.SEARCHSITE_MAX_CHARACTERS
    number = 0
    while line := text.readline(most):
        number += 1
        rest = line
        while len(rest) == most and rest[-1] not in "\r\n":
            rest = text.readline(most)
        yield number, line if rest is line else None


@contextmanager
def _text_of(path: Path, encoding: str) -> Iterator[io.TextIOWrapper]:
    """The file's text. Raises Problem("damaged") where the block reads what cannot be unpacked."""
    try:
        with _bytes_of(path) as data, io.TextIOWrapper(data, encoding, "replace", newline="") as text:
            yield text
    except BROKEN_STREAM as error:
        raise Problem("damaged") from error


def _bytes_of(path: Path) -> IO[bytes]:
    is_compressed = path.suffix.lower() == COMPRESSED
    return cast(IO[bytes], gzip.open(path) if is_compressed else path.open("rb"))


def _encoding(path: Path) -> str:
    """The character set of a file, for which it is read once from end to end: what is not ASCII may come late.

    Raises Problem: "not_what_it_says" for what is no text, "damaged".
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    wrong = beyond_ascii = 0
    sample = b""
    try:
        with _bytes_of(path) as data:
            start = piece = data.read(PIECE)
            for mark, encoding in MARKS.items():
                if start.startswith(mark):
                    return encoding
            while piece:
                text = decoder.decode(piece)
                wrong_here = text.count(REPLACED)
                sample = sample or (piece if wrong_here else b"")
                wrong += wrong_here
                beyond_ascii += len(text) - len(text.encode("ascii", "ignore"))
                piece = data.read(PIECE)
    except BROKEN_STREAM as error:
        raise Problem("damaged") from error
    if wrong <= MOST_WRONG * beyond_ascii and _is_text(start, "utf-8"):
        return "utf-8"
    guessed = charsets.guess(sample or start)
    if guessed and _is_text(sample or start, guessed):
        return guessed
    raise Problem("not_what_it_says", extension=path.suffix)


def _is_text(data: bytes, encoding: str) -> bool:
    text = data.decode(encoding, "replace")
    return len(UNREADABLE.findall(text)) <= max(1, MOST_UNREADABLE * len(text))
