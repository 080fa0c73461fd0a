"""The door between the task runner and the work: which function does which kind of job."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.files.storage import storages
from django.db import transaction
from django.db.models.signals import post_save
from django.utils import timezone
from django_tasks import task

from searchsite.documents import addresses, jobs, unpack
from searchsite.documents.models import ChangeCounter, Job, Worker
from searchsite.documents.storage import ContentAddressedStorage
from searchsite.index import build, fitness, ingest, lexical_follow
from searchsite.insight import poolings
from searchsite.people.models import Entry
from searchsite.search import calibration

HANDLERS: dict[str, jobs.Handler] = {
    Job.Kind.INGEST: ingest.ingest,
    Job.Kind.FETCH: addresses.fetch_document,
    Job.Kind.UNPACK: unpack.unpack,
    Job.Kind.REBUILD: build.rebuild,
    Job.Kind.CALIBRATE: calibration.calibrate,
    Job.Kind.COMPARE: poolings.compare_waiting,
}
TURN_SECONDS = 2.0
SWEPT_AT_ONCE = 1000  # entries of the audit log
WAIT_SECONDS = 10.0  # for another thread or process that writes to the lexical index


@task()
def work() -> int:
    """Do the jobs that wait, for a short turn, so that a worker that is told to stop does so soon."""
    worker = jobs.worker_name()
    began, done = time.monotonic(), 0
    while jobs.run_next(HANDLERS, worker) is not None:
        done += 1
        if time.monotonic() - began > TURN_SECONDS and settings.SEARCHSITE_TASKS == "worker":
            wake_worker()
            break
    return done


def wake_worker(**_signal: Any) -> None:
    """Have the runner call `work`, unless a call that has not begun yet will see the job anyway."""
    if settings.SEARCHSITE_TASKS == "worker":
        from django_tasks_db.models import DBTaskResult

        if DBTaskResult.objects.ready().filter(task_path=work.module_path).exists():
            return
    work.enqueue()


def upkeep(worker: str) -> None:
    """What a worker does every few seconds beside its jobs: tell that it lives, and set right what the dead left."""
    from django_tasks_db.models import DBTaskResult

    jobs.sign_of_life(worker)
    jobs.reap()
    build.queue_when_due()
    calibration.queue_when_due()
    fitness.keep_up()
    sweep_originals()
    sweep_audit_log()
    if jobs.claimable():
        wake_worker()
    living = set(
        Worker.objects.filter(
            seen__gte=timezone.now() - timedelta(seconds=settings.SEARCHSITE_LEASE_SECONDS)
        ).values_list("name", flat=True)
    )
    for result in DBTaskResult.objects.running():
        if not living & set(result.worker_ids):  # its worker was killed; the jobs themselves are reaped above
            result.set_failed(RuntimeError("the worker gave no sign of life"))
    DBTaskResult.objects.finished().filter(finished_at__lt=timezone.now() - timedelta(days=1)).delete()


def sweep_originals() -> None:
    """Remove half-written originals, where the storage has them."""
    originals = storages["originals"]
    if isinstance(originals, ContentAddressedStorage):
        originals.sweep()


def sweep_audit_log() -> None:
    """Remove entries of the audit log that are older than they are to be kept, some at a time."""
    if settings.SEARCHSITE_AUDIT_DAYS:
        too_old = timezone.now() - timedelta(days=settings.SEARCHSITE_AUDIT_DAYS)
        oldest = Entry.objects.filter(when__lt=too_old).order_by("when").values_list("pk", flat=True)
        Entry.objects.filter(pk__in=list(oldest[:SWEPT_AT_ONCE])).delete()


def keep_lexical_inline(**_signal: Any) -> None:
    """Where no worker does it: have the lexical index follow the change that was just recorded, when it commits."""
    if settings.SEARCHSITE_TASKS == "inline":
        transaction.on_commit(lambda: lexical_follow.keep_up(wait_seconds=WAIT_SECONDS))


def connect() -> None:
    jobs.queued.connect(wake_worker, dispatch_uid="searchsite.tasks")
    post_save.connect(keep_lexical_inline, sender=ChangeCounter, dispatch_uid="searchsite.tasks")
