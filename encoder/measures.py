"""What can be measured on a model with one text: parameters, outputs, the pooled output, modes. Imports torch."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from encoder import pooling
from encoder.description import EncoderError
from encoder.loads import Loaded, dtype_name
from encoder.report import Architecture, Modes, Outputs, Parameter, Pooled, Token, Totals

# layers.3 in most, h.3 in GPT-2 and its kind, albert_layer_groups.0 in ALBERT
_LAYER = re.compile(r"(?:^|\.)(?:layers?|\w*layer_groups|blocks?|h)\.(\d+)\.")

# What a model raises that wants other inputs than the tokens of a text.
_WANTS_MORE = (RuntimeError, ValueError, TypeError, LookupError, AttributeError)


def architecture(model: PreTrainedModel) -> Architecture:
    """Return a model's class and sizes; configurations name the same thing differently."""
    config = model.config

    def said(kind: Any, *names: str) -> Any:
        values = (getattr(config, name, None) for name in names)
        return next((kind(value) for value in values if isinstance(value, kind | int)), None)

    return Architecture(
        name=type(model).__name__,
        named=tuple(str(name) for name in config.architectures or ()),
        model_type=str(config.model_type),
        layers=said(int, "num_hidden_layers"),
        heads=said(int, "num_attention_heads"),
        hidden_size=said(int, "hidden_size"),
        intermediate_size=said(int, "intermediate_size", "hidden_dim"),
        vocabulary=said(int, "vocab_size"),
        positions=said(int, "max_position_embeddings"),
        token_types=said(int, "type_vocab_size"),
        activation=said(str, "hidden_act", "activation", "hidden_activation"),
        hidden_dropout=said(float, "hidden_dropout_prob", "dropout", "mlp_dropout"),
        attention_dropout=said(float, "attention_probs_dropout_prob", "attention_dropout"),
        layer_norm_epsilon=said(float, "layer_norm_eps", "norm_eps"),
        initializer_range=said(float, "initializer_range"),
    )


def freeze(model: PreTrainedModel, asked: Iterable[str]) -> tuple[str, ...]:
    """Set requires_grad off for groups of parameters, in place, and return the groups.

    Each is "all", a layer's number, or a group as `Parameter.group` names it. Raises EncoderError for what is none.
    """
    of_parameter = {name: _group(model, name) for name, _ in model.named_parameters()}
    groups = list(dict.fromkeys(of_parameter.values()))
    frozen: set[str] = set()
    for one in asked:
        wanted = f"layer {int(one)}" if one.isdecimal() else one
        if wanted != "all" and wanted not in groups:
            known = ", ".join(["all", *(group.removeprefix("layer ") for group in groups)])
            raise EncoderError(f'There is nothing called "{one}" to freeze in this model: choose from {known}.')
        frozen.update(groups if wanted == "all" else [wanted])
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(of_parameter[name] not in frozen)
    return tuple(group for group in groups if group in frozen)


def parameters(loaded: Loaded) -> tuple[Parameter, ...]:
    """Return every parameter of a model, in its order."""
    made = {*loaded.loading.missing, *(one.name for one in loaded.loading.mismatched)}
    rows = []
    for name, values in loaded.model.named_parameters():
        source = loaded.sources.get(name)
        rows.append(
            Parameter(
                name=name,
                group=_group(loaded.model, name),
                shape=tuple(values.shape),
                numbers=values.numel(),
                dtype=dtype_name(values),
                bytes=values.numel() * values.element_size(),
                requires_grad=values.requires_grad,
                new=name in made,
                file=source.file if source else None,
                key=source.key if source else None,
                stored=source.dtype if source else None,
            )
        )
    return tuple(rows)


def totals(group: str, rows: Sequence[Parameter]) -> Totals:
    """Return the sums over some parameters."""
    return Totals(
        group=group,
        parameters=len(rows),
        numbers=sum(row.numbers for row in rows),
        bytes=sum(row.bytes for row in rows),
        trainable=sum(row.numbers for row in rows if row.requires_grad),
    )


def outputs(
    model: PreTrainedModel, tokens: Sequence[Token], rows: Sequence[Parameter], training: bool, folder: Path
) -> Outputs:
    """Return what the model gives for a batch of one text, in training or inference mode. Raises EncoderError."""
    inputs = _inputs(tokens)
    nn.Module.train(model, training)
    with torch.no_grad():
        try:
            found = _encoder(model)(**inputs)
            states, pooled = found.last_hidden_state, getattr(found, "pooler_output", None)
            logits = model(**inputs).logits if _encoder(model) is not model else None
        except _WANTS_MORE as error:
            raise EncoderError(
                f"The model in {folder} ({type(model).__name__}) cannot be given the tokens of a text "
                f"({type(error).__name__}: {error})."
            ) from error
        if not torch.isfinite(states).all():
            raise EncoderError(f"The model in {folder} gives vectors that are no numbers. Copy the checkpoint again.")
        mean = pooling.mean(states, inputs["attention_mask"])
        return Outputs(
            training=training,
            sequence=tuple(states.shape),
            pooled_output=None if pooled is None else tuple(pooled.shape),
            head=None if logits is None else tuple(logits.shape),
            cosine_first_mean=_cosine(states[:, 0, :], mean),
            pooled=None if pooled is None else _pooled(model, pooled, states[:, 0, :], mean, rows),
        )


def modes(model: PreTrainedModel, tokens: Sequence[Token]) -> Modes:
    """Return how training and inference mode differ for one text; the model is left in inference mode."""
    inputs, encoder = _inputs(tokens), _encoder(model)

    def difference() -> float:
        first, second = (encoder(**inputs).last_hidden_state for _ in range(2))
        return float((first - second).abs().max())

    nn.Module.train(model, True)
    with torch.no_grad():
        in_training = difference()
    nn.Module.eval(model)
    with torch.inference_mode():
        in_inference = difference()
        without = bool(encoder(**inputs).last_hidden_state.requires_grad)
    with torch.enable_grad():
        with_gradients = bool(encoder(**inputs).last_hidden_state.requires_grad)
    return Modes(
        dropout=tuple(sorted({m.p for m in model.modules() if isinstance(m, nn.Dropout) and m.p > 0})),
        training_difference=in_training,
        inference_difference=in_inference,
        requires_grad_with_gradients=with_gradients,
        requires_grad_in_inference_mode=without,
    )


def _pooled(
    model: PreTrainedModel, pooled: Tensor, first: Tensor, mean: Tensor, rows: Sequence[Parameter]
) -> Pooled | None:
    """From the model's pooled output, the first token's vector and the mean, each (1, hidden)."""
    encoder: Any = _encoder(model)
    pooler = getattr(encoder, "pooler", None)
    linear = pooler if isinstance(pooler, nn.Linear) else getattr(pooler, "dense", None)  # ALBERT's is the layer itself
    if not isinstance(linear, nn.Linear):
        return None
    of = {id(values): row for (_, values), row in zip(model.named_parameters(), rows, strict=True)}
    again = first @ linear.weight.T
    again = torch.tanh(again if linear.bias is None else again + linear.bias)
    size = pooled.abs()
    return Pooled(
        formula_difference=float((pooled - again).abs().max()),
        distance=float((pooled - first).norm()),
        cosine=_cosine(pooled, first),
        cosine_with_mean=_cosine(pooled, mean),
        above_90=float((size > 0.9).float().mean()),
        above_99=float((size > 0.99).float().mean()),
        mean_absolute=float(size.mean()),
        weight=of[id(linear.weight)],
        bias=None if linear.bias is None else of[id(linear.bias)],
    )


def _encoder(model: PreTrainedModel) -> Any:
    """The model without its head."""
    return model.base_model


def _inputs(tokens: Sequence[Token]) -> dict[str, Tensor]:
    """A batch of one text."""
    ids = torch.tensor([[token.id for token in tokens]])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def _group(model: PreTrainedModel, name: str) -> str:
    if _encoder(model) is not model:
        prefix = f"{model.base_model_prefix}."
        if not name.startswith(prefix):
            return "head"
        name = name.removeprefix(prefix)
    layer = _LAYER.search(name)
    if layer:
        return f"layer {int(layer[1])}"
    first = name.split(".")[0]
    return first if first in ("embeddings", "pooler") else "other"


def _cosine(left: Tensor, right: Tensor) -> float:
    return float(nn.functional.cosine_similarity(left, right).mean())
