"""A layer whose output channels are scaled by gates, or are not: then it is the plain layer."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mrtc.layers.convolution import apply_layer
from mrtc.layers.gate import GateInit, GateKind, RateGate

CONVOLUTIONS = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)


PIXELS_PER_CHANNEL = 2
"""With so many pixels of one beta to an input channel, gates in the weights of a window of one
pixel, a product of matrices for each beta, cost no more than gates on what comes out, and next to
nothing with four times as many."""


class Gated(nn.Module):
    """Any layer with an output-channel axis, times a gate for each channel.

    Args:
        layer: Linear (channels last) or convolution (channels after the batch axis).
        kind: Of the gate; ``None`` for the plain layer, which has no other parameters than
            ``layer``, so that a baseline is the same architecture without gates.
        init: Of the gate, see :class:`RateGate`.

    Raises:
        TypeError: If ``layer`` is of another type.
    """

    def __init__(self, layer: nn.Module, kind: GateKind | None, init: GateInit = "open") -> None:
        super().__init__()
        if isinstance(layer, nn.Linear):
            features, self.channel_axis = layer.out_features, -1
        elif isinstance(layer, CONVOLUTIONS):
            features, self.channel_axis = layer.out_channels, 1
        else:
            raise TypeError(f"a gate needs a linear or convolutional layer, got {layer!r}")
        self.layer = layer
        self.gate = None if kind is None else RateGate(features, kind, init)

    def forward(
        self, x: Float[Tensor, "batch *features"], rate_code: Float[Tensor, " group"]
    ) -> Float[Tensor, "batch *gated"]:
        """Applies layer and gate.

        Args:
            x: Input of the layer.
            rate_code: One for all examples, one for each, or one for each of equal groups of
                consecutive examples: its length divides the batch.
        """
        if not _is_of_pixels(self.layer):
            return self.scale(apply_layer(self.layer, x), rate_code)
        weight = getattr(self.layer, "normalised_weight", self.layer.weight).flatten(1)
        pixels = len(x) * x.shape[2:].numel() // len(rate_code)
        if self.gate is None or pixels < PIXELS_PER_CHANNEL * weight.shape[1]:
            return self.scale(_product(x, weight.mT[None], self.layer.bias), rate_code)
        gate = self.gate(rate_code)[:, None]
        bias = None if self.layer.bias is None else gate * self.layer.bias
        return _product(x, gate * weight.mT, bias)

    def factors(
        self, rate_code: Float[Tensor, " group"], batch: int
    ) -> Float[Tensor, "batch feature"] | None:
        """The gate's factors for each example, for what comes next to multiply by; or none."""
        if self.gate is None:
            return None
        gate: Tensor = self.gate(rate_code)
        return gate.repeat_interleave(batch // len(gate), 0)

    def scale(
        self,
        pre_activation: Float[Tensor, "batch *features"],
        rate_code: Float[Tensor, " group"],
    ) -> Float[Tensor, "batch *features"]:
        """The gate alone, for pre-activations that were computed once for many betas."""
        if self.gate is None:
            return pre_activation
        gate = self.gate(rate_code).to(pre_activation.dtype)
        gated: Tensor
        if self.channel_axis == 1:
            # A factor for each example: the gradient's sums over pixels are several times as fast
            # as sums over pixels and examples, and the factors are few.
            gate = gate.repeat_interleave(len(pre_activation) // len(gate), 0)
            gated = pre_activation * gate[(..., *[None] * (pre_activation.ndim - 2))]
            return gated
        groups, features = gate.shape
        grouped = pre_activation.reshape(groups, -1, *pre_activation.shape[1:])
        gate = gate.reshape(groups, *[1] * (grouped.ndim - 2), features)
        gated = (grouped * gate).reshape(pre_activation.shape)
        return gated


def _product(
    x: Float[Tensor, "batch channel height width"],
    weight: Float[Tensor, "group channel feature"],
    bias: Float[Tensor, "..."] | None,
) -> Float[Tensor, "batch feature height width"]:
    """A convolution with a window of one pixel, with weights for each group of examples."""
    pixels = x.permute(0, 2, 3, 1).reshape(len(weight), -1, x.shape[1])
    out = torch.bmm(pixels, weight)
    if bias is not None:
        out = out + bias.to(out.dtype)
    return out.view(len(x), *x.shape[2:], -1).permute(0, 3, 1, 2)


def _is_of_pixels(layer: nn.Module) -> bool:
    """Whether it is a convolution with a window of one pixel."""
    return (
        isinstance(layer, nn.Conv2d)
        and set(layer.kernel_size) == set(layer.stride) == {1}
        and layer.groups == 1
    )


class Gating(NamedTuple):
    """The gates that all layers of a network get, or none."""

    kind: GateKind | None
    init: GateInit = "open"

    def of(self, layer: nn.Module) -> Gated:
        """``layer`` with its gate."""
        return Gated(layer, self.kind, self.init)
