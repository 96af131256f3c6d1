"""The hierarchical VAE of Vahdat and Kautz, gated as Bae et al. do it, or plain."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- the name everybody knows

from mrtc.errors import MrtcError
from mrtc.hierarchy import LatentGroup, split, total_codes
from mrtc.layers import GateInit, GateKind, Gating
from mrtc.layers.autoregressive import AutoregressiveCell
from mrtc.layers.cells import DecoderCell, EncoderCell
from mrtc.layers.convolution import apply_layer
from mrtc.layers.normalised import NormalisedConv2d
from mrtc.logistic_mixture import parameters_of

MOST = 5.0
"""Moments are bent into (-5, 5), and so stay where exponentials and their gradients are finite."""

Image = Float[Tensor, "batch channel height width"]
Hidden = Float[Tensor, "batch feature padded_height padded_width"]
Map = Float[Tensor, "batch feature side side"]
Latent = Float[Tensor, "batch latent side side"]
Maps = tuple[Float[Tensor, "..."], ...]
Codes = Float[Tensor, "batch code"]
RateCode = Float[Tensor, " group"]


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
    output: Literal["logits", "logistic_mixture"] = "logits"
    """What the decoder gives: logits for the Bernoulli likelihood, or the parameters of
    :class:`mrtc.logistic_mixture.DiscretisedLogisticMixture`."""
    likelihood_components: PositiveInt = 10
    """Of that mixture."""

    @property
    def is_plain(self) -> bool:
        """Whether it has no gates."""
        return self.gate is None

    def plain(self) -> "NVAEConfig":
        """The same network without gates."""
        return replace(self, gate=None, gate_init="open")

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
                "padding, or fewer blocks or scales"
            )
        return padded // 2**self.blocks

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
        return self.channels * 2 ** (self.blocks + scale)


class Moments(NamedTuple):
    """Mean and log sigma of the codes of a group."""

    mean: Latent
    log_sigma: Latent


class Inference(NamedTuple):
    """What one way down with a posterior gives; codes are whitened, see :class:`NVAEDecoder`."""

    mean: Codes
    log_sigma: Codes
    z: Codes
    output: Image


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


class NVAEEncoder(nn.Module):
    """Bottom up: an image to a map of features for each latent group.

    Args:
        image_shape: Of one image, (channels, side, side).
        config: Sizes and gates.

    Raises:
        MrtcError: If the network is not for such images.

    References:
        Vahdat and Kautz, "NVAE", NeurIPS 2020; gates after Bae et al., ICLR 2023, section 5.2.
    """

    def __init__(self, image_shape: tuple[int, ...], config: NVAEConfig) -> None:
        super().__init__()
        image_channels, gating = require_shape(image_shape, config), config.gating
        self.padding = config.padding
        self.first = gating.of(NormalisedConv2d(image_channels, config.channels, 3))
        self.before = nn.ModuleList(
            EncoderCell(config.channels * 2**block, gating, down=cell == config.block_cells - 1)
            for block in range(config.blocks)
            for cell in range(config.block_cells)
        )
        self.scales = nn.ModuleList()
        self.downs = nn.ModuleList()
        for scale, groups in enumerate(reversed(config.groups_per_scale)):
            channels = config.channels_at(scale)
            self.scales.append(
                nn.ModuleList(
                    _cells(EncoderCell, config.group_cells, channels, gating) for _ in range(groups)
                )
            )
            if scale < config.scales - 1:
                self.downs.append(EncoderCell(channels, gating, down=True))
        self.top = gating.of(NormalisedConv2d(channels, channels))

    def stem(self, x: Image) -> Hidden:
        """The first layer's pre-activation, which does not depend on beta."""
        padded = F.pad(2 * x.to(self.first.layer.weight.dtype) - 1, [self.padding] * 4, value=-1.0)
        stem: Tensor = apply_layer(self.first.layer, padded)
        return stem

    def from_stem(self, stem: Hidden, rate_code: RateCode) -> Maps:
        """The features that each group sees, in the order of groups: the top one first."""
        hidden = self.first.scale(stem, rate_code)
        for cell in self.before:
            hidden = cell(hidden, rate_code)
        features = []
        for scale, groups in enumerate(self.scales):
            if scale:
                hidden = self.downs[scale - 1](hidden, rate_code)
            for cells in groups:
                for cell in cells:
                    hidden = cell(hidden, rate_code)
                features.append(hidden)
        features[-1] = F.elu(self.top(F.elu(hidden), rate_code))
        return tuple(reversed(features))

    def forward(self, x: Image, rate_code: RateCode) -> Maps:
        """As :meth:`from_stem`, from images."""
        return self.from_stem(self.stem(x), rate_code)


class NVAEDecoder(nn.Module):
    r"""Top down: group after group, each given those above it, and then the image.

    The prior of a group is a Gaussian :math:`N(\mu_p, \sigma_p)` that depends on the groups above,
    and its posterior is that prior moved by residuals, :math:`N(\mu_p + \Delta_\mu, \sigma_p
    \Delta_\sigma)`. Its codes here are whitened, :math:`u = (z - \mu_p) / \sigma_p`: their prior is
    N(0, 1) for every group, as in any VAE, and their posterior :math:`N(\Delta_\mu / \sigma_p,
    \Delta_\sigma)`, whose rate is that of z. So standard normal codes make samples, scaled ones
    samples of another temperature, and a code means the same for all that reads codes.

    Args:
        image_shape: As for :class:`NVAEEncoder`.
        config: Sizes and gates.

    Raises:
        MrtcError: As for :class:`NVAEEncoder`.
    """

    def __init__(self, image_shape: tuple[int, ...], config: NVAEConfig) -> None:
        super().__init__()
        image_channels, gating = require_shape(image_shape, config), config.gating
        self.image_channels, self.padding = image_channels, config.padding
        self.groups = config.latent_groups
        coarsest = config.channels_at(config.scales - 1)
        self.start = nn.Parameter(torch.randn(coarsest, *self.groups[0].shape[1:]))
        self.stages = nn.ModuleList()
        self.ups = nn.ModuleList()
        for scale, groups in zip(
            range(config.scales - 1, -1, -1), config.groups_per_scale, strict=True
        ):
            channels = config.channels_at(scale)
            for _ in range(groups):
                self.stages.append(GroupStage(channels, config, is_top=not self.stages))
            if scale:
                self.ups.append(DecoderCell(channels, gating, expansion=config.expansion, up=True))
        self.behind = nn.ModuleList()
        for block in range(config.blocks, 0, -1):
            wide, narrow = config.channels * 2**block, config.channels * 2 ** (block - 1)
            expansion = config.output_expansion
            self.behind.append(DecoderCell(wide, gating, expansion=expansion, up=True))
            self.behind.extend(
                _cells(DecoderCell, config.block_cells - 1, narrow, gating, expansion=expansion)
            )
        outputs = image_channels
        if config.output == "logistic_mixture":
            outputs = parameters_of(image_channels, config.likelihood_components)
        self.output = gating.of(NormalisedConv2d(config.channels, outputs, 3))

    def forward(self, z: Codes, rate_code: RateCode) -> Image:
        """Whitened codes to logits, or parameters, of each pixel."""
        codes = split(z, self.groups)
        return self._descend(len(z), rate_code, lambda group, _state, _prior: codes[group])

    def infer(self, features: Maps, noise: Codes, rate_code: RateCode) -> Inference:
        """Draws from the posteriors, group after group, and decodes the draws.

        Args:
            features: Of the encoder, for each group.
            noise: Standard normal, from which the draws are made; zeros make posterior means.
            rate_code: As in :meth:`mrtc.layers.Gated.forward`.
        """
        noises = split(noise, self.groups)
        found: list[tuple[Latent, Latent, Latent]] = []

        def draw(group: int, state: Map | None, prior: Moments | None) -> Latent:
            stage: GroupStage = self.stages[group]  # type: ignore[assignment]
            moments, z = stage.draw(features[group], noises[group], state, prior, rate_code)
            found.append((*moments, z))
            return z

        output = self._descend(len(noise), rate_code, draw)
        mean, log_sigma, z = (
            torch.cat([part.flatten(1) for part in parts], 1) for parts in zip(*found, strict=True)
        )
        return Inference(mean, log_sigma, z, output)

    def _descend(
        self,
        batch: int,
        rate_code: RateCode,
        codes: Callable[[int, Map | None, Moments | None], Latent],
    ) -> Image:
        """The way down; ``codes`` gives the whitened codes of each group when it is reached."""
        state: Map | None = None
        ups = iter(self.ups)
        for group, (above, here) in enumerate(pairwise((None, *self.groups))):
            stage: GroupStage = self.stages[group]  # type: ignore[assignment]
            if state is not None and above is not None and above.side < here.side:
                state = next(ups)(state, rate_code)
            state, prior = stage.before(state, rate_code)
            z = codes(group, state, prior)
            if prior is not None:
                z = prior.mean + z * prior.log_sigma.exp()
            below = self.start.expand(batch, -1, -1, -1) if state is None else state
            state = stage.merge(below, z, rate_code)
        for cell in self.behind:
            state = cell(state, rate_code)
        whole: Tensor = self.output(F.elu(state), rate_code)
        return whole[
            ...,
            self.padding : whole.shape[-2] - self.padding,
            self.padding : whole.shape[-1] - self.padding,
        ]


class GroupStage(nn.Module):
    """One latent group on the way down: cells, its prior and posterior, and how codes are added.

    Args:
        channels: Of the state at its scale.
        config: Sizes and gates.
        is_top: Whether it is the first, which has no state yet: its prior is N(0, 1).
    """

    def __init__(self, channels: int, config: NVAEConfig, *, is_top: bool) -> None:
        super().__init__()
        gating, latent = config.gating, config.group_channels
        self.cells = nn.ModuleList()
        self.to_prior = self.of_state = None
        if not is_top:
            self.cells = _cells(
                DecoderCell, config.group_cells, channels, gating, expansion=config.expansion
            )
            self.to_prior = gating.of(NormalisedConv2d(channels, 2 * latent))
            self.of_state = gating.of(NormalisedConv2d(channels, channels))
        self.to_posterior = gating.of(NormalisedConv2d(channels, 2 * latent, 3))
        self.flows = nn.ModuleList(
            AutoregressiveCell(latent, channels, gating, expansion=config.expansion)
            for _ in range(config.flows)
        )
        self.of_codes = gating.of(NormalisedConv2d(channels + latent, channels))

    def before(self, state: Map | None, rate_code: RateCode) -> tuple[Map | None, Moments | None]:
        """The state behind the cells, and the prior it gives; ``None`` at the top: N(0, 1)."""
        if state is None or self.to_prior is None:
            return None, None
        for cell in self.cells:
            state = cell(state, rate_code)
        return state, _moments(self.to_prior, F.elu(state), rate_code)

    def draw(
        self,
        features: Map,
        noise: Latent,
        state: Map | None,
        prior: Moments | None,
        rate_code: RateCode,
    ) -> tuple[Moments, Latent]:
        r"""Whitened codes that ``noise`` makes, and the moments that each has given those before.

        A flow moves a code by what it knows of the codes before it, :math:`u'_k = u_k e^{s_k} +
        t_k`. Given those, the moved code is Gaussian as it was before, with mean :math:`\mu_k
        e^{s_k} + t_k` and sigma :math:`\sigma_k e^{s_k}`. So with flows, too, the posterior is a
        product of Gaussians along the way of a draw, whose densities are exact and whose rates are
        unbiased. It takes that all cells have one order of codes.

        Args:
            features: Of the encoder, for this group.
            noise: Standard normal; zeros make means.
            state: Of the decoder.
            prior: Of the codes before they are whitened.
            rate_code: As in :meth:`mrtc.layers.Gated.forward`.
        """
        if state is not None and self.of_state is not None:
            features = features + self.of_state(state, rate_code)
        mean, log_sigma = _moments(self.to_posterior, features, rate_code)
        if prior is not None:
            mean = mean * (-prior.log_sigma).exp()
        z = mean + noise * log_sigma.exp()
        for flow in self.flows:
            shift, log_scale = flow(z, features, rate_code)
            z, mean = (shift + log_scale.exp() * moved for moved in (z, mean))
            log_sigma = log_sigma + log_scale
        return Moments(mean, log_sigma), z

    def merge(self, state: Map, z: Latent, rate_code: RateCode) -> Map:
        """The state with the group's codes in it."""
        merged: Tensor = self.of_codes(torch.cat([state, z.to(state.dtype)], 1), rate_code)
        return merged


def _moments(layer: nn.Module, hidden: Map, rate_code: RateCode) -> Moments:
    """In float32 or better, under autocast too, and bent into their bounds."""
    exact = hidden.float() if hidden.itemsize < 4 else hidden
    with torch.autocast(hidden.device.type, enabled=False):
        moments = MOST * torch.tanh(layer(exact, rate_code) / MOST)
    mean, log_sigma = moments.chunk(2, dim=1)
    return Moments(mean, log_sigma)


def _cells(
    kind: type[EncoderCell] | type[DecoderCell],
    count: int,
    channels: int,
    gating: Gating,
    **sizes: int,
) -> nn.ModuleList:
    """Cells that keep channels and side."""
    return nn.ModuleList(kind(channels, gating, **sizes) for _ in range(count))
