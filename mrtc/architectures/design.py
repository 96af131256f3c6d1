"""Tables of the layers of image networks, and the configuration that they have in common."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, NamedTuple, TypeVar, get_args

from pydantic import PositiveInt
from pydantic.dataclasses import dataclass

from mrtc.architectures.mlp import GatedLayers
from mrtc.errors import MrtcError
from mrtc.layers import GateInit, GateKind
from mrtc.layers.unit import Activation

OutputKind = Literal["logits", "sigmoid"]
AnyConfig = TypeVar("AnyConfig", bound="ImageConfig")


@dataclass(frozen=True)
class ImageConfig:
    """Codes, gates and output of a network for images."""

    codes: PositiveInt = 32
    """Latent dimensions."""
    gated: GatedLayers = "all"
    """Which layers have gates: ``none`` (a baseline), ``inner`` (all but the encoder's output and
    the decoder's first layer), ``hidden`` (the decoder's first too), ``all`` (the encoder's output
    too). The published code has ``all`` where gates are on pre-activations, as in the paper, and
    ``inner`` in its other forms. The decoder's output has none."""
    gate_init: GateInit = "open"
    """How gates start, see :class:`mrtc.layers.RateGate`."""
    output: OutputKind = "logits"
    """What the decoder gives: ``logits``, which the Bernoulli likelihood takes; or ``sigmoid``,
    means in (0, 1), for squared errors, as in the experiments with natural images."""

    @property
    def is_plain(self) -> bool:
        """Whether it has no gates."""
        return self.gated == "none"

    def plain(self: AnyConfig) -> AnyConfig:
        """The same network without gates."""
        return replace(self, gated="none", gate_init="open")

    def gate(self, layers: GatedLayers, kind: GateKind) -> GateKind | None:
        """``kind`` if the layers named ``layers`` have gates in this configuration."""
        order = get_args(GatedLayers)
        return kind if order.index(self.gated) >= order.index(layers) else None


IMAGE = 0
"""In a table, the channels of the image, whatever they are."""


class Conv(NamedTuple):
    """A convolution with its activation; in decoders, a transposed one."""

    channels: int
    kernel: int
    stride: int = 2
    padding: int = 1
    output_padding: int = 0
    activation: Activation = "relu"

    @property
    def window(self) -> tuple[int, int, int, int]:
        """As torch takes it, behind the channels; the last is for transposed ones."""
        return self.kernel, self.stride, self.padding, self.output_padding

    def side_after(self, side: int) -> int:
        """Side of what it makes of an input with this side, where it is not transposed."""
        return (side + 2 * self.padding - self.kernel) // self.stride + 1


Layer = Conv | Literal["residual"]
"""``residual``: a :class:`mrtc.layers.ResidualBlock`, which keeps channels and side."""


UpLayers = tuple[*tuple[Layer, ...], Conv]


class Design(NamedTuple):
    """The layers of an encoder and its decoder, for square images of one size."""

    encoder: tuple[Conv, *tuple[Layer, ...]]
    start: tuple[int, int]
    """Channels and side of what the decoder's convolutions begin with."""
    decoder: UpLayers
    output: Conv
    """The decoder's last layer, which is a convolution and nothing else."""
    encoder_dense: tuple[int, ...] = ()
    """Features of the linear layers between the encoder's convolutions and its output."""
    decoder_dense: tuple[int, ...] = ()
    """Features of the linear layers between the codes and the one that makes ``start``."""
    batch_norm: bool = False
    """Whether convolutions, and linear layers with an activation, have batch normalisation."""
    start_is_linear: bool = False
    """Whether the layer that makes ``start`` is without activation."""


def design_for(
    name: str, designs: Mapping[int, Design], image_shape: tuple[int, ...]
) -> tuple[Design, int, int]:
    """The design for images of this shape, with their channels and their side.

    Raises:
        MrtcError: If there is none.
    """
    match image_shape:
        case (channels, height, width) if height == width and height in designs:
            return designs[height], channels, height
    sides = " or ".join(map(str, designs))
    raise MrtcError(
        f"{name} needs images of shape (channels, side, side) with a side of {sides} pixels, got "
        f"images of shape {image_shape}; resize them, or take a network of another design: an MLP "
        "fits images of every size"
    )
