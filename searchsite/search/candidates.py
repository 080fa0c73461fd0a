"""What is known of the passages that were ranked: whose they are, and by what they can be counted and sorted.

The index is a cache: what is live, and who may see it, is asked of the database for every candidate here.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import NamedTuple

from django.db.models import QuerySet
from django.utils import timezone

from searchsite.documents.models import Collection, Passage
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
    for first in range(0, len(ranked), READ_AT_ONCE):
        some = ranked[first : first + READ_AT_ONCE]
        live = Passage.objects.filter(
            pk__in=[one.passage for one in some], revision__live_for__collection__in=visible
        ).values_list(
            "pk",
            "revision__live_for",
            "revision__live_for__collection",
            "revision__kind",
            "revision__language",
            "revision__written",
            "revision__live_for__updated",
        )
        facts = {row[0]: row for row in live}
        for one in some:
            if one.passage in facts:
                _passage, document, collection, kind, language, written, updated = facts[one.passage]
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
