"""The layers of a BERT, arranged for a processor: the same numbers out of fewer and larger operations.

A layer is four matrix products, of which transformers makes six, and what lies between them. On a CPU that rest took a
third of the time: here queries, keys and values are one product, all heads of all sequences one batched product, and
what can be computed in place is. Measured in benchmarks/encode.py.
"""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

# Of these the module `encoder` is the layers, and their parts have BERT's names.
_KINDS = ("BertModel", "RobertaModel", "XLMRobertaModel")


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


class _Layer(nn.Module):
    def __init__(self, layer: Any) -> None:
        super().__init__()
        own = layer.attention.self
        self.looking = _Product(own.query, own.key, own.value)
        self.attended, self.after_attended = _Product(layer.attention.output.dense), layer.attention.output.LayerNorm
        self.widened, self.activation = _Product(layer.intermediate.dense), layer.intermediate.intermediate_act_fn
        self.narrowed, self.after_narrowed = _Product(layer.output.dense), layer.output.LayerNorm


class ArrangedLayers(nn.Module):
    """In the place of a BertEncoder: hidden states (sequences, tokens, hidden) -> the same after all layers."""

    def __init__(self, layers: Any) -> None:
        super().__init__()
        own = layers.layer[0].attention.self
        self.heads, self.scaling = own.num_attention_heads, own.scaling
        self.layers = nn.ModuleList(_Layer(layer) for layer in layers.layer)

    def forward(self, hidden_states: Tensor, attention_mask: Tensor | None = None, **_others: Any) -> SimpleNamespace:
        """`attention_mask`: (sequences, 1, tokens, tokens), True for what may be looked at; None for all."""
        sequences, tokens, hidden = hidden_states.shape
        bias = None if attention_mask is None else self._bias(attention_mask, hidden_states.dtype)
        states = hidden_states.reshape(-1, hidden)
        attended = states.new_empty(sequences, tokens, self.heads, hidden // self.heads)
        for layer in self.layers:
            assert isinstance(layer, _Layer)
            by_head = layer.looking.of(states).view(sequences, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            queries, keys, values = by_head.reshape(3, sequences * self.heads, tokens, -1)
            mixed = self._attention(queries, keys, values, bias)
            attended.transpose(1, 2).copy_(mixed.view(sequences, self.heads, tokens, -1))
            states = layer.after_attended(layer.attended.of(attended.view(-1, hidden)).add_(states))
            widened = layer.activation(layer.widened.of(states))
            states = layer.after_narrowed(layer.narrowed.of(widened).add_(states))
        return SimpleNamespace(last_hidden_state=states.view(sequences, tokens, hidden), past_key_values=None)

    def _attention(self, queries: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> Tensor:
        """All (sequences * heads, tokens, hidden / heads)."""
        queries *= self.scaling
        turned = keys.transpose(1, 2)
        scores = torch.bmm(queries, turned) if bias is None else torch.baddbmm(bias, queries, turned)
        torch.softmax(scores, -1, out=scores)
        return torch.bmm(scores, values)

    def _bias(self, mask: Tensor, dtype: torch.dtype) -> Tensor:
        """(sequences * heads, 1, tokens): what is added to the scores of each token."""
        seen = mask[:, 0, 0]
        added = torch.zeros(seen.shape, dtype=dtype).masked_fill_(~seen, torch.finfo(dtype).min)
        return added.repeat_interleave(self.heads, 0).unsqueeze(1)


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
