"""From the name of an encoder to its description; its files are fetched or imported on first need."""

import os
import re
from pathlib import Path
from typing import cast

from encoder import folder, packaged
from encoder.description import POOLINGS, Description, EncoderError, Pooling
from encoder.hashing import weights_hash
from encoder.packaged import Progress
from encoder.tiny import TINY

_PACKAGED = {"e5-small": packaged.import_e5, "minilm": packaged.import_minilm}
_HUB_NAME = re.compile(r"(hub:)?(?P<repository>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)", re.ASCII)
# Weights, tokenizers and settings; never code, nor the same weights for other frameworks.
_HUB_FILES = ["*.safetensors", "*.bin", "*.json", "*.txt", "*.model"]
_HUB_EXCEPT = ["onnx/*", "openvino/*"]


def resolve(name: str, models_dir: Path, pooling: str | None = None, progress: Progress | None = None) -> Description:
    """Return the description of the encoder called `name`, making its files ready below `models_dir` first.

    `name` is "e5-small" or "minilm" (imported from installed packages), "tiny" (no files, no meaning, and only its
    own pooling), a folder below `models_dir`, or a hub name, "hub:owner/name" or "owner/name", for which alone the
    network is used, once. `pooling` is "mean", "cls" or "tanh"; None or "" leaves it to what the folder says (see
    `encoder.folder.sayings`), and then to mean. `progress` is called with (steps done, steps in all, what). Raises
    EncoderError.
    """
    if pooling and pooling not in POOLINGS:
        raise EncoderError(f'There is no pooling "{pooling}": choose one of {", ".join(POOLINGS)}.')
    if name == "tiny":
        return TINY
    path = _path(name, models_dir, progress)
    says = folder.sayings(path)
    return Description(
        name=name,
        folder=path,
        dim=folder.dim(path),
        max_tokens=folder.max_tokens(path, says.get("max_tokens")),
        pooling=cast(Pooling, pooling or says.get("pooling", "mean")),
        query_prefix=says.get("query_prefix", ""),
        passage_prefix=says.get("passage_prefix", ""),
        weights_hash=weights_hash(path, models_dir / ".sha256.json"),
    )


def _path(name: str, models_dir: Path, progress: Progress | None) -> Path:
    if name in _PACKAGED:
        return _PACKAGED[name](models_dir, progress)
    hub = _HUB_NAME.fullmatch(name)
    if hub:
        return _fetched(hub["repository"], models_dir, progress)
    # Compared as written, not resolved: an operator may link a folder from elsewhere into the models folder.
    path = os.path.normpath(models_dir / name)
    if not path.startswith(os.path.normpath(models_dir) + os.sep):
        raise EncoderError(f'The encoder "{name}" lies outside the folder of models, {models_dir}: put it there.')
    if not os.path.isdir(path):
        raise EncoderError(
            f'There is no encoder "{name}": it is none of {", ".join([*_PACKAGED, "tiny"])}, no name on the hub '
            f"(owner/name), and {path} is not a folder."
        )
    return Path(path)


def _fetched(repository: str, models_dir: Path, progress: Progress | None) -> Path:
    path = models_dir / repository.replace("/", "--")
    if path.is_dir():
        return path
    import huggingface_hub  # only here, since only here the network may be used

    if progress:
        progress(0, 1, f"fetching {repository} from the hub")
    with packaged.written_aside(models_dir) as aside:
        try:
            huggingface_hub.snapshot_download(
                repository, local_dir=aside, allow_patterns=_HUB_FILES, ignore_patterns=_HUB_EXCEPT
            )
        except (OSError, ValueError) as error:  # the hub's errors and those of the network are OSErrors
            raise EncoderError(
                f"{repository} could not be fetched from the hub: {error} "
                f"Without a hub, copy the checkpoint's folder to {path}, or use e5-small."
            ) from error
        packaged.publish(aside, path)
    return path
