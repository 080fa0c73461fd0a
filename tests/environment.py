"""The settings of the tests' site: a pytest plugin (see pyproject.toml), read before Django reads its settings."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

# A data folder of its own, and nobody's .env.
_data = tempfile.TemporaryDirectory(prefix="searchsite-tests-")
os.environ.update(
    SEARCHSITE_ENV_FILE="",
    SEARCHSITE_DATA_DIR=_data.name,
    SEARCHSITE_ENCODER="tiny",
    SEARCHSITE_TASKS="inline",
    SEARCHSITE_SECRET_KEY="only-for-tests-only-for-tests-only-for-tests-only-for-tests",
    SEARCHSITE_DEBUG="0",
)
os.environ.setdefault("SEARCHSITE_TEST_MODELS_DIR", str(Path(tempfile.gettempdir()) / "searchsite-test-models"))
