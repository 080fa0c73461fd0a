"""A look into an encoder: what its files hold, how they become a model, and what that gives for one text."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from encoder.description import Description, EncoderError
from encoder.folder import dim, max_tokens, read_config, sayings, tokenizer_files
from encoder.hashing import file_sha256, weights_hash
from encoder.report import HOWS, How, Report, Serving, Token
from encoder.tokenizing import clean, tokenizer

if TYPE_CHECKING:
    from encoder.loads import Loaded

PACKAGED = ("e5-small", "minilm")
SAMPLE = "Search by meaning: 语义搜索按意思查找。"
SEED = 0


def inspect(
    source: str | Path,
    models_dir: Path,
    text: str = SAMPLE,
    how: How = "checkpoint",
    frozen: Sequence[str] = (),
    training: bool = False,
) -> Report:
    """Return a report on the encoder in the folder `source`, or of the name `source` as the settings may have it.

    `how` the model is made: `encoder.loads.load`. `frozen`: "all", "embeddings", a layer's number or another group, of
    which no parameter requires a gradient then. `training`: the outputs are those in training mode. Takes seconds, and
    some twice the memory of the weights. Nothing is fetched; no code of a folder is run; torch's random generator is
    left as it was. Raises EncoderError.
    """
    if how not in HOWS:
        raise EncoderError(f'There is no way "{how}" to a model: choose one of {", ".join(HOWS)}.')
    folder = source.absolute() if isinstance(source, Path) else _named(source, models_dir)
    if not folder.is_dir():
        raise EncoderError(f"There is no folder {folder}.")
    try:
        description, refusal = _described(folder, models_dir, how)
    except (TypeError, AttributeError, LookupError) as error:
        raise EncoderError(
            f"The JSON files in {folder} do not say what they should ({type(error).__name__}: {error})."
        ) from error
    import torch

    from encoder import loads, measures
    from encoder.tokenizing import refuse_other_tokens

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        loaded = loads.load(folder, how)
        torch.manual_seed(SEED)  # so that dropout is the same whatever way was taken
        model = loaded.model
        tokens, left_out = _tokens(description, text)
        refuse_other_tokens(description, model.config.vocab_size)
        groups = measures.freeze(model, frozen)
        rows = measures.parameters(loaded)
        outputs = measures.outputs(model, tokens, rows, training, folder)
        modes = measures.modes(model, tokens)
    return Report(
        folder=str(folder),
        seed=SEED,
        architecture=measures.architecture(model),
        serving=_serving(description, refusal or _refusal(loaded, description)),
        loading=loaded.loading,
        parameters=rows,
        groups=tuple(
            measures.totals(group, [row for row in rows if row.group == group])
            for group in dict.fromkeys(row.group for row in rows)
        ),
        total=measures.totals("all", rows),
        frozen=groups,
        text=clean(text),
        tokens=tokens,
        left_out=left_out,
        outputs=outputs,
        modes=modes,
    )


def _named(name: str, models_dir: Path) -> Path:
    """The folder of an encoder's name; of names on the hub, where `encoder.checkpoints.resolve` puts them."""
    if name == "tiny":
        raise EncoderError(
            'The encoder "tiny" has no files: it counts words, and there is nothing in it to look into. Name a folder, '
            f"or one of {', '.join(PACKAGED)}."
        )
    if name in PACKAGED:
        from encoder.checkpoints import resolve

        return resolve(name, models_dir).folder or models_dir
    inside = os.path.normpath(models_dir) + os.sep
    for written in (name, name.removeprefix("hub:").replace("/", "--")):
        path = os.path.normpath(models_dir / written)
        if path.startswith(inside) and os.path.isdir(path):
            return Path(path)
    raise EncoderError(
        f'There is no encoder "{name}": it is none of {", ".join(PACKAGED)}, and no folder here or in {models_dir}. '
        "Nothing is fetched to look into it: manage.py encoder prepare does that with the encoder of the settings."
    )


def _described(folder: Path, models_dir: Path, how: How) -> tuple[Description, str | None]:
    """What the folder says, and the reason why it cannot serve if that is one. Raises EncoderError without a tokenizer,
    and without weights when they are needed."""
    read_config(folder)  # what has none is no checkpoint, whatever else it lacks
    says, refusal = {}, None
    try:
        says = sayings(folder)
    except EncoderError as error:
        refusal = str(error)
    try:
        hashed = weights_hash(folder, models_dir / ".sha256.json")
    except EncoderError:
        if how != "config":
            raise
        hashed = file_sha256(tokenizer_files(folder)[0])
    description = Description(
        name=folder.name,
        folder=folder,
        dim=dim(folder),
        max_tokens=max_tokens(folder, says.get("max_tokens")),
        pooling=says.get("pooling", "mean"),
        query_prefix=says.get("query_prefix", ""),
        passage_prefix=says.get("passage_prefix", ""),
        weights_hash=hashed,
    )
    return description, refusal


def _refusal(loaded: "Loaded", description: Description) -> str | None:
    """Why the site would not take the checkpoint as an encoder, in the words of `encoder.loading`."""
    try:
        _refuse(loaded, description)
    except EncoderError as error:
        return str(error)
    return None


def _refuse(loaded: "Loaded", description: Description) -> None:
    from encoder.loading import refuse_gaps

    if loaded.loading.how == "config":
        raise EncoderError(
            "Built from a configuration alone, all weights are made up at random: to look at, never to serve."
        )
    if loaded.loading.how == "state-dict":
        raise EncoderError(
            'The site loads whole checkpoints only, as "checkpoint" does: see there whether this one can serve.'
        )
    assert description.folder is not None
    body = loaded.model.base_model
    gaps = {*loaded.loading.missing, *(one.name for one in loaded.loading.mismatched)}
    if body is not loaded.model:  # a head is not needed to encode
        prefix = f"{loaded.model.base_model_prefix}."
        gaps = {key.removeprefix(prefix) for key in gaps if key.startswith(prefix)}
    refuse_gaps(description.folder, body, gaps, description.pooling == "tanh")


def _serving(description: Description, refusal: str | None) -> Serving:
    return Serving(
        pooling=description.pooling,
        query_prefix=description.query_prefix,
        passage_prefix=description.passage_prefix,
        max_tokens=description.max_tokens,
        fingerprint=None if refusal else description.fingerprint,
        refusal=refusal,
    )


def _tokens(description: Description, text: str) -> tuple[tuple[Token, ...], int]:
    """The tokens of a text with the special ones around it, at most `max_tokens`, and how many were left out."""
    try:
        encoding = tokenizer(description).encode(clean(text))
    except EncoderError:
        raise
    except Exception as error:  # the tokenizers library raises nothing finer
        raise EncoderError(
            f"The tokenizer in {description.folder} cannot be used ({error}). Copy the checkpoint again."
        ) from error
    special = [bool(mark) for mark in encoding.special_tokens_mask]
    found = [
        Token(id=token, piece=piece, start=start, end=end, special=mark)
        for token, piece, (start, end), mark in zip(
            encoding.ids, encoding.tokens, encoding.offsets, special, strict=True
        )
    ]
    over = max(0, len(found) - description.max_tokens)
    after = special[::-1].index(False) if False in special else 0
    last = len(found) - after  # what is left out stands before the special tokens at the end
    found[max(0, last - over) : last] = []
    if not found:
        raise EncoderError(f"The tokenizer in {description.folder} makes no token of this text: give another.")
    return tuple(found), over
