"""What is named on the command line, as a place that documents come from."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from searchsite.documents.extract import ocr
from searchsite.documents.extract.kinds import KIND_OF_EXTENSION
from searchsite.documents.sources import Found, archives, beginning, files, rows


@dataclass(frozen=True)
class Root:
    """A folder, an archive, a table or a single file.

    below: what the sources of all that it holds begin with; "" for a single file, which holds nothing.
    list: what it holds now, in order; reads it anew each time. May raise Problem, OSError and MissingColumns.
    seen: sources of what it holds beside that, and is left out.
    unlistable: parts of it that could not be looked into, with the reason; then it is not known what is gone.
    left_out: sentences about what it holds and is not imported.
    """

    path: Path
    below: str
    list: Callable[[], Iterable[Found]]
    unlistable: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    seen: frozenset[str] = frozenset()

    def holds(self, source: str) -> bool:
        """Whether a document of that source came from here."""
        return bool(self.below) and source.startswith(self.below)


def root(path: Path, columns: rows.Columns) -> Root:
    """The place at that path. `columns` name a table's, if a document a row is wanted of it. Raises OSError."""
    # By the path as it is named: a link that is switched from one release to the next stays the same place.
    where = Path(os.path.abspath(path))
    where.stat()
    if where.is_dir():
        return _rows(where / "corpus.jsonl", lambda: rows.beir(where)) if rows.is_beir(where) else _folder(where)
    if where.suffix.lower() == files.ARCHIVE:
        base = f"zip:{where}"
        return Root(where, beginning(f"{base}!/"), lambda: _entries(where, base))
    ending = where.with_suffix("").suffix if where.suffix == ".gz" else where.suffix
    if columns.text and KIND_OF_EXTENSION.get(ending.lower()) == "csv":
        return _rows(where, lambda: rows.csv_rows(where, columns))
    if columns.text and KIND_OF_EXTENSION.get(ending.lower()) == "jsonl":
        return _rows(where, lambda: rows.jsonl_rows(where, columns))
    return Root(where, "", lambda: [files.file(path)])


def counted(number: int, what: str) -> str:
    """ "1 file", "2 files"."""
    return f"{number} {what}" if number == 1 else f"{number:,} {what}s"


def _rows(table: Path, listing: Callable[[], Iterable[Found]]) -> Root:
    return Root(table, beginning(f"{rows.SCHEME}{table}#"), listing)


def _entries(path: Path, base: str) -> Iterator[Found]:
    with path.open("rb") as handle, archives.open_archive(handle, path.stat().st_size) as archive:
        yield from archives.entries(archive, base, path.name)


def _folder(where: Path) -> Root:
    listing = files.files_in(where)
    kept = list(listing)
    left_out = []
    if not ocr.available():
        # Folders of pages are full of drawings and logos: a file that is named is taken in, and says what it needs.
        kept = [found for found in kept if KIND_OF_EXTENSION.get(Path(found.name).suffix.lower()) != "image"]
        if count := len(listing.found) - len(kept):
            left_out.append(f"{counted(count, 'picture')} left out: the OCR extra (requirements-ocr.txt) reads them.")
    if listing.archives:
        left_out.append(f"{counted(len(listing.archives), 'archive')} left out: name one to import what is in it.")
    if listing.others:
        left_out.append(f"{counted(listing.others, 'file')} left out, of kinds that are not read.")
    unlistable = tuple(f"{part.path} ({part.reason})" for part in listing.unlistable)
    seen = frozenset(found.source for found in listing)
    return Root(where, beginning(f"{where}/".replace("//", "/")), lambda: kept, unlistable, tuple(left_out), seen)
