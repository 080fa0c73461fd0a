"""Long work: queued, claimed, kept alive by a heartbeat, revived when its worker was killed.

The Job row is the truth. The task runner (Django tasks) only wakes a worker up, which then claims what waits; so a lost
or doubled wake-up loses or doubles no work.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Exists, F, OuterRef
from django.dispatch import Signal
from django.utils import timezone

from searchsite.documents.models import Document, Job, JobQuerySet, State, Worker
from searchsite.documents.problems import Problem

log = logging.getLogger(__name__)

queued = Signal()
"""Sent when a transaction that queued work has committed. tasks.py listens, and wakes a worker."""

MAX_ATTEMPTS = 5
RETRY_SECONDS = 5

Progress = Callable[[str, int, int], None]
"""(step, done, total): called by a handler as it goes; stored for people to see."""
Handler = Callable[[Job, Progress], None]


def worker_name() -> str:
    """This process, by machine and process id."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}"


def queue(kind: str, document_ids: list[int | None]) -> None:
    """Queue a job for each id, unless one like it waits already, in the caller's transaction."""
    with transaction.atomic():
        Job.objects.bulk_create(
            [Job(kind=kind, document_id=pk) for pk in document_ids], ignore_conflicts=True, batch_size=500
        )
        transaction.on_commit(lambda: queued.send(sender=Job))


def claimable() -> int:
    """How many jobs wait and may be started now."""
    return _claimable().count()


def _claimable() -> JobQuerySet:
    # Two workers must not work on one document at once: both would do all of it.
    busy = Job.objects.filter(document=OuterRef("document"), state=State.RUNNING)
    alike = Job.objects.filter(document=None, kind=OuterRef("kind"), state=State.RUNNING)
    waiting = Job.objects.filter(state=State.QUEUED, not_before__lte=timezone.now())
    return waiting.exclude(Exists(busy)).exclude(Exists(alike), document=None).order_by("pk")


def claim(worker: str) -> Job | None:
    """The oldest waiting job, now leased to `worker`; None when nothing waits. Two workers never get the same one."""
    while True:
        pk = _claimable().values_list("pk", flat=True).first()
        if pk is None:
            return None
        now = timezone.now()
        won = Job.objects.filter(pk=pk, state=State.QUEUED).update(
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
        )
        if won:  # else another worker was faster
            return Job.objects.select_related("document").get(pk=pk)


def run_next(handlers: Mapping[str, Handler], worker: str) -> Job | None:
    """Claim one job and do it. Returns it as it stands afterwards, or None when nothing waits."""
    job = claim(worker)
    if job is None:
        return None
    if job.document_id is not None:
        Document.objects.filter(pk=job.document_id).update(state=State.RUNNING)
    try:
        with _heartbeat(job):
            handlers[job.kind](job, _progress(job))
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


def _finish(job: Job, state: State, problem: Problem | None) -> None:
    stored = problem.as_json() if problem else None
    with transaction.atomic():
        if not _mine(job).update(state=state, problem=stored, finished=timezone.now(), lease_until=None):
            return
        job.state, job.problem = state, stored
        waits = Job.objects.filter(document=job.document_id, state=State.QUEUED, kind=job.kind).exists()
        if job.document_id is not None and not waits:  # else the document was saved again meanwhile
            Document.objects.filter(pk=job.document_id).update(state=state, problem=stored)


def _requeue(job: Job, wait_seconds: int) -> None:
    again = timezone.now() + timedelta(seconds=wait_seconds)
    with transaction.atomic():
        newer = Job.objects.filter(document=job.document_id, kind=job.kind, state=State.QUEUED)
        if newer.exists():  # the document was saved again: that job does the work
            _mine(job).update(state=State.FAILED, finished=timezone.now(), lease_until=None)
            return
        if _mine(job).update(state=State.QUEUED, not_before=again, lease_until=None):
            job.state = State.QUEUED
            if job.document_id is not None:
                Document.objects.filter(pk=job.document_id).update(state=State.QUEUED)
            transaction.on_commit(lambda: queued.send(sender=Job))


def _progress(job: Job) -> Progress:
    def report(step: str, done: int, total: int) -> None:
        job.step, job.done, job.total = step, done, total
        _mine(job).update(step=step, done=done, total=total, heartbeat=timezone.now())

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
