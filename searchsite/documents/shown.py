"""How states, steps and reasons look in every list, in the admin and in the library."""

from __future__ import annotations

from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from searchsite.documents.models import Job, State

STEPS = {
    "reading": _("reading"),
    "encoding": _("encoding"),
    "building": _("building"),
    "calibrating": _("calibrating"),
    "comparing": _("comparing"),
    "fetching": _("fetching"),
    "unpacking": _("unpacking"),
}
LABELS = {
    Job.Kind.INGEST: _("Read #%d"),
    Job.Kind.FETCH: _("Fetch #%d"),
    Job.Kind.UNPACK: _("Unpack #%d"),
    Job.Kind.REBUILD: _("Rebuild #%d"),
    Job.Kind.CALIBRATE: _("Calibration #%d"),
    Job.Kind.COMPARE: _("Comparison #%d"),
}


def job_label(job: Job) -> str:
    """A job in a word and by its number."""
    return str(LABELS[Job.Kind(job.kind)]) % job.pk


def grouped(number: int) -> str:
    """A number as people write it: 2,000."""
    return str(number_format(number, force_grouping=True))


def spent(seconds: float) -> str:
    """A duration as people say it, to a tenth of a second below a minute."""
    if seconds < 59.95:
        return gettext("%.1f s") % max(0.0, seconds)
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return gettext("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest}
    hours, minutes = divmod(minutes, 60)
    return gettext("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}


def step_label(step: str) -> str:
    """What a job is doing, in the reader's language."""
    return str(STEPS.get(step, step))


def state_badge(state: str, label: str, percent: int | None = None, step: str = "") -> SafeString:
    """A state as a coloured word, and while it is being worked on a bar, and what is being done.

    percent: how far it is; None while nobody knows.
    """
    badge = format_html('<span class="state state-{}">{}</span>', state, label)
    if state != State.RUNNING:
        return badge
    bar = mark_safe('<progress max="100"></progress>')
    if percent is not None:
        bar = format_html('<progress max="100" value="{0}">{0} %</progress>', percent)
    doing = format_html('<span class="step">{}</span>', step_label(step)) if step else ""
    return format_html("{} {}{}", badge, bar, doing)


def with_reason(state: SafeString, reason: str) -> SafeString:
    """A state, and below it why it failed."""
    return format_html('{}<p class="reason">{}</p>', state, reason) if reason else state


def percent_of(done: int | None, total: int | None) -> int | None:
    """How far a job is, in percent; None while that is not known."""
    return 100 * (done or 0) // total if total else None


def labelled(figure: str, label: str) -> SafeString:
    """A figure of a list; what it counts is said where the list has no head, on a phone (admin.css)."""
    return format_html('<span class="phone">{}</span> {}', label, figure)
