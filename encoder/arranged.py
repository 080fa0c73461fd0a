"""The layers of a BERT, arranged for a processor: the same numbers out of fewer and larger operations.

A layer is four matrix products, of which transformers makes six, and what lies between them. On a CPU that rest took a
third of the time: here queries, keys and values are one product, all heads of all sequences one batched product, and
what can be computed in place is. Measured in benchmarks/encode.py.
"""

from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

# Of these the module `encoder` is the layers, and their parts have BERT's names.
_KINDS = ("BertModel", "RobertaModel", "XLMRobertaModel")


class _Layer(NamedTuple):
    weight: nn.Parameter
    """(3 * hidden, hidden): of queries, keys and values."""
    bias: nn.Parameter
    attended: Any
    """Modules with `dense` and `LayerNorm`, as the last."""
    widened: Any
    output: Any


class ArrangedLayers(nn.Module):
    """In the place of a BertEncoder: hidden states (sequences, tokens, hidden) -> the same after all layers."""

    def __init__(self, layers: Any) -> None:
        super().__init__()
        own = layers.layer[0].attention.self
        self.heads, self.scaling = own.num_attention_heads, own.scaling
        self._layers: list[_Layer] = []
        for number, layer in enumerate(layers.layer):
            three = [getattr(layer.attention.self, name) for name in ("query", "key", "value")]
            made = _Layer(
                nn.Parameter(torch.cat([one.weight for one in three]), requires_grad=False),
                nn.Parameter(torch.cat([one.bias for one in three]), requires_grad=False),
                layer.attention.output,
                layer.intermediate,
                layer.output,
            )
            self._layers.append(made)
            self.register_parameter(f"weight{number}", made.weight)  # so that they change their type with the others
            self.register_parameter(f"bias{number}", made.bias)
            for name, module in (("attended", made.attended), ("widened", made.widened), ("output", made.output)):
                self.add_module(f"{name}{number}", module)

    def forward(self, hidden_states: Tensor, attention_mask: Tensor | None = None, **_others: Any) -> SimpleNamespace:
        """`attention_mask`: (sequences, 1, tokens, tokens), True for what may be looked at; None for all."""
        sequences, tokens, hidden = hidden_states.shape
        bias = None if attention_mask is None else self._bias(attention_mask, hidden_states.dtype)
        states = hidden_states.reshape(-1, hidden)
        attended = states.new_empty(sequences, tokens, self.heads, hidden // self.heads)
        for layer in self._layers:
            three = nn.functional.linear(states, layer.weight, layer.bias)
            by_head = three.view(sequences, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
            queries, keys, values = by_head.reshape(3, sequences * self.heads, tokens, -1)
            mixed = self._attention(queries, keys, values, bias)
            attended.transpose(1, 2).copy_(mixed.view(sequences, self.heads, tokens, -1))
            states = _added(layer.attended, attended.view(-1, hidden), states)
            states = _added(layer.output, layer.widened(states), states)
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


def _added(part: Any, states: Tensor, before: Tensor) -> Tensor:
    normalised: Tensor = part.LayerNorm(part.dense(states).add_(before))
    return normalised


def arrange(model: PreTrainedModel) -> nn.Module | None:
    """Put ArrangedLayers in the place of a model's layers, and return these; None where it is no BERT.

    They share what they can, so what was there before should be let go of: it is another copy of a quarter.
    """
    config = model.config
    if type(model).__name__ not in _KINDS or config.is_decoder or config.add_cross_attention:
        return None
    layers = model.get_submodule("encoder")
    model.encoder = ArrangedLayers(layers)
    return layers
