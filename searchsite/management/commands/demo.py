"""`manage.py demo`: something to search. A handbook of ours, and the documentation that this Python carries."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.text import slugify

from searchsite import tasks
from searchsite.demo import stdlib
from searchsite.documents import jobs
from searchsite.documents.models import Collection, Document, Job, State
from searchsite.index.models import ActiveBuild
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

    def handle(self, *_args: Any, **_options: Any) -> None:
        added = self._load("handbook", handbook()) + self._load("python", library())
        open_jobs = Job.objects.open().filter(document__collection__slug__in=COLLECTIONS)
        total = open_jobs.count()
        if not total and not added:
            self.stdout.write("Demo: loaded")
            return
        self.stdout.write(f"Demo: {total} documents to read and encode")
        worker = jobs.worker_name()
        with ProgressBar(total, self.stdout) as bar:
            while (job := jobs.run_next(tasks.HANDLERS, worker)) is not None:
                bar.step(str(job.document or job))
        if not ActiveBuild.objects.exists():
            Job.queue(Job.Kind.REBUILD)
            jobs.run_next(tasks.HANDLERS, worker)
        failed = Document.objects.filter(collection__slug__in=COLLECTIONS, state=State.FAILED)
        for document in failed:
            self.stderr.write(f"  {document}: {document.reason}")
        self.stdout.write("Demo: ready")

    def _load(self, slug: str, documents: Iterator[tuple[str, str, str]]) -> int:
        """Add what is missing; a collection that somebody has deleted or emptied is not filled again."""
        name, description = COLLECTIONS[slug]
        if Collection.objects.filter(slug=slug).exists():
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
