"""The rows of long work (documents/jobs.py) and of the workers that do it."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from searchsite.documents.problems import sentence


class State(models.TextChoices):
    QUEUED = "queued", _("waiting")
    RUNNING = "running", _("being worked on")
    READY = "ready", _("ready")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


class JobQuerySet(models.QuerySet["Job"]):
    def open(self) -> JobQuerySet:
        return self.filter(state__in=[State.QUEUED, State.RUNNING])


class Job(models.Model):
    """A piece of long work: its state, how far it is, and why it failed. jobs.py runs and revives them."""

    class Kind(models.TextChoices):
        INGEST = "ingest", _("read and encode a document")
        FETCH = "fetch", _("fetch a document from its address")
        UNPACK = "unpack", _("unpack an archive")
        REBUILD = "rebuild", _("rebuild the search index")
        CALIBRATE = "calibrate", _("measure when nothing is found")
        COMPARE = "compare", _("compare poolings")

    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    document = models.ForeignKey(
        "documents.Document", models.CASCADE, null=True, related_name="jobs", verbose_name=_("document")
    )
    item = models.ForeignKey(
        "documents.UploadItem", models.CASCADE, null=True, related_name="jobs", verbose_name=_("archive")
    )
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.QUEUED, db_index=True)
    # One of many: those that somebody waits for go first.
    bulk = models.BooleanField(_("one of many"), default=False)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    done = models.PositiveIntegerField(_("done"), default=0)
    total = models.PositiveIntegerField(_("of"), default=0)
    step = models.CharField(_("step"), max_length=40, blank=True)
    # What the encoder was given to do, without what was copied from earlier, and how long it took.
    encoded = models.PositiveIntegerField(_("passages encoded"), default=0)
    encode_seconds = models.FloatField(_("seconds of encoding"), default=0.0)
    problem = models.JSONField(_("problem"), null=True)
    worker = models.CharField(_("worker"), max_length=80, blank=True)
    heartbeat = models.DateTimeField(_("last sign of life"), null=True)
    lease_until = models.DateTimeField(_("lease until"), null=True)
    not_before = models.DateTimeField(_("not before"), default=timezone.now)
    created = models.DateTimeField(_("queued"), auto_now_add=True)
    started = models.DateTimeField(_("started"), null=True)
    finished = models.DateTimeField(_("finished"), null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        constraints = [
            # Saving a document five times while the worker is busy means one piece of work, not five.
            models.UniqueConstraint(
                fields=["kind", "document"], condition=Q(state="queued"), name="one_queued_job_a_document"
            ),
            models.UniqueConstraint(
                fields=["kind"],
                condition=Q(state="queued", document=None, item=None),
                name="one_queued_job_of_its_kind",
            ),
            models.UniqueConstraint(
                fields=["kind", "item"], condition=Q(state="queued"), name="one_queued_job_an_item"
            ),
        ]
        indexes = [
            models.Index(fields=["document", "-id"], name="latest_job_of_document"),
            models.Index(fields=["state", "bulk", "id"], name="jobs_in_their_order"),
            # What was done by day is summed from the index alone. What runs is not in it, and changes often.
            models.Index(
                fields=["state", "finished", "kind", "document", "item", "total", "encoded", "encode_seconds"],
                condition=Q(finished__isnull=False),
                name="jobs_by_their_end",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} #{self.pk}"

    @property
    def reason(self) -> str:
        return sentence(self.problem["code"], self.problem["params"]) if self.problem else ""

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else (100 if self.state == State.READY else 0)

    @classmethod
    def queue(cls, kind: str, document_ids: Iterable[int] | None = None, *, bulk: bool = False) -> None:
        """Queue one job for each document (without documents: one), unless an equal one already waits.

        bulk: behind all that are not. In the caller's transaction; the task runner is told when that commits
        (jobs.queued).
        """
        from searchsite.documents import jobs

        jobs.add(
            [cls(kind=kind)]
            if document_ids is None
            else [cls(kind=kind, document_id=pk, bulk=bulk) for pk in document_ids]
        )


class Worker(models.Model):
    """A worker process that lives, as far as its heartbeat tells."""

    name = models.CharField(_("worker"), max_length=80, unique=True)
    seen = models.DateTimeField(_("last seen"))

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")

    def __str__(self) -> str:
        return self.name
