"""What the page of an upload shows: how far all of it is, and a page of its files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext, pgettext
from django.utils.translation import gettext_lazy as _

from searchsite.documents.access import visible_collections
from searchsite.documents.models import Document, Job, State, Upload, UploadItem
from searchsite.documents.problems import may_pass
from searchsite.documents.shown import grouped, percent_of, state_badge
from searchsite.documents.sources import as_path
from searchsite.documents.uploads import DELETED, SHOWN, shown_items

A_PAGE = 100
RECENT = timedelta(minutes=5)
ENOUGH = 5  # jobs, to tell from them how long the others will take
SENDING = timedelta(hours=1)  # so long it is believed that announced files are still on their way
REFUSED = "refused"

# In the order of the bar.
LABELS: dict[str, str | Promise] = {
    State.READY: _("ready"),
    State.RUNNING: _("being worked on"),
    State.QUEUED: _("waiting"),
    State.FAILED: _("failed"),
    REFUSED: _("refused"),
    State.CANCELLED: _("cancelled"),
    DELETED: _("deleted"),
}
COUNTED: dict[str, str | Promise] = {
    State.RUNNING: _("%(number)s being worked on"),
    State.QUEUED: _("%(number)s waiting"),
    State.FAILED: _("%(number)s failed"),
    REFUSED: _("%(number)s refused"),
    State.CANCELLED: _("%(number)s cancelled"),
    DELETED: _("%(number)s deleted"),
}
TABS: dict[str, str | Promise] = {
    "": _("All"),
    State.QUEUED: _("Waiting"),
    State.RUNNING: _("Being worked on"),
    State.READY: _("Ready"),
    State.FAILED: _("Failed and refused"),
    State.CANCELLED: _("Cancelled"),
}


@dataclass(frozen=True)
class Segment:
    """A part of the bar, which is 1000 wide."""

    state: str
    label: str | Promise
    count: int
    x: float
    width: float

    @property
    def number(self) -> str:
        return grouped(self.count)


@dataclass(frozen=True)
class Tab:
    state: str
    label: str | Promise
    count: int
    chosen: bool

    @property
    def number(self) -> str:
        return grouped(self.count)


@dataclass(frozen=True)
class Row:
    """One file as the list shows it. `again`: trying again may help; `copy`: what has the same content."""

    pk: int
    path: str
    size: int
    state: SafeString
    reason: str
    copy: SafeString | str
    address: str
    again: bool


def counts_of(upload_ids: Iterable[int]) -> dict[int, dict[str, int]]:
    """How many files of each upload are in each of the states of LABELS; those with none are left out."""
    refused = Q(shown=State.FAILED, document=None, archive="")
    items: QuerySet[Any] = UploadItem.objects.filter(upload__in=list(upload_ids)).annotate(shown=SHOWN).order_by()
    per_state = items.values("upload", "shown").annotate(count=Count("pk"), refused=Count("pk", filter=refused))
    found: dict[int, dict[str, int]] = {}
    for upload, shown, count, unaccepted in per_state.values_list("upload", "shown", "count", "refused"):
        counts = found.setdefault(upload, {})
        for state, number in ((shown, count - unaccepted), (REFUSED, unaccepted)):
            if number:
                counts[state] = number
    return found


def summary(counts: dict[str, int], missing: int) -> str:
    """The counts in a line: "1,790 of 2,000 ready, 5 refused, 202 waiting"."""
    total = sum(counts.values()) + missing
    ready = grouped(counts.get(State.READY, 0))
    of_all = gettext("%(ready)s of %(total)s ready") % {"ready": ready, "total": grouped(total)}
    rest = [str(label) % {"number": grouped(counts[state])} for state, label in COUNTED.items() if state in counts]
    return pgettext("between counts", ", ").join([of_all, *rest])


def segments(counts: dict[str, int], missing: int) -> list[Segment]:
    """The parts of the bar; the few among many are still to be seen."""
    whole = max(sum(counts.values()) + missing, 1)
    found, x = [], 0.0
    for state, label in LABELS.items():
        if count := counts.get(state, 0):
            width = max(6.0, 1000 * count / whole)
            found.append(Segment(state, label, count, x, width))
            x += width
    if x <= 1000:
        return found
    return [Segment(one.state, one.label, one.count, one.x * 1000 / x, one.width * 1000 / x) for one in found]


def tabs(counts: dict[str, int], chosen: str) -> list[Tab]:
    """The filters, with how many files each leaves; without those that leave none."""
    numbers = {**counts, "": sum(counts.values()), State.FAILED: counts.get(State.FAILED, 0) + counts.get(REFUSED, 0)}
    shown = [Tab(state, label, numbers.get(state, 0), state == chosen) for state, label in TABS.items()]
    return [tab for tab in shown if tab.count or tab.chosen or not tab.state]


def missing_of(uploads: Iterable[Upload]) -> dict[int, int]:
    """How many files of each upload were announced and are not here; none are missed of one that was cancelled."""
    open_ones = [upload for upload in uploads if not upload.cancelled]
    items = UploadItem.objects.filter(upload__in=open_ones, announced=True).order_by()
    here = dict(items.values("upload").annotate(count=Count("pk")).values_list("upload", "count"))
    return {upload.pk: max(0, upload.announced - here.get(upload.pk, 0)) for upload in open_ones}


def is_busy(upload: Upload, counts: dict[str, int], missing: int) -> bool:
    """Whether something of the upload may still change by itself."""
    on_its_way = missing > 0 and timezone.now() - upload.created < SENDING
    return on_its_way or bool(counts.get(State.QUEUED) or counts.get(State.RUNNING))


def time_left(upload: Upload, waiting: int) -> str:
    """About how long the rest will take, told from what was done in the last minutes; empty when that is too little."""
    now = timezone.now()
    over = Job.objects.filter(state__in=[State.READY, State.FAILED], finished__gte=now - RECENT)
    recent = over.filter(document__upload_items__upload=upload).aggregate(count=Count("pk"), first=Min("started"))
    if not waiting or recent["count"] < ENOUGH:
        return ""
    minutes: int = round((now - recent["first"]).total_seconds() * waiting / recent["count"] / 60)
    if minutes < 1:
        return gettext("less than a minute left")
    if minutes < 100:
        return ngettext("about %d minute left", "about %d minutes left", minutes) % minutes
    hours = round(minutes / 60)
    return ngettext("about %d hour left", "about %d hours left", hours) % hours


def rows(upload: Upload, state: str, page: int, user: User | AnonymousUser) -> list[Row]:
    """One page of the files in that state ("": all), by name; pages are numbered from 1."""
    found = shown_items(upload).select_related("document", "upload").defer("document__text").order_by("name")
    if state:
        found = found.filter(shown=state)
    items = list(found[(page - 1) * A_PAGE : page * A_PAGE])
    running = _jobs_of([item for item in items if item.shown == State.RUNNING])
    readable = set(visible_collections(user).values_list("pk", flat=True))
    copies = _copies(upload, [item.document for item in items if item.document], readable)
    return [_row(item, running, copies, readable) for item in items]


def _jobs_of(items: list[Any]) -> dict[tuple[int | None, int | None], Job]:
    """The jobs that are at work on these, by their document and archive."""
    documents = [item.document_id for item in items if item.document_id]
    archives = [item.pk for item in items if item.archive]
    about_these = Q(document__in=documents) | Q(item__in=archives)
    return {(job.document_id, job.item_id): job for job in Job.objects.filter(about_these, state=State.RUNNING)}


def _copies(upload: Upload, documents: list[Document], readable: set[int]) -> dict[int, SafeString]:
    """A sentence for each of these documents whose content was there before, in the readable collections."""
    told = [one for one in documents if one.file and one.state not in (State.FAILED, State.CANCELLED)]
    earlier = _kept_before([document.content_hash for document in told], readable)
    beside = UploadItem.objects.filter(upload=upload, document__in=list(earlier.values()))
    paths = dict(beside.values_list("document", "name"))
    found: dict[int, SafeString] = {}
    for document in told:
        twin = earlier.get(document.content_hash)
        if twin is None or twin.pk >= document.pk:
            continue
        name = as_path(paths[twin.pk]) if twin.pk in paths else twin.name or twin.shown_title
        link = format_html('<a href="{}">{}</a>', twin.get_absolute_url(), name)
        sentence = gettext("The same content is already kept as “{name}” in {collection}; both are kept.")
        if twin.pk in paths:
            sentence = gettext("The same content as “{name}”; both are kept.")
        found[document.pk] = format_html(sentence, name=link, collection=twin.collection)
    return found


def _kept_before(hashes: list[str], readable: set[int]) -> dict[str, Document]:
    """The first document with each content in the readable collections."""
    known = Document.objects.filter(content_hash__in=hashes, collection__in=readable)
    first = known.order_by().values("content_hash").annotate(first=Min("pk")).values_list("first", flat=True)
    told = ("content_hash", "name", "title", "url", "collection__name", "live_revision__title")
    found = Document.objects.filter(pk__in=list(first)).select_related("collection", "live_revision").only(*told)
    return {document.content_hash: document for document in found}


def _row(
    item: Any, running: dict[tuple[int | None, int | None], Job], copies: dict[int, SafeString], readable: set[int]
) -> Row:
    shown: str = item.shown
    document = item.document
    known = document is None or document.collection_id in readable  # or it was moved to where the user sees nothing
    stays = document is None or document.collection_id == item.upload.collection_id
    refused = shown == State.FAILED and not document and not item.archive
    problem = document.problem if document else item.problem
    job = running.get((item.document_id, item.pk if item.archive else None))
    over = shown in (State.FAILED, State.CANCELLED)
    percent, step = (percent_of(job.done, job.total), job.step) if job else (None, "")
    return Row(
        pk=item.pk,
        path=as_path(item.name),
        size=item.size or (document.size if document else 0),
        state=state_badge(shown, str(LABELS[REFUSED if refused else shown]), percent, step),
        reason=item.reason if known else "",
        copy=copies.get(item.document_id, ""),
        address=document.get_absolute_url() if document and known else "",
        again=stays and over and not refused and may_pass(problem["code"] if problem else ""),
    )
