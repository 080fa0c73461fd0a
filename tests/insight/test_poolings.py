"""Comparing poolings: what is asked, the job that does it, what it says, and the command."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.utils.translation import override

from searchsite.documents import jobs
from searchsite.documents.models import Collection, Document, Job, Passage, Revision, State
from searchsite.insight import poolings
from searchsite.insight.models import Comparison, Refusal, conclusion_of, sentence
from searchsite.tasks import HANDLERS
from tests.encoder.checkpoints import write_bert
from tests.insight.sets import write_set

FOLDER, TITLES, SENTENCES = Comparison.Source.FOLDER, Comparison.Source.TITLES, Comparison.Source.SENTENCES
DOCUMENTS = {
    "cat": "the cat sat on the mat", "dog": "the dog ran in the park", "car": "a big red car", "moon": "moon and sky",
}  # fmt: skip
LONGER = "The heron stands in the water. It waits for a fish to come by. Then it is quick."


@pytest.fixture(autouse=True)
def models(settings, tmp_path: Path) -> Path:
    """A folder of models with a small checkpoint, "plain", and "bare", which has no pooler."""
    settings.SEARCHSITE_MODELS_DIR = tmp_path / "models"
    write_bert(tmp_path / "models" / "plain")
    write_bert(tmp_path / "models" / "bare", pooler=False)
    return tmp_path / "models"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    queries = {"q1": "cat on mat", "q2": "dog in park", "q3": "red car"}
    return write_set(
        tmp_path / "set", DOCUMENTS, queries, {"q1": {"cat": 1}, "q2": {"dog": 2, "gone": 1}, "q3": {"car": 1}}
    )


def silent(_step: str, _done: int, _total: int) -> None:
    pass


def compared(source: str, encoder: str = "plain", **options) -> poolings.Result:
    return poolings.compared(encoder, source, silent, **options)


def refusal(source: str, encoder: str = "plain", **options) -> str:
    with pytest.raises(Refusal) as caught:
        compared(source, encoder, **options)
    assert str(caught.value) != sentence("internal", {})
    return caught.value.code


def run_job() -> Job:
    job = jobs.run_next(HANDLERS, "worker-1")
    job.refresh_from_db()
    return job


# --- a folder ---------------------------------------------------------------------------------------------


def test_a_folder_is_compared_without_the_database_and_always_alike(folder: Path) -> None:
    first, again = (compared(FOLDER, folder=str(folder)) for _ in range(2))
    assert list(first["poolings"]) == ["mean", "cls", "tanh", "max", "last2"]
    assert (first["passages"], first["queries"], first["missing"], first["left_out"]) == (4, 3, 1, {})
    assert {**first, "seconds": 0} == {**again, "seconds": 0}
    json.dumps(first, allow_nan=False)  # PostgreSQL takes no NaN


def test_queries_that_share_all_their_words_with_an_answer_find_it(folder: Path) -> None:
    exact = write_set(folder.parent / "exact", DOCUMENTS, DOCUMENTS, {key: {key: 1} for key in DOCUMENTS})
    for pooling, row in compared(FOLDER, folder=str(exact))["poolings"].items():
        assert (row["ndcg"], row["rr"], row["recall"], row["low"], row["high"]) == (1, 1, 1, 1, 1), pooling


def test_a_pooling_that_the_checkpoint_lacks_is_left_out_with_a_reason(folder: Path) -> None:
    found = compared(FOLDER, "bare", folder=str(folder))
    assert "tanh" not in found["poolings"]
    assert found["left_out"] == {"tanh": "no_pooler"}


def test_only_so_many_queries_are_asked_and_blank_ones_never(folder: Path) -> None:
    assert compared(FOLDER, folder=str(folder), queries=2)["queries"] == 2
    blank = write_set(folder.parent / "blank", DOCUMENTS, {"a": " ", "b": "cat"}, {"a": {"dog": 1}, "b": {"cat": 1}})
    assert compared(FOLDER, folder=str(blank))["queries"] == 1


def test_a_long_document_is_found_by_its_best_passage(folder: Path, settings) -> None:
    """As a whole it would be mostly about parks, and less like the query than the other document."""
    settings.SEARCHSITE_PASSAGE_TOKENS = 16
    parks, cat = " ".join(["park house tree sky"] * 12), "the cat sat on the mat in the big red house"
    documents = {"long": f"{parks}.\n\n{cat}\n\n{parks}.", "near": cat.replace("mat", "sun")}
    long = write_set(folder.parent / "long", documents, {"q": cat}, {"q": {"long": 1}})
    found = compared(FOLDER, folder=str(long))
    assert found["passages"] > 3
    assert {row["rr"] for row in found["poolings"].values()} == {1.0}
    settings.SEARCHSITE_PASSAGE_TOKENS = 4096
    assert compared(FOLDER, folder=str(long))["poolings"]["mean"]["rr"] == 0.5


def test_what_cannot_be_compared_is_told_in_a_sentence(folder: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "models" / "broken").mkdir()
    assert refusal(FOLDER, folder=str(tmp_path / "nowhere")) == "bad_set"
    assert refusal(FOLDER, folder="\0") == "bad_set"
    assert refusal(FOLDER, "tiny", folder=str(folder)) == "no_poolings"
    assert refusal(FOLDER, "missing", folder=str(folder)) == "encoder"
    assert refusal(FOLDER, "broken", folder=str(folder)) == "encoder"
    assert refusal(SENTENCES, collection=None) == "collection_gone"
    single = write_set(tmp_path / "single", {"a": "cat"}, {"q": "cat"}, {"q": {"a": 1}})
    assert refusal(FOLDER, folder=str(single)) == "no_passages"
    monkeypatch.setattr("encoder.compare.MOST_PASSAGES", 3)
    assert refusal(FOLDER, folder=str(folder)) == "too_many"


# --- a collection -----------------------------------------------------------------------------------------


def held(text: str, title: str = "") -> poolings._Held:
    return poolings._Held(text, title, f"{title}\n{text}")


def test_a_title_asks_for_the_passages_of_all_documents_that_have_it() -> None:
    some = [held("one", "Birds"), held("two", "Birds"), held("three", "Fish"), held("four", ""), held("five", "Birds")]
    assert poolings.by_titles(some) == [("Birds", [0, 1, 4]), ("Fish", [2])]


def test_a_sentence_asks_for_all_passages_that_hold_it() -> None:
    some = [held(LONGER), held(f"{LONGER} And more of the same kind."), held("Nothing but this one sentence.")]
    asked = dict(poolings.by_sentences(some))
    for text, found in asked.items():
        assert found == [number for number, one in enumerate(some) if text in one.text]
    assert asked
    assert "Nothing but this one sentence." not in asked, "it would be the passage itself"


def test_places_are_spread_evenly_and_always_the_same() -> None:
    found = poolings.spread(10_000, 100)
    assert [place // 100 for place in found] == list(range(100))
    assert found == poolings.spread(10_000, 100)
    assert len({place % 100 for place in found}) > 20, "drawn, and not every hundredth"
    assert poolings.spread(3, 100) == [0, 1, 2]
    assert len(set(poolings.spread(101, 100))) == 100


@pytest.mark.parametrize(("source", "queries"), [(TITLES, 2), (SENTENCES, 2)])
def test_a_collection_is_asked_for_what_it_holds(source: str, queries: int, public, add) -> None:
    add(public, LONGER, title="Herons")
    add(public, "The car is red and big. The house is blue and small.", title="Cars")
    other = Collection.objects.create(name="Other", slug="other")
    add(other, LONGER, title="Elsewhere")
    found = compared(source, collection=public)
    assert (found["passages"], found["queries"], found["note"]) == (2, queries, source)


def test_only_live_passages_are_asked(public, add) -> None:
    herons = add(public, LONGER, title="Herons")
    add(public, "The car is red and big. The house is blue and small.", title="Cars")
    coming = Revision.objects.create(document=herons, title="Coming", text="The moon is up. The sun is down, we say.")
    Passage.objects.create(revision=coming, ordinal=0, start=0, end=len(coming.text), text=coming.text)
    for source in (TITLES, SENTENCES):
        texts = poolings.of_collection(public, source, 0)
        assert len(texts.passages) == len(texts.queries) == 2
        assert not [text for text in texts.passages + texts.queries if "moon" in text or "Coming" in text]
    Document.objects.filter(pk=herons.pk).update(live_revision=coming)
    assert "Coming" in poolings.of_collection(public, TITLES, 0).queries
    Document.objects.filter(pk=herons.pk).update(live_revision=None)
    assert refusal(TITLES, collection=public) == "no_passages"


def test_titles_are_not_in_the_passages_that_they_ask_for(public, add) -> None:
    add(public, LONGER, title="Herons")
    add(public, "The car is red and big. The house is blue and small.", title="Cars")
    assert not [text for text in poolings.of_collection(public, TITLES, 0).passages if "Herons" in text]
    assert [text for text in poolings.of_collection(public, SENTENCES, 0).passages if "Herons" in text]


def test_at_most_so_many_passages_of_a_collection_are_taken(public, add, monkeypatch) -> None:
    for number in range(5):
        add(public, f"Number {number} stands here. It is followed by another one.", title=f"Title {number}")
    monkeypatch.setattr(poolings, "MOST_OF_COLLECTION", 3)
    found = compared(TITLES, collection=public, queries=2)
    assert (found["passages"], found["queries"]) == (3, 2)


def test_a_collection_without_sentences_is_told(public, add) -> None:
    add(public, "Heron", title="Herons")
    add(public, "Otter", title="Otters")
    assert refusal(SENTENCES, collection=public) == "no_sentences"


# --- the job ----------------------------------------------------------------------------------------------


@pytest.fixture
def worker(settings) -> None:
    """Jobs wait for `run_job`."""
    settings.SEARCHSITE_TASKS = "worker"


@pytest.mark.django_db
def test_the_job_does_all_that_wait_the_oldest_first(folder: Path, worker) -> None:
    some = [poolings.queue(name, FOLDER, folder=str(folder), queries=2) for name in ("plain", "bare")]
    assert [one.state for one in some] == [State.QUEUED, State.QUEUED]
    assert Job.objects.filter(kind=Job.Kind.COMPARE).count() == 1
    job = run_job()
    assert (job.state, job.step) == (State.READY, "comparing")
    assert job.done == job.total > 0
    for one in some:
        one.refresh_from_db()
        assert (one.state, one.problem, one.result["encoder"]) == (State.READY, None, one.encoder)
        assert one.result["queries"] == 2
        assert one.conclusion
        assert len(one.weights) == 64
    assert some[0].finished <= some[1].started


@pytest.mark.django_db
def test_one_that_cannot_be_done_has_a_reason_and_does_not_hold_up_the_next(folder: Path, public, worker) -> None:
    bad = poolings.queue("plain", FOLDER, folder=str(folder / "nowhere"))
    gone = poolings.queue("plain", SENTENCES, collection=public)
    good = poolings.queue("plain", FOLDER, folder=str(folder))
    public.delete()
    assert run_job().state == State.READY
    for one, said in ((bad, "nowhere"), (gone, "deleted")):
        one.refresh_from_db()
        assert (one.state, one.result) == (State.FAILED, None)
        assert said in one.reason
    good.refresh_from_db()
    assert good.state == State.READY


@pytest.mark.django_db
def test_a_collection_deleted_since_the_row_was_read_is_told(public, worker) -> None:
    comparison = poolings.queue("plain", SENTENCES, collection=public)
    Collection.objects.filter(pk=public.pk).delete()
    assert comparison.collection_id  # as a worker has it that read the row before
    poolings._finish(comparison, silent)
    comparison.refresh_from_db()
    assert comparison.problem == {"code": "collection_gone", "params": {}}


@pytest.mark.django_db
def test_killed_in_the_middle_it_is_done_again_and_comes_to_the_same(folder: Path, worker) -> None:
    class Killed(BaseException):
        pass

    def until_killed(step: str, done: int, total: int) -> None:
        if step == "comparing" and 0 < done < total:
            raise Killed

    comparison = poolings.queue("plain", FOLDER, folder=str(folder))
    job = jobs.claim("first")
    with pytest.raises(Killed):
        poolings.compare_waiting(job, until_killed)
    comparison.refresh_from_db()
    assert (comparison.state, comparison.job) == (State.RUNNING, job)
    Job.objects.filter(pk=job.pk).update(lease_until=job.created)
    assert jobs.reap() == 1
    assert run_job().state == State.READY
    comparison.refresh_from_db()
    assert {**comparison.result, "seconds": 0} == {**compared(FOLDER, folder=str(folder)), "seconds": 0}


@pytest.mark.django_db
def test_one_that_fails_again_and_again_is_given_up_and_the_next_is_done(folder: Path, worker, monkeypatch) -> None:
    bad = poolings.queue("plain", FOLDER, folder="bad")
    good = poolings.queue("plain", FOLDER, folder=str(folder))
    really = poolings.of_folder

    def fails(name: str, *rest):
        if name == "bad":
            raise MemoryError
        return really(name, *rest)

    monkeypatch.setattr(poolings, "of_folder", fails)
    for _ in range(poolings.MOST_ATTEMPTS):
        assert run_job().state == State.QUEUED
        Job.objects.update(not_before=good.created)
    assert run_job().state == State.READY
    bad.refresh_from_db()
    good.refresh_from_db()
    assert (bad.state, bad.problem["code"], good.state) == (State.FAILED, "gave_up", State.READY)
    assert "3 times" in bad.reason


@pytest.mark.django_db
def test_a_worker_that_lost_the_job_stores_nothing(folder: Path, worker) -> None:
    def lost(*_told) -> None:
        raise jobs.Lost

    comparison = poolings.queue("plain", FOLDER, folder=str(folder))
    with pytest.raises(jobs.Lost):
        poolings.compare_waiting(jobs.claim("first"), lost)
    comparison.refresh_from_db()
    assert (comparison.finished, comparison.attempts) == (None, 0)


# --- what it says -----------------------------------------------------------------------------------------


class Fixed:
    """Figures of which only those of the queries matter."""

    def __init__(self, ndcg: np.ndarray) -> None:
        self.ndcg = self.rr = self.recall = ndcg
        self.cosine = self.deviation = self.first_component = self.lowest = 0.0
        self.histogram, self.saturation = [], None


def concluded(**ndcg: np.ndarray) -> poolings.Conclusion:
    return poolings.summed_up({name: Fixed(values) for name, values in ndcg.items()})[1]


def test_a_lead_on_nearly_every_query_is_more_than_chance() -> None:
    base = np.random.default_rng(0).uniform(0, 0.8, 200)
    found = concluded(cls=base, mean=base + 0.1, tanh=base / 2)
    assert (found["code"], found["best"], found["second"], found["last"]) == ("clear", "mean", "cls", "tanh")
    assert found["low"] == pytest.approx(0.1)  # paired: that queries differ in how hard they are is no noise
    assert found["high"] == pytest.approx(0.1)


def test_a_lead_that_a_few_queries_make_may_be_chance() -> None:
    random = np.random.default_rng(0)
    found = concluded(mean=random.uniform(0, 1, 30), cls=random.uniform(0, 1, 30))
    assert found["code"] == "chance"
    assert found["low"] < 0 < found["difference"] < found["high"]


def test_equal_poolings_and_few_queries_are_told_as_such() -> None:
    same = np.full(20, 0.5)
    assert concluded(mean=same, cls=same)["code"] == "equal"
    assert concluded(mean=same[:9], cls=same[:9] / 2)["code"] == "few"


def test_the_interval_is_that_of_the_mean() -> None:
    values = np.random.default_rng(4).normal(0.5, 0.2, 400)
    low, high = poolings.interval(poolings.drawn_means({"mean": values})["mean"])
    error = values.std() / np.sqrt(400)
    assert (low, high) == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.15 * error)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("clear", "Best is “mean” with nDCG@10 71.2, 2.1 more than “first token” (95 %: 1.0 to 3.2), which is more "
         "than chance; last is “tanh pooler” with 35.0."),
        ("chance", "Best is “mean” with nDCG@10 71.2, but its lead of 2.1 over “first token” (95 %: 1.0 to 3.2) may be "
         "chance; last is “tanh pooler” with 35.0."),
        ("equal", "“mean” and “first token” find equally well, with nDCG@10 71.2; last is “tanh pooler” with 35.0."),
        ("few", "With only 9 queries nothing can be concluded."),
    ],
)  # fmt: skip
def test_the_conclusion_is_a_sentence_made_from_the_figures(code: str, said: str) -> None:
    result = {
        "queries": 9,
        "poolings": {"mean": {"ndcg": 0.712}, "cls": {"ndcg": 0.691}, "tanh": {"ndcg": 0.35}},
        "conclusion": {"code": code, "best": "mean", "second": "cls", "last": "tanh",
                       "difference": 0.021, "low": 0.01, "high": 0.032},
    }  # fmt: skip
    assert conclusion_of(result) == said


def test_what_is_wrong_with_a_folder_is_said_in_the_readers_language(folder: Path) -> None:
    with (folder / "corpus.jsonl").open("a") as out:
        out.write('{"_id": "x", "text": 4}\n')
    number = len((folder / "corpus.jsonl").read_text().splitlines())
    with pytest.raises(Refusal) as refused:
        poolings.of_folder(str(folder), 0, 100, lambda *_: None)
    stored = json.loads(json.dumps(refused.value.as_json()))
    at = f"{folder}/corpus.jsonl"
    said = f"The folder cannot be used: {at}, line {number}: its “text” is no text."
    assert sentence(**stored) == said
    with override("zh-hans"):
        assert sentence(**stored) == f"这个文件夹不能用：{at} 第 {number} 行：“text”不是文本。"
    older = {"code": "bad_set", "params": {"detail": "There is no folder x."}}
    assert sentence(**older) == "The folder cannot be used: There is no folder x."


def test_a_refusal_of_another_version_is_still_a_sentence() -> None:
    assert sentence("unheard_of", {}) == sentence("bad_set", {}) == sentence("internal", {})


# --- the command ------------------------------------------------------------------------------------------


def said(*arguments: object) -> str:
    out = StringIO()
    # By its long name, as the README has it: the encoder's own command hands it on.
    command = ("encoder", "compare-pooling") if "--json" in arguments else ("compare_pooling",)
    call_command(*command, *map(str, arguments), "--encoder", "plain", stdout=out, stderr=StringIO())
    return out.getvalue()


def test_the_table_has_a_row_for_each_pooling_and_the_conclusion_below(folder: Path) -> None:
    head, _missing, columns, *rows = said(folder).strip().splitlines()
    assert head.startswith("set: plain, 4 passages, 3 queries, ")
    assert columns.split()[:2] == ["pooling", "nDCG@10"]
    assert [row.split()[0] for row in rows[:-1]] == ["mean", "cls", "tanh", "max", "last2"]
    figures = compared(FOLDER, folder=str(folder))["poolings"]
    assert [row.split()[1] for row in rows[:-1]] == [f"{100 * row['ndcg']:.1f}" for row in figures.values()]
    assert rows[-1] == "With only 3 queries nothing can be concluded."


def test_all_folders_are_read_before_the_first_is_compared(folder: Path) -> None:
    with pytest.raises(CommandError, match="There is no folder"):
        call_command("compare_pooling", str(folder), str(folder / "nowhere"), "--encoder", "missing", stderr=StringIO())


def test_as_json_it_prints_one_object_by_set_and_nothing_else(folder: Path) -> None:
    found = json.loads(said(folder, "--json", "--queries", 2))
    assert {**found["set"], "seconds": 0} == {**compared(FOLDER, folder=str(folder), queries=2), "seconds": 0}


def test_a_collection_is_asked_by_titles_and_by_sentences(public, add) -> None:
    add(public, LONGER, title="Herons")
    add(public, "The car is red and big. The house is blue and small.", title="Cars")
    found = json.loads(said("--collection", "public", "--json"))
    assert [one["note"] for one in found.values()] == ["titles", "sentences"]
    assert list(found) == ["public, titles", "public, sentences"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["nowhere"], "There is no folder nowhere."),
        ([], "Name folders"),
        (["somewhere", "--collection", "public"], "Name folders"),
        (["--collection", "nothing"], "There is no collection with the short name nothing."),
        (["somewhere", "--queries", "-1"], "--queries"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(arguments: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        said(*arguments)
