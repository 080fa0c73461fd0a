"""Whether anything answers at all: the background, the thresholds, measuring them, and what the page says."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from searchsite import tasks
from searchsite.documents import changes, jobs
from searchsite.documents.models import Change, Document, Job, Passage, State
from searchsite.index import follow, lexical_follow
from searchsite.index.models import Build
from searchsite.search import calibration, confidence, fusion
from searchsite.search.confidence import Thresholds
from searchsite.search.models import Calibration
from searchsite.search.ranking import Ranked

# --- the background, and what stands out from it: pure functions ---------------------------------------------


def ranked(scores: list[float], tokens: dict[int, float] | None = None) -> list[Ranked]:
    """Passages with these scores, half of each from keywords, and a likeness of tokens of those at these places."""
    return [
        Ranked(place, score, score / 2, score / 2 / fusion.KEYWORDS, tokens=(tokens or {}).get(place))
        for place, score in enumerate(scores)
    ]


def test_a_passage_stands_out_from_the_mean_of_those_some_places_behind_the_best():
    found = confidence.standings(ranked([0.9, 0.5, *[0.3] * 23, *[0.2, 0.1, 0.15] * 12]))
    assert [one.own for one in found[:3]] == pytest.approx([0.75, 0.35, 0.15])
    assert [one.foreign for one in found[:3]] == pytest.approx([0.45 - 0.075, 0.25 - 0.075, 0.15 - 0.075])
    far = confidence.standings(ranked([0.9, *[0.3] * 59, *[0.0] * 500]))
    assert far[0].own == pytest.approx(0.6), "what comes far behind says nothing"


def test_a_look_at_the_tokens_counts_and_of_who_had_none_the_usual_is_taken():
    scores = [0.5] * 65
    plain, looked = (
        confidence.standings(ranked(scores, tokens)) for tokens in (None, {0: 0.9, 1: 0.2, 2: 0.4, 3: 0.4, 4: 0.1})
    )
    gained = [after.own - before.own for before, after in zip(plain, looked, strict=True)]
    expected = [fusion.TOKENS * likeness for likeness in (0.9, 0.2, 0.4, 0.4, 0.1, *[0.4] * 60)]
    assert gained == pytest.approx(expected)
    assert [after.foreign - before.foreign for before, after in zip(plain, looked, strict=True)] == pytest.approx(
        expected
    )


@pytest.mark.parametrize(("passages", "known"), [(0, False), (59, False), (60, True), (1000, True)])
def test_with_few_passages_there_is_no_background(passages, known):
    assert (confidence.standings(ranked([0.5] * passages)) is not None) == known


@given(st.lists(st.floats(-1, 1), min_size=60, max_size=90), st.floats(-1, 1))
def test_how_near_everything_is_to_a_question_changes_nothing(scores, more):
    """A question that is nearer to all there is: nothing stands out more for it."""
    scores = sorted(scores, reverse=True)
    found = confidence.standings(ranked(scores))
    shifted = confidence.standings(ranked([score + more for score in scores]))
    assert [one.own for one in found] == pytest.approx([one.own for one in shifted], abs=1e-5)
    assert [one.foreign for one in found] == pytest.approx([one.foreign for one in shifted], abs=1e-5)


def foreign(near: float, credit: float = 0.5) -> Ranked:
    return Ranked(1, fusion.score(near, credit), near, 0.0, credit, foreign=True)


@pytest.mark.parametrize("few", [True, False])
def test_where_nothing_was_measured_or_compared_scores_alone_decide(few):
    some = [*ranked([0.9, 0.31, 0.29, 0.0]), foreign(0.26), foreign(0.24), foreign(0.1, 1.2)]
    expected = [True, True, False, False, True, False, False]
    others = [] if few else ranked([0.0] * 60)
    measured = Thresholds(0.0, 0.0) if few else None
    assert confidence.answering([*some, *others], measured) == expected + [False] * len(others)


def test_what_stands_out_by_the_threshold_answers_and_in_another_language_without_keywords():
    some = [*ranked([0.61, 0.59]), foreign(0.41, 0.0), foreign(0.39, 0.0), foreign(0.39, 1.2)]
    others = ranked([0.0] * 60)
    answering = confidence.answering([*some, *others], Thresholds(0.6, 0.4))
    assert answering == [True, False, True, False, False] + [False] * 60
    assert confidence.answering([*some, *others], Thresholds(9.0, 9.0)) == [False] * 65
    assert confidence.answering([], Thresholds(0.0, 0.0)) == []


@pytest.mark.parametrize("passages", [3, 100])
def test_what_holds_the_quoted_words_answers_however_little_it_stands_out(passages):
    held = [one._replace(exact=True) for one in ranked([0.0] * passages)]
    assert confidence.answering(held, Thresholds(0.6, 0.4)) == [True] * passages


# --- measured on a site ---------------------------------------------------------------------------------------


def words_of(subject: int) -> list[str]:
    """Words that no other subject has, and that are not like those of others."""
    chosen = random.Random(subject)
    return ["".join(chosen.choice("bdfgklmnprstvz") + chosen.choice("aeiou") for _ in range(5)) for _ in range(36)]


def sentence(subject: int, number: int = 0) -> str:
    return "The {} of the {} is {} and {}.".format(*words_of(subject)[4 * number : 4 * number + 4])


@pytest.fixture
def site(public, add, monkeypatch):
    """Thirty documents of three passages, of a subject each."""
    with monkeypatch.context() as patched:
        patched.setattr(lexical_follow, "keep_up", lambda **_options: None)
        for n in range(30):
            parts = [" ".join(sentence(n, 3 * part + number) for number in range(3)) for part in range(3)]
            add(
                public,
                "\n\n".join(f"# Part {n} {part}\n\n{text}" for part, text in enumerate(parts)),
                title=f"About {n}",
            )
    lexical_follow.keep_up()


def calibrated() -> Calibration:
    Job.queue(Job.Kind.CALIBRATE)
    job = jobs.run_next(tasks.HANDLERS, "worker")
    assert (job.kind, job.state) == (Job.Kind.CALIBRATE, State.READY)
    return Calibration.objects.latest("pk")


@pytest.mark.django_db
def test_sentences_are_found_with_their_own_document_and_not_without(site, client):
    kept = calibrated()
    assert kept.sentences >= 30
    assert kept.found >= 0.95
    assert calibration.thresholds() == Thresholds(kept.threshold, kept.foreign_threshold)
    there = [client.get("/", {"q": sentence(n, 1)}) for n in range(0, 30, 3)]
    for n, response in zip(range(0, 30, 3), there, strict=True):
        answer, page = response.context["answer"], response.content.decode()
        assert not answer.nothing
        assert answer.good[0].document.title == f"About {n}"
        assert len(answer.good) <= 3, "the others are about something else"
        assert answer.good + answer.weaker == answer.results
        assert page.index(f"About {n}</a>") < page.index("Weaker matches") < page.index(answer.weaker[0].document.title)
        assert "Nothing here matches" not in page
    gone = [client.get("/", {"q": f'{sentence(n, 1)} -title:"about {n}"'}) for n in range(0, 30, 2)]
    for response in gone:
        answer = response.context["answer"]
        assert answer.nothing == ("Nothing here matches your question well" in response.content.decode())
        assert answer.nothing == (not answer.good)
    assert 4 <= sum(response.context["answer"].nothing for response in gone) <= 11, "about half, as it was measured"


@pytest.mark.django_db
def test_of_something_else_nothing_matches_and_the_weaker_are_below_a_line(site, client, monkeypatch):
    monkeypatch.setattr(calibration, "QUANTILE", 1.0)  # so that chance decides nothing
    calibrated()
    assert not client.get("/", {"q": sentence(7)}).context["answer"].nothing
    for asked in (f"{sentence(99)} {sentence(99, 1)}", f"{sentence(98)} type:markdown"):
        response = client.get("/", {"q": asked})
        page, answer = response.content.decode(), response.context["answer"]
        assert answer.nothing
        assert (answer.good, len(answer.weaker)) == ([], 10)
        assert page.index("Nothing here matches your question well") < page.index("Weaker matches")
        second = client.get("/", {"q": asked, "page": 2}).content.decode()
        assert "Nothing here matches" not in second, "it is said once"
        assert "Weaker matches" in second


@pytest.mark.django_db
def test_a_phrase_that_every_document_holds_is_no_weak_match(site, client):
    calibrated()
    answer = client.get("/", {"q": '"of the"'}).context["answer"]
    assert (answer.counts.documents, answer.nothing, answer.weaker) == (30, False, [])
    held_by_none = client.get("/", {"q": '"is the"'}).context["answer"]
    assert held_by_none.weaker, "then they are words like others"


@pytest.mark.django_db
def test_what_was_measured_is_of_this_encoder_and_this_look_at_tokens_and_the_last_one_counts(db, settings):
    from searchsite.index import backends

    def keep(threshold: float, **changed) -> None:
        fields = {"fingerprint": backends.fingerprint(), "tokens": True, "foreign_threshold": 0.5, **changed}
        Calibration.objects.create(threshold=threshold, change_number=0, sentences=1, found=1.0, **fields)

    assert calibration.thresholds() is None
    keep(0.1, fingerprint="another")
    assert calibration.thresholds() is None
    keep(0.2)
    keep(0.3)
    keep(0.4, fingerprint="another")
    keep(0.5, tokens=False)
    assert calibration.thresholds() == Thresholds(0.3, 0.5)
    settings.SEARCHSITE_RERANKER = "none"
    assert calibration.thresholds() == Thresholds(0.5, 0.5)


@pytest.mark.django_db
def test_a_document_and_its_copies_are_left_out_together(site, public, add):
    original = Document.objects.get(title="About 3")
    copy = add(public, original.text, title="Copy of 3")
    asked = calibration.sample()
    both = set(Passage.objects.filter(revision__live_for__in=[original, copy]).values_list("pk", flat=True))
    assert len(both) == 6
    assert {frozenset(own) for _sentence, own in asked if own & both} == {frozenset(both)}
    texts = " ".join(Passage.objects.values_list("text", flat=True))
    assert all(asked_sentence in texts for asked_sentence, _own in asked)
    assert len({frozenset(own) for _sentence, own in asked}) >= 15, "of documents from all over the site"


@pytest.mark.django_db
def test_only_the_last_measurements_are_kept_and_too_few_passages_measure_nothing(site, monkeypatch, admin_client):
    monkeypatch.setattr(calibration, "SENTENCES", 4)
    first = calibrated()
    for _time in range(calibration.KEPT):
        last = calibrated()
    assert Calibration.objects.count() == calibration.KEPT
    assert not Calibration.objects.filter(pk=first.pk).exists()
    page = admin_client.get(reverse("admin:search_calibration_changelist"))
    assert f"#{last.pk}" in page.content.decode()
    measured = calibration.thresholds()
    monkeypatch.setattr(confidence, "LEAST_CANDIDATES", 1000)
    assert calibrated().sentences == calibrated().sentences == 0
    assert Calibration.objects.filter(sentences=0).count() == 1
    assert calibration.thresholds() == measured


@pytest.mark.django_db
def test_what_somebody_waits_for_comes_before_a_measurement(site, public, monkeypatch):
    monkeypatch.setattr(tasks, "wake_worker", lambda **_signal: None)
    asked: list[str] = []

    def standing_out(sentence, _own, _lexical):
        asked.append(sentence)
        if len(asked) == 3:
            Document(collection=public, text="Just uploaded.").save()
            Job.objects.filter(kind=Job.Kind.INGEST).update(state=State.QUEUED)

    monkeypatch.setattr(calibration, "_standing_out", standing_out)
    Job.queue(Job.Kind.CALIBRATE)
    job = jobs.run_next(tasks.HANDLERS, "worker")
    assert (job.kind, job.state, len(asked)) == (Job.Kind.CALIBRATE, State.QUEUED, 3)
    assert not Calibration.objects.exists()
    assert jobs.run_next(tasks.HANDLERS, "worker").kind == Job.Kind.INGEST


# --- when it is measured ---------------------------------------------------------------------------------------


@pytest.fixture
def queued(public, monkeypatch):
    """queued() -> how many calibrations wait after a turn of the worker's upkeep."""

    def _queued() -> int:
        calibration.queue_when_due()
        return Job.objects.filter(kind=Job.Kind.CALIBRATE, state=State.QUEUED).count()

    return _queued


@pytest.mark.django_db
def test_a_site_is_measured_once_there_are_enough_documents(public, add, queued, monkeypatch):
    monkeypatch.setattr(calibration, "LEAST_DOCUMENTS", 3)
    add(public, "apples")
    add(public, "pears")
    Document(collection=public, text="not read yet").save()
    Job.objects.filter(state=State.QUEUED).update(state=State.CANCELLED)
    assert queued() == 0
    add(public, "plums")
    assert queued() == 1
    assert queued() == 1, "once"


@pytest.mark.django_db
@pytest.mark.parametrize(("documents", "most"), [(3, 50), (400, 80)])
def test_it_is_measured_again_when_much_has_changed_and_nothing_else_is_to_be_done(
    public, add, queued, monkeypatch, documents, most
):
    monkeypatch.setattr(calibration, "LEAST_DOCUMENTS", 3)
    live = [add(public, f"apples {n}") for n in range(3)]
    if documents > 3:  # as many as are live, without the time that reading them takes
        monkeypatch.setattr(type(Document.objects.all()), "count", lambda _self: documents)
    measured = {
        "fingerprint": calibration.backends.fingerprint(),
        "tokens": True,
        "threshold": 0,
        "foreign_threshold": 0,
    }
    Calibration.objects.create(change_number=follow.change_number(), sentences=1, found=1, **measured)
    assert queued() == 0
    changes.record([live[0].pk] * most)
    assert queued() == 0
    changes.record([live[0].pk])
    Job.queue(Job.Kind.REBUILD)
    assert queued() == 0, "more is to be done"
    Job.objects.filter(kind=Job.Kind.REBUILD).update(state=State.READY)
    assert queued() == 1


def long_after(job: Job) -> None:
    past = timezone.now() - timedelta(seconds=calibration.PAUSE_SECONDS + 1)
    Job.objects.filter(pk=job.pk).update(finished=past)


@pytest.mark.django_db
def test_too_little_to_measure_is_not_measured_again_until_much_has_changed(public, add, queued, monkeypatch):
    monkeypatch.setattr(calibration, "LEAST_DOCUMENTS", 3)
    live = [add(public, f"The apples of the orchard number {n} are red.") for n in range(4)]
    assert queued() == 1
    job = jobs.run_next(tasks.HANDLERS, "worker")
    assert job.state == State.READY
    assert calibration.thresholds() is None
    long_after(job)
    assert queued() == 0
    changes.record([one.pk for one in live] * 13)
    assert queued() == 1


@pytest.mark.django_db
def test_what_rebuilds_of_the_index_forget_counts_as_changed(public, add, queued, monkeypatch):
    monkeypatch.setattr(calibration, "LEAST_DOCUMENTS", 1)
    live = add(public, "The apples of the orchard are red and sweet.")
    Job.queue(Job.Kind.CALIBRATE)
    long_after(jobs.run_next(tasks.HANDLERS, "worker"))
    for number in range(60):
        changes.record([live.pk])
        if number in (30, 40, 45):
            Job.queue(Job.Kind.REBUILD)
            jobs.run_next(tasks.HANDLERS, "worker")
    assert Change.objects.count() < 50, "the log has been trimmed"
    assert queued() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("state", [State.READY, State.FAILED])
def test_what_was_just_done_is_not_done_again_at_once_whatever_came_of_it(public, add, queued, monkeypatch, state):
    monkeypatch.setattr(calibration, "LEAST_DOCUMENTS", 1)
    add(public, "apples")
    job = Job.objects.create(kind=Job.Kind.CALIBRATE, state=state, finished=timezone.now())
    assert queued() == 0
    past = timezone.now() - timedelta(seconds=calibration.PAUSE_SECONDS + 1)
    Job.objects.filter(pk=job.pk).update(finished=past)
    assert queued() == 1


@pytest.mark.django_db
def test_another_encoder_is_measured_although_nothing_has_changed(public, add, queued, monkeypatch, settings):
    monkeypatch.setattr(calibration, "LEAST_DOCUMENTS", 1)
    add(public, "apples")
    measured = {"tokens": True, "threshold": 0, "foreign_threshold": 0, "sentences": 1, "found": 1}
    Calibration.objects.create(
        change_number=follow.change_number(), fingerprint=calibration.backends.fingerprint(), **measured
    )
    assert queued() == 0
    settings.SEARCHSITE_RERANKER = "none"
    assert queued() == 1


@pytest.mark.django_db
def test_nothing_is_measured_without_an_encoder_or_with_an_index_of_another_one(
    public, add, queued, monkeypatch, settings
):
    monkeypatch.setattr(calibration, "LEAST_DOCUMENTS", 1)
    add(public, "apples")
    Job.queue(Job.Kind.REBUILD)
    jobs.run_next(tasks.HANDLERS, "worker")
    Build.objects.update(fingerprint="another")
    assert queued() == 0
    Build.objects.update(fingerprint=calibration.backends.fingerprint())
    settings.SEARCHSITE_ENCODER = "no-such-folder"
    calibration.backends.forget()
    assert queued() == 0, "and the worker's upkeep goes on"
    settings.SEARCHSITE_ENCODER = "tiny"
    calibration.backends.forget()
    assert queued() == 1


@pytest.mark.django_db
def test_one_that_fails_is_tried_some_times_with_pauses_and_then_left_alone(public, add, queued, monkeypatch):
    monkeypatch.setattr(calibration, "LEAST_DOCUMENTS", 1)
    add(public, "apples")

    def failing(*_job) -> None:
        raise RuntimeError("as it may happen")

    assert queued() == 1
    job = Job.objects.get(kind=Job.Kind.CALIBRATE)
    for _attempt in range(jobs.MAX_ATTEMPTS):
        assert jobs.run_next({Job.Kind.CALIBRATE: failing}, "worker").pk == job.pk
        assert queued() <= 1
        assert jobs.run_next({Job.Kind.CALIBRATE: failing}, "worker") is None, "not at once"
        Job.objects.filter(pk=job.pk).update(not_before=timezone.now())
    job.refresh_from_db()
    assert job.state == State.FAILED
    assert queued() == 0
