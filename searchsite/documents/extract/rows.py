"""Rows: CSV and TSV, and JSON Lines."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from searchsite.documents.extract.extracted import Extracted, Limits, Writer, one_line
from searchsite.documents.problems import Problem

DELIMITERS = ",;\t|"
MOST_COLUMNS = 16_384  # as in a spreadsheet
# A cell with more characters, or lines, is a text of its own.
LONGEST_CELL = 200
MOST_LINES = 3
LONGEST_FIELD = (
    50_000_000  # characters that csv holds for one cell; a quote that is never closed makes one of all the rest
)
SAMPLE = 20_000  # characters in which the delimiter is looked for
SAMPLE_ROWS = 50
# Keys whose value names the object, the first of them first.
NAMING_KEYS = ("title", "name", "question", "heading", "subject", "headline", "标题", "题目", "问题", "名称", "姓名")
LONGEST_HEADING = 200
LONGEST_PATH = 200  # characters of "a.b.c"; the path is repeated for each value


def read_csv(data: bytes, limits: Limits) -> Extracted:
    """Read comma-separated values in UTF-8, or values separated by semicolons, tabs or bars.

    Raises Problem: "too_many_columns", "too_much_text", "damaged".
    """
    source = data.decode().replace("\r\n", "\n").replace("\r", "\n")
    writer = Writer(limits)
    csv.field_size_limit(LONGEST_FIELD)
    delimiter = delimiter_of(source[:SAMPLE])
    try:
        for row in csv.reader(_lines(source, delimiter), delimiter=delimiter):
            _check_columns(len(row))
            write_row(row, writer)
    except csv.Error as error:
        raise Problem("damaged") from error
    return writer.extracted("csv")


def write_row(cells: list[str], writer: Writer) -> None:
    """Write short cells as one line "a | b | c", and each long one as a paragraph behind it."""
    cells = [cell.strip() for cell in cells]
    writer.block(" | ".join(one_line(cell) for cell in cells if cell and not _is_long(cell)), run="table")
    for cell in filter(_is_long, cells):
        writer.block(cell)


def _is_long(text: str) -> bool:
    return len(text) > LONGEST_CELL or text.count("\n") >= MOST_LINES


def _lines(source: str, delimiter: str) -> Iterator[str]:
    """The lines, each with its end. Those of too many columns are refused before csv makes a list of them."""
    position = 0
    while position < len(source):
        end = source.find("\n", position) + 1 or len(source)
        # Within quotes delimiters are text.
        if '"' not in source[position:end]:
            _check_columns(source.count(delimiter, position, end) + 1)
        yield source[position:end]
        position = end


def _check_columns(columns: int) -> None:
    if columns > MOST_COLUMNS:
        raise Problem("too_many_columns", limit=MOST_COLUMNS)


def delimiter_of(sample: str) -> str:
    """The one that parts the rows into the same number of cells, more than one, most often."""
    whole_lines = sample[: sample.rfind("\n") + 1] or sample
    best, most = ",", 0.0
    for delimiter in DELIMITERS:
        counts: Counter[int] = Counter()
        try:
            for row in csv.reader(whole_lines.splitlines(keepends=True), delimiter=delimiter):
                counts[len(row)] += 1
                if counts.total() == SAMPLE_ROWS:
                    break
        except csv.Error:
            continue
        rows = counts.total() - counts[0]
        usual = max((n for n in counts if n > 1), key=lambda n: counts[n], default=0)
        # Rows that agree count most. A sentence has commas too, but not as many in each row.
        score = counts[usual] / rows + min(usual, 10) / 100 if rows and usual else 0.0
        if score > most:
            best, most = delimiter, score
    return best


def read_jsonl(data: bytes, limits: Limits) -> Extracted:
    """Read JSON Lines in UTF-8: an object a line, each a section; a line that is no JSON as it stands.

    Raises Problem("too_much_text").
    """
    writer = Writer(limits)
    for number, line in enumerate(data.decode().split("\n")):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            writer.block(line.strip())
        else:
            write_value(value, writer, f"line {number}")
    return writer.extracted("jsonl")


def write_value(value: Any, writer: Writer, run: str) -> None:
    """Write an object of JSON as a section, with a line "key: value" for each value; anything else as a paragraph.

    run: what tells its lines from those of the object before.
    """
    if not isinstance(value, dict):
        writer.block("\n".join(text for _, text in _leaves(value)))
        return
    naming = next((key for key in value if key.lower() in NAMING_KEYS and _is_heading(value[key])), None)
    if naming is not None:
        writer.heading(1, value[naming])
    for path, text in _leaves({key: item for key, item in value.items() if key != naming}):
        if len(text) > LONGEST_CELL or "\n" in text.strip():  # a line ends where the next key begins
            writer.block(path)
            writer.block(text)
        else:
            writer.block(f"{path}: {text}", run=run)


def _is_heading(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= LONGEST_HEADING and "\n" not in value.strip()


def _leaves(value: Any) -> Iterator[tuple[str, str]]:
    """(path, text) of every value within a value, in their order; the path like "a.b"; nothing for null and ""."""
    stack: list[tuple[str, Any]] = [("", value)]
    while stack:
        path, item = stack.pop()
        if isinstance(item, dict):
            stack += [((f"{path}.{key}" if path else key)[:LONGEST_PATH], item[key]) for key in reversed(item)]
        elif isinstance(item, list) and any(isinstance(part, dict | list) for part in item):
            stack += [(path, part) for part in reversed(item)]
        elif item is not None and (text := _scalar(item)).strip():
            yield path, text


def _scalar(value: Any) -> str:
    """A value that is no object as text, that of a list of such values with commas between them."""
    if isinstance(value, list):
        return ", ".join(_scalar(item) for item in value if item is not None)
    return value if isinstance(value, str) else json.dumps(value)
