"""The front page of the admin: its figures against plain counting, and who sees which of them."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from searchsite.documents import jobs
from searchsite.documents.models import Collection, Document, Job, Membership, Role, State
from searchsite.insight import overview
from searchsite.people.models import Action, Entry

pytestmark = pytest.mark.django_db
FRONT = "/admin/"


@pytest.fixture
def staff(db) -> User:
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.all())
    return user


@pytest.fixture
def hidden(db) -> Collection:
    return Collection.objects.create(name="Hushed", slug="hushed")


def document(collection: Collection, title: str, state: State = State.READY) -> Document:
    """One that no worker is told of."""
    made = Document(collection=collection, title=title, state=state)
    super(Document, made).save()
    return made


def done(about: Document | None, ended: datetime, **fields) -> Job:
    kind = Job.Kind.INGEST if about else Job.Kind.REBUILD
    told = {"kind": kind, "document": about, "state": State.READY, "finished": ended, "started": ended}
    return Job.objects.create(**{**told, **fields})


# --- by day ---


def test_each_day_has_what_was_done_on_it_in_the_sites_time_zone(public, hidden, staff, settings):
    settings.TIME_ZONE = "Asia/Shanghai"
    dice, zone = random.Random(1), ZoneInfo("Asia/Shanghai")
    admin = User.objects.create_superuser("root")
    now = datetime(2026, 3, 10, 1, 30, tzinfo=UTC)  # half past nine in Shanghai
    with timezone.override(zone):
        expected: dict[str, Counter] = {"staff": Counter(), "root": Counter()}
        encoded: dict[str, list] = {}
        for n in range(120):
            collection = dice.choice([public, hidden])
            ended = now - timedelta(hours=dice.uniform(0, 24 * 40))
            state = dice.choice([State.READY, State.READY, State.FAILED])
            job = done(document(collection, f"{n}"), ended, state=state, total=n % 9, encoded=n % 5)
            job.encode_seconds = job.encoded / 10
            job.save()
            day = ended.astimezone(zone).date()
            if state != State.READY:
                continue
            for who in ("staff", "root") if collection == public else ("root",):
                expected[who][day, "documents"] += 1
                expected[who][day, "passages"] += job.total
                encoded.setdefault((who, day), []).append(job.encoded)
        today = now.astimezone(zone).date()
        for user in (staff, admin):
            days = overview.days(user, today)
            assert [day.day for day in days] == [today - timedelta(days=29 - n) for n in range(30)]
            for day in days:
                told = expected[user.username]
                assert (day.documents, day.passages) == (told[day.day, "documents"], told[day.day, "passages"])
                busy = sum(encoded.get((user.username, day.day), []))
                assert day.speed == (pytest.approx(10) if busy else None)
    assert sum(day.documents for day in overview.days(staff, today)) < 60


def test_a_rebuild_counts_for_the_encoders_speed_and_for_no_document(staff):
    done(None, timezone.now(), total=50, encoded=300, encode_seconds=4.0)
    last = overview.days(staff)[-1]
    assert (last.documents, last.passages, last.speed) == (0, 0, 75.0)


def test_the_encoders_work_is_counted_as_it_is_done(public, add):
    document = add(public, "apples\n\npears")
    job = Job.objects.get(document=document)
    assert job.encoded == 1
    assert job.encode_seconds > 0
    add(public, "apples\n\npears")
    again = Job.objects.first()
    assert (again.encoded, again.encode_seconds) == (0, 0), "its vector was copied"
    assert again.total == 1


# --- what waits, runs and failed ---


def test_what_waits_is_counted_by_its_kind(public, hidden, staff):
    for n in range(3):
        Job.objects.create(kind=Job.Kind.INGEST, document=document(public, f"{n}"))
    Job.objects.create(kind=Job.Kind.INGEST, document=document(hidden, "hushed"))
    first = Job.objects.order_by("pk").first()
    Job.objects.filter(pk=first.pk).update(created=timezone.now() - timedelta(hours=3))
    first.refresh_from_db()
    Job.objects.create(kind=Job.Kind.REBUILD)
    waiting = overview.work(staff).waiting
    assert [(one.kind, one.count) for one in waiting] == [(Job.Kind.INGEST, 3), (Job.Kind.REBUILD, 1)]
    assert waiting[0].since == first.created


def test_failures_are_those_that_nothing_followed_latest_first(public, staff):
    now = timezone.now()
    failed = {"state": State.FAILED, "problem": {"code": "internal", "params": {"job": 1}}}
    for n, name in enumerate(["old", "newer", "mended"]):
        done(document(public, name, State.FAILED), now - timedelta(hours=10 - n), **failed)
    done(Document.objects.get(title="mended"), now)
    done(Document.objects.get(title="old"), now - timedelta(hours=1), **failed)  # tried again, in vain
    done(None, now - timedelta(hours=2), **failed)
    done(None, now - timedelta(hours=5), **failed)  # the latest rebuild, though it ended before
    shown = [job.document.title if job.document else "rebuild" for job in overview.work(staff).failures]
    assert shown == ["old", "rebuild", "newer"]


def test_trying_again_is_offered_where_it_may_help_and_is_allowed(public, hidden, staff, client):
    now = timezone.now()
    Membership.objects.create(collection=hidden, user=staff, role=Role.EDITOR)
    for collection in (public, hidden):
        for code in ("internal", "empty_file"):
            problem = {"code": code, "params": {"job": 1}}
            failed = document(collection, f"{collection} {code}", State.FAILED)
            done(failed, now, state=State.FAILED, problem=problem)
    work = overview.work(staff)
    assert len(work.failures) == work.failed_documents == 4
    assert [job.document.title for job in work.failures if job.pk in work.again] == ["Hushed internal"]
    client.force_login(staff)
    [pk] = work.again
    response = client.post(reverse("admin:documents_job_again", args=[pk]), {"next": FRONT})
    assert response["Location"] == FRONT
    assert Document.objects.get(title="Hushed internal").state == State.QUEUED
    assert len(overview.work(staff).failures) == 3


def test_a_queue_that_nobody_works_at_is_told_of(public, staff, settings, client):
    settings.SEARCHSITE_TASKS = "worker"
    Job.objects.create(kind=Job.Kind.INGEST, document=document(public, "waits"))
    client.force_login(staff)
    assert "No worker gives a sign of life" in client.get(FRONT).content.decode()
    jobs.sign_of_life("here:1")
    assert "No worker gives a sign of life" not in client.get(FRONT).content.decode()


# --- the page ---


@pytest.fixture
def busy(public, hidden):
    """Something of everything in an open collection, and in a hidden one."""
    now = timezone.now()
    for collection in (public, hidden):
        for state in (State.FAILED, State.RUNNING, State.QUEUED, State.READY):
            made = document(collection, f"{collection} {state}", state)
            problem = {"code": "internal", "params": {"job": 1}} if state == State.FAILED else None
            over = {"finished": now} if state in (State.FAILED, State.READY) else {"finished": None}
            Job.objects.create(kind="ingest", document=made, state=state, started=now, problem=problem, **over)


def test_the_page_tells_nothing_of_what_is_hidden(busy, staff, client):
    client.force_login(staff)
    page = client.get(FRONT).content.decode()
    assert "Public failed" in page
    assert "Public running" in page
    assert "1</strong> document" in page or "1 document to be read" in page
    assert "Hushed" not in page
    assert overview.work(staff).failed_documents == 1


def test_each_part_is_for_those_who_may_see_such_rows(busy, client):
    plain = User.objects.create_user("plain", is_staff=True)
    client.force_login(plain)
    page = client.get(FRONT).content.decode()
    for heading in ("Failures", "Search index", "The last 30 days"):
        assert heading not in page
    plain.user_permissions.add(Permission.objects.get(codename="view_build"))
    page = client.get(FRONT).content.decode()
    assert 'id="now-index"' in page
    assert "Failures" not in page
    plain.user_permissions.add(Permission.objects.get(codename="view_job"))
    page = client.get(FRONT).content.decode()
    assert "Failures" in page
    assert "Try again: Public failed" not in page, "he may change nothing"


def test_a_superusers_look_is_written_down(busy, admin_client):
    admin_client.get(FRONT)
    assert [entry.collection for entry in Entry.objects.filter(action=Action.LOOKED)] == ["Hushed"]


def test_charts_are_said_in_words_and_as_a_table_in_the_readers_language(busy, admin_client):
    for language, wanted in (("en", "Documents read"), ("zh-hans", "svg")):
        with translation.override(None):
            page = admin_client.get(FRONT, headers={"accept-language": language}).content.decode()
        assert wanted in page
        assert page.count('class="chart chart-columns" role="img"') == 3
        assert page.count("<desc ") == 3
        assert page.partition('class="now-table"')[2].partition("</details>")[0].count("<tr>") == 31
        assert "style=" not in page.partition('id="overview"')[2].partition("app-documents")[0]


def test_an_empty_site_has_a_calm_front_page(admin_client):
    page = admin_client.get(FRONT).content.decode()
    for sentence in ("Nothing has failed.", "Nothing waits, and nothing is being worked on.", "Nothing was read"):
        assert sentence in page
    assert "chart-columns" not in page


def test_it_asks_as_much_of_the_database_however_much_there_is(busy, public, hidden, staff):
    def asked() -> int:
        with CaptureQueriesContext(connection) as captured:
            overview.work(staff)
            overview.index(staff)
        return len(captured)

    Membership.objects.create(collection=hidden, user=staff, role=Role.READER)
    asked()  # what the user may do is remembered with him
    few = asked()
    for n in range(30):
        state = [State.FAILED, State.RUNNING, State.QUEUED][n % 3]
        made = document([public, hidden][n % 2], f"{n}", state)
        Job.objects.create(kind=Job.Kind.INGEST, document=made, state=state, started=timezone.now())
    assert asked() == few <= 15


@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="other databases have statistics")
def test_work_is_found_by_its_end_and_no_document_is_read_for_it(staff):
    admin = User.objects.create_superuser("root")
    with CaptureQueriesContext(connection) as captured:
        overview.days(admin)
        overview.work(admin)
    plans = []
    with connection.cursor() as cursor:
        for sql in (query["sql"] for query in captured):
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            plans += [row[3] for row in cursor.fetchall()]
    scans = [step for step in plans if step.startswith("SCAN") and "documents_collection" not in step]
    assert not scans
    assert any(
        "USING COVERING INDEX jobs_by_their_end (state=? AND finished>? AND finished<?)" in step for step in plans
    )
