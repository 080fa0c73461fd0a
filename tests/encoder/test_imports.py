"""What describing an encoder must not load: torch takes seconds and hundreds of megabytes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "module",
    ["encoder", "encoder.description", "encoder.checkpoints", "encoder.apps", "encoder.checks", "encoder.tokenizing",
     "encoder.tiny", "encoder.management.commands.encoder"],
)  # fmt: skip
def test_no_model_library_is_loaded(module: str) -> None:
    code = (
        f"import sys, {module}\n"
        "print([m for m in ('torch', 'transformers', 'tokenizers', 'safetensors', 'huggingface_hub', 'searchsite') "
        "if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
