"""`manage.py demo`: something to search. A handbook of ours, and the documentation that this Python carries."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.text import slugify

from searchsite import tasks
from searchsite.demo import stdlib
from searchsite.documents import jobs
from searchsite.documents.models import Collection, Document, Job, JobQuerySet, State
from searchsite.index import build
from searchsite.index.models import ActiveBuild
from searchsite.people.models import Action, Entry
from searchsite.terminal import ProgressBar

HANDBOOK = Path(stdlib.__file__).parent / "handbook"
COLLECTIONS = {
    "handbook": (
        "Handbook",
        "How things are done at Tarnfell Instruments, an invented company: half in English, half in Chinese.",
    ),
    "python": (
        "Python library",
        "The documentation of the standard library and the language, as carried by the Python that runs this site.",
    ),
}


class Command(BaseCommand):
    help = "Load the demo collections (once), and wait until they can be searched."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--wait",
            choices=["handbook", "all"],
            default="all",
            help="what must be searchable at the end: all, or the small handbook (the site's worker does the rest)",
        )

    def handle(self, *_args: Any, wait: str, **_options: Any) -> None:
        added = self._load("handbook", handbook()) + self._load("python", library())
        waiting = Job.objects.open().filter(document__collection__slug__in=COLLECTIONS)
        wanted = waiting.filter(document__collection__slug="handbook") if wait == "handbook" else waiting
        total = wanted.count()
        if total or added:
            self.stdout.write(f"Demo: {total} documents to read and encode")
            self._work_off(wanted, total)
        if rest := waiting.count():
            self.stdout.write(f"Demo: the handbook can be searched; {rest} more documents are read while the site runs")
        else:
            self.stdout.write("Demo: ready" if added or total else "Demo: loaded")

    def _work_off(self, wanted: JobQuerySet, total: int) -> None:
        """Do these jobs, which were queued before the others; then see to it that there is an index."""
        worker = jobs.worker_name()
        with ProgressBar(total, self.stdout) as bar:
            while wanted.exists() and (job := jobs.run_next(tasks.HANDLERS, worker)) is not None:
                bar.step(str(job.document or job))
        if not ActiveBuild.objects.exists():
            build.rebuild(Job(kind=Job.Kind.REBUILD), lambda *_progress: None)
        for document in Document.objects.filter(collection__slug__in=COLLECTIONS, state=State.FAILED):
            self.stderr.write(f"  {document}: {document.reason}")

    def _load(self, slug: str, documents: Iterator[tuple[str, str, str]]) -> int:
        """Add what is missing; a collection that somebody has deleted or emptied is not filled again."""
        name, description = COLLECTIONS[slug]
        made_once = Entry.objects.filter(action=Action.COLLECTION_ADDED, collection=name)
        if Collection.objects.filter(slug=slug).exists() or made_once.exists():
            return 0
        from django.db import transaction

        with transaction.atomic():
            collection = Collection.objects.create(
                slug=slug, name=name, description=description, visibility=Collection.Visibility.PUBLIC
            )
            made = Document.objects.bulk_create(
                Document(collection=collection, source=source, title=title[:300], text=text)
                for source, title, text in documents
            )
        return len(made)


def handbook() -> Iterator[tuple[str, str, str]]:
    """(source, title, Markdown) of each page of the handbook. No title: it is the page's first heading."""
    for path in sorted(HANDBOOK.glob("*.md")):
        yield f"handbook/{path.name}", "", path.read_text(encoding="utf-8")


def library() -> Iterator[tuple[str, str, str]]:
    """The same of the documentation that this interpreter carries."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for document in stdlib.documents():
        yield f"python/{version}/{slugify(document.key) or document.key}", document.title, document.text
