"""What every vector store must do, held against brute force. A store's test module subclasses StoreContract."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from searchsite.index.vectors import Rows, no_rows

DIM = 16


def random_rows(n: int, seed: int = 0, documents: int = 10, first: int = 1) -> Rows:
    """n rows of unit vectors, of float16 numbers as stores keep them; passages first, first+1, ..., in `documents`
    documents and 3 collections."""
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((n, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors.astype(np.float16).astype(np.float32)
    owner = np.arange(n) % documents + 1
    return Rows(vectors, np.arange(first, first + n), owner, owner % 3 + 1)


def brute_force(rows: Rows, query: np.ndarray, k: int, collections=None, documents=None) -> list[int]:
    """The same answer, the slow way."""
    scores = rows.vectors.astype(np.float64) @ query.astype(np.float64)
    allowed = [
        (-float(score), int(pk))
        for score, pk, collection, document in zip(scores, rows.passages, rows.collections, rows.documents, strict=True)
        if (collections is None or int(collection) in collections) and (documents is None or int(document) in documents)
    ]
    return [pk for _score, pk in sorted(allowed)[:k]]


class StoreContract:
    """A store that looks through a graph may miss a few of the nearest among many rows, and may give any of what equals
    the k-th; that its scores are exact, and all else here, holds for it too.

    Subclasses provide `make()` -> an empty store of DIM dimensions, `publish(folder, rows)` -> a build on disk."""

    def make(self):
        raise NotImplementedError

    def publish(self, folder: Path, rows: Rows) -> Path:
        raise NotImplementedError

    def serving(self, tmp_path: Path, rows: Rows):
        store = self.make()
        store.replace(self.publish(tmp_path / "build", rows))
        return store

    @pytest.mark.parametrize("k", [1, 10, 57])
    def test_finds_what_brute_force_finds(self, tmp_path, k):
        rows = random_rows(500)
        store = self.serving(tmp_path, rows)
        for query in random_rows(20, seed=1).vectors:
            assert [hit.passage for hit in store.search(query, k)] == brute_force(rows, query, k)

    def test_scores_are_cosines_best_first(self, tmp_path):
        rows = random_rows(50)
        hits = self.serving(tmp_path, rows).search(rows.vectors[7], 50)
        assert hits[0].passage == 8
        assert hits[0].score == pytest.approx(1, abs=1e-3)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)

    def test_products_of_some_are_the_scores_of_the_search(self, tmp_path):
        """Of the build, of what changed since, and not of what is gone."""
        rows, queries = random_rows(80), random_rows(2, seed=3).vectors
        store = self.serving(tmp_path, rows)
        new = random_rows(4, seed=9, first=900)
        store.apply([3, 4], Rows(new.vectors, new.passages, np.full(4, 3), new.collections))
        found = [{hit.passage: hit.score for hit in store.search(query, 100)} for query in queries]
        asked = [903, 1, 3, 900, 13, 7, 12345]
        assert 13 not in found[0], "a passage of document 3 that is gone"
        known = store.products(queries, asked)
        assert known.passages.tolist() == [903, 1, 900, 7]
        assert known.documents.tolist() == [3, 1, 3, 7]
        assert store.owners(asked) == {903: 3, 1: 1, 900: 3, 7: 7}
        for column, scores in enumerate(found):
            assert known.scores[:, column] == pytest.approx([scores[pk] for pk in known.passages], abs=0)
        assert store.products(queries, []).scores.shape == (0, 2)
        store.apply([3], no_rows(DIM))
        assert store.products(queries, np.array(asked)).passages.tolist() == [1, 7]
        assert self.make().products(queries, asked).scores.shape == (0, 2)

    def test_equal_vectors_have_equal_scores_wherever_they_are(self, tmp_path):
        rows, queries = random_rows(50), random_rows(1, seed=3).vectors
        rows.vectors[:] = rows.vectors[0]
        store = self.serving(tmp_path, rows)
        store.apply([99], Rows(rows.vectors[:3], np.arange(901, 904), np.full(3, 99), rows.collections[:3]))
        of_all, of_one = store.products(queries, store.ids()), store.products(queries, [902])
        assert len(of_all.passages) == 53
        assert set(of_all.scores[:, 0]) == {of_one.scores[0, 0]}
        assert {hit.score for hit in store.search(queries[0], 60)} == {of_one.scores[0, 0]}

    def test_ties_break_by_id_also_at_the_kth_place(self, tmp_path):
        rows = random_rows(200)
        rows.vectors[:] = rows.vectors[0]
        store = self.serving(tmp_path, rows)
        extra = random_rows(3, first=1000)
        extra.vectors[:] = rows.vectors[0]
        store.apply([99], Rows(extra.vectors, extra.passages, np.full(3, 99), extra.collections))
        assert [hit.passage for hit in store.search(rows.vectors[0], 5)] == [1, 2, 3, 4, 5]
        assert [hit.passage for hit in store.search(rows.vectors[0], 500)] == [
            *range(1, 201),
            1000,
            1001,
            1002,
        ]

    def test_more_asked_for_than_there_is(self, tmp_path):
        assert len(self.serving(tmp_path, random_rows(7)).search(random_rows(1).vectors[0], 100)) == 7

    def test_empty(self, tmp_path):
        query = random_rows(1).vectors[0]
        assert self.make().search(query, 10) == []
        store = self.serving(tmp_path, no_rows(DIM))
        assert store.search(query, 10) == []
        assert len(store.ids()) == 0
        store.replace(None)
        assert store.search(query, 10) == []

    def test_wrong_dimension_is_refused(self, tmp_path):
        store = self.serving(tmp_path, random_rows(5))
        with pytest.raises(ValueError, match="shape"):
            store.search(np.ones(DIM + 1, np.float32), 3)

    @pytest.mark.parametrize("collections", [{1}, {2, 3}, {7}, set()])
    def test_a_filter_still_gives_k_results(self, tmp_path, collections):
        rows = random_rows(300)
        store = self.serving(tmp_path, rows)
        more = random_rows(30, seed=5, first=1000)
        more = Rows(more.vectors, more.passages, more.documents + 100, more.collections)
        store.apply(set(more.documents.tolist()), more)
        everything = Rows(
            *(np.concatenate(pair) for pair in zip(vars(rows).values(), vars(more).values(), strict=True))
        )
        for query in random_rows(10, seed=2).vectors:
            found = [hit.passage for hit in store.search(query, 20, frozenset(collections))]
            assert found == brute_force(everything, query, 20, collections)

    @pytest.mark.parametrize("collections", [None, {1, 3}, set()])
    @pytest.mark.parametrize("documents", [[7], [104, 2, 3, 103], [99, 8, 5], []])
    def test_only_of_these_documents_and_still_k_results(self, tmp_path, documents, collections):
        """Of the build and of what changed since, which has document 3 too."""
        rows = random_rows(300)
        store = self.serving(tmp_path, rows)
        more = random_rows(40, seed=5, first=1000)
        more = Rows(more.vectors, more.passages, more.documents + 100, more.collections)
        third = random_rows(4, seed=6, first=2000)
        more = Rows(*(np.concatenate(pair) for pair in zip(vars(more).values(), vars(third).values(), strict=True)))
        more.documents[-4:] = 3
        store.apply(set(more.documents.tolist()), more)
        before = rows.where(rows.documents != 3)
        everything = Rows(
            *(np.concatenate(pair) for pair in zip(vars(before).values(), vars(more).values(), strict=True))
        )
        asked, scope = np.array(documents, np.int64), None if collections is None else frozenset(collections)
        for query in random_rows(10, seed=2).vectors:
            for k in (1, 20, 500):
                found = [hit.passage for hit in store.search(query, k, scope, asked)]
                assert found == brute_force(everything, query, k, collections, set(documents))

    def test_ties_among_some_documents_break_by_id(self, tmp_path):
        rows = random_rows(200)
        rows.vectors[:] = rows.vectors[0]
        store = self.serving(tmp_path, rows)
        found = [hit.passage for hit in store.search(rows.vectors[0], 4, None, np.array([9, 4]))]
        assert found == [4, 9, 14, 19]

    def test_a_changed_document_has_exactly_its_new_rows(self, tmp_path):
        rows = random_rows(100)
        store = self.serving(tmp_path, rows)
        new = random_rows(2, seed=9, first=900)
        new = Rows(new.vectors, new.passages, np.array([3, 3]), new.collections)
        for _twice in range(2):  # reading a change twice does no harm
            store.apply([3, 4], new)
            expected = sorted(set(rows.passages[~np.isin(rows.documents, [3, 4])].tolist()) | {900, 901})
            assert store.ids().tolist() == expected
        assert store.search(new.vectors[0], 1)[0].passage == 900
        store.apply([3], no_rows(DIM))
        assert 900 not in store.ids()

    def test_replacing_forgets_the_delta(self, tmp_path):
        store = self.serving(tmp_path, random_rows(10))
        store.apply([50], Rows(*[part[:1] for part in vars(random_rows(1, first=77)).values()]))
        store.replace(self.publish(tmp_path / "second", random_rows(4)))
        assert store.ids().tolist() == [1, 2, 3, 4]

    def test_readers_while_it_is_replaced_see_one_build_or_the_other(self, tmp_path):
        small, large = random_rows(30), random_rows(60, first=1001)
        builds = [self.publish(tmp_path / "a", small), self.publish(tmp_path / "b", large)]
        store = self.make()
        store.replace(builds[0])
        stop, wrong = threading.Event(), []

        def read() -> None:
            while not stop.is_set():
                found = {hit.passage for hit in store.search(small.vectors[0], 100)}
                if found not in (set(small.passages.tolist()), set(large.passages.tolist())):
                    wrong.append(found)

        readers = [threading.Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        for turn in range(60):
            store.replace(builds[turn % 2])
        stop.set()
        for reader in readers:
            reader.join()
        assert not wrong
