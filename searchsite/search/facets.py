"""How many documents there are of each collection, type, language, tag and year, among the best candidates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from searchsite.documents.models import Collection, Document
from searchsite.search.candidates import Candidate
from searchsite.search.query import GROUPS, MAX_QUESTION, Condition, Query, narrowed, parse, widened
from searchsite.search.templatetags.places import language_name

T = TypeVar("T")
COUNTED = 250  # candidates: what comes behind them is far from the question
MOST_VALUES = 8
ANY = ("collection", "type", "lang")  # fields of which one of several values is enough
GROUP_OF = {kind: group for group, kinds in GROUPS.items() for kind in kinds}
KIND_NAMES = {
    "pdf": "PDF", "word": "Word", "pptx": gettext_lazy("Slides"), "table": gettext_lazy("Tables"), "html": "HTML",
    "epub": "EPUB", "mail": gettext_lazy("Mail"), "markdown": "Markdown", "rst": "reStructuredText",
    "ipynb": gettext_lazy("Notebooks"), "image": gettext_lazy("Pictures"), "text": gettext_lazy("Plain text"),
    "code": gettext_lazy("Code"), "jsonl": "JSONL",
}  # fmt: skip


@dataclass(frozen=True)
class Value:
    """A value of a facet, the number of documents that have it, and the question with that condition."""

    label: str
    count: int
    question: str


@dataclass(frozen=True)
class Facet:
    label: str
    values: list[Value]


@dataclass(frozen=True)
class Chosen:
    """A condition that the question has, as it is written there, and the question without it."""

    label: str
    question: str


@dataclass(frozen=True)
class Counts:
    """What there is of the reader's passages that may answer: of more than COUNTED only the first are counted."""

    facets: list[Facet]
    chosen: list[Chosen]
    passages: int
    documents: int
    more: bool


def count(asked: str, query: Query, candidates: Sequence[Candidate], visible: QuerySet[Collection]) -> Counts:
    """Count the documents of the first COUNTED candidates. `asked`: the question as it was typed, which is `query`."""
    first = candidates[:COUNTED]
    documents = {one.document: one for one in first}.values()
    names = {pk: (name, slug) for pk, name, slug in visible.values_list("pk", "name", "slug")}
    tagged = Document.tags.through.objects.filter(document__among=[one.document for one in documents])
    times = dict(tagged.values_list("tag__name").annotate(Count("pk")).order_by())

    def by(field: str) -> Callable[[str], str]:
        rest = _without(asked, field) if field in ANY else asked
        return lambda value: narrowed(rest, field, value)

    # Within a type that was asked for, its kinds are told apart: the group may have others.
    grouped = not any(_asks(one, "type") for one in query.conditions)
    collections = Counter(names[one.collection] for one in documents if one.collection in names)
    kinds = Counter(GROUP_OF.get(one.kind, one.kind) if grouped else one.kind for one in documents)
    languages = Counter(one.language for one in documents)
    tags: Counter[str] = Counter(times)
    years = Counter(one.date.year for one in documents)
    facets = [
        _facet(_("Collection"), collections, lambda own: own[0], lambda own: by("collection")(own[1])),
        _facet(_("Type"), kinds, kind_name, by("type")),
        _facet(_("Language"), languages, lambda code: language_name(code) or code, by("lang")),
        _facet(_("Tag"), tags, str, by("tag")),
        _facet(_("Year"), years, str, lambda year: _in_year(asked, year), newest_first=True),
    ]
    chosen = [Chosen(asked[one.start : one.end], widened(asked, one)) for one in query.conditions]
    worth = [facet for facet in facets if len(facet.values) > 1]  # one value alone narrows nothing
    return Counts(worth, chosen, len(first), len(documents), len(candidates) > COUNTED)


def kind_name(kind: str) -> str:
    """What people call documents of that kind, or of that group of kinds."""
    return str(KIND_NAMES.get(kind, kind))


def _facet(
    label: str,
    counted: Counter[T],
    shown: Callable[[T], str],
    question: Callable[[T], str],
    newest_first: bool = False,
) -> Facet:
    ordered = sorted(counted, key=lambda value: (-counted[value], shown(value)))[:MOST_VALUES]
    if newest_first:
        ordered.sort(key=shown, reverse=True)
    values = [Value(shown(value), counted[value], question(value)) for value in ordered]
    return Facet(label, [value for value in values if len(value.question) <= MAX_QUESTION])  # no link to a refusal


def _asks(condition: Condition, field: str) -> bool:
    return condition.field == field and not condition.negated


def _without(asked: str, field: str) -> str:
    """The question without the values of that field that it asks for: another one would be one more that will do."""
    while given := [one for one in parse(asked).conditions if _asks(one, field)]:
        asked = widened(asked, given[0])
    return asked


def _in_year(asked: str, year: int) -> str:
    return narrowed(narrowed(asked, "after", f"{year:04}"), "before", f"{year + 1:04}")
