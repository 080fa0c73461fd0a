"""SHA-256 of checkpoints, remembered so that hundreds of megabytes are not read again at each start."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from encoder.description import EncoderError
from encoder.folder import read_config, read_json, tokenizer_files

# (path, size, mtime_ns) -> SHA-256. A file that was replaced has another size or time and is read again.
_known: dict[str, str] = {}

# What `save_pretrained` writes into config.json about itself; it changes with no change of any vector.
_NOT_COMPUTED_WITH = ("_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version", "use_cache")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex. Raises OSError when it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weight_files(folder: Path) -> list[Path]:
    """Return the weight files of a checkpoint in the order of preference that transformers has.

    safetensors before pickles, one file before shards. Raises EncoderError when there are none, or when a shard
    that the index names is missing.
    """
    for single in ("model.safetensors", "pytorch_model.bin"):
        index = folder / f"{single}.index.json"
        if (folder / single).is_file():
            return [folder / single]
        if index.is_file():
            shards = sorted(set(read_json(index).get("weight_map", {}).values()))
            missing = [shard for shard in shards if not (folder / shard).is_file()]
            if missing or not shards:
                raise EncoderError(
                    f"{folder} is incomplete: {index.name} names weight files that are not there "
                    f"({', '.join(missing) or 'it names none at all'}). Copy the whole checkpoint again."
                )
            return [folder / shard for shard in shards]
    raise EncoderError(
        f"{folder} holds no weights: it needs model.safetensors or pytorch_model.bin (or their shards and index)."
    )


def weights_hash(folder: Path, cache: Path) -> str:
    """Return one SHA-256 in hex over a checkpoint's weights, tokenizer files and computing configuration.

    `cache` is the JSON file in which hashes of files are remembered; where it cannot be written they are kept in
    memory only. Raises EncoderError when the folder is no checkpoint.
    """
    files = {path.name: _remembered_sha256(path, cache) for path in weight_files(folder) + tokenizer_files(folder)}
    config = {key: value for key, value in read_config(folder).items() if key not in _NOT_COMPUTED_WITH}
    canonical = json.dumps([files, config], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _remembered_sha256(path: Path, cache: Path) -> str:
    status = path.stat()
    key = f"{path.resolve()}|{status.st_size}|{status.st_mtime_ns}"
    if key not in _known:
        _known.update(_read_cache(cache))
    if key not in _known:
        _known[key] = file_sha256(path)
        _write_cache(cache, {**_read_cache(cache), key: _known[key]})
    return _known[key]


def _read_cache(cache: Path) -> dict[str, str]:
    try:
        kept: Any = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # not there yet, or damaged: the files are hashed again, nothing else is lost
    return {str(key): str(value) for key, value in kept.items()} if isinstance(kept, dict) else {}


def _write_cache(cache: Path, hashes: dict[str, str]) -> None:
    aside = cache.with_name(f"{cache.name}.{os.getpid()}")
    try:
        aside.write_text(json.dumps(hashes, indent=1, sort_keys=True), encoding="utf-8")
        aside.replace(cache)
    except OSError:
        return  # a folder of models that is mounted read-only is a good way to run: memory has to do
