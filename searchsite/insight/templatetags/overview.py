"""What the admin's front page shows of what goes on, to those who may see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.template.context import Context
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext

from searchsite.documents import audited
from searchsite.documents.models import Job
from searchsite.documents.shown import grouped, job_label, percent_of, state_badge
from searchsite.insight import charts, overview

register = template.Library()


@dataclass(frozen=True)
class Chart:
    """A figure by day: `sum` in a word for all of them, `most` the scale's upper end, `svg` between them."""

    label: str
    sum: str
    note: str
    most: str
    svg: SafeString


@register.simple_tag(takes_context=True)
def site_overview(context: Context) -> dict[str, Any]:
    """`work` (overview.Work) with its `charts`, and `index` (overview.Index); each only for who may see such rows.

    A superuser's look at documents of members' collections is written down.
    """
    user = context["user"]
    found: dict[str, Any] = {"sees_all": user.is_superuser}
    if _may_view(user, "documents", "job"):
        work = overview.work(user)
        shown = [job for job in (*work.running, *work.failures) if job.document or job.item]
        audited.look(user, {_collection(job) for job in shown}, about="admin: front page")
        found |= {"work": work, "charts": _charts(work.days)}
    if _may_view(user, "index", "build"):
        found["index"] = overview.index(user)
    return found


def _may_view(user: Any, app: str, model: str) -> bool:
    return any(user.has_perm(f"{app}.{verb}_{model}") for verb in ("view", "change"))


def _collection(job: Job) -> int:
    if job.item:
        return job.item.upload.collection_id
    assert job.document is not None
    return job.document.collection_id


@register.filter
def in_words(waiting: overview.Waiting) -> str:
    """What waits, with its number: "1,204 documents to be read"."""
    n, number = waiting.count, grouped(waiting.count)
    if waiting.kind == Job.Kind.INGEST:
        return ngettext("%s document to be read", "%s documents to be read", n) % number
    if waiting.kind == Job.Kind.FETCH:
        return ngettext("%s address to be fetched", "%s addresses to be fetched", n) % number
    if waiting.kind == Job.Kind.UNPACK:
        return ngettext("%s archive to be unpacked", "%s archives to be unpacked", n) % number
    if waiting.kind == Job.Kind.REBUILD:
        return gettext("A rebuild of the search index")
    if waiting.kind == Job.Kind.CALIBRATE:
        return gettext("Measuring when nothing is found")
    return gettext("A comparison of poolings")


@register.filter
def lasting(since: datetime | None) -> str:
    """How long it is since then, by its largest unit; what is less than a minute is not counted."""
    if since is None:
        return ""
    if timezone.now() - since < timedelta(minutes=1):
        return gettext("less than a minute")
    return timesince(since, depth=1)


@register.filter
def about(job: Job) -> str:
    """What a job is about: a document, an archive, or the whole site."""
    return str(job.item or job.document or job_label(job))


@register.filter
def progress_of(job: Job) -> SafeString:
    """A job's state as a word, with its bar and its step while it runs."""
    return state_badge(job.state, job.get_state_display(), percent_of(job.done, job.total), job.step)


@register.filter
def rate(speed: float | None) -> str:
    """Passages a second, as short as it makes sense."""
    if speed is None:
        return "–"
    places = 1 if speed < 10 else 0
    return str(number_format(round(speed, places), places, force_grouping=True))  # which cuts off, and does not round


def _charts(days: Sequence[overview.Day]) -> list[Chart]:
    """None where there is nothing to draw."""
    if not any(day.documents or day.speed is not None for day in days):
        return []
    latest = next((day for day in reversed(days) if day.speed is not None), None)
    speeds = [day.speed for day in days if day.speed is not None]
    return [
        _counted(gettext("Documents read"), "documents", days, lambda day: day.documents),
        _counted(gettext("Passages in them"), "passages", days, lambda day: day.passages),
        Chart(
            gettext("Encoder, passages a second"),
            rate(latest.speed if latest else None),
            gettext("on %s") % _day(latest) if latest else gettext("it had nothing to encode"),
            rate(max(speeds, default=None)),
            _drawn("speed", gettext("Encoder, passages a second"), days, lambda day: day.speed or 0.0, rate),
        ),
    ]


def _counted(label: str, name: str, days: Sequence[overview.Day], value: Callable[[overview.Day], int]) -> Chart:
    today = gettext("%s today") % grouped(value(days[-1]))
    svg = _drawn(name, label, days, value, lambda number: grouped(int(number)))
    return Chart(label, grouped(sum(map(value, days))), today, grouped(max(map(value, days))), svg)


def _drawn(
    name: str,
    label: str,
    days: Sequence[overview.Day],
    value: Callable[[overview.Day], float],
    said: Callable[[float], str],
) -> SafeString:
    columns = [charts.Column(value(day), f"{_day(day)}: {said(value(day))}") for day in days]
    most = max(days, key=value)
    told = {"first": _day(days[0]), "last": _day(days[-1]), "day": _day(most), "most": said(value(most))}
    template = gettext("By day, from %(first)s to %(last)s; most on %(day)s: %(most)s.")
    description = (template if value(most) else gettext("By day, from %(first)s to %(last)s: none.")) % told
    return charts.columns(columns, title=label, description=description, name=f"by-day-{name}", lowest_scale=0.001)


def _day(day: overview.Day) -> str:
    return date_format(day.day, "MONTH_DAY_FORMAT")
