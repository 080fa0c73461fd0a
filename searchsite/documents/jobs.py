"""Long work: queued, claimed, kept alive by a heartbeat, revived when its worker was killed.

The Job row is the truth. The task runner (Django tasks) only wakes a worker up, which then claims what waits; so a lost
or doubled wake-up loses or doubles no work.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.dispatch import Signal
from django.utils import timezone

from searchsite.documents.models import Document, Job, JobQuerySet, State, UploadItem, Worker
from searchsite.documents.problems import Problem

log = logging.getLogger(__name__)

queued = Signal()
"""Sent when a transaction that queued work has committed. tasks.py listens, and wakes a worker."""

MAX_ATTEMPTS = 5
CANCELLABLE = ~Q(document=None, item=None)
RETRY_SECONDS = 5
LATER_SECONDS = 10

Progress = Callable[[str, int, int], None]
"""(step, done, total): called by a handler as it goes; stored for people to see."""
Handler = Callable[[Job, Progress], None]


def worker_name() -> str:
    """This process, by machine and process id."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}"


class Lost(Exception):
    """The job is no longer this worker's: it was cancelled, or given to another."""


class Later(Exception):
    """Raised by a handler: other work is to be done first. The job waits again, and this was no attempt at it."""


def add(jobs: list[Job]) -> None:
    """Queue these jobs, without those whose like waits already, in the caller's transaction."""
    if jobs:
        with transaction.atomic():
            Job.objects.bulk_create(jobs, ignore_conflicts=True, batch_size=500)
            transaction.on_commit(lambda: queued.send(sender=Job))


def cancel(jobs: JobQuerySet) -> int:
    """Cancel those of these jobs that wait or run; returns how many. A worker notices at its next sign of progress."""
    with transaction.atomic():
        chosen = list(jobs.open().filter(CANCELLABLE).values_list("pk", "document_id", "item_id"))
        pks, documents, items = zip(*chosen, strict=True) if chosen else ((), (), ())
        _hold(documents, items)
        count = 0
        for some in _chunks(pks):
            cancelled = {"state": State.CANCELLED, "finished": timezone.now(), "lease_until": None}
            count += Job.objects.open().filter(pk__in=some).update(**cancelled)
        for model, ids, named in ((Document, documents, "document"), (UploadItem, items, "item")):
            left = Job.objects.open().filter(**{named: OuterRef("pk")})  # queued meanwhile
            for some in _chunks(ids):
                waiting = model.objects.filter(pk__in=some, state__in=[State.QUEUED, State.RUNNING])
                waiting.exclude(Exists(left)).update(state=State.CANCELLED, problem=None)
    return count


def _hold(document_ids: Iterable[int | None], item_ids: Iterable[int | None]) -> None:
    """Lock what jobs are about until the transaction ends.

    Before the jobs themselves: who saves or deletes a document holds its row, too, when he comes to its jobs.
    """
    for model, ids in ((Document, document_ids), (UploadItem, item_ids)):
        for some in _chunks(ids):
            list(model.objects.filter(pk__in=some).order_by("pk").select_for_update(no_key=True).values_list("pk"))


def _chunks(ids: Iterable[int | None]) -> Iterator[list[int]]:
    """The ids there are, each once and in their order, no more at a time than SQLite takes parameters."""
    known = sorted({pk for pk in ids if pk is not None})
    for first in range(0, len(known), 500):
        yield known[first : first + 500]


def claimable() -> int:
    """How many jobs wait and may be started now."""
    return _claimable().count()


def _claimable() -> JobQuerySet:
    # Two workers must not work on one document at once: both would do all of it.
    busy = Job.objects.filter(document=OuterRef("document"), state=State.RUNNING)
    alike = Job.objects.filter(document=None, kind=OuterRef("kind"), state=State.RUNNING)
    waiting = Job.objects.filter(state=State.QUEUED, not_before__lte=timezone.now())
    return waiting.exclude(Exists(busy)).exclude(Exists(alike), document=None).order_by("bulk", "pk")


def claim(worker: str) -> Job | None:
    """The oldest waiting job (one of many only when no other waits), now leased to `worker`; None when nothing waits.

    Two workers never get the same one. What it is about is shown as running from the same moment on.
    """
    while True:
        job = _claimable().first()
        if job is None:
            return None
        now = timezone.now()
        with transaction.atomic():
            _hold([job.document_id], [job.item_id])
            won = Job.objects.filter(pk=job.pk, state=State.QUEUED).update(
                state=State.RUNNING,
                attempts=F("attempts") + 1,
                worker=worker,
                started=now,
                finished=None,
                heartbeat=now,
                lease_until=now + _lease(),
                problem=None,
                done=0,
                total=0,
                encoded=0,
                encode_seconds=0.0,
            )
            if won:  # else another worker was faster
                _show(job, State.RUNNING)
        if won:
            return Job.objects.select_related("document", "item__upload").get(pk=job.pk)


def run_next(handlers: Mapping[str, Handler], worker: str) -> Job | None:
    """Claim one job and do it. Returns it as it stands afterwards, or None when nothing waits."""
    job = claim(worker)
    if job is None:
        return None
    try:
        with _heartbeat(job):
            handlers[job.kind](job, _progress(job))
    except Lost:
        log.info("job %s (%s) was taken from this worker", job.pk, job.kind)
        job.refresh_from_db()
    except Later:
        _requeue(job, LATER_SECONDS, counts=False)
    except Problem as problem:
        _finish(job, State.FAILED, problem)
    except Exception:
        log.exception("job %s (%s) failed at attempt %s", job.pk, job.kind, job.attempts)
        if job.attempts < MAX_ATTEMPTS:
            _requeue(job, RETRY_SECONDS * job.attempts)
        else:
            _finish(job, State.FAILED, Problem("internal", job=job.pk))
    else:
        _finish(job, State.READY, None)
    return job


def reap() -> int:
    """Take back jobs whose worker gave no sign of life until the lease ran out; returns how many.

    They are queued again, and after several killed workers given up: one file must not end every worker for ever.
    """
    lost = list(Job.objects.filter(state=State.RUNNING, lease_until__lt=timezone.now()))
    for job in lost:
        log.warning("job %s: its worker %s gave no sign of life; attempt %s", job.pk, job.worker, job.attempts)
        if job.attempts < MAX_ATTEMPTS:
            _requeue(job, 0)
        else:
            _finish(job, State.FAILED, Problem("worker_died", attempts=job.attempts))
    return len(lost)


def sign_of_life(worker: str) -> None:
    """Note that this worker process lives, and forget those that have not been seen for a day."""
    now = timezone.now()
    Worker.objects.update_or_create(name=worker, defaults={"seen": now})
    Worker.objects.filter(seen__lt=now - timedelta(days=1)).delete()


def living_workers() -> int:
    return Worker.objects.filter(seen__gte=timezone.now() - _lease()).count()


def _lease() -> timedelta:
    return timedelta(seconds=settings.SEARCHSITE_LEASE_SECONDS)


def _mine(job: Job) -> JobQuerySet:
    # A worker that was thought dead and wakes up again must not write over its successor's state.
    return Job.objects.filter(pk=job.pk, worker=job.worker, attempts=job.attempts, state=State.RUNNING)


def _show(job: Job, state: State, problem: dict[str, Any] | None = None) -> None:
    """Let what the job is about have the job's state."""
    if job.document_id is not None:
        Document.objects.filter(pk=job.document_id).update(state=state, problem=problem)
    elif job.item_id is not None:
        UploadItem.objects.filter(pk=job.item_id).update(state=state, problem=problem)


def _finish(job: Job, state: State, problem: Problem | None) -> None:
    stored = problem.as_json() if problem else None
    mine = _mine(job)
    if state == State.READY:  # cancelled after all was done: then it is done
        mine = Job.objects.filter(
            pk=job.pk, worker=job.worker, attempts=job.attempts, state__in=[State.RUNNING, State.CANCELLED]
        )
    with transaction.atomic():
        _hold([job.document_id], [job.item_id])
        if not mine.update(state=state, problem=stored, finished=timezone.now(), lease_until=None):
            return
        job.state, job.problem = state, stored
        if not _like(job).exists():  # else saved again meanwhile, fetched and to be read, or cancelled and tried again
            _show(job, state, stored)


def _requeue(job: Job, wait_seconds: int, counts: bool = True) -> None:
    again = timezone.now() + timedelta(seconds=wait_seconds)
    with transaction.atomic():
        _hold([job.document_id], [job.item_id])
        if _like(job).filter(kind=job.kind, state=State.QUEUED).exists():  # saved again: that job does the work
            _mine(job).update(state=State.FAILED, finished=timezone.now(), lease_until=None)
            return
        attempts = F("attempts") - (0 if counts else 1)
        if _mine(job).update(state=State.QUEUED, not_before=again, lease_until=None, attempts=attempts):
            job.state = State.QUEUED
            _show(job, State.QUEUED)
            transaction.on_commit(lambda: queued.send(sender=Job))


def _like(job: Job) -> JobQuerySet:
    """The other jobs that wait or run and are about the same document or archive."""
    others = Job.objects.open().exclude(pk=job.pk).filter(document=job.document_id, item=job.item_id)
    return others if job.document_id or job.item_id else others.filter(kind=job.kind)


def _progress(job: Job) -> Progress:
    told: tuple[str, int, int, int] | None = None

    def report(step: str, done: int, total: int) -> None:
        nonlocal told
        now = (step, done, total, job.encoded)
        if told == now:  # only asked whether the job is still ours: a write would wait for the disk
            if not _mine(job).exists():
                raise Lost
            return
        told, (job.step, job.done, job.total) = now, now[:3]
        encoding = {"encoded": job.encoded, "encode_seconds": job.encode_seconds}
        if not _mine(job).update(step=step, done=done, total=total, heartbeat=timezone.now(), **encoding):
            raise Lost

    return report


@contextmanager
def _heartbeat(job: Job) -> Iterator[None]:
    """Renew the lease from a thread while the work goes on, so that long steps are not taken for a dead worker."""
    if connection.in_atomic_block:  # inline, inside somebody's transaction: no other connection could see the row
        yield
        return
    stop = threading.Event()

    def beat() -> None:
        try:
            while not stop.wait(settings.SEARCHSITE_LEASE_SECONDS / 4):
                now = timezone.now()
                try:
                    _mine(job).update(heartbeat=now, lease_until=now + _lease())
                except DatabaseError:  # busy or restarting; the next beat comes before the lease ends
                    log.exception("job %s: no heartbeat this time", job.pk)
                    connection.close()
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name=f"heartbeat-{job.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
