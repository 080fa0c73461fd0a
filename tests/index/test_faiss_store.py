"""The FAISS store: the contract, comparing one by one and with a graph, and what is its own: builds on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from searchsite.index.stores import exact, files, graph, segment
from searchsite.index.stores.faiss import FaissStore
from searchsite.index.stores.files import BuildError, write_build
from searchsite.index.vectors import Rows, no_rows
from tests.store_contract import DIM, StoreContract, random_rows


class TestFaissStore(StoreContract):
    def make(self):
        return FaissStore(DIM)

    def publish(self, folder: Path, rows):
        write_build(folder, iter([rows] if len(rows) else []), {"dim": DIM, "fingerprint": "x"})
        return folder


@pytest.fixture
def graphs(monkeypatch):
    """A graph however few rows there are, and asked whatever is permitted."""
    monkeypatch.setattr(files, "GRAPH_FROM", 0)
    monkeypatch.setattr(segment, "EXACT", 0)
    monkeypatch.setattr(segment, "ROWS_A_STEP", 0)
    monkeypatch.setattr(graph, "EFFORTS", (512,))


@pytest.mark.usefixtures("graphs")
class TestFaissStoreWithAGraph(TestFaissStore):
    """So few rows that the graph finds all of them: what is asked differs from the above, the answers do not."""

    def test_ties_break_by_id_also_at_the_kth_place(self, tmp_path):
        """Any of the equals may be given, in the order of their ids; if all are asked for, all."""
        rows = random_rows(200)
        rows.vectors[:] = rows.vectors[0]
        store = self.serving(tmp_path, rows)
        found = [hit.passage for hit in store.search(rows.vectors[0], 5)]
        assert found == sorted(set(found))
        assert len(found) == 5
        assert [hit.passage for hit in store.search(rows.vectors[0], 500)] == list(range(1, 201))

    def test_ties_among_some_documents_break_by_id(self, tmp_path):
        rows = random_rows(200)
        rows.vectors[:] = rows.vectors[0]
        found = [hit.passage for hit in self.serving(tmp_path, rows).search(rows.vectors[0], 4, None, np.array([9, 4]))]
        assert found == sorted(set(found))
        assert {pk % 10 for pk in found} <= {9, 4}
        assert len(found) == 4


def many(n: int, seed: int = 0) -> Rows:
    """In 40 clusters that lie far apart, as subjects and languages do."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((40, 48))
    vectors = centres[random.integers(40, size=n)] + 0.7 * random.standard_normal((n, 48))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    owner = np.arange(n) // 7 + 1
    return Rows(vectors, np.arange(1, n + 1), owner, owner % 5 + 1)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """(rows, store) with a graph that is asked where that is cheaper."""
    rows = many(12_000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "GRAPH_FROM", 10_000)
        patch.setattr(graph, "AT_ONCE", 5_000)
        folder = tmp_path_factory.mktemp("large") / "build"
        written = write_build(
            folder, iter([rows.where(rows.passages % 2 == 0), rows.where(rows.passages % 2 == 1)]), {"dim": 48}
        )
    assert (written.rows, written.kind) == (12_000, graph.KIND)
    assert 0.97 <= written.recall <= 1
    store = FaissStore(48)
    store.replace(folder)
    return rows, store


@pytest.mark.parametrize("asked", ["all", "half", "few", "documents"])
def test_a_graph_finds_nearly_all_of_what_is_permitted(large, asked, monkeypatch):
    monkeypatch.setattr(segment, "EXACT", 1000)
    monkeypatch.setattr(segment, "ROWS_A_STEP", 1)
    rows, store = large
    collections = {"all": None, "half": frozenset({1, 2, 3}), "few": frozenset({4}), "documents": None}[asked]
    documents = np.arange(1, 1500, 3) if asked == "documents" else None
    permitted = np.ones(len(rows), bool)
    if collections:
        permitted &= np.isin(rows.collections, list(collections))
    if documents is not None:
        permitted &= np.isin(rows.documents, documents)
    shares = []
    for query in many(40, seed=5).vectors:
        scores = np.where(permitted, exact.scores(exact.kept(rows.vectors), query), -9)
        best = set(rows.passages[np.argsort(-scores)[:10]].tolist())
        hits = store.search(query, 10, collections, documents)
        assert permitted[np.array([hit.passage for hit in hits]) - 1].all()
        assert [hit.score for hit in hits] == [scores[hit.passage - 1] for hit in hits], "scores are exact"
        shares.append(len(best & {hit.passage for hit in hits}) / 10)
    assert np.mean(shares) >= 0.97


def test_what_is_gone_is_not_found_in_a_graph_and_a_reader_keeps_what_he_sees(large, monkeypatch):
    monkeypatch.setattr(segment, "EXACT", 1000)
    rows, store = large
    query = rows.vectors[0]
    before = store._view
    gone = store.search(query, 50)
    documents = {int(rows.documents[hit.passage - 1]) for hit in gone}
    store.apply(documents, no_rows(48))
    assert not {hit.passage for hit in gone} & {hit.passage for hit in store.search(query, 50)}
    assert len(store.search(query, 50)) == 50
    assert len(store.ids()) == len(rows) - sum(int((rows.documents == one).sum()) for one in documents)
    assert before.build.left == len(rows)
    store.apply(documents, rows.where(np.isin(rows.documents, list(documents))))
    again = {hit.passage for hit in store.search(query, 50)}
    assert len(again & {hit.passage for hit in gone}) >= 40, "what the graph had missed is among them now"


def test_rows_that_come_in_any_order_are_put_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOVED", 7)
    rows = random_rows(60)
    order = np.random.default_rng(3).permutation(60)
    parts = [Rows(*(part[order[first : first + 9]] for part in vars(rows).values())) for first in range(0, 60, 9)]
    write_build(tmp_path / "b", iter(parts), {"dim": DIM})
    store = FaissStore(DIM)
    store.replace(tmp_path / "b")
    for passage, vector in zip(rows.passages.tolist(), rows.vectors, strict=True):
        np.testing.assert_allclose(store.vector(passage), vector, atol=1e-3)


def test_what_changes_bit_by_bit_lies_in_few_parts():
    store = FaissStore(DIM)
    for first in range(1, 400):
        new = random_rows(3, seed=first, documents=1, first=first * 10)
        store.apply([first], Rows(new.vectors, new.passages, np.full(3, first), new.collections))
        assert len(store._view.delta) <= 6
    assert len(store.ids()) == 3 * 399
    store.apply(range(1, 400), no_rows(DIM))
    assert store._view.delta == ()


def test_scores_do_not_depend_on_where_a_vector_is():
    """To the last digit: the sums are exact, in whatever order they are added."""
    vectors = exact.kept(random_rows(40).vectors)
    query = random_rows(1, seed=4).vectors[0]
    turned = np.random.default_rng(0).permutation(DIM)
    assert (exact.scores(vectors, query) == exact.scores(vectors[:, turned], query[turned])).all()
    assert (exact.scores(vectors[3:4], query) == exact.scores(vectors, query)[3:4]).all()
    np.testing.assert_allclose(exact.scores(vectors, query), random_rows(40).vectors @ query, atol=1e-3)


def test_a_build_of_another_dimension_is_refused(tmp_path):
    write_build(tmp_path / "b", iter([random_rows(5)]), {"dim": DIM})
    with pytest.raises(BuildError, match="16 dimensions, not 8"):
        FaissStore(8).replace(tmp_path / "b")


@pytest.mark.usefixtures("graphs")
@pytest.mark.parametrize("name", ["vectors.f16", "ids.npy", "lookup.npy", "graph.faiss", "starts.npy", "build.json"])
@pytest.mark.parametrize("damage", ["missing", "cut", "garbage"])
def test_a_damaged_build_is_refused_with_a_sentence_and_the_old_one_serves(tmp_path, name, damage):
    store = FaissStore(DIM)
    write_build(tmp_path / "good", iter([random_rows(5)]), {"dim": DIM})
    store.replace(tmp_path / "good")
    write_build(tmp_path / "bad", iter([random_rows(9)]), {"dim": DIM})
    path = tmp_path / "bad" / name
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.write_bytes(os.urandom(path.stat().st_size))
    with pytest.raises(BuildError, match="rebuild the index"):
        store.replace(tmp_path / "bad")
    assert len(store.ids()) == 5


def test_a_kill_while_publishing_leaves_no_build(tmp_path):
    """The process is killed for real, after the files are written and before they have their name."""
    code = f"""
import os, signal
from pathlib import Path
from searchsite.index.stores.files import write_build
from tests.store_contract import DIM, random_rows
Path.rename = lambda *_args: os.kill(os.getpid(), signal.SIGKILL)
write_build(Path({str(tmp_path / "b")!r}), iter([random_rows(50)]), {{"dim": DIM}})
"""
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "searchsite.settings"}
    done = subprocess.run(
        [sys.executable, "-c", "import django; django.setup()\n" + code],
        env=env, cwd=Path(__file__).parents[2], capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    assert not (tmp_path / "b").exists()
    assert write_build(tmp_path / "b", iter([random_rows(50)]), {"dim": DIM}) == (50, "exact", None)
