"""Fixtures for the encoder's tests. Those that need real weights import them once into a folder that is kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_models() -> Path:
    """The folder of models with the real weights in it; it outlives the session, since making it takes seconds."""
    from encoder.checkpoints import resolve

    folder = Path(os.environ["SEARCHSITE_TEST_MODELS_DIR"])
    resolve("e5-small", folder)
    resolve("minilm", folder)
    return folder


@pytest.fixture
def open_checkpoint(tmp_path: Path):
    """open_checkpoint(name, pooling) -> the Encoder, in float32, of a folder below tmp_path."""
    from encoder import local
    from encoder.checkpoints import resolve

    def _open(name: str, pooling: str | None = None):
        return local.load(resolve(name, tmp_path, pooling), dtype="float32")

    return _open
