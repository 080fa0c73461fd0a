"""A BERT's layers with their matrix products in 8-bit integers, for processors that have no faster numbers.

A product of bytes takes a quarter of the time of one in float32 where the processor has VNNI. What it costs in
precision is decided by how the numbers that go into a product spread: in a BERT a few of the hidden dimensions are ten
times as wide as the others and never near zero, so one scale for all would leave the others a handful of steps. So
each dimension has a scale and a middle of its own, taken from texts that go through the layers once in float32
(as SmoothQuant, https://arxiv.org/abs/2211.10438, and Outlier Suppression+, https://arxiv.org/abs/2304.09145, do), and
nothing is paid for it when texts are encoded:

- the layer norm before a product has a weight and a bias for each dimension, which take on scale and middle: its
  output is already in steps of a byte, and only has to be cut off. The residual is that output, too, multiplied back
  in the operation that adds it.
- what heads attend to is an average of values, so scale and middle go into the weights that make the values. It is
  wider the fewer tokens there are to attend to, so here each row has a scale besides, taken when it comes.
- behind the activation stands one scale. The neurons that go highest there, some of them fifty times as high as most,
  are left to a product of their own in float32.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from encoder.arranged import ArrangedLayers, Layer, Run, attention

# How torch's operation is told an activation function: those that transformers has for BERTs.
_ACTIVATIONS = {"GELU": "none", "GELUActivation": "none", "GELUTanh": "tanh", "NewGELUActivation": "tanh"}
_MIDDLE = 128  # of a byte: the zero of a number that has either sign
_HEADROOM = 1.2  # of what was met while the scales were taken
_WILD = 24  # one neuron of so many, those that go highest, is computed in float32


def computes_in_integers() -> bool:
    """Whether products of bytes are in the hardware. Elsewhere they are slow, or lose carries."""
    return bool(torch.cpu.get_capabilities().get("avx512_vnni")) and hasattr(torch.ops.onednn, "qlinear_pointwise")


@dataclass(frozen=True)
class _Steps:
    """value = middle + size * (byte - _MIDDLE), with a size and a middle for each dimension."""

    size: Tensor
    middle: Tensor

    @classmethod
    def of(cls, values: Tensor) -> "_Steps":
        low, high = values.amin(0), values.amax(0)
        return cls(((high - low) * (_HEADROOM / 254)).clamp(min=1e-6), (low + high) / 2)

    @property
    def zero(self) -> Tensor:
        """The value of a byte of 0, and half a step up: a byte is made by cutting off what is behind the point."""
        return self.middle - self.size * (_MIDDLE + 0.5)


class _Product(nn.Module):
    """Bytes (n, in) -> W (byte - zero) + b (n, out), with W in 8 bits and a scale for each row of it.

    `mean` (in,): of byte - zero; what W loses by rounding is put right for it in b.
    """

    def __init__(self, weight: Tensor, bias: Tensor, mean: Tensor, zero: int = _MIDDLE) -> None:
        super().__init__()
        self.zero = zero
        self.scales = weight.abs().amax(1).clamp(min=1e-9) / 127
        whole = (weight / self.scales[:, None]).round().to(torch.int8)
        self.bias = bias + (weight - whole * self.scales[:, None]) @ mean
        self.zeros = torch.zeros(len(weight), dtype=torch.int64)
        self.laid_out = torch.ops.onednn.qlinear_prepack(whole, None)

    def of(self, given: Tensor) -> Tensor:
        made: Tensor = torch.ops.onednn.qlinear_pointwise(
            given, 1.0, self.zero, self.laid_out, self.scales, self.zeros, self.bias,
            1.0, 0, torch.float32, "none", [], "",
        )  # fmt: skip
        return made

    def activated(self, given: Tensor, how: str, step: float, zero: int) -> Tensor:
        """The same behind an activation function, as bytes."""
        made: Tensor = torch.ops.onednn.qlinear_pointwise(
            given, 1.0, self.zero, self.laid_out, self.scales, self.zeros, self.bias,
            step, zero, torch.uint8, "gelu", [], how,
        )  # fmt: skip
        return made


class _Layer(nn.Module):
    """What comes in and goes out is in steps of a byte, by `entering` and `leaving`; not yet cut off."""

    def __init__(self, layer: Layer, met: list[Tensor], entering: _Steps, leaving: _Steps | None) -> None:
        super().__init__()
        states, mixed, after, wide = met
        values, between = _Steps.of(mixed), _Steps.of(after)
        hidden = states.shape[1]
        self.heads = layer.heads
        weight, bias = layer.looking.weight.clone(), layer.looking.bias.clone()
        weight[:hidden] *= layer.scaling
        bias[:hidden] *= layer.scaling
        weight[2 * hidden :] /= values.size[:, None]
        bias[2 * hidden :] = (bias[2 * hidden :] - values.middle) / values.size
        self.looking = _behind(weight, bias, entering, states)
        self.attended = _Product(layer.attended.weight * values.size, torch.zeros(hidden), torch.zeros(hidden))
        self.added = layer.attended.bias + layer.attended.weight @ values.middle + entering.zero
        self.entering, self.between = entering.size, between.size
        self.after_attended = _in_steps(layer.after_attended, between)
        self.how = _ACTIVATIONS[type(layer.activation).__name__]
        self._widen(layer, between, after, wide)
        self.after_narrowed = _in_steps(layer.after_narrowed, leaving) if leaving else layer.after_narrowed

    def _widen(self, layer: Layer, between: _Steps, after: Tensor, wide: Tensor) -> None:
        order = wide.amax(0).argsort()
        tame_ones = len(order) - len(order) // _WILD
        rest, wild = order[:tame_ones].sort().values, order[tame_ones:].sort().values
        self.activation = layer.activation
        weight, bias = layer.widened.weight, layer.widened.bias + layer.widened.weight @ between.zero
        self.wild, self.wild_bias = weight[wild] * between.size, bias[wild]
        self.from_wild = layer.narrowed.weight[:, wild].T.contiguous()
        tame = wide[:, rest]
        low = min(float(tame.min()), 0.0)
        self.step = (float(tame.max()) * _HEADROOM - low) / 255
        self.zero = round(-low / self.step)
        self.widened = _behind(weight[rest], layer.widened.bias[rest], between, after)
        self.narrowed = _Product(
            layer.narrowed.weight[:, rest] * self.step,
            layer.narrowed.bias + between.zero,
            tame.mean(0) / self.step,
            self.zero,
        )

    def forward(self, states: Tensor, runs: Sequence[Run]) -> Tensor:
        given = _bytes(states)
        mixed = attention(self.looking.of(given), runs, self.heads, torch.empty_like(states))
        size = torch.linalg.vector_norm(mixed, torch.inf, 1, keepdim=True).clamp_(min=1e-9).div_(_MIDDLE - 1)
        made = self.attended.of(mixed.div_(size).add_(_MIDDLE + 0.5).to(torch.uint8))
        after = torch.addcmul(self.added, states, self.entering)
        after = self.after_attended(torch.addcmul(after, made, size, out=after))
        made = self.narrowed.of(self.widened.activated(_bytes(after), self.how, self.step, self.zero))
        wild = self.activation(nn.functional.linear(after, self.wild, self.wild_bias))
        torch.addmm(made, wild, self.from_wild, out=made)
        left: Tensor = self.after_narrowed(torch.addcmul(made, after, self.between, out=made))
        return left


class IntegerLayers(nn.Module):
    """As ArrangedLayers. `met`: packed batches of states that go into the layers, and their runs."""

    def __init__(self, arranged: ArrangedLayers, met: Sequence[tuple[Tensor, Sequence[Run]]]) -> None:
        super().__init__()
        layers: list[Any] = list(arranged.layers)
        flowing = [states for states, _ in met]
        rows = [sum(run.sequences * run.width for run in runs) for _, runs in met]
        entering = self.first = _Steps.of(_joined(flowing, rows))
        made = []
        for number, layer in enumerate(layers):
            steps = [layer.steps(states, runs) for states, (_, runs) in zip(flowing, met, strict=True)]
            seen = [_joined(each, rows) for each in (flowing, *list(zip(*steps, strict=True))[:3])]
            flowing = [each[-1] for each in steps]
            leaving = _Steps.of(_joined(flowing, rows)) if number + 1 < len(layers) else None
            made.append(_Layer(layer, seen, entering, leaving))
            entering = leaving or entering
        self.layers = nn.ModuleList(made)

    def packed(self, states: Tensor, runs: Sequence[Run]) -> Tensor:
        """As ArrangedLayers.packed."""
        states = (states - self.first.zero) / self.first.size
        for layer in self.layers:
            states = layer(states, runs)
        return states


def _joined(batches: Sequence[Tensor], rows: Sequence[int]) -> Tensor:
    return torch.cat([states[:count] for states, count in zip(batches, rows, strict=True)])


def _bytes(states: Tensor) -> Tensor:
    return states.clamp(0, 255).to(torch.uint8)


def _behind(weight: Tensor, bias: Tensor, steps: _Steps, given: Tensor) -> _Product:
    """The product of a weight with values that come as bytes by these steps, of which `given` are some."""
    mean = (given.mean(0) - steps.middle) / steps.size
    return _Product(weight * steps.size, bias + weight @ steps.middle, mean)


def _in_steps(norm: nn.LayerNorm, steps: _Steps) -> nn.LayerNorm:
    """The layer norm with its output in steps of a byte."""
    made = nn.LayerNorm(list(norm.normalized_shape), norm.eps)
    made.weight.data = norm.weight / steps.size
    made.bias.data = (norm.bias - steps.zero) / steps.size
    return made


def possible(layers: nn.Module) -> bool:
    """Whether IntegerLayers can be made of a model's layers."""
    return isinstance(layers, ArrangedLayers) and all(
        isinstance(layer, Layer) and type(layer.activation).__name__ in _ACTIVATIONS for layer in layers.layers
    )
