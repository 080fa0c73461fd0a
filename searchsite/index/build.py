"""Building the index anew from the database, beside the one that serves."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import get_random_string

from searchsite.documents import revisions
from searchsite.documents.jobs import Progress
from searchsite.documents.models import Change, ChangeCounter, Document, Job, Passage, Revision, State
from searchsite.index import backends, ingest, serving, space
from searchsite.index.encoding import lacking
from searchsite.index.models import ActiveBuild, Build, Vector
from searchsite.index.parallel import QUESTIONS
from searchsite.index.stores import FORMAT
from searchsite.index.vectors import Rows, live_documents, live_rows

if TYPE_CHECKING:
    from searchsite.index.vectors import Matrix

log = logging.getLogger(__name__)

KEPT = 2  # the active build and the one before
SAMPLE = 1000
ASIDE_SECONDS = 24 * 3600  # no build takes that long
LEAST_CHANGED, MOST_CHANGED = 200, 5000  # documents, after which a tenth of them is too few or too many to rebuild for
PAUSE_SECONDS = 3600  # after a rebuild that failed, before one is queued unasked


def rebuild(job: Job, progress: Progress) -> None:
    """Encode what lacks a vector of the present encoder, write a new build aside, and make it the one that serves."""
    tidy()  # what a killed or failed build left must not fill the disk
    encode_all(job, progress)
    describes = backends.description()
    build = Build.objects.create(fingerprint=describes.fingerprint, encoder=describes.name, dim=describes.dim)
    try:
        _write(build, progress)
    except BaseException:
        Build.objects.filter(pk=build.pk).update(state=Build.State.FAILED, finished=timezone.now())
        raise
    activate(build)
    tidy()


def encode_all(job: Job, progress: Progress) -> None:
    """Bring every live revision up to date: passages by the present pipeline, vectors (and tokens' codes, where
    they are kept) by the present encoder."""
    behind = lacking(Passage.objects.filter(revision__live_for__isnull=False))
    stale = Revision.objects.filter(live_for__isnull=False).exclude(pipeline=revisions.pipeline())
    documents = sorted(
        {
            *behind.values_list("revision__document_id", flat=True),
            *stale.values_list("document_id", flat=True),
        }
    )
    for done, pk in enumerate(documents):
        progress("encoding", done, len(documents))
        document = Document.objects.select_related("live_revision").filter(pk=pk).first()
        if document is not None:
            done_with = ingest.refresh(document)
            job.encoded += done_with.encoded
            job.encode_seconds += done_with.encode_seconds


def _write(build: Build, progress: Progress) -> None:
    # Read before the rows: a change that comes while they are read has a higher number and is replayed on top.
    counter = ChangeCounter.objects.filter(pk=1).first()
    build.change_number = counter.value if counter else 0
    from searchsite.index.stores import files

    placed = space.current()
    sample: list[Matrix] = []

    def rows() -> Iterator[Rows]:
        done, total = 0, Document.objects.filter(live_revision__isnull=False).count()
        for ids in live_documents():
            part = live_rows(ids, build.fingerprint, placed)
            if len(part):
                sample.append(part.vectors[:: max(1, len(part) * total // (len(ids) * SAMPLE)), :-1])
                yield part
            done += len(ids)
            progress("building", done, total)

    build.folder = f"build-{build.pk}-{get_random_string(8)}"  # never that of another database's build
    folder = settings.INDEX_DIR / build.folder
    facts = {"dim": placed.dim, "fingerprint": build.fingerprint, "change_number": build.change_number}
    written = files.write_build(folder, rows(), facts, placed.like, lambda done, of: progress("building", done, of))
    build.passages, build.kind, build.recall = written
    build.unrelated_cosine = unrelated_cosine(np.concatenate(sample), placed) if sample else 0.0
    build.size = sum(path.stat().st_size for path in folder.iterdir())
    build.save()


def unrelated_cosine(passages: Matrix, placed: space.Space) -> float:
    """Mean cosine of passages (n, dim - 1), placed, and questions on quite other subjects: likeness by mere chance."""
    encoder = backends.get_encoder()
    cosines = [
        passages @ placed.place_question(vector, language)[:-1]
        for language in ("en", "zh")
        for vector in encoder.encode_queries([question[language] for question in QUESTIONS])
    ]
    return max(0.0, float(np.mean(cosines)))


def activate(build: Build) -> None:
    """Make it the build that serves, in every process, by one update in one transaction."""
    with transaction.atomic():
        Build.objects.filter(pk=build.pk).update(state=Build.State.READY, finished=timezone.now())
        ActiveBuild.objects.update_or_create(pk=1, defaults={"build": build})


def tidy() -> None:
    """Delete builds older than the last two, what killed builders left, and the changes that no build needs."""
    ready = list(Build.objects.filter(state=Build.State.READY)[:KEPT])
    for old in Build.objects.filter(state=Build.State.READY).exclude(pk__in=[build.pk for build in ready]):
        with transaction.atomic():  # its row first, while nobody can make it serve (serving.serve)
            row = ActiveBuild.objects.select_for_update().filter(pk=1).first()
            serves = row is not None and row.build_id == old.pk
            if not serves:
                old.delete()
        if not serves:
            shutil.rmtree(settings.INDEX_DIR / old.folder, ignore_errors=True)
    long_ago = timezone.now() - timedelta(seconds=ASIDE_SECONDS)
    Build.objects.filter(state=Build.State.BUILDING, created__lt=long_ago).update(state=Build.State.FAILED)
    if len(ready) == KEPT:
        _delete_changes(min(build.change_number for build in ready))
    known = set(Build.objects.exclude(state=Build.State.FAILED).values_list("folder", flat=True))
    for path in Path(settings.INDEX_DIR).glob("build-*"):
        if path.name not in known and time.time() - path.stat().st_mtime > ASIDE_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _delete_changes(upto: int) -> None:
    """Delete the changes that every build has. A lexical index that lacks them learns it from the row."""
    with transaction.atomic():
        ActiveBuild.objects.get_or_create(pk=1)
        ActiveBuild.objects.filter(pk=1, changes_deleted__lt=upto).update(changes_deleted=upto)
        Change.objects.filter(number__lte=upto).delete()


def queue_when_due() -> None:
    """Queue a rebuild when so much has changed since the last one that the delta would grow slow, or when the last one
    was made by a version whose files this one does not read."""
    if Job.objects.open().filter(kind=Job.Kind.REBUILD).exists():
        return
    recently = timezone.now() - timedelta(seconds=PAUSE_SECONDS)
    if Job.objects.filter(kind=Job.Kind.REBUILD, state=State.FAILED, finished__gt=recently).exists():
        return
    row = ActiveBuild.objects.select_related("build").first()
    active = row.build if row else None
    if active and _format(active) != FORMAT:
        log.info("the index was built by another version: rebuilding it")
        Job.queue(Job.Kind.REBUILD)
        return
    if serving.went_back(row):
        return  # the new build would serve at once, and somebody did not want that
    changed = Change.objects.filter(number__gt=active.change_number if active else 0).count()
    if changed <= due_at():
        return
    if Job.objects.open().filter(kind=Job.Kind.INGEST).exists() and changed < MOST_CHANGED:
        return  # more is coming: once, at the end of an import, is enough
    log.info("%s changes since the last build of the index: rebuilding it", changed)
    Job.queue(Job.Kind.REBUILD)


def _format(build: Build) -> int | None:
    """Of its files; None where they are gone or damaged."""
    try:
        return int(json.loads((settings.INDEX_DIR / build.folder / "build.json").read_text())["format"])
    except (OSError, ValueError, TypeError, LookupError):
        return None


def due_at() -> int:
    """So many changes are served from the database beside a build; with more a rebuild is queued."""
    live = Document.objects.filter(live_revision__isnull=False).count()
    return max(LEAST_CHANGED, min(live // 10, MOST_CHANGED))


def stored_vectors(fingerprint: str) -> int:
    """How many live passages have a vector of that encoder."""
    return Vector.objects.filter(fingerprint=fingerprint, passage__revision__live_for__isnull=False).count()
