"""What goes on at the site, for the front page of the admin: work by day, what waits, what failed, the index.

Each figure is of what somebody may see, and comes from a database index or from few rows: the page is asked again every
two seconds while something is being worked on, and has to be cheap on a site of 100,000 documents.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db.models import BigIntegerField, Count, Exists, F, Func, Min, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from searchsite.documents import jobs
from searchsite.documents.access import User, seen_jobs, steered_jobs, visible_collections, visible_documents
from searchsite.documents.models import Collection, Document, Job, State
from searchsite.documents.problems import may_pass
from searchsite.index import build, serving
from searchsite.index.models import ActiveBuild, Build

DAYS = 30
SUMMED = ("documents", "passages", "encoded", "seconds")
SHOWN = 6  # jobs that run, and that failed
TEXTS = ("document__text", *(f"document__live_revision__{name}" for name in ("text", "headings", "preformatted")))


@dataclass(frozen=True)
class Day:
    """What was done on a day of the site's time zone. speed: passages a second of the encoder, None when it rested."""

    day: date
    documents: int
    passages: int
    speed: float | None


@dataclass(frozen=True)
class Waiting:
    """The jobs of a kind that wait; since: when the oldest was queued."""

    kind: Job.Kind
    count: int
    since: datetime


@dataclass(frozen=True)
class Work:
    """Jobs as the front page shows them. failed_documents: all that could not be read, of which `failures` are the
    latest; again: ids of the failures that the user may have tried again; idle: work waits and no worker lives."""

    days: Sequence[Day]
    waiting: Sequence[Waiting]
    running: Sequence[Job]
    failures: Sequence[Job]
    failed_documents: int
    again: frozenset[int]
    idle: bool


@dataclass(frozen=True)
class Index:
    """The build that serves (None: none yet), and what changed since; at so many changes it is rebuilt by itself,
    unless somebody went back to an earlier one.

    job: a rebuild that waits, runs or was the last to fail."""

    active: Build | None
    went_back: bool
    documents: int
    changes: int
    rebuilt_at: int
    job: Job | None


def work(user: Any) -> Work:
    """In eight queries, whatever there is."""
    seen = Job.objects.filter(seen_jobs(user))
    waiting = _waiting(seen)
    running = list(_shown(seen.filter(state=State.RUNNING)).order_by("started", "pk")[:SHOWN])
    failures = list(_failures(seen)[:SHOWN])
    mine = Job.objects.filter(steered_jobs(user), pk__in=[job.pk for job in failures])
    steered = set(mine.values_list("pk", flat=True))
    by_worker = settings.SEARCHSITE_TASKS == "worker"
    return Work(
        days=days(user),
        waiting=waiting,
        running=running,
        failures=failures,
        failed_documents=_documents(user).filter(state=State.FAILED).count(),
        again=frozenset(job.pk for job in failures if job.pk in steered and _may_pass(job)),
        idle=bool(waiting) and by_worker and not jobs.living_workers(),
    )


def _may_pass(job: Job) -> bool:
    return may_pass(job.problem["code"] if job.problem else "")


def _documents(user: User) -> QuerySet[Document]:
    """Those that the user sees; of a superuser without asking for the collection of each."""
    return Document.objects.all() if getattr(user, "is_superuser", False) else visible_documents(user)


class Quarter(Func):
    """The number of the quarter of an hour, since 1970, in which a time lies: every time zone's days begin with one.

    By functions of the databases' own: for what Django calls a date, SQLite would call Python once a row.
    """

    output_field = BigIntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        told = "CAST(strftime('%%%%s', %(expressions)s) AS INTEGER) / 900"
        return self.as_sql(compiler, connection, template=told, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        told = "FLOOR(EXTRACT(EPOCH FROM %(expressions)s) / 900)::bigint"
        return self.as_sql(compiler, connection, template=told, **context)


def days(user: User, today: date | None = None) -> list[Day]:
    """The last DAYS days, oldest first: documents that were read, the passages in them, and the encoder's speed."""
    last = today or timezone.localdate()
    every = [last - timedelta(days=DAYS - 1 - n) for n in range(DAYS)]
    lately = {"finished__gte": _midnight(every[0]), "finished__lt": _midnight(last + timedelta(days=1))}
    done = Job.objects.filter(_counted(user), state=State.READY, **lately).order_by()
    read = Q(kind=Job.Kind.INGEST)
    quarters = done.values(quarter=Quarter(F("finished"))).annotate(
        documents=Count("pk", filter=read),
        passages=Sum("total", filter=read),
        encoded=Sum("encoded"),
        seconds=Sum("encode_seconds"),
    )
    sums = {day: Counter[str]() for day in every}
    for row in quarters:
        began = datetime.fromtimestamp(900 * row["quarter"], UTC)
        sums[timezone.localdate(began)].update({name: row[name] or 0 for name in SUMMED})  # type: ignore[literal-required]
    return [_day(day, row) for day, row in sums.items()]


def _day(day: date, row: Mapping[str, float]) -> Day:
    speed = row["encoded"] / row["seconds"] if row["seconds"] else None
    return Day(day, int(row["documents"]), int(row["passages"]), speed)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _counted(user: User) -> Q:
    """As seen_jobs; who sees every collection is not asked for that of each job."""
    hidden = Collection.objects.exclude(pk__in=visible_collections(user).values("pk"))
    return seen_jobs(user) if hidden.exists() else Q()


def _waiting(seen: QuerySet[Job]) -> list[Waiting]:
    queued = seen.filter(state=State.QUEUED).order_by().values("kind")
    rows = queued.annotate(count=Count("pk"), since=Min("created")).values_list("kind", "count", "since")
    kinds = list(Job.Kind)
    found = [Waiting(Job.Kind(kind), count, since) for kind, count, since in rows]
    return sorted(found, key=lambda one: kinds.index(one.kind))


def _shown(found: QuerySet[Job]) -> QuerySet[Job]:
    return found.select_related("document__live_revision", "item__upload").defer(*TEXTS)


def _failures(seen: QuerySet[Job]) -> QuerySet[Job]:
    """The failed jobs that none followed about the same thing, latest first."""
    later = Job.objects.filter(pk__gt=OuterRef("pk"))
    followed = Exists(later.filter(document=OuterRef("document"))) | Exists(later.filter(item=OuterRef("item")))
    of_site = Exists(later.filter(document=None, item=None, kind=OuterRef("kind")))
    failed = _shown(seen.filter(state=State.FAILED)).exclude(followed).exclude(of_site, document=None, item=None)
    return failed.order_by(F("finished").desc(nulls_last=True), "-pk")


def index(user: User) -> Index:
    """In seven queries. What it says of all documents is of those that the user sees."""
    row = ActiveBuild.objects.select_related("build").first()
    active = row.build if row else None
    rebuilds = Job.objects.filter(kind=Job.Kind.REBUILD)
    last = rebuilds.open().first() or rebuilds.first()
    return Index(
        active=active,
        went_back=serving.went_back(row),
        documents=_documents(user).filter(live_revision__isnull=False).count(),
        changes=serving.changed_since(active, user),
        rebuilt_at=build.due_at(),
        job=last if last and last.state in (State.QUEUED, State.RUNNING, State.FAILED) else None,
    )
