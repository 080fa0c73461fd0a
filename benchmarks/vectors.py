"""The vector store beside hnswlib and usearch, on the same real vectors, in one run.

    python benchmarks/vectors.py FOLDER [--passages 1000000] [--alone]

FOLDER has NAME-OFFSET.npy: vectors (n, dim) of the site's encoder; the language of those of a NAME is what it ends with
(_zh, _en). Where they are fewer than asked for, the rest is drawn from them, with noise of a quarter of their length.
What is asked are vectors of FOLDER that were left out of the index. All are placed in a space as the site's, whose
offsets are the means of each language here. The peers are installed into a folder of their own, which is deleted.

Recall is by score: how many of those found are as good as the k-th that exact search finds, so that copies count alike.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "searchsite.settings")

import numpy as np

if TYPE_CHECKING:
    from searchsite.index.stores.faiss import FaissStore
    from searchsite.index.vectors import Ids, Matrix, Rows

NOISE = 0.25  # length of what is added to a vector of length 1: so far apart are neighbours among real ones
ASKED = 400
OF_A_DOCUMENT = 10  # passages
COLLECTIONS = 50  # the n-th of which is as large as the first divided by n
PART = 20_000
PEERS = {"hnswlib": ("hnswlib==0.8.0",), "usearch": ("usearch==2.21.0", "simsimd==6.5.16")}
SHARES = (0.001, 0.01, 0.1, 0.5)


def real(folder: Path) -> tuple[Matrix, list[str]]:
    vectors, languages = [], []
    for path in sorted(folder.glob("*.npy")):
        part = np.load(path).astype(np.float32)
        vectors.append(part / np.linalg.norm(part, axis=1, keepdims=True))
        languages += [path.stem.rsplit("-", 1)[0][-2:]] * len(part)
    return np.concatenate(vectors), languages


def placed(folder: Path, wanted: int, random: np.random.Generator) -> tuple[Matrix, Matrix, int]:
    """(passages (wanted, dim), questions (ASKED, dim), how many of the passages are real)."""
    from searchsite.index.space import FAMILIES, OTHER_LANGUAGE, Space

    vectors, languages = real(folder)
    codes = np.array(languages)
    means = np.zeros((len(FAMILIES), vectors.shape[1]), np.float32)
    for row, family in enumerate(FAMILIES[:2]):
        if (codes == family).any():
            means[row] = vectors[codes == family].mean(axis=0)
    space = Space(means, means, OTHER_LANGUAGE, means, means)
    at = space.place_passages(vectors, languages)[random.permutation(len(vectors))]
    questions, passages = space.like(at[:ASKED]), at[ASKED : ASKED + wanted]
    drawn = [passages]
    for first in range(len(passages), wanted, PART):
        near = passages[random.integers(len(passages), size=min(PART, wanted - first))]
        noise = random.standard_normal((len(near), near.shape[1] - 1)).astype(np.float32)
        moved = near[:, :-1] + NOISE * noise / np.linalg.norm(noise, axis=1, keepdims=True)
        drawn.append(np.append(moved / np.linalg.norm(moved, axis=1, keepdims=True), near[:, -1:], axis=1))
    return np.concatenate(drawn), questions, len(passages)


def parts(vectors: Matrix, random: np.random.Generator) -> tuple[list[Rows], Ids]:
    """The vectors as rows of documents in collections, and the collection of each."""
    from searchsite.index.vectors import Rows

    documents = np.arange(len(vectors)) // OF_A_DOCUMENT + 1
    sizes = 1 / np.arange(1, COLLECTIONS + 1)
    owners = random.choice(np.arange(1, COLLECTIONS + 1), int(documents[-1]) + 1, p=sizes / sizes.sum())
    order = np.argsort(owners[documents], kind="stable")
    documents, collections = documents[order], owners[documents][order]
    passages = order + 1
    rows = [
        Rows(vectors[some], passages[at], documents[at], collections[at])
        for first in range(0, len(vectors), PART)
        for at in [slice(first, first + PART)]
        for some in [order[at]]
    ]
    return rows, owners[np.arange(len(vectors)) // OF_A_DOCUMENT + 1]


def kth(vectors: Matrix, questions: Matrix, k: int, permitted: Ids | None = None) -> Matrix:
    """(q,) the scores of the k-th best."""
    best = np.full((len(questions), k), -9, np.float32)
    rows = np.arange(len(vectors)) if permitted is None else permitted
    for first in range(0, len(rows), PART):
        scores = questions @ vectors[rows[first : first + PART]].T
        both = np.concatenate([best, scores], axis=1)
        best = -np.partition(-both, k - 1, axis=1)[:, :k]
    return best.min(axis=1)


def measured(ask: Callable[[Matrix], Ids], vectors: Matrix, questions: Matrix, least: Matrix, k: int) -> str:
    """Recall, and milliseconds of one question, asked one after the other: on the clock, and of the thread's own work,
    which tells more where a machine has other work to do."""
    seconds, worked, shares = [], [], []
    for question in questions[:20]:
        ask(question)
    for question, worst in zip(questions, least.tolist(), strict=True):
        began, began_work = time.perf_counter(), time.thread_time()
        found = ask(question)
        worked.append(time.thread_time() - began_work)
        seconds.append(time.perf_counter() - began)
        shares.append(min(1.0, float((vectors[found] @ question >= worst - 2e-4).sum()) / k))
    p50, p95 = np.percentile(seconds, [50, 95]) * 1000
    work = np.median(worked) * 1000
    return f"recall {np.mean(shares):.4f}, p50 {p50:.2f} ms ({work:.2f} of work), p95 {p95:.2f} ms"


def resident() -> int:
    """Bytes of this process that are not pages of a file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def store(vectors: Matrix, rows: list[Rows], space: Path, like: Callable[[Matrix], Matrix]) -> FaissStore:
    from searchsite.index.stores.faiss import FaissStore
    from searchsite.index.stores.files import write_build

    began, began_work = time.perf_counter(), time.process_time()
    written = write_build(space / "build", iter(rows), {"dim": vectors.shape[1]}, like)
    seconds, worked = time.perf_counter() - began, time.process_time() - began_work
    sizes = {path.name: path.stat().st_size / len(vectors) for path in (space / "build").iterdir()}
    before = resident()
    made = FaissStore(vectors.shape[1])
    began = time.perf_counter()
    made.replace(space / "build")
    opened = time.perf_counter() - began
    graph = made._view.build.graph
    print(f"here: {written.kind}, built in {seconds:.0f} s ({worked:.0f} of work), opened in {opened * 1000:.0f} ms, "
          f"{(resident() - before) / len(vectors):.0f} bytes a vector resident; effort {graph.effort if graph else 0}, "
          f"own measure of recall {written.recall}; files: "
          + ", ".join(f"{name} {size:.0f}" for name, size in sorted(sizes.items())), flush=True)  # fmt: skip
    return made


def ask_store(made: FaissStore, vectors: Matrix, questions: Matrix, owners: Ids) -> None:
    for k in (10, 1001):
        some = questions if k == 10 else questions[:100]
        asked = lambda q, k=k: np.array([hit.passage for hit in made.search(q, k)]) - 1  # noqa: E731
        print(f"  k {k}: {measured(asked, vectors, some, kth(vectors, some, k), k)}", flush=True)
    both = np.stack([questions[0], questions[0]])
    some = np.sort(np.random.default_rng(2).choice(len(vectors), 2000, replace=False)) + 1
    began = time.perf_counter()
    for _ in range(20):
        made.products(both, some)
    print(f"  products of 2 x 2000: {(time.perf_counter() - began) * 50:.2f} ms", flush=True)
    random = np.random.default_rng(3)
    for share in SHARES:
        for kind in ("documents", "collections"):
            if kind == "documents":
                count = len(vectors) // OF_A_DOCUMENT
                documents = random.choice(count, max(1, int(share * count)), replace=False) + 1
                collections, rows = (
                    None,
                    np.flatnonzero(np.isin(np.arange(len(vectors)) // OF_A_DOCUMENT + 1, documents)),
                )
            else:
                sizes = np.bincount(owners, minlength=COLLECTIONS + 1) / len(vectors)
                order, total, chosen = random.permutation(np.arange(1, COLLECTIONS + 1)), 0.0, []
                for one in sorted(order.tolist(), key=lambda n: -sizes[n]):
                    if total + sizes[one] <= share * 1.1:
                        chosen, total = [*chosen, one], total + sizes[one]
                if not chosen:
                    continue
                collections, documents = frozenset(chosen), None
                rows = np.flatnonzero(np.isin(owners, chosen))
            asked = lambda q: np.array([h.passage for h in made.search(q, 10, collections, documents)]) - 1  # noqa: B023, E731
            least = kth(vectors, questions[:100], 10, rows)
            print(f"  {100 * len(rows) / len(vectors):.2g} % by {kind}: "
                  f"{measured(asked, vectors, questions[:100], least, 10)}", flush=True)  # fmt: skip


def change(made: FaissStore, vectors: Matrix, questions: Matrix) -> None:
    """What one saved document costs, and 10,000 changed rows, and searching with them."""
    from searchsite.index.vectors import Rows

    random = np.random.default_rng(4)
    for count in (1, 1000):
        documents = random.choice(len(vectors) // OF_A_DOCUMENT, count, replace=False) + 1
        at = ((documents[:, None] - 1) * OF_A_DOCUMENT + np.arange(OF_A_DOCUMENT)).ravel()
        rows = Rows(vectors[at], at + 1, np.repeat(documents, OF_A_DOCUMENT), np.ones(len(at), np.int64))
        seconds = []
        for _ in range(5):
            began = time.perf_counter()
            made.apply(documents.tolist(), rows)
            seconds.append(time.perf_counter() - began)
        print(f"  apply of {len(at)} rows: {np.median(seconds) * 1000:.2f} ms", flush=True)
    asked = lambda q: np.array([hit.passage for hit in made.search(q, 10)]) - 1  # noqa: E731
    print(
        f"  k 10 with them changed: {measured(asked, vectors, questions, kth(vectors, questions, 10), 10)}", flush=True
    )


def peers(folder: Path) -> Iterator[str]:
    for name, packages in PEERS.items():
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder), *packages],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            print(f"{name} cannot be installed: {done.stderr.strip().splitlines()[-1]}")
        else:
            yield name
    sys.path.insert(0, str(folder))


def ask_peers(names: list[str], vectors: Matrix, questions: Matrix, balance: Matrix) -> None:
    """With as many links a vector, and coordinates balanced alike; at several efforts of searching."""
    least = kth(vectors, questions, 10)
    for name in names:
        before, began = resident(), time.perf_counter()
        peer = (hnswlib_index if name == "hnswlib" else usearch_index)(vectors, balance)
        took, size = time.perf_counter() - began, (resident() - before) / len(vectors)
        print(f"{name}: built in {took:.0f} s, {size:.0f} bytes a vector resident", flush=True)
        for effort in (64, 128, 256, 512):
            found = measured(partial(peer, effort), vectors, questions, least, 10)
            print(f"  {effort}: {found}", flush=True)


def hnswlib_index(vectors: Matrix, balance: Matrix) -> Callable[[int, Matrix], Ids]:
    import hnswlib

    index = hnswlib.Index("ip", vectors.shape[1])
    index.init_index(len(vectors), M=24, ef_construction=100)
    for first in range(0, len(vectors), PART):
        some = vectors[first : first + PART] * balance
        index.add_items(some, np.arange(first, first + len(some)), num_threads=2)

    def ask(effort: int, question: Matrix) -> Ids:
        index.set_ef(effort)
        found: Ids = index.knn_query(question / balance, k=10, num_threads=1)[0][0].astype(np.int64)
        return found

    return ask


def usearch_index(vectors: Matrix, balance: Matrix) -> Callable[[int, Matrix], Ids]:
    from usearch.index import Index

    index = Index(ndim=vectors.shape[1], metric="ip", dtype="bf16", connectivity=24, expansion_add=100)
    for first in range(0, len(vectors), PART):
        some = vectors[first : first + PART] * balance
        index.add(np.arange(first, first + len(some)), some, threads=2)

    def ask(effort: int, question: Matrix) -> Ids:
        index.expansion_search = effort
        found: Ids = index.search(question / balance, 10, threads=1).keys.astype(np.int64)
        return found

    return ask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--alone", action="store_true", help="without the peers")
    given = parser.parse_args()
    import django

    django.setup()
    random = np.random.default_rng(1)
    vectors, questions, own = placed(given.folder, given.passages, random)
    print(f"{len(vectors)} vectors, {own} of them real; {len(questions)} real ones asked", flush=True)
    rows, owners = parts(vectors, random)
    bonus = np.ones(vectors.shape[1], np.float32)
    bonus[-1] = abs(float(questions[0, -1]))
    like = lambda some: some * np.append(bonus[:-1], -bonus[-1])  # noqa: E731
    with tempfile.TemporaryDirectory(dir=os.environ.get("SCRATCH")) as name:
        made = store(vectors, rows, Path(name), like)
        ask_store(made, vectors, questions, owners)
        change(made, vectors, questions)
        del made
        if not given.alone:
            target = Path(name) / "peers"
            ask_peers(list(peers(target)), vectors, questions, np.sqrt(bonus))


if __name__ == "__main__":
    main()
