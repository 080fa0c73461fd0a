"""The layers of a BERT, arranged for the hardware: the same numbers out of fewer and larger operations.

A layer is four matrix products, of which transformers makes six, and what lies between them. On a CPU that rest took a
third of the time: here queries, keys and values are one product, sequences stand packed one behind the other, all heads
of sequences of one length are one batched product, and what can be computed in place is. Measured in
benchmarks/encode.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

# Of these the module `encoder` is the layers, and their parts have BERT's names.
_KINDS = ("BertModel", "RobertaModel", "XLMRobertaModel")


@dataclass(frozen=True)
class Run:
    """Some sequences of one width that stand one behind the other in a packed batch. `seen`: (sequences, width), True
    for what may be looked at; None for all."""

    sequences: int
    width: int
    seen: Tensor | None = None


def spans(runs: Sequence[Run]) -> Iterator[tuple[Run, slice]]:
    """Each run with the rows of the packed batch that are its."""
    start = 0
    for run in runs:
        end = start + run.sequences * run.width
        yield run, slice(start, end)
        start = end


class _Product(nn.Module):
    """x (n, in) -> x W^T + b (n, out), of one linear module or of several side by side."""

    def __init__(self, *parts: nn.Linear) -> None:
        super().__init__()
        weight = torch.cat([part.weight for part in parts]) if len(parts) > 1 else parts[0].weight
        bias = torch.cat([part.bias for part in parts])
        self.bias = nn.Parameter(bias.detach(), requires_grad=False)
        self.laid_out: Tensor | None = None
        # oneDNN lays a weight out anew at each call unless that is done beforehand, which for a short text is most of
        # the work. As torch.compile does it; the operation is not public, but torch is pinned.
        if (
            weight.dtype == torch.bfloat16
            and weight.device.type == "cpu"
            and hasattr(torch.ops.mkldnn, "_linear_pointwise")
        ):
            self.laid_out = torch.ops.mkldnn._reorder_linear_weight(weight.detach())
        else:
            self.weight = nn.Parameter(weight.detach(), requires_grad=False)

    def of(self, given: Tensor) -> Tensor:
        if self.laid_out is None:
            return nn.functional.linear(given, self.weight, self.bias)
        made: Tensor = torch.ops.mkldnn._linear_pointwise(given, self.laid_out, self.bias, "none", [], "")
        return made


class Layer(nn.Module):
    def __init__(self, layer: Any) -> None:
        super().__init__()
        own = layer.attention.self
        self.heads, self.scaling = own.num_attention_heads, own.scaling
        self.looking = _Product(own.query, own.key, own.value)
        self.attended, self.after_attended = _Product(layer.attention.output.dense), layer.attention.output.LayerNorm
        self.widened, self.activation = _Product(layer.intermediate.dense), layer.intermediate.intermediate_act_fn
        self.narrowed, self.after_narrowed = _Product(layer.output.dense), layer.output.LayerNorm

    def steps(self, states: Tensor, runs: Sequence[Run]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What goes into the second, third and fourth product, and what comes out of the layer."""
        looking = self.looking.of(states)
        looking[:, : states.shape[1]] *= self.scaling
        mixed = attention(looking, runs, self.heads, torch.empty_like(states))
        after = self.after_attended(self.attended.of(mixed).add_(states))
        wide = self.activation(self.widened.of(after))
        return mixed, after, wide, self.after_narrowed(self.narrowed.of(wide).add_(after))


class ArrangedLayers(nn.Module):
    """In the place of a BertEncoder: hidden states (sequences, tokens, hidden) -> the same after all layers."""

    def __init__(self, layers: Any) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(layer) for layer in layers.layer)

    def packed(self, states: Tensor, runs: Sequence[Run]) -> Tensor:
        """(rows, hidden) -> the same. Rows behind the last run are of no sequence, and come out as anything."""
        for layer in self.layers:
            assert isinstance(layer, Layer)
            *_, states = layer.steps(states, runs)
        return states

    def forward(self, hidden_states: Tensor, attention_mask: Tensor | None = None, **_others: Any) -> SimpleNamespace:
        """As transformers calls it. `attention_mask`: (sequences, 1, tokens, tokens), True for what may be seen."""
        sequences, tokens, hidden = hidden_states.shape
        run = Run(sequences, tokens, None if attention_mask is None else attention_mask[:, 0, 0])
        states = self.packed(hidden_states.reshape(-1, hidden), [run])
        return SimpleNamespace(last_hidden_state=states.view(sequences, tokens, hidden), past_key_values=None)


def attention(looking: Tensor, runs: Sequence[Run], heads: int, into: Tensor) -> Tensor:
    """From (rows, queries keys values) to what each row's heads attend to, put into (rows, hidden), and that.

    Queries are scaled already.
    """
    hidden = into.shape[1]
    for run, rows in spans(runs):
        by_head = looking[rows].view(run.sequences, run.width, 3, heads, -1).permute(2, 0, 3, 1, 4)
        queries, keys, values = by_head.reshape(3, run.sequences * heads, run.width, -1)
        mixed = _attended(queries, keys, values, None if run.seen is None else _bias(run.seen, heads, looking.dtype))
        place = into[rows].view(run.sequences, run.width, heads, hidden // heads)
        place.transpose(1, 2).copy_(mixed.view(run.sequences, heads, run.width, -1))
    into[rows.stop :] = 0  # of no sequence; but what lay in memory may be no number, and slow
    return into


def _attended(queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> Tensor:
    """All (sequences * heads, tokens, hidden / heads)."""
    if queries.is_cuda and bias is None:  # in one kernel; on a CPU, for heads of 32, it is the slower one
        return nn.functional.scaled_dot_product_attention(queries[None], keys[None], values[None], scale=1.0)[0]
    turned = keys.transpose(1, 2)
    scores = torch.bmm(queries, turned) if bias is None else torch.baddbmm(bias, queries, turned)
    return torch.bmm(torch.softmax(scores, -1, out=scores), values)


def _bias(seen: Tensor, heads: int, dtype: torch.dtype) -> Tensor:
    """(sequences * heads, 1, tokens): what is added to the scores of each token."""
    added = torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, torch.finfo(dtype).min)
    return added.repeat_interleave(heads, 0).unsqueeze(1)


def arrange(model: Any) -> nn.Module | None:
    """Put ArrangedLayers in the place of a model's layers, and return these; None where it is no BERT.

    The model has the type in which it is to compute. What was there before is another copy of most weights.
    """
    config = model.config
    if type(model).__name__ not in _KINDS or config.is_decoder or config.add_cross_attention:
        return None
    layers: nn.Module = model.get_submodule("encoder")
    model.encoder = ArrangedLayers(layers)
    return layers


def embedded(model: Any, ids: Tensor, runs: Sequence[Run]) -> Tensor:
    """Token ids (rows,) of a packed batch -> what goes into the layers of a model of `arrange`, (rows, hidden)."""
    parts: Any = model.embeddings
    # RoBERTa counts places from behind the number that it has for padding.
    first = 0 if type(model).__name__ == "BertModel" else parts.padding_idx + 1
    states: Tensor = parts.word_embeddings(ids) + parts.token_type_embeddings.weight[0]
    for run, rows in spans(runs):
        places = parts.position_embeddings.weight[first : first + run.width]
        states[rows].view(run.sequences, run.width, -1).add_(places)
    normalised: Tensor = parts.LayerNorm(states)
    return normalised
