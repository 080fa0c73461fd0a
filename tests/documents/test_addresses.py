"""Documents fetched from an address: by the worker, from a real server; fetched again; and what is refused."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from django.contrib.auth.models import Permission, User

from searchsite.documents import addresses, jobs, uploads
from searchsite.documents.models import Document, Job, Membership, Role, State
from tests.documents.web_server import reply, serving

pytestmark = pytest.mark.django_db

PAGE = b"<html><title>Tides</title><body><p>%s</p></body></html>"


@pytest.fixture
def local(settings):
    """A server that may be asked; `local.body` is its page."""
    settings.SEARCHSITE_FETCH_NETWORKS = [ip_network("127.0.0.0/8")]
    bodies = [PAGE % b"The tide comes in twice a day."]

    def answer(server, connection, request):
        reply(bodies[-1])(server, connection, request)

    with serving(answer) as server:
        server.bodies = bodies
        yield server


@pytest.fixture
def working(django_capture_on_commit_callbacks):
    """working(function, ...): what it gives, when the work that it queued is done."""

    def _working(function, *arguments):
        with django_capture_on_commit_callbacks(execute=True):
            return function(*arguments)

    return _working


def kinds() -> list[str]:
    return list(Job.objects.order_by("pk").values_list("kind", flat=True))


def test_a_page_is_fetched_and_read(public, local, working):
    document, is_new = working(addresses.document_at, public, local.url("/tides", host="127.0.0.1"))
    document.refresh_from_db()
    assert is_new
    assert (document.state, document.shown_title, document.name) == (State.READY, "Tides", "tides.html")
    assert "twice a day" in document.live_revision.text
    assert kinds() == [Job.Kind.FETCH, Job.Kind.INGEST]


def test_fetched_again_only_what_changed_is_read(public, local, working):
    document, _new = working(addresses.document_at, public, local.url(host="127.0.0.1"))
    working(addresses.fetch_again, document)
    document.refresh_from_db()
    assert document.state == State.READY
    assert kinds().count(Job.Kind.INGEST) == 1
    local.bodies.append(PAGE % b"It comes in three times.")
    working(addresses.fetch_again, document)
    document.refresh_from_db()
    assert "three times" in document.live_revision.text


def test_what_cannot_be_fetched_says_why_and_is_fetched_when_it_is_tried_again(public, local, working, settings):
    settings.SEARCHSITE_FETCH_NETWORKS = []
    document, _new = working(addresses.document_at, public, local.url(host="127.0.0.1"))
    document.refresh_from_db()
    assert document.state == State.FAILED
    assert "private network" in document.reason
    settings.SEARCHSITE_FETCH_NETWORKS = [ip_network("127.0.0.0/8")]
    working(document.try_again)
    document.refresh_from_db()
    assert document.state == State.READY


def test_a_cancelled_fetching_is_fetched_when_it_is_tried_again(public, local, working):
    document, _new = working(addresses.document_at, public, local.url(host="127.0.0.1"))
    addresses.fetch_again(document)
    jobs.cancel(Job.objects.all())
    document.refresh_from_db()
    assert document.state == State.CANCELLED
    local.bodies.append(PAGE % b"Newer.")
    working(document.try_again)
    document.refresh_from_db()
    assert "Newer" in document.live_revision.text


def test_a_document_whose_reading_failed_is_read_and_not_fetched_when_it_is_tried_again(public, local, working):
    local.bodies.append(b"<html><title>x</title></html>")
    document, _new = working(addresses.document_at, public, local.url(host="127.0.0.1"))
    document.refresh_from_db()
    assert document.state == State.FAILED
    asked = len(local.requests)
    working(document.try_again)
    assert len(local.requests) == asked


def test_an_address_that_is_there_is_touched_only_by_editors_of_the_collection(public, local, working):
    url = local.url(host="127.0.0.1")
    document, _new = working(addresses.document_at, public, url)
    jobs_before = Job.objects.count()
    once_an_editor = User.objects.create_user("reader", is_staff=True)
    once_an_editor.user_permissions.set(Permission.objects.filter(codename__endswith="_document"))
    item = working(addresses.add_address, uploads.begin(public, once_an_editor, "mine"), url)
    assert item.document is None
    assert "already" in item.reason
    assert (Job.objects.count(), document.tags.count()) == (jobs_before, 0)
    editor = User.objects.create_user("editor")
    Membership.objects.create(collection=public, user=editor, role=Role.EDITOR)
    item = working(addresses.add_address, uploads.begin(public, editor, "ours"), url)
    assert item.document == document
    assert [tag.name for tag in document.tags.all()] == ["ours"]
    assert kinds().count(Job.Kind.FETCH) == 2


def test_many_addresses_wait_behind_what_is_handed_in_singly(public):
    upload = uploads.begin(public, None)
    for number in range(30):
        addresses.add_address(upload, f"https://example.com/{number}")
    Document(collection=public, text="typed").save()
    assert jobs.claim("worker").document.url == "https://example.com/0", "the first could not know"
    last = Job.objects.get(document__url="https://example.com/29")
    assert last.bulk


def test_trying_a_large_upload_again_asks_the_database_as_often_as_a_small_one(public, django_assert_max_num_queries):
    upload = uploads.begin(public, None, announced=300)
    for number in range(100):
        addresses.add_address(upload, f"https://example.com/{number}")
    uploads.cancel(upload)
    with django_assert_max_num_queries(20):
        assert uploads.try_again(upload) == 100
    assert Job.objects.filter(state=State.QUEUED, bulk=True, kind=Job.Kind.FETCH).count() == 100
