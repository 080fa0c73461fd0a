"""How does the index of keywords grow: in time to build, to change and to ask, and in bytes?

    python benchmarks/lexical.py FILE.jsonl.gz... [--sizes 10000 50000 200000] [--questions 50]

FILE has an object with "title" and "text" on each line. Passages are taken from the files by turns; ten in a row are a
document, and each document is in one of 1,000 collections. Questions are titles (or the beginnings of texts, where
titles are short) of passages that are held. Beside it, in the same run:
- SQLite's FTS5 with the same terms in two columns, contentless, asked for any of them in the order of its bm25();
- FAISS: the 1,000 nearest of as many random vectors of 385 numbers, exactly: what the other leg of a search takes.
Both are written durably, and take turns at each question. A document is replaced, committed and seen by a reader. The
terms are made anew for each of the two indexes, and what they take of the time to build is printed.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "searchsite.settings")

if TYPE_CHECKING:
    from searchsite.index.lexical import LexicalIndex, Row

TOP = 1000
DIM = 385
PER_DOCUMENT = 10
COLLECTIONS = 1000
SCOPED = 10
SHORTEST_TITLE = 12  # characters: "n/a" asks for nothing
LONGEST_QUESTION = 80
TIMES = 10  # that a document is replaced
GRAMS = 0.3  # of bm25(): index/lexical.py's
# Whatever is not a space belongs to a term.
TABLE = """CREATE VIRTUAL TABLE passages USING fts5(words, grams, content='',
tokenize="unicode61 remove_diacritics 0 categories 'L* N* Co M* P* S*'")"""

Figure = tuple[float, float | None, float | None]  # of the site's index, of FTS5, of FAISS


def texts(files: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """(title, text) from each file by turns, until all are at their ends."""
    with ExitStack() as stack:
        opened = [stack.enter_context(gzip.open(file, "rt", encoding="utf-8")) for file in files]
        while opened:
            for file in list(opened):
                if line := file.readline():
                    row = json.loads(line)
                    yield row["title"], row["text"]
                else:
                    opened.remove(file)


def made(given: Iterable[tuple[str, str]]) -> list[Row]:
    from searchsite.documents.language import detect
    from searchsite.index.lexical import Row

    documents = ((number // PER_DOCUMENT, number, *pair) for number, pair in enumerate(given))
    return [Row(pk, doc, doc % COLLECTIONS, title, text, detect(text)) for doc, pk, title, text in documents]


def questions_of(rows: Sequence[Row], count: int) -> list[str]:
    chosen = np.random.default_rng(1).choice(len(rows), count, replace=False).tolist()
    some = [rows[number] for number in chosen]
    return [(row.title if len(row.title) >= SHORTEST_TITLE else row.text)[:LONGEST_QUESTION] for row in some]


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


# --- SQLite's FTS5 -----------------------------------------------------------------------------------------


def columns(row: Row) -> tuple[str, str]:
    """The words and the grams of a row, as the site's index has them."""
    from searchsite.index import terms

    title, text = terms.of_passage(row.title, row.language), terms.of_passage(row.text, row.language)
    return " ".join([*title.words, *text.words]), " ".join([*title.grams, *text.grams])


def fts_opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    database.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-64000; {TABLE}")
    return database


def fts_add(database: sqlite3.Connection, rows: Sequence[Row]) -> float:
    """Add rows in one transaction; returns the seconds that their terms took."""
    took = 0.0
    with database:
        for first in range(0, len(rows), 1000):
            began = time.perf_counter()
            values = [(row.passage, *columns(row)) for row in rows[first : first + 1000]]
            took += time.perf_counter() - began
            database.executemany("INSERT INTO passages (rowid, words, grams) VALUES (?, ?, ?)", values)
    return took


def fts_replace(database: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """A table without content must be told what it is to forget."""
    with database:
        old = [(row.passage, *columns(row)) for row in rows]
        forget = "INSERT INTO passages (passages, rowid, words, grams) VALUES ('delete', ?, ?, ?)"
        database.executemany(forget, old)
        database.executemany("INSERT INTO passages (rowid, words, grams) VALUES (?, ?, ?)", old)


def fts_search(database: sqlite3.Connection, question: str, languages: Iterable[str]) -> list[tuple[int]]:
    from searchsite.index import terms

    asked = terms.of_question(question, languages)
    words = {term for one in asked for term in one.words}
    grams = {term for one in asked for term in one.grams}
    parts = [f"{name} : ({any_of(some)})" for name, some in (("words", words), ("grams", grams)) if some]
    # "rank" and not bm25(): it is sorted by inside FTS5, which is faster.
    query = "SELECT rowid FROM passages WHERE passages MATCH ? AND rank MATCH ? ORDER BY rank LIMIT ?"
    values = (" OR ".join(parts), f"bm25(1.0, {GRAMS})", TOP)
    return database.execute(query, values).fetchall() if parts else []


def any_of(wanted: Iterable[str]) -> str:
    quoted = ('"' + term.replace('"', '""') + '"' for term in sorted(wanted))
    return " OR ".join(quoted)


# --- the two, and FAISS beside them ------------------------------------------------------------------------


def build(folder: Path, rows: Sequence[Row]) -> None:
    from searchsite.index import lexical

    lexical.create(folder)
    with lexical.writing(folder) as writer:
        writer.replace([], rows)
        writer.commit(1)


def replace(folder: Path, reader: LexicalIndex, rows: Sequence[Row]) -> None:
    from searchsite.index import lexical

    with lexical.writing(folder) as writer:
        writer.replace([rows[0].document], rows)
        writer.commit(reader.number + 1)
    reader.reload()


def asked(
    index: LexicalIndex, database: sqlite3.Connection, rows: Sequence[Row], questions: Sequence[str]
) -> dict[str, Figure]:
    """Median seconds of a question."""
    import faiss

    random = np.random.default_rng(0)
    store = faiss.IndexFlatIP(DIM)
    for first in range(0, len(rows), 10_000):
        store.add(random.standard_normal((min(10_000, len(rows) - first), DIM), np.float32))
    took: dict[str, list[float]] = {}
    for question in questions:
        vector = random.standard_normal((1, DIM), np.float32)
        some = sorted(random.choice(len(rows), min(TOP, len(rows)), replace=False).tolist())
        scope = frozenset(random.choice(COLLECTIONS, SCOPED, replace=False).tolist())
        ways: dict[str, Callable[[], object]] = {
            "top": lambda: index.search(question, TOP),  # noqa: B023
            "scope": lambda: index.search(question, TOP, scope),  # noqa: B023
            "scores": lambda: index.scores(question, some),  # noqa: B023
            "fts": lambda: fts_search(database, question, index.languages),  # noqa: B023
            "faiss": lambda: store.search(vector, TOP),  # noqa: B023
        }
        for name, way in ways.items():
            took.setdefault(name, []).append(seconds(way))
    middle = {name: median(each) for name, each in took.items()}
    return {
        f"ms of a question, best {TOP:,}": (middle["top"], middle["fts"], middle["faiss"]),
        f"ms of a question, in {SCOPED} of {COLLECTIONS:,} collections": (middle["scope"], None, middle["faiss"]),
        f"ms of the scores of {TOP:,} given passages": (middle["scores"], None, middle["faiss"]),
    }


def measured(rows: Sequence[Row], questions: int, folder: Path) -> Iterator[tuple[str, Figure]]:
    """What was measured, in words that begin with its unit ("s", "ms": given in seconds), and the figure."""
    from searchsite.index import lexical

    database = fts_opened(folder / "fts5.sqlite3")
    building = seconds(lambda: build(folder / "lexical", rows))
    began = time.perf_counter()
    making_terms = fts_add(database, rows)
    yield f"s to build, {making_terms:.1f} of it for the terms", (building, time.perf_counter() - began, None)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    sizes = [sum(file.stat().st_size for file in (folder / "lexical").iterdir()) / len(rows)]
    sizes.append((folder / "fts5.sqlite3").stat().st_size / len(rows))
    yield "bytes a passage", (sizes[0], sizes[1], 4.0 * DIM)
    index = lexical.opened(folder / "lexical")
    yield from asked(index, database, rows, questions_of(rows, questions)).items()
    firsts = range(0, len(rows) - PER_DOCUMENT + 1, len(rows) // TIMES // PER_DOCUMENT * PER_DOCUMENT)
    some = [rows[first : first + PER_DOCUMENT] for first in firsts]
    ours = median(seconds(lambda: replace(folder / "lexical", index, part)) for part in some)  # noqa: B023
    theirs = median(seconds(lambda: fts_replace(database, part)) for part in some)  # noqa: B023
    yield f"ms to replace a document of {PER_DOCUMENT} passages", (ours, theirs, None)
    database.close()


def line(size: str, about: str, figure: Figure) -> str:
    factor, digits = (1000, 1) if about.startswith("ms") else (1, 0 if about.startswith("bytes") else 1)
    cells = [f"{factor * figure[0]:,.{digits}f}"]
    for peer in figure[1:]:
        cells += [f"{factor * peer:,.{digits}f}", f"{figure[0] / peer:.2f}"] if peer else ["", ""]
    return f"| {size} | {about} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 50_000, 200_000])
    parser.add_argument("--questions", type=int, default=50)
    options = parser.parse_args()
    import django

    django.setup()
    rows = made(islice(texts(options.files), max(options.sizes)))
    for row in rows[:1000]:
        columns(row)  # loads the dictionaries
    print("| passages | | site | FTS5 | site / FTS5 | FAISS | site / FAISS |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for wanted in options.sizes:
        size = f"{min(wanted, len(rows)):,}"
        with tempfile.TemporaryDirectory() as folder:
            for about, figure in measured(rows[:wanted], options.questions, Path(folder)):
                print(line(size, about, figure), flush=True)
                size = ""


if __name__ == "__main__":
    main()
