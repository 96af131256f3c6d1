"""Sizes of the hierarchical VAE."""

from dataclasses import replace
from typing import Literal

from pydantic import NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from mrtc.errors import MrtcError
from mrtc.hierarchy import LatentGroup, total_codes
from mrtc.layers import GateInit, GateKind, Gating


@dataclass(frozen=True)
class NVAEConfig:
    """Sizes and gates of the hierarchy, as published for binary images of 28 pixels."""

    kind: Literal["nvae"] = "nvae"
    image_side: PositiveInt = 28
    """Of the images, in pixels."""
    padding: NonNegativeInt = 2
    """Empty pixels around an image, so that scales divide its side."""
    scales: PositiveInt = 2
    """Sides at which there are latent groups, each half of the one below."""
    groups: PositiveInt = 10
    """Latent groups of the finest scale."""
    adaptive_groups: bool = True
    """Whether each coarser scale has half the groups, and one at the least; or all as many."""
    group_channels: PositiveInt = 20
    """Latent channels of a group: its codes are so many maps of its scale's side."""
    channels: PositiveInt = 16
    """Of the first convolution; twice as many at each half of the side."""
    blocks: PositiveInt = 2
    """Halvings of the side before the finest scale; behind it as many doublings."""
    block_cells: PositiveInt = 3
    """Residual cells of each."""
    group_cells: PositiveInt = 2
    """Residual cells between a group and the next, in encoder and decoder."""
    expansion: PositiveInt = 6
    """Of the decoder's cells between groups, see :class:`mrtc.layers.cells.DecoderCell`."""
    output_expansion: PositiveInt = 3
    """Of those behind the finest scale."""
    flows: NonNegativeInt = 0
    """Autoregressive cells that move the draws of each group's posterior, see
    :class:`mrtc.layers.autoregressive.AutoregressiveCell`; none leaves codes of a group independent
    of each other."""
    gate: GateKind | None = "sigmoid"
    """Of every convolution; ``None`` for a baseline."""
    gate_init: GateInit = "open"
    """How gates start, see :class:`mrtc.layers.RateGate`."""
    output: Literal["logits", "sigmoid", "logistic_mixture"] = "logits"
    """What the decoder gives: logits for the Bernoulli likelihood, the parameters of
    :class:`mrtc.logistic_mixture.DiscretisedLogisticMixture`, or, for squared errors, ``sigmoid``:
    means in (0, 1)."""
    likelihood_components: PositiveInt = 10
    """Of that mixture."""

    @property
    def is_plain(self) -> bool:
        """Whether it has no gates."""
        return self.gate is None

    def plain(self) -> "NVAEConfig":
        """The same network without gates."""
        return replace(self, gate=None, gate_init="open")

    def for_side(self, side: int) -> "NVAEConfig":
        """The same for images of another side, with the least padding that its scales divide."""
        short = -side % 2 ** (self.blocks + self.scales - 1)
        return replace(self, image_side=side, padding=short // 2)

    @property
    def finest_side(self) -> int:
        """Side of the finest scale, in pixels.

        Raises:
            MrtcError: If the scales do not divide the padded image.
        """
        padded = self.image_side + 2 * self.padding
        divisor = 2 ** (self.blocks + self.scales - 1)
        if padded % divisor:
            raise MrtcError(
                f"{self.blocks} blocks and {self.scales} scales halve the side of an image "
                f"{self.blocks + self.scales - 1} times, and {padded} pixels ({self.image_side} "
                f"and a padding of {self.padding}) are no multiple of {divisor}; choose another "
                "size or padding, or fewer blocks or scales"
            )
        side: int = padded // 2**self.blocks
        return side

    @property
    def groups_per_scale(self) -> tuple[int, ...]:
        """Latent groups of each scale, the coarsest first."""
        halvings = range(self.scales - 1, -1, -1)
        if not self.adaptive_groups:
            return (self.groups,) * self.scales
        return tuple(max(1, self.groups // 2**halving) for halving in halvings)

    @property
    def latent_groups(self) -> tuple[LatentGroup, ...]:
        """All groups, in the order in which they are drawn."""
        sides = [self.finest_side // 2**halving for halving in range(self.scales - 1, -1, -1)]
        return tuple(
            LatentGroup(self.group_channels, side)
            for side, groups in zip(sides, self.groups_per_scale, strict=True)
            for _ in range(groups)
        )

    @property
    def codes(self) -> int:
        """Latent dimensions of all groups together."""
        return total_codes(self.latent_groups)

    @property
    def gating(self) -> Gating:
        """What every convolution gets."""
        return Gating(self.gate, self.gate_init)

    def channels_at(self, scale: int) -> int:
        """Channels of the maps of a scale; scale 0 is the finest."""
        channels: int = self.channels * 2 ** (self.blocks + scale)
        return channels


def require_shape(image_shape: tuple[int, ...], config: NVAEConfig) -> int:
    """Channels of images that the network is for.

    Raises:
        MrtcError: If it is for images of another shape.
    """
    match image_shape:
        case (channels, height, width) if height == width == config.image_side:
            return channels
    raise MrtcError(
        f"this nvae is for images of {config.image_side} x {config.image_side} pixels, got images "
        f"of shape {image_shape}; set its image_side, and a padding that its scales divide"
    )
