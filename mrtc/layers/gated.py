"""A layer whose output channels are scaled by gates, or are not: then it is the plain layer."""

from typing import NamedTuple

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
        return self.scale(apply_layer(self.layer, x), rate_code)

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


class Gating(NamedTuple):
    """The gates that all layers of a network get, or none."""

    kind: GateKind | None
    init: GateInit = "open"

    def of(self, layer: nn.Module) -> Gated:
        """``layer`` with its gate."""
        return Gated(layer, self.kind, self.init)
