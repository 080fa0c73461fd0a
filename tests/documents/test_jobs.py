"""Jobs: claimed once, retried, revived when their worker is gone, given up in the end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from searchsite.documents import jobs
from searchsite.documents.models import Document, Job, State
from searchsite.documents.problems import Problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def document(public):
    document = Document(collection=public, text="a text")
    document.save()
    return document


def run(handler) -> Job:
    job = jobs.run_next({Job.Kind.INGEST: handler}, "worker-1")
    job.refresh_from_db()
    return job


def test_a_job_is_claimed_once(document):
    assert jobs.claim("a").document_id == document.pk
    assert jobs.claim("b") is None


def test_a_document_is_worked_on_by_one_worker_at_a_time(document):
    jobs.claim("a")
    document.text = "newer"
    document.save()
    assert jobs.claim("b") is None, "two workers would do all of it twice"
    Job.objects.filter(worker="a").update(state=State.READY)
    assert jobs.claim("b").document_id == document.pk


def test_progress_told_a_second_time_writes_nothing_and_still_tells_of_a_lost_job(document, django_assert_num_queries):
    went_on = []

    def repeat(job, progress):
        progress("encoding", 0, 4)
        with django_assert_num_queries(1) as queries:
            progress("encoding", 0, 4)
        assert queries[0]["sql"].startswith("SELECT")
        Job.objects.filter(pk=job.pk).update(state=State.CANCELLED)
        progress("encoding", 0, 4)
        went_on.append(job)

    assert run(repeat).state == State.CANCELLED
    assert not went_on


def test_a_job_that_gives_way_waits_again_and_no_attempt_is_counted(document):
    def gives_way(_job, _progress):
        raise jobs.Later

    before = timezone.now()
    for _time in range(jobs.MAX_ATTEMPTS + 1):
        job = run(gives_way)
        assert (job.state, job.attempts) == (State.QUEUED, 0)
        assert job.not_before >= before + timedelta(seconds=jobs.LATER_SECONDS)
        assert jobs.claim("b") is None, "what it gave way to is first"
        Job.objects.update(not_before=before)
    assert run(lambda _job, _progress: None).state == State.READY


def test_done(document):
    job = run(lambda job, progress: progress("encoding", 3, 4))
    assert (job.state, job.done, job.total, job.percent, job.attempts) == (State.READY, 3, 4, 75, 1)
    document.refresh_from_db()
    assert document.state == State.READY


def test_a_problem_is_kept_as_a_sentence_and_not_retried(document):
    def refuse(job, progress):
        raise Problem("empty_file")

    job = run(refuse)
    document.refresh_from_db()
    assert job.state == document.state == State.FAILED
    assert "empty" in document.reason
    assert job.reason == document.reason


def test_an_unexpected_error_is_retried_later_and_given_up_in_the_end(document):
    def fail(job, progress):
        raise RuntimeError("disk on fire")

    for attempt in range(1, jobs.MAX_ATTEMPTS):
        job = run(fail)
        assert (job.state, job.attempts) == (State.QUEUED, attempt)
        assert job.not_before > timezone.now()
        assert jobs.claim("b") is None, "not before its time"
        Job.objects.update(not_before=timezone.now())
    job = run(fail)
    document.refresh_from_db()
    assert job.state == document.state == State.FAILED
    assert document.reason
    assert "disk on fire" not in document.reason


def test_a_document_saved_again_while_it_failed_stays_queued(document):
    def fail_while_somebody_saves(job, progress):
        document.text = "newer"
        document.save()
        raise Problem("empty_file")

    run(fail_while_somebody_saves)
    document.refresh_from_db()
    assert (document.state, document.problem) == (State.QUEUED, None)
    assert jobs.claimable() == 1


def test_the_job_of_a_killed_worker_is_taken_back(document):
    job = jobs.claim("killed")
    assert jobs.reap() == 0, "its lease still runs"
    Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert jobs.reap() == 1
    again = jobs.claim("next")
    assert (again.pk, again.attempts) == (job.pk, 2)


def test_a_job_that_kills_its_workers_is_given_up_with_a_sentence(document):
    for _attempt in range(jobs.MAX_ATTEMPTS):
        jobs.claim("killed")
        Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        jobs.reap()
    document.refresh_from_db()
    assert document.state == State.FAILED
    assert str(jobs.MAX_ATTEMPTS) in document.reason
    assert jobs.claim("next") is None


def test_a_worker_thought_dead_does_not_write_over_its_successor(document):
    def slow(job, progress):
        Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        jobs.reap()
        jobs.claim("successor")
        progress("encoding", 9, 9)

    jobs.run_next({Job.Kind.INGEST: slow}, "thought-dead")
    job = Job.objects.get()
    assert (job.worker, job.state, job.done) == ("successor", State.RUNNING, 0)


def test_trying_again_after_a_failure(document):
    Job.objects.all().delete()
    Document.objects.update(state=State.FAILED, problem={"code": "empty_file", "params": {}})
    document.try_again()
    document.refresh_from_db()
    assert (document.state, document.problem, jobs.claimable()) == (State.QUEUED, None, 1)


def test_deleting_a_document_deletes_its_jobs(document):
    document.delete()
    assert jobs.claim("a") is None


def test_one_rebuild_at_a_time(db):
    Job.queue(Job.Kind.REBUILD)
    assert jobs.claim("a").kind == Job.Kind.REBUILD
    Job.queue(Job.Kind.REBUILD)
    assert jobs.claim("b") is None
    Job.objects.filter(worker="a").update(state=State.READY)
    assert jobs.claim("b").kind == Job.Kind.REBUILD


def test_a_waiting_rebuild_does_not_hold_up_documents(document):
    Job.queue(Job.Kind.REBUILD)
    kinds = {jobs.claim("a").kind, jobs.claim("b").kind}
    assert kinds == {Job.Kind.REBUILD, Job.Kind.INGEST}


def test_a_document_is_shown_as_worked_on_from_when_its_job_is_claimed(document):
    jobs.claim("a")
    document.refresh_from_db()
    assert document.state == State.RUNNING


def test_what_is_cancelled_as_soon_as_it_is_claimed_stays_cancelled(document, monkeypatch):
    claim = jobs.claim

    def claimed_and_cancelled(worker):
        job = claim(worker)
        jobs.cancel(Job.objects.all())
        return job

    monkeypatch.setattr(jobs, "claim", claimed_and_cancelled)
    job = run(lambda job, progress: progress("encoding", 0, 1))
    document.refresh_from_db()
    assert (job.state, document.state) == (State.CANCELLED, State.CANCELLED)


def test_a_cancelled_worker_that_finishes_hides_nothing_of_its_successor(document):
    def slow(job, progress):
        jobs.cancel(Job.objects.all())
        document.try_again()
        jobs.claim("successor")

    run(slow)
    document.refresh_from_db()
    assert document.state == State.RUNNING


def test_of_a_cancelled_job_the_document_waits_on_where_it_was_saved_again(document):
    first = jobs.claim("a")
    document.text = "newer"
    document.save()
    assert jobs.cancel(Job.objects.filter(pk=first.pk)) == 1
    document.refresh_from_db()
    assert (document.state, jobs.claimable()) == (State.QUEUED, 1)
