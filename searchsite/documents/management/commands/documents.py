"""`manage.py documents import PATH... --collection NAME`: files, folders, archives, tables and addresses."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.text import slugify

from searchsite.documents import addresses, audited, importing, uploads
from searchsite.documents.extract.kinds import readable
from searchsite.documents.models import Collection, Document, State, Tag
from searchsite.documents.problems import Problem
from searchsite.documents.sources.roots import Root, counted, root
from searchsite.documents.sources.rows import SCHEME, Columns, MissingColumns
from searchsite.terminal import ProgressBar

LONGEST_NAME = 200
ADDED = ("added", "updated", "unchanged", "refused")
SYNCED = ("added", "updated", "renamed", "removed", "unchanged", "refused")


class Command(BaseCommand):
    help = "Import documents into a collection. Running it again adds what is new and updates what changed."

    def add_arguments(self, parser: Any) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        importing_ = actions.add_parser(
            "import", help="import files, folders, ZIP archives, tables, BEIR-layout folders and http(s) addresses"
        )
        add = importing_.add_argument
        add("paths", nargs="+", metavar="PATH", help="or an address that begins with http:// or https://")
        add("--collection", required=True, help="its name or short name; made, for members only, when missing")
        add("--tag", action="append", default=[], metavar="TAG", help="put it on all that is added or updated")
        add("--sync", action="store_true", help="also remove the documents whose files are gone from these paths")
        add("--allow-empty", action="store_true", help="with --sync: remove them also where a path holds none any more")
        add(
            "--text-column", action="append", default=[], metavar="COLUMN",
            help="of a CSV or JSONL file (.gz too): make each row a document, of this column (may be repeated)",
        )  # fmt: skip
        add("--title-column", default="", metavar="COLUMN", help="the rows' titles")
        add("--id-column", default="", metavar="COLUMN", help="what tells the rows apart; else their content does")

    def handle(self, *_args: Any, paths: list[str], collection: str, **options: Any) -> None:
        columns = Columns(tuple(options["text_column"]), options["title_column"], options["id_column"])
        if (columns.title or columns.id) and not columns.text:
            raise CommandError("Name the column of the text, too: --text-column.")
        if options["allow_empty"] and not options["sync"]:
            raise CommandError("--allow-empty says what --sync may do: give both.")
        if not 0 < len(collection.strip()) <= LONGEST_NAME:
            raise CommandError(f"Give the collection a name of 1 to {LONGEST_NAME} characters: --collection NAME.")
        urls = [path for path in paths if path.lower().startswith(("http://", "https://"))]
        roots = [self._root(path, columns) for path in paths if path not in urls]
        if columns.text and not any(place.below.startswith(SCHEME) for place in roots):
            raise CommandError("--text-column is of a CSV or JSONL file, and none is named.")
        into = collection_named(collection)
        if roots and into is None and not any(map(holds_something, roots)):
            raise CommandError(
                f"Nothing to import there: files of these kinds are read: {readable()}, and other source code."
            )
        if into is None:
            into = new_collection(collection)
            self.stdout.write(f"Made the collection “{into}”: only its members may read it.")
        tags = [tag for text in options["tag"] for tag in uploads.tags_named(text)]
        with only_one(into):
            if roots:
                self._import(into, roots, tags, options["sync"], options["allow_empty"])
            for url in urls:
                self._fetch(into, url, tags)
        if Document.objects.filter(collection=into, state=State.QUEUED).exists():
            self.stdout.write("The worker reads and encodes now; the admin's list of documents shows how far it is.")

    def _root(self, given: str, columns: Columns) -> Root:
        try:
            found = root(Path(given), columns)
        except FileNotFoundError:
            raise CommandError(f"There is no {given}.") from None
        except OSError as error:
            raise CommandError(f"{given}: it cannot be opened ({error.strerror}).") from error
        for sentence in found.left_out:
            self.stdout.write(sentence)
        for part in found.unlistable:
            self.stderr.write(f"{part}: it cannot be looked into. Nothing that came from {given} is removed.")
        return found

    def _import(
        self, collection: Collection, roots: list[Root], tags: list[Tag], sync: bool, allow_empty: bool
    ) -> None:
        told = importing.Told(refused=lambda path, why: self.stderr.write(f"{path}: {why}"))
        one = importing.Import(collection, tags, told)
        try:
            plan = importing.plan(one, roots, sync=sync, allow_empty=allow_empty)
            if not plan.total and not one.gone and not one.counts:
                raise CommandError(
                    f"Nothing to import there: files of these kinds are read: {readable()}, and other source code."
                )
            with ProgressBar(plan.total, self.stdout) as bar:
                told.step = bar.step
                importing.run(one, plan)
        except importing.EmptySource as empty:
            raise CommandError(
                f"{empty} holds nothing to import, but {counted(empty.documents, 'document')} came from there. "
                "Nothing was changed. If they are to be removed, add --allow-empty."
            ) from empty
        except MissingColumns as error:
            raise CommandError(str(error)) from error
        self.stdout.write(", ".join(f"{one.counts[what]} {what}" for what in (SYNCED if sync else ADDED)))
        if set(+one.counts) == {"refused"}:
            raise CommandError("Nothing was imported: all there is was refused.")

    def _fetch(self, collection: Collection, url: str, tags: list[Tag]) -> None:
        try:
            document, is_new = addresses.document_at(collection, url)
        except Problem as problem:
            self.stderr.write(f"{addresses.without_password(url)}: {problem}")
        else:
            if is_new:
                audited.document_added(document)
            else:
                addresses.fetch_again(document)
            document.tags.add(*tags)
            self.stdout.write(f"{document.url} is fetched by the worker.")


def holds_something(place: Root) -> bool:
    try:
        return any(True for _found in place.list())
    except Problem:
        return False


def collection_named(name: str) -> Collection | None:
    """The collection of that name or short name."""
    return Collection.objects.filter(name=name).first() or Collection.objects.filter(slug=name).first()


def new_collection(name: str) -> Collection:
    """A collection for members only, so that nobody is shown it unasked."""
    slug = slugify(name)[:50] or "collection"
    while Collection.objects.filter(slug=slug).exists():
        slug += "-2"
    return Collection.objects.create(name=name, slug=slug)


@contextmanager
def only_one(collection: Collection) -> Iterator[None]:
    """No other import into this collection meanwhile: one that cron starts while the last still runs would undo it."""
    folder = settings.DATA_DIR / "locks"
    folder.mkdir(exist_ok=True)
    with (folder / f"import-{collection.pk}").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                f"Another import into {collection} is going on. Nothing was done; run it again later."
            ) from None
        yield
