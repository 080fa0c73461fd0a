"""What is known of the passages that were ranked: whose they are, and by what they can be counted and sorted.

The index is a cache: what is live, and who may see it, is asked of the database for every candidate here.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import NamedTuple

from django.db.models import QuerySet
from django.utils import timezone

from searchsite.documents.models import Collection, Document, Passage
from searchsite.search.ranking import Ranked

READ_AT_ONCE = 1000


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
    """Those of the passages that are live in the visible collections, in the same order."""
    found: list[Candidate] = []
    allowed = set(visible.values_list("pk", flat=True))
    for first in range(0, len(ranked), READ_AT_ONCE):
        some = ranked[first : first + READ_AT_ONCE]
        # Step by step, each by a primary key or a unique one: asked for all at once with the collections, databases
        # without statistics go through every document of these.
        passages = Passage.objects.filter(pk__in=[one.passage for one in some])
        revision_of = dict(passages.values_list("pk", "revision"))
        live = Document.objects.filter(live_revision__in=set(revision_of.values())).values_list(
            "live_revision",
            "pk",
            "collection",
            "live_revision__kind",
            "live_revision__language",
            "live_revision__written",
            "updated",
        )
        facts = {row[0]: row for row in live}
        for one in some:
            row = facts.get(revision_of.get(one.passage, 0))
            if row and row[2] in allowed:
                _revision, document, collection, kind, language, written, updated = row
                date = written or timezone.localdate(updated)
                found.append(Candidate(one, document, collection, kind, language, date))
    return found


def by_document(candidates: Sequence[Candidate], most: int) -> dict[int, list[Candidate]]:
    """At most so many passages of each document, the documents in the order of each one's best."""
    documents: dict[int, list[Candidate]] = {}
    for one in candidates:
        own = documents.setdefault(one.document, [])
        if len(own) < most:
            own.append(one)
    return documents
