"""`manage.py documents import PATH... --collection NAME`: files and folders into a collection."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.files import File
from django.core.management.base import BaseCommand, CommandError
from django.utils.text import slugify

from searchsite.documents.extract import ocr, safe_name
from searchsite.documents.extract.kinds import KIND_OF_EXTENSION, KINDS
from searchsite.documents.models import Collection, Document
from searchsite.documents.problems import Problem
from searchsite.documents.uploads import check_size
from searchsite.terminal import ProgressBar

LONGEST_SOURCE = 500


class Command(BaseCommand):
    help = "Import files and folders into a collection. Running it again adds what is new and updates what changed."

    def add_arguments(self, parser: Any) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        importing = actions.add_parser("import", help="import files and folders")
        importing.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        importing.add_argument("--collection", required=True, help="its name or short name; made when missing")

    def handle(self, *_args: Any, paths: list[Path], collection: str, **_options: Any) -> None:
        for path in paths:
            if not path.exists():
                raise CommandError(f"There is no {path}.")
        found = [(source, path) for given in paths for source, path in files_below(given)]
        if not ocr.available():
            # Folders of pages are full of drawings and logos: a file that is named is taken in, and says what it needs.
            kept = [(source, path) for source, path in found if path in paths or not is_picture(path)]
            if left_out := len(found) - len(kept):
                self.stdout.write(f"{left_out} pictures left out: the OCR extra (requirements-ocr.txt) reads them.")
            found = kept
        if not found:
            raise CommandError(f"Nothing to import there: files of these kinds are read: {KINDS}.")
        into = collection_named(collection)
        counts = {"added": 0, "updated": 0, "unchanged": 0, "refused": 0}
        with ProgressBar(len(found), self.stdout) as bar:
            for source, path in found:
                try:
                    counts[import_file(into, source, path)] += 1
                except Problem as problem:
                    counts["refused"] += 1
                    self.stderr.write(f"{path}: {problem}")
                except OSError as error:
                    counts["refused"] += 1
                    self.stderr.write(f"{path}: it cannot be opened ({error.strerror}).")
                bar.step(path.name)
        self.stdout.write(", ".join(f"{count} {what}" for what, count in counts.items()))
        self.stdout.write("The worker reads and encodes them now; the admin's list of documents shows how far it is.")


def files_below(given: Path) -> Iterator[tuple[str, Path]]:
    """(source, path) of the file, or of all readable kinds in the folder, sorted. Hidden ones and links are left."""
    if given.is_file():
        yield source_of(given), given
        return
    for path in sorted(given.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(given).parts)
        if path.is_file() and not path.is_symlink() and not hidden and path.suffix.lower() in KIND_OF_EXTENSION:
            yield source_of(path), path


def is_picture(path: Path) -> bool:
    return KIND_OF_EXTENSION.get(path.suffix.lower()) == "image"


def source_of(path: Path) -> str:
    """Where the file lies, as text that fits the column: two files never have the same one."""
    raw = os.fsencode(path.resolve())
    text = raw.decode("utf-8", "replace")
    if len(text) <= LONGEST_SOURCE and os.fsencode(text) == raw:
        return text
    return f"{hashlib.sha256(raw).hexdigest()[:16]}:{text[-(LONGEST_SOURCE - 17) :]}"


def collection_named(name: str) -> Collection:
    """The collection of that name or short name; a new one, for members only, where there is none."""
    found = Collection.objects.filter(name=name).first() or Collection.objects.filter(slug=name).first()
    if found:
        return found
    slug = slugify(name)[:50] or "collection"
    while Collection.objects.filter(slug=slug).exists():
        slug += "-2"
    return Collection.objects.create(name=name, slug=slug)


def import_file(collection: Collection, source: str, path: Path) -> str:
    """Add or update the document of that source; returns "added", "updated" or "unchanged"."""
    check_size(path.name, path.stat().st_size)
    document = Document.objects.filter(collection=collection, source=source).first()
    known = document.content_hash if document else ""
    document = document or Document(collection=collection, source=source)
    document.name = safe_name(path.name)
    with path.open("rb") as handle:
        document.file = File(handle, name=document.name)
        document.take_in_source()
        if document.content_hash == known:
            return "unchanged"
        document.save()
    return "updated" if known else "added"
