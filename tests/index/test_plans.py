"""How SQLite, which has no statistics of its tables, goes about reading vectors and counting documents."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from searchsite.documents.access import visible_collections
from searchsite.documents.models import Document, State
from searchsite.index import backends, encoding, space, vectors
from searchsite.search import similar

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif("connection.vendor != 'sqlite'", reason="other databases have statistics"),
]


def first_steps(do) -> list[str]:
    """The first step of each plan by which vectors are read, none of which goes through all of an encoder."""
    with CaptureQueriesContext(connection) as captured:
        do()
    steps = []
    with connection.cursor() as cursor:
        for sql in (query["sql"] for query in captured if 'FROM "index_vector"' in query["sql"]):
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plan = [row[3] for row in cursor.fetchall()]
            assert not any("(fingerprint=?)" in step for step in plan), sql
            steps.append(plan[0])
    return steps


@pytest.mark.parametrize("documents", [1, 200])
def test_the_vectors_of_some_documents_are_found_from_the_documents(public, add, documents):
    first = add(public, "apples").pk
    fingerprint, placed = backends.fingerprint(), space.current()
    some = list(range(first, first + documents))
    assert len(vectors.live_rows(some, fingerprint, placed)) == 1
    [step] = first_steps(lambda: vectors.live_rows(some, fingerprint, placed))
    assert step.startswith("SEARCH documents_document USING INTEGER PRIMARY KEY")


def test_nothing_that_is_looked_up_begins_with_all_vectors_of_the_encoder(public, add):
    document = Document.objects.get(pk=add(public, "apples").pk)
    key = document.live_revision.passages.get().vectors.get().text_hash
    assert encoding.kept([key]).keys() == {key}
    for do in (lambda: encoding.kept([key]), lambda: similar.similar(AnonymousUser(), document)):
        steps = first_steps(do)
        assert steps
        assert all(step.startswith("SEARCH") for step in steps)


def test_what_waits_is_counted_without_reading_documents(public):
    collections = visible_collections(AnonymousUser())
    for states in ([State.QUEUED, State.RUNNING], [State.FAILED]):
        waiting = Document.objects.filter(collection__in=collections, state__in=states).order_by()
        plan = waiting.values("pk").explain()
        assert "SEARCH documents_document USING COVERING INDEX state_in_collection" in plan
