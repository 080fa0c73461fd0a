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
# Several processes of tests share the cores. With a thread of torch for each core in each of them, those would wait for
# one another within each operation: the encoder's tests took 2.5 times as much of the processors.
_processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
if _processes > 1:
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // _processes)))
os.environ.setdefault("SEARCHSITE_TEST_MODELS_DIR", str(Path(tempfile.gettempdir()) / "searchsite-test-models"))
