"""The documents of a collection as its page lists them: narrowed by state and title, a page of them at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from searchsite.documents.models import Collection, Document, Job, State
from searchsite.documents.shown import percent_of, state_badge
from searchsite.documents.views.allowed import REVISION_TEXTS
from searchsite.documents.views.asked import line, number
from searchsite.documents.views.upload_page import Tab
from searchsite.search.templatetags.passages import kind_name

A_PAGE = 50
TABS: dict[str, str | Promise] = {
    "": _("All"),
    State.QUEUED: _("Waiting"),
    State.RUNNING: _("Being worked on"),
    State.READY: _("Ready"),
    State.FAILED: _("Failed"),
    State.CANCELLED: _("Cancelled"),
}


@dataclass(frozen=True)
class Asked:
    """Which documents are looked at. state: one of TABS; page: from 1, 0 for none in particular."""

    state: str
    title: str
    page: int

    @classmethod
    def of(cls, given: Mapping[str, str], editor: bool) -> Asked:
        """From the parameters of a request. Who is no editor knows nothing of states."""
        state = given.get("state", "")
        return cls(
            state if editor and state in TABS else "", line(given.get("title", "")), number(given.get("page", ""))
        )

    @property
    def query(self) -> str:
        """For an address: "?state=failed&page=2"; empty when nothing in particular is asked."""
        pairs = {"state": self.state, "title": self.title, "page": self.page if self.page > 1 else ""}
        asked = urlencode({name: value for name, value in pairs.items() if value})
        return f"?{asked}" if asked else ""


@dataclass(frozen=True)
class Row:
    """A document of the list. `state`, `reason`: only for editors."""

    document: Document
    kind: str
    date: date
    state: SafeString | str
    reason: str


def documents_in(collection: Collection, asked: Asked, editor: bool) -> QuerySet[Document]:
    """The documents asked for. Readers see those that can be read, editors all."""
    documents = Document.objects.filter(collection=collection)
    if not editor:
        documents = documents.filter(live_revision__isnull=False)
    if asked.title:
        found = Q(title="", live_revision__title__icontains=asked.title) | Q(name__icontains=asked.title)
        documents = documents.filter(Q(title__icontains=asked.title) | found)
    return documents.filter(state=asked.state) if asked.state else documents


def tabs(collection: Collection, asked: Asked) -> list[Tab]:
    """The filters by state, with how many documents each leaves; without those that leave none."""
    every = documents_in(collection, Asked("", asked.title, 0), editor=True)
    counted = every.order_by().values_list("state").annotate(count=Count("pk"))
    counts: dict[str, int] = dict(counted)
    counts[""] = sum(counts.values())
    shown = [Tab(state, label, counts.get(state, 0), state == asked.state) for state, label in TABS.items()]
    return [tab for tab in shown if tab.count or tab.chosen or not tab.state]


def rows(documents: QuerySet[Document], editor: bool) -> list[Row]:
    """These documents, which are those of one page, with all that is shown of them."""
    found = documents.select_related("live_revision").defer("text", *REVISION_TEXTS).prefetch_related("tags")
    if editor:
        latest = Job.objects.filter(document=OuterRef("pk")).order_by("-pk")
        progress: dict[str, Any] = {f"job_{n}": Subquery(latest.values(n)[:1]) for n in ("done", "total", "step")}
        found = found.annotate(**progress)
    return [_row(document, editor) for document in found]


def _row(document: Document, editor: bool) -> Row:
    revision = document.live_revision
    written = revision.written if revision else None
    done, total, step = (getattr(document, f"job_{name}", None) for name in ("done", "total", "step"))
    badge = state_badge(document.state, document.get_state_display(), percent_of(done, total), step or "")
    return Row(
        document=document,
        kind=kind_name(revision.kind) if revision else "",
        date=written or timezone.localdate(document.updated),
        state=badge if editor else "",
        reason=(document.reason or _unread(document)) if editor else "",
    )


def _unread(document: Document) -> str:
    """Which pages could not be read; empty when all were."""
    revision = document.live_revision
    if revision is None or not revision.unread:
        return ""
    return gettext("Pages without a text layer, not read: %(pages)s. The OCR extra reads them.") % {
        "pages": revision.unread_pages
    }


def titles(documents: Iterable[int], most: int) -> list[str]:
    """The shown titles of the first of these documents."""
    found = Document.objects.filter(pk__in=list(documents)[:most]).select_related("live_revision")
    return [document.shown_title for document in found.defer("text", *REVISION_TEXTS)]
