"""Which documents a question's conditions leave: `type:pdf`, `before:2024` and the like, looked up in the database."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet
from django.utils import timezone

from searchsite.documents.models import Collection, Document, Tag
from searchsite.index.terms import fold, holds_phrase
from searchsite.search.query import Condition, Query, kinds_of

if TYPE_CHECKING:
    from searchsite.index.vectors import Ids


MOST_CONDITIONS = 20  # of a question; nobody types more
READ_AT_ONCE = 5_000  # documents
FIRST_DAY, LAST_DAY = datetime.date(1, 1, 2), datetime.date(9999, 12, 30)  # whose midnights are in UTC's calendar


class Documents:
    """The live documents that meet a question's conditions, looked up in the database only as far as it is needed: on
    a big site a condition such as `type:pdf` may be met by most of them."""

    def __init__(self, conditions: Sequence[Condition], collections: frozenset[int]) -> None:
        self._titles = [one for one in conditions if one.field == "title"]
        self._meeting = Document.objects.filter(*_kept(conditions), live_revision__isnull=False)
        self._collections = collections
        self._looked_up: dict[int, bool] = {}

    @cached_property
    def ids(self) -> Ids:
        """Of all of them in the collections that are searched, ascending. Takes the longer the more there are."""
        import numpy as np

        return np.fromiter(self._ids(self._meeting.filter(collection__in=self._collections)), np.int64)

    def among(self, documents: Iterable[int]) -> set[int]:
        """Which of these meet the conditions, in whatever collections they are. Takes the longer the more are given."""
        asked = set(documents)
        new = sorted(asked - self._looked_up.keys())
        for first in range(0, len(new), READ_AT_ONCE):
            some = new[first : first + READ_AT_ONCE]
            self._looked_up |= dict.fromkeys(some, False)
            # By their ids alone: see candidates.permitted.
            self._looked_up |= dict.fromkeys(self._ids(self._meeting.filter(pk__among=some)), True)
        return {document for document in asked if self._looked_up[document]}

    def _ids(self, documents: QuerySet[Document]) -> Iterable[int]:
        if self._titles:
            return _with_titles(documents, self._titles)
        return documents.order_by("pk").values_list("pk", flat=True)


@dataclass(frozen=True)
class Scope:
    """What is searched: passages in these collections and, where that is not None, of these documents."""

    collections: frozenset[int]
    documents: Documents | None


def scope(query: Query, visible: QuerySet[Collection]) -> Scope:
    """What of the visible collections the question's conditions leave.

    Of several values for the collection, the type or the language one is enough; of titles, tags and dates all must
    be true.
    """
    conditions = query.conditions[:MOST_CONDITIONS]
    collections = _collections([one for one in conditions if one.field == "collection"], visible)
    others = [one for one in conditions if one.field != "collection"]
    if not others or not collections:
        return Scope(collections, None)
    return Scope(collections, Documents(others, collections))


def _collections(conditions: Sequence[Condition], visible: QuerySet[Collection]) -> frozenset[int]:
    names = {pk: {fold(slug), fold(name)} for pk, slug, name in visible.values_list("pk", "slug", "name")}
    wanted = {fold(one.value) for one in conditions if not one.negated}
    unwanted = {fold(one.value) for one in conditions if one.negated}
    return frozenset(pk for pk, own in names.items() if (not wanted or own & wanted) and not own & unwanted)


def _kept(conditions: Sequence[Condition]) -> list[Q]:
    kept: list[Q] = []
    for field, column in (("type", "live_revision__kind__in"), ("lang", "live_revision__language__in")):
        for negated in (False, True):
            values = [one.value for one in conditions if one.field == field and one.negated == negated]
            options = [kind for value in values for kind in (kinds_of(value) if field == "type" else (value,))]
            if values:
                kept.append(~Q(**{column: options}) if negated else Q(**{column: options}))
    for one in conditions:
        if one.field == "tag":
            tagged = Q(pk__in=Document.tags.through.objects.filter(tag__in=_tags(one.value)).values("document"))
            kept.append(~tagged if one.negated else tagged)
        elif one.field in ("before", "after"):
            early = _earlier(datetime.date.fromisoformat(one.value))
            kept.append(early if (one.field == "before") != one.negated else ~early)
    return kept


def _tags(name: str) -> list[int]:
    wanted = fold(name)
    return [pk for pk, own in Tag.objects.values_list("pk", "name") if fold(own) == wanted]


def _earlier(day: datetime.date) -> Q:
    """Dated before that day: by the date that the document gives itself, else by that of its last change."""
    changed_by = min(max(day, FIRST_DAY), LAST_DAY)
    midnight = timezone.make_aware(datetime.datetime.combine(changed_by, datetime.time()))
    undated = Q(live_revision__written__isnull=True, updated__lt=midnight)
    return Q(live_revision__written__isnull=False, live_revision__written__lt=day) | undated


def _with_titles(documents: QuerySet[Document], conditions: Iterable[Condition]) -> Iterator[int]:
    """The ids of those whose title holds each of these words or phrases, in whatever width, case and script."""
    wanted = [one.value for one in conditions if not one.negated]
    unwanted = [one.value for one in conditions if one.negated]
    for part in (part for words in wanted for part in fold(words).split() if part.isascii()):
        # The database does not fold as we do, but of titles in plain letters it can tell which are worth a look.
        worth = Q()
        for column in ("title", "live_revision__title", "name"):
            worth |= Q(**{f"{column}__icontains": part}) | Q(**{f"{column}__regex": "[^ -~]"})
        documents = documents.filter(worth)
    rows = documents.order_by("pk").values_list("pk", "title", "live_revision__title", "name")
    for pk, given, found, name in rows.iterator(chunk_size=2000):
        title = given or found or name
        if all(holds_phrase(title, one) for one in wanted) and not any(holds_phrase(title, one) for one in unwanted):
            yield pk
