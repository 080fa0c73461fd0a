"""A page of results takes as many queries of the database for a big site as for a small one."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from searchsite.documents.models import Collection, Document, Tag
from searchsite.index import lexical_follow

pytestmark = pytest.mark.django_db

MOST = 25  # for somebody who is signed in, of which session and rights are four


@pytest.fixture
def grow(public, django_capture_on_commit_callbacks, monkeypatch):
    """grow(n): so many more documents of several passages, in as many collections, with tags."""
    tags = [Tag.objects.create(name=f"tag {n}") for n in range(3)]

    def _grow(n: int) -> None:
        begun = Document.objects.count()
        shelves = [
            Collection.objects.create(name=f"Shelf {begun + k}", slug=f"shelf-{begun + k}", visibility="public")
            for k in range(n)
        ]
        with monkeypatch.context() as patched:
            patched.setattr(lexical_follow, "keep_up", lambda **_options: None)
            for k, shelf in enumerate(shelves):
                text = "\n\n".join(f"# Part {part}\n\napples {begun + k} of part {part}" for part in range(4))
                with django_capture_on_commit_callbacks(execute=True):
                    document = Document(collection=shelf, text=text)
                    document.save()
                document.tags.set(tags[: k % 4])
        lexical_follow.keep_up()

    return _grow


QUESTIONS = ["apples", 'apples part tag:"tag 1"', "type:markdown", '"of part 3"', "apples -pears"]


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_page_takes_as_many_queries_whatever_there_is(client, grow, question):
    client.force_login(User.objects.create_user("reader"))
    grow(12)
    taken = []
    for _size in range(2):
        client.get("/", {"q": question})  # what is looked up once for each state of the index
        with CaptureQueriesContext(connection) as captured:
            response = client.get("/", {"q": question})
        assert response.context["answer"].results
        taken.append(len(captured))
        grow(30)
    assert taken[0] == taken[1] <= MOST, "\n".join(query["sql"][:200] for query in captured)
