"""From a saved document to a findable one, and back."""

from __future__ import annotations

import numpy as np
import pytest
from django.utils.translation import override

from searchsite.documents import jobs
from searchsite.documents.models import ChangeCounter, Collection, Document, Job, Passage, Revision, State
from searchsite.index import backends, build, follow, ingest, space
from searchsite.index.models import ActiveBuild, Build, Vector
from searchsite.index.vectors import as_bytes, as_matrix, encoded_text
from searchsite.tasks import HANDLERS

pytestmark = pytest.mark.django_db

TEXT = "# Gardens\n\nApples grow on trees.\n\n## Water\n\nWater the beans in the evening.\n"


class Counting:
    """The tiny encoder, counting what it is asked to encode."""

    def __init__(self, encoder):
        self.encoder, self.texts = encoder, []

    def encode_passages(self, texts, *rest, **named):
        self.texts += texts
        return self.encoder.encode_passages(texts, *rest, **named)

    def encode_queries(self, *rest, **named):
        return self.encoder.encode_queries(*rest, **named)


@pytest.fixture
def encoder(monkeypatch):
    space.current()  # encodes the parallel texts, which are not to be counted
    counting = Counting(backends.get_encoder())
    monkeypatch.setattr(backends, "get_encoder", lambda: counting)
    return counting


def placed(question: str):
    """The question as the index takes it."""
    return space.current().place_question(backends.get_encoder().encode_queries([question])[0], "en")


def found(question: str, k: int = 1) -> list[str]:
    store = follow.current().store
    hits = store.search(placed(question), k)
    return [Passage.objects.get(pk=hit.passage).text for hit in hits]


def rebuild() -> Build:
    build.rebuild(Job(kind=Job.Kind.REBUILD), lambda *_progress: None)
    return ActiveBuild.objects.get().build


def test_author_date_and_language_are_kept_and_shown(public, add, client):
    english = "Water the beans in the evening, and the pears in the morning."
    german = "Die Bohnen gießt man am Abend, die Birnen aber am frühen Morgen."
    document = add(
        public,
        f"---\ntitle: Gardens\nauthor: M. Quince\ndate: 2024-03-05\n---\n# A\n\n{english} {english}\n\n"
        f"# B\n\n{german}\n\n# C\n\n早上给梨树浇水。\n\n# D\n\nx = 1",
    )
    revision = document.live_revision
    assert (revision.author, str(revision.written), revision.language) == ("M. Quince", "2024-03-05", "en")
    assert [passage.language for passage in revision.passages.order_by("ordinal")] == ["en", "de", "zh", "en"]
    page = client.get(document.get_absolute_url()).content.decode()
    assert "M. Quince" in page
    assert "of March 5, 2024" in page
    assert "<span>English</span>" in page
    with override("en"):  # what the request sets, another test would find
        page = client.get(document.get_absolute_url(), headers={"Accept-Language": "zh-hans"}).content.decode()
    assert "日期 2024年3月5日" in page
    assert "<span>英语</span>" in page


def test_passages_are_stretches_of_the_text_with_their_headings(public, add):
    document = add(public, TEXT)
    assert (document.state, document.shown_title) == (State.READY, "Gardens")
    passages = list(document.live_revision.passages.order_by("ordinal"))
    assert [passage.heading_path for passage in passages] == [["Gardens"], ["Gardens", "Water"]]
    for passage in passages:
        assert document.live_revision.text[passage.start : passage.end] == passage.text
    assert found("water the beans")[0].endswith("Water the beans in the evening.")


def test_what_is_encoded_says_title_and_headings_once():
    assert encoded_text("T", ["T", "A", "B"], "B\n\ntext") == "T › A\nB\n\ntext"


def test_vectors_in_the_database_are_those_of_the_encoder(public, add, encoder):
    document = add(public, TEXT)
    stored = list(Vector.objects.order_by("passage__ordinal").values_list("data", flat=True))
    again = encoder.encoder.encode_passages(encoder.texts)
    cosines = np.sum(as_matrix(stored, again.shape[1]) * again, axis=1)
    assert cosines.min() > 0.99999
    assert document.live_revision.passages.count() == len(stored) == 2


def test_float16_round_trip_moves_no_cosine():
    vectors = np.random.default_rng(0).standard_normal((100, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    back = as_matrix([as_bytes(vector) for vector in vectors], 384)
    assert np.sum(vectors * back, axis=1).min() > 0.999999
    assert not as_matrix([as_bytes(np.zeros(8, np.float32))], 8).any()


def test_the_same_text_is_encoded_once(public, add, encoder):
    add(public, TEXT)
    assert len(encoder.texts) == 2
    other = Collection.objects.create(name="Other", slug="other")
    copy = add(other, TEXT, source="copy")
    assert len(encoder.texts) == 2, "the vectors were copied"
    assert copy.live_revision.passages.count() == 2
    add(public, TEXT + "\n## Sun\n\nMuch sun.\n")
    assert len(encoder.texts) == 3, "only the new section"


def test_a_change_replaces_what_is_found(public, add, encoder, django_capture_on_commit_callbacks):
    document = add(public, TEXT)
    rebuild()
    with django_capture_on_commit_callbacks(execute=True):
        document.text = "# Gardens\n\nPears grow on walls."
        document.save()
    assert found("pears on walls", 9) == ["Gardens\n\nPears grow on walls."]
    assert Revision.objects.count() == 1, "the old one is gone"


def test_a_deleted_document_is_gone_at_once(public, add):
    first, second = add(public, "apples and pears"), add(public, "bicycles and trains")
    rebuild()
    assert found("apples") == ["apples and pears"]
    first.delete()
    assert found("apples", 9) == ["bicycles and trains"]
    Document.objects.filter(pk=second.pk).delete()
    assert found("apples", 9) == []


def test_a_failing_update_leaves_the_old_text_findable(public, add, django_capture_on_commit_callbacks):
    document = add(public, "apples and pears")
    with django_capture_on_commit_callbacks(execute=True):
        document.text = " \n "
        document.save()
    document.refresh_from_db()
    assert document.state == State.FAILED
    assert document.reason
    assert found("apples") == ["apples and pears"]


@pytest.mark.parametrize("at", ["store_passages", "encode_missing", "make_live"])
def test_a_kill_in_the_middle_is_gone_on_from(public, encoder, monkeypatch, at, django_capture_on_commit_callbacks):
    original, calls = getattr(ingest, at), []

    def killed_once(*args):
        calls.append(args)
        if len(calls) == 1:
            if at == "encode_missing":  # after its first batch
                monkeypatch.setattr(ingest, "BATCH", 1)
                batches = []

                def second_batch_dies(step, done, total):
                    batches.append(done)
                    if len(batches) == 2:
                        raise KeyboardInterrupt

                return original(args[0], second_batch_dies, *args[2:])
            raise KeyboardInterrupt
        return original(*args)

    monkeypatch.setattr(ingest, at, killed_once)
    document = Document(collection=public, text=TEXT)
    document.save()
    job = Job.objects.get()
    with pytest.raises(KeyboardInterrupt):
        ingest.ingest(job, lambda *_progress: None)
    document.refresh_from_db()
    assert document.live_revision is None, "nothing half is visible"
    ingest.ingest(job, lambda *_progress: None)
    document.refresh_from_db()
    assert document.live_revision.passages.count() == 2
    assert Revision.objects.count() == 1
    assert len(encoder.texts) == len(set(encoder.texts)) == 2, "no text was encoded twice"


def test_what_was_saved_meanwhile_is_not_overwritten(public, add, monkeypatch):
    document = Document(collection=public, text="old text")
    document.save()
    job = Job.objects.get()
    original = ingest.encode_missing

    def somebody_saves(*args):
        Document.objects.get(pk=document.pk)
        newer = Document.objects.get(pk=document.pk)
        newer.text = "new text"
        newer.save()
        return original(*args)

    monkeypatch.setattr(ingest, "encode_missing", somebody_saves)
    ingest.ingest(job, lambda *_progress: None)
    document.refresh_from_db()
    assert document.live_revision is None, "the newer job does it"
    monkeypatch.setattr(ingest, "encode_missing", original)
    ingest.ingest(job, lambda *_progress: None)
    document.refresh_from_db()
    assert document.live_revision.text == "new text"


def test_a_rebuild_encodes_nothing_and_finds_the_same(public, add, encoder):
    for n in range(5):
        add(public, f"text number {n} about apples")
    before, encoded = found("apples", 9), len(encoder.texts)
    active = rebuild()
    assert (active.passages, len(encoder.texts)) == (5, encoded)
    follow.forget()
    assert found("apples", 9) == before
    assert active.change_number == ChangeCounter.objects.get().value


def test_a_moved_document_keeps_its_vectors_and_changes_its_scope(public, add, encoder):
    document = add(public, "apples")
    rebuild()
    other = Collection.objects.create(name="Other", slug="other")
    Document.objects.filter(pk=document.pk).update(collection=other)
    query = placed("apples")
    assert follow.current().store.search(query, 5, frozenset({public.pk})) == []
    assert len(follow.current().store.search(query, 5, frozenset({other.pk}))) == 1
    assert len(encoder.texts) == 1


def test_another_encoder_is_never_compared_and_a_rebuild_mends_it(public, add, monkeypatch):
    import dataclasses
    import functools

    add(public, "apples")
    rebuild()
    known = backends.description()
    other = dataclasses.replace(known, max_tokens=known.max_tokens // 2)
    assert other.fingerprint != known.fingerprint
    monkeypatch.setattr(backends, "description", functools.cache(lambda: other))
    with pytest.raises(follow.IndexUnavailable, match="encoder has been changed"):
        follow.current()
    active = rebuild()
    assert active.fingerprint == other.fingerprint
    assert found("apples") == ["apples"]


def test_old_builds_and_changes_are_tidied_away(public, add, settings):
    for n in range(4):
        add(public, f"text {n}")
        rebuild()
    folders = sorted(path.name for path in settings.INDEX_DIR.glob("build-*") if path.is_dir())
    assert folders == sorted(b.folder for b in Build.objects.all())
    assert len(folders) == 2
    from searchsite.documents.models import Change

    assert Change.objects.count() == 1, "only what the older of the two builds would have to replay"


def test_a_failed_build_leaves_the_old_one_serving(public, add, monkeypatch):
    add(public, "apples")
    first = rebuild()
    from searchsite.index.stores import files

    def full_disk(*_args):
        raise OSError("no space left on device")

    monkeypatch.setattr(files, "write_build", full_disk)
    with pytest.raises(OSError, match="no space"):
        rebuild()
    assert ActiveBuild.objects.get().build == first
    assert Build.objects.latest("pk").state == Build.State.FAILED
    assert found("apples") == ["apples"]


def test_a_failing_build_leaves_nothing_on_the_disk(public, add, settings, monkeypatch):
    add(public, "apples")
    from searchsite.index.stores import files

    def full_disk(*_args):
        raise OSError("no space left on device")

    monkeypatch.setattr(files.np, "save", full_disk)
    with pytest.raises(OSError, match="no space"):
        rebuild()
    assert [path.name for path in settings.INDEX_DIR.glob("build-*") if path.is_dir()] == []


def test_an_index_of_another_version_is_rebuilt_unasked(public, add, settings):
    add(public, "apples")
    path = settings.INDEX_DIR / rebuild().folder / "build.json"
    build.queue_when_due()
    assert not Job.objects.filter(kind=Job.Kind.REBUILD).exists()
    path.write_text(path.read_text().replace('"format": 2', '"format": 1'))
    follow.forget()
    with pytest.raises(follow.IndexUnavailable):
        found("apples")
    build.queue_when_due()
    build.queue_when_due()
    assert Job.objects.filter(kind=Job.Kind.REBUILD).count() == 1
    rebuild()
    assert found("apples") == ["apples"]


def test_what_is_saved_while_an_index_is_built_is_found_before_and_after(public, add, monkeypatch):
    from searchsite.index.stores import files

    add(public, "apples")
    rebuild()
    write_build = files.write_build

    def and_meanwhile(folder, parts, *more):
        written = write_build(folder, parts, *more)
        add(public, "pears")
        assert found("pears") == ["pears"]
        return written

    monkeypatch.setattr(files, "write_build", and_meanwhile)
    before = rebuild()
    assert before.passages == 1
    assert found("pears") == ["pears"]


def test_a_build_says_what_it_is(public, add, monkeypatch):
    from searchsite.index.stores import files, graph

    for text in ("apples", "pears", "quinces", "plums"):
        add(public, text)
    assert (rebuild().kind, rebuild().recall) == ("exact", None)
    monkeypatch.setattr(files, "GRAPH_FROM", 3)
    assert (rebuild().kind, rebuild().recall) == (graph.KIND, 1.0)
    assert found("pears") == ["pears"]


def test_a_document_that_cannot_be_read_again_does_not_stop_a_rebuild(
    public, add, monkeypatch, django_capture_on_commit_callbacks
):
    import dataclasses
    import functools

    document = add(public, "apples")
    with django_capture_on_commit_callbacks(execute=True):
        document.text = "   "
        document.save()
    known = backends.description()
    other = dataclasses.replace(known, max_tokens=known.max_tokens // 2)
    monkeypatch.setattr(backends, "description", functools.cache(lambda: other))
    assert rebuild().passages == 1, "what served before serves on, encoded anew"
    assert found("apples") == ["apples"]


def test_a_document_deleted_while_it_is_encoded(public, monkeypatch):
    document = Document(collection=public, text=TEXT)
    document.save()
    job = Job.objects.get()
    original = ingest.encode_missing

    def somebody_deletes(*args):
        Document.objects.get(pk=document.pk).delete()
        return original(*args)

    monkeypatch.setattr(ingest, "encode_missing", somebody_deletes)
    ingest.ingest(job, lambda *_progress: None)
    assert not Passage.objects.exists()
    assert not Vector.objects.exists()
    assert not Revision.objects.exists()


def test_a_cancelled_worker_that_comes_late_takes_nothing_from_its_successor(public, monkeypatch):
    document = Document(collection=public, text=TEXT)
    document.save()
    original, stored = ingest.split, []

    def slow(*args, **options):
        if not stored:
            stored.append(None)
            jobs.cancel(Job.objects.all())
            document.try_again()
            assert jobs.run_next(HANDLERS, "successor").state == State.READY
            stored[:] = Passage.objects.values_list("pk", flat=True)
        return original(*args, **options)

    monkeypatch.setattr(ingest, "split", slow)
    assert jobs.run_next(HANDLERS, "late").state == State.CANCELLED
    document.refresh_from_db()
    assert document.state == State.READY
    assert list(Passage.objects.values_list("pk", flat=True)) == stored
    assert Vector.objects.count() == 2
    assert found("water the beans")[0].endswith("Water the beans in the evening.")


def test_a_cancelled_worker_stores_nothing_more(public, monkeypatch):
    Document(collection=public, text=TEXT).save()
    original = ingest.split

    def slow(*args, **options):
        jobs.cancel(Job.objects.all())
        return original(*args, **options)

    monkeypatch.setattr(ingest, "split", slow)
    assert jobs.run_next(HANDLERS, "worker").state == State.CANCELLED
    assert not Passage.objects.exists()


def test_what_a_worker_has_stored_meanwhile_is_not_stored_again(public, encoder, monkeypatch):
    """As where a rebuild refreshes a document that a worker is just reading: nobody takes a rebuild's work away."""
    document = Document(collection=public, text=TEXT)
    document.save()
    original, stored = ingest.split, []

    def slow(*args, **options):
        if not stored:
            stored.append(None)
            jobs.run_next(HANDLERS, "worker")
            stored[:] = Vector.objects.values_list("pk", flat=True)
        return original(*args, **options)

    monkeypatch.setattr(ingest, "split", slow)
    ingest.refresh(document)
    assert list(Vector.objects.values_list("pk", flat=True)) == stored
    assert len(encoder.texts) == len(stored) == 2


def test_a_damaged_cache_of_the_space_is_made_again(public, add, settings):
    add(public, "apples")
    assert found("apples") == ["apples"]
    for path in settings.INDEX_DIR.glob("space-*"):
        path.write_bytes(b"")
    space._space.cache_clear()
    follow.forget()
    assert found("apples") == ["apples"]
