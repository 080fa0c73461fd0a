"""What is known of the passages that were ranked: whose they are, and by what they can be counted and sorted.

The index is a cache: whose a passage is, it tells; whether that document is live, and who may see it, is asked of the
database for every candidate here, and of each passage that is shown once more (retrieve.hydrate).
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from django.db.models import CharField, QuerySet
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone

from searchsite.documents.models import Collection, Document
from searchsite.search.ranking import Ranked


class Candidate(NamedTuple):
    """A passage that the reader may see, with what ranked it and what is counted of its document."""

    ranked: Ranked
    document: int
    collection: int
    kind: str
    language: str
    date: datetime.date
    """The date that the document gives itself, else that of its last change."""


def permitted(ranked: Sequence[Ranked], visible: QuerySet[Collection]) -> list[Candidate]:
    """Those of the passages whose documents are live in the visible collections, in the same order."""
    allowed = set(visible.values_list("pk", flat=True))
    # By primary keys: asked for with the collections, databases without statistics go through every document of these.
    # Dates come as text, as most of the time went into making objects of them.
    dated = Coalesce(Cast("live_revision__written", CharField()), Cast("updated", CharField()))
    owners = {one.document for one in ranked}
    live = Document.objects.filter(pk__among=owners, live_revision__isnull=False).order_by()
    rows = live.values_list("pk", "collection", "live_revision__kind", "live_revision__language", dated)
    facts = {row[0]: row for row in rows if row[1] in allowed}
    zone = timezone.get_current_timezone_name()
    return [
        Candidate(one, document, collection, kind, language, _day(date[:15], zone))
        for one in ranked
        if one.document in facts
        for document, collection, kind, language, date in [facts[one.document]]
    ]


@lru_cache(maxsize=10_000)
def _day(text: str, _zone: str) -> datetime.date:
    """Of a date, or of a time in UTC to ten minutes, as databases write them; in the current time zone."""
    if len(text) == len("2024-05-01"):
        return datetime.date.fromisoformat(text)
    return timezone.localdate(datetime.datetime.fromisoformat(f"{text}0").replace(tzinfo=datetime.UTC))


def by_document(candidates: Sequence[Candidate], most: int) -> dict[int, list[Candidate]]:
    """At most so many passages of each document, the documents in the order of each one's best."""
    documents: dict[int, list[Candidate]] = {}
    for one in candidates:
        own = documents.setdefault(one.document, [])
        if len(own) < most:
            own.append(one)
    return documents
