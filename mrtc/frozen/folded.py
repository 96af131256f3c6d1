"""Layers with what stands behind them folded in, as a description and its weights."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mrtc.layers import Gated, RateGate, ResidualBlock, Unit
from mrtc.layers.normalised import NormalisedConv2d

OPTIONS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Linear: ("in_features", "out_features"),
    nn.Conv2d: ("in_channels", "out_channels", "kernel_size", "stride", "padding"),
    nn.ConvTranspose2d: (
        *("in_channels", "out_channels", "kernel_size", "stride", "padding", "output_padding"),
    ),
}
"""What makes a layer of that type, beside the groups of a convolution that has several; the rest is
as torch has it by default."""

Factors = Float[Tensor, " feature"]
Columns = Float[Tensor, " column"]


class Folded:
    """Layers, with their weights and their description, in the order in which they are added."""

    def __init__(self) -> None:
        self.layers: list[dict[str, Any]] = []
        self.weights: dict[str, Tensor] = {}

    def add(self, name: str, /, **options: Any) -> "Folded":  # noqa: ANN401 -- what layers take
        """A layer without weights."""
        self.layers.append({"name": name, **options})
        return self

    def affine(
        self,
        layer: nn.Module,
        scale: Factors | None = None,
        shift: Factors | None = None,
        columns: Columns | None = None,
        added: Columns | None = None,
    ) -> "Folded":
        """``layer`` of ``columns * x + added``, then ``scale * y + shift``.

        What is None does nothing. Of convolutions, ``added`` is for those that do not pad.
        """
        weight = layer.get_parameter("weight")
        rows = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
        folded = _weight(layer)
        offset = None if layer.bias is None else exact(layer.get_parameter("bias"))
        if added is not None:
            always = folded.flatten(2).sum(2) @ added if folded.ndim > 2 else folded @ added
            offset = always if offset is None else offset + always
        if columns is not None:
            folded = folded * columns.reshape(-1, *[1] * (folded.ndim - 2))
        if scale is not None:
            folded = folded * scale.reshape(-1, *[1] * (folded.ndim - 1 - rows))
            offset = None if offset is None else offset * scale
        if shift is not None:
            offset = shift if offset is None else offset + shift
        self._weigh("weight", folded.to(weight.dtype))
        if offset is not None:
            self._weigh("bias", offset.to(weight.dtype))
        kind = nn.Conv2d if isinstance(layer, NormalisedConv2d) else type(layer)
        options = {name: _plain(getattr(layer, name)) for name in OPTIONS[kind]}
        if isinstance(layer, nn.Conv2d) and layer.groups > 1:
            options["groups"] = layer.groups
        return self.add(kind.__name__, **options, bias=offset is not None)

    def gated(self, gated: Gated, rate_code: Tensor, columns: Columns | None = None) -> "Folded":
        """A layer with its gate."""
        return self.affine(gated.layer, factors(gated.gate, rate_code), columns=columns)

    def append(self, value: Tensor) -> "Folded":
        """The same numbers behind every row."""
        self.constant("value", value)
        return self.add("Append", features=len(value))

    def constant(self, name: str, value: Tensor) -> None:
        """Numbers of the layer that is added next."""
        self._weigh(name, value.detach().to("cpu", copy=True))

    def scale(self, scale: Factors, shift: Factors, dtype: torch.dtype) -> "Folded":
        """``scale * x + shift`` of each channel of maps, where no layer stands before it."""
        self._weigh("scale", scale.to(dtype)[:, None, None])
        self._weigh("shift", shift.to(dtype)[:, None, None])
        return self.add("Scale", channels=len(scale))

    def nest(self, name: str, /, **parts: "Folded") -> "Folded":
        """A layer that is made of layers."""
        for part, inner in parts.items():
            self.include(part, inner)
        return self.add(name, **{part: inner.layers for part, inner in parts.items()})

    def include(self, part: str, inner: "Folded") -> None:
        """Weights of a part of the layer that is added next."""
        for of, tensor in inner.weights.items():
            self._weigh(f"{part}.{of}", tensor)

    def module(self, module: nn.Module, rate_code: Tensor) -> "Folded":
        """What image networks are made of."""
        if isinstance(module, ResidualBlock):
            inner = Folded().gated(module.first, rate_code).add("ReLU")
            return self.nest("Residual", inner=inner.gated(module.second, rate_code))
        if not isinstance(module, Unit):
            raise TypeError(f"only units and residual blocks can be folded, got {module!r}")
        self.affine(module.gated.layer, *_channel_map(module, rate_code))
        activation = type(module.activation).__name__
        return self if activation == "Identity" else self.add(activation)

    def modules(self, modules: Iterable[nn.Module], rate_code: Tensor) -> "Folded":
        """Several of them."""
        for module in modules:
            self.module(module, rate_code)
        return self

    def image(self, shape: tuple[int, ...]) -> "Folded":
        """Rows of numbers to arrays of this shape."""
        return self.add("Unflatten", dim=1, unflattened_size=list(shape))

    def table(self, embedding: nn.Embedding, gate: RateGate | None, rate_code: Tensor) -> "Folded":
        """The weights of an embedding, gated; a module of its own, and not one of the layers."""
        scale = factors(gate, rate_code)
        folded = exact(embedding.weight) if scale is None else exact(embedding.weight) * scale
        self.weights["weight"] = folded.to(embedding.weight.dtype)
        return self

    def lstm(self, lstm: nn.LSTM) -> "Folded":
        """The weights of an LSTM, which has no gates of beta; as :meth:`table`."""
        for name, weight in lstm.named_parameters():
            self.weights[name] = weight.detach().to("cpu", copy=True)
        return self

    def _weigh(self, name: str, tensor: Tensor) -> None:
        """Before its layer is added, as its name has the number of the layer."""
        self.weights[f"{len(self.layers)}.{name}"] = tensor


class Network(NamedTuple):
    """The parts of a frozen model, and what its description says beside their layers."""

    parts: dict[str, Folded]
    description: dict[str, Any]


def _plain(option: int | tuple[int, ...]) -> int | list[int]:
    """As JSON has it, so that what was read is what was written."""
    return option if isinstance(option, int) else list(option)


def exact(tensor: Tensor) -> Tensor:
    """A copy in float64, on the CPU."""
    return tensor.detach().to("cpu", torch.float64, copy=True)


def factors(gate: RateGate | None, rate_code: Tensor) -> Factors | None:
    """The gate's numbers, as the gated model has them, bit for bit."""
    # Near closure a square root is steep: in another precision they would be others.
    return None if gate is None else exact(gate(rate_code)[0])


def norm_map(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Factors, Factors]:
    """Scale and shift of each channel by batch normalisation in evaluation mode.

    Raises:
        ValueError: If it keeps no running statistics.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError(f"{norm} keeps no running statistics; fold one that does")
    scale = exact(norm.weight) / (exact(norm.running_var) + norm.eps).sqrt()
    return scale, exact(norm.bias) - scale * exact(norm.running_mean)


def _weight(layer: nn.Module) -> Tensor:
    """As it is applied."""
    weight = exact(layer.get_parameter("weight"))
    if not isinstance(layer, NormalisedConv2d):
        return weight
    norms = torch.linalg.vector_norm(weight, dim=(1, 2, 3))
    factor: Factors = exact(layer.log_scale).exp() / norms
    return weight * factor[:, None, None, None]


def _channel_map(unit: Unit, rate_code: Tensor) -> tuple[Factors | None, Factors | None]:
    """Scale and shift of each channel by gate and batch normalisation."""
    gate, norm = factors(unit.gated.gate, rate_code), unit.norm
    if not isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
        return gate, None
    scale, shift = norm_map(norm)
    if gate is None:
        return scale, shift
    return gate * scale, shift if unit.place == "before_norm" else gate * shift
