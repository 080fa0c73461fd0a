"""The conditions of a question in words: "Language: Chinese" for `lang:zh`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from searchsite.index.terms import fold
from searchsite.search.facets import kind_name
from searchsite.search.query import Condition, Query, widened
from searchsite.search.templatetags.places import language_name


@dataclass(frozen=True)
class Chip:
    """A condition as people say it and as it stands in the question, and the question without it."""

    said: str
    written: str
    question: str


def chips(asked: str, query: Query, collections: Mapping[str, str]) -> list[Chip]:
    """One for each condition. `asked`: the question as it was typed, which is `query`; collections: slug -> name, of
    those that the reader may see."""
    return [Chip(_said(one, collections), asked[one.start : one.end], widened(asked, one)) for one in query.conditions]


def _said(condition: Condition, collections: Mapping[str, str]) -> str:
    if condition.field in ("before", "after"):
        said = _by_date(condition)
    else:
        label, value = _label_and_value(condition, collections)
        said = _("%(label)s: %(value)s") % {"label": label, "value": value}
    return _("not %(condition)s") % {"condition": said} if condition.negated else said


def _label_and_value(condition: Condition, collections: Mapping[str, str]) -> tuple[str, str]:
    value = condition.value
    if condition.field == "collection":
        names = {fold(slug): name for slug, name in collections.items()}
        return _("Collection"), names.get(fold(value), value)
    if condition.field == "type":
        return _("Type"), kind_name(value)
    if condition.field == "lang":
        return _("Language"), language_name(value) or value
    return (_("Tag") if condition.field == "tag" else _("Title")), value


def _by_date(condition: Condition) -> str:
    """From or before a day; of the first day of a year the year says enough."""
    day = date.fromisoformat(condition.value)
    year = pgettext("a year", "%(year)s") % {"year": day.year}
    shown = year if (day.month, day.day) == (1, 1) else date_format(day)
    if condition.field == "before":
        return _("before %(date)s") % {"date": shown}
    return _("from %(date)s on") % {"date": shown}
