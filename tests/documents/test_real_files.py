"""Real files of every kind, where they are at hand: what is expected of each, by benchmarks/files.py."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT.parent / "shared" / "data" / "files"


@pytest.mark.skipif(not FOLDER.is_dir(), reason="the collection of real files is not beside this repository")
def test_every_file_is_read_or_refused_as_expected(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    sys.modules.pop("files", None)
    import files

    results = [files.tried(FOLDER, row) for row in files.expected(FOLDER)]
    assert len(results) > 50
    assert [(row.file, row.outcome, row.detail) for row in results if not row.ok] == []
