"""`among` finds what `in` does, by one parameter however many the ids are, on either database."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from searchsite.documents.models import Document, Passage, Revision

pytestmark = pytest.mark.django_db


@pytest.fixture
def some(public, add) -> list[int]:
    return [add(public, f"apples {n}").pk for n in range(4)]


@pytest.mark.parametrize("wanted", [[], [0], [0, 2], [3, 1, 1], range(4)])
def test_it_finds_what_in_finds(some, wanted):
    ids = [some[n] for n in wanted]
    for kind in (list, set, dict.fromkeys):
        assert set(Document.objects.filter(pk__among=kind(ids))) == set(Document.objects.filter(pk__in=ids))
    rest = set(Document.objects.exclude(pk__among=ids).values_list("pk", flat=True))
    assert rest == set(some) - set(ids)


def test_it_asks_by_relations_and_with_other_conditions(some):
    revisions = list(Revision.objects.filter(document__among=some[:2]).values_list("pk", flat=True))
    assert len(revisions) == 2
    assert Passage.objects.filter(revision__among=revisions, revision__live_for__among=some[1:]).count() == 1


def test_more_than_a_database_takes_as_parameters_are_one(some):
    many = [*range(10**9, 10**9 + 100_000), *some]
    with CaptureQueriesContext(connection) as asked:
        assert Document.objects.filter(pk__among=many).count() == 4
    assert len(asked) == 1


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL reads all of so few rows")
def test_rows_are_looked_up_by_their_keys(some):
    plan = Document.objects.filter(pk__among=some[:2]).explain()
    assert "SEARCH documents_document USING INTEGER PRIMARY KEY" in plan, plan
