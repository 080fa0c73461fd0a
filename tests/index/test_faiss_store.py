"""The FAISS store: the contract, and what is its own: builds on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from searchsite.index.stores import faiss
from tests.store_contract import DIM, StoreContract, random_rows


class TestFaissStore(StoreContract):
    def make(self):
        return faiss.FaissStore(DIM)

    def publish(self, folder: Path, rows):
        faiss.write_build(folder, iter([rows] if len(rows) else []), {"dim": DIM, "fingerprint": "x"})
        return folder


def test_a_build_of_another_dimension_is_refused(tmp_path):
    faiss.write_build(tmp_path / "b", iter([random_rows(5)]), {"dim": DIM})
    with pytest.raises(faiss.BuildError, match="16 dimensions, not 8"):
        faiss.FaissStore(8).replace(tmp_path / "b")


@pytest.mark.parametrize("name", ["vectors.faiss", "ids.npy", "build.json"])
@pytest.mark.parametrize("damage", ["missing", "cut", "garbage"])
def test_a_damaged_build_is_refused_with_a_sentence_and_the_old_one_serves(tmp_path, name, damage):
    store = faiss.FaissStore(DIM)
    faiss.write_build(tmp_path / "good", iter([random_rows(5)]), {"dim": DIM})
    store.replace(tmp_path / "good")
    faiss.write_build(tmp_path / "bad", iter([random_rows(9)]), {"dim": DIM})
    path = tmp_path / "bad" / name
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        path.write_bytes(os.urandom(path.stat().st_size))
    with pytest.raises(faiss.BuildError, match="rebuild the index"):
        store.replace(tmp_path / "bad")
    assert len(store.ids()) == 5


def test_a_kill_while_publishing_leaves_no_build(tmp_path):
    """The process is killed for real, after the files are written and before they have their name."""
    code = f"""
import os, signal
from pathlib import Path
from searchsite.index.stores import faiss
from tests.store_contract import DIM, random_rows
Path.rename = lambda *_args: os.kill(os.getpid(), signal.SIGKILL)
faiss.write_build(Path({str(tmp_path / "b")!r}), iter([random_rows(50)]), {{"dim": DIM}})
"""
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "searchsite.settings"}
    done = subprocess.run(
        [sys.executable, "-c", "import django; django.setup()\n" + code],
        env=env, cwd=Path(__file__).parents[2], capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    assert not (tmp_path / "b").exists()
    assert faiss.write_build(tmp_path / "b", iter([random_rows(50)]), {"dim": DIM}) == 50
