"""The hierarchical VAE of Vahdat and Kautz, gated as Bae et al. do it, or plain."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- the name everybody knows

from mrtc.architectures.nvae_config import NVAEConfig, require_shape
from mrtc.hierarchy import split
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
                    nn.ModuleList(EncoderCell(channels, gating) for _ in range(config.group_cells))
                    for _ in range(groups)
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
        features: list[Tensor] = []
        downs = iter(self.downs)
        for groups in self.scales:
            if features:
                hidden = next(downs)(hidden, rate_code)
            for cells in groups.children():
                for cell in cells.children():
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
                DecoderCell(narrow, gating, expansion=expansion)
                for _ in range(config.block_cells - 1)
            )
        outputs = image_channels
        if config.output == "logistic_mixture":
            outputs = parameters_of(image_channels, config.likelihood_components)
        self.output = gating.of(NormalisedConv2d(config.channels, outputs, 3))
        self.output_kind = config.output

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

        def draw(group: int, state: Map, prior: Moments | None) -> Latent:
            stage = self._stage(group)
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
        codes: Callable[[int, Map, Moments | None], Latent],
    ) -> Image:
        """The way down; ``codes`` gives the whitened codes of each group when it is reached."""
        state = self.start.expand(batch, -1, -1, -1)
        ups = iter(self.ups)
        for index, group in enumerate(self.groups):
            stage = self._stage(index)
            if state.shape[-1] < group.side:
                state = next(ups)(state, rate_code)
            state, prior = stage.before(state, rate_code)
            z = codes(index, state, prior)
            if prior is not None:
                z = prior.mean + z * prior.log_sigma.exp()
            state = stage.merge(state, z, rate_code)
        for cell in self.behind:
            state = cell(state, rate_code)
        inside = slice(self.padding, state.shape[-1] - self.padding)
        image: Tensor = self.output(F.elu(state), rate_code)[..., inside, inside]
        return image.float().sigmoid() if self.output_kind == "sigmoid" else image

    def _stage(self, group: int) -> "GroupStage":
        # A ModuleList does not say of which modules it is.
        stage: GroupStage = self.stages[group]  # type: ignore[assignment]
        return stage


class GroupStage(nn.Module):
    """One latent group on the way down: cells, its prior and posterior, and how codes are added.

    Args:
        channels: Of the state at its scale.
        config: Sizes and gates.
        is_top: Whether it is the first: its state is the same for all, and its prior N(0, 1).
    """

    def __init__(self, channels: int, config: NVAEConfig, *, is_top: bool) -> None:
        super().__init__()
        gating, latent = config.gating, config.group_channels
        self.cells = nn.ModuleList()
        self.to_prior = self.of_state = None
        if not is_top:
            self.cells.extend(
                DecoderCell(channels, gating, expansion=config.expansion)
                for _ in range(config.group_cells)
            )
            self.to_prior = gating.of(NormalisedConv2d(channels, 2 * latent))
            self.of_state = gating.of(NormalisedConv2d(channels, channels))
        self.to_posterior = gating.of(NormalisedConv2d(channels, 2 * latent, 3))
        self.flows = nn.ModuleList(
            AutoregressiveCell(latent, channels, gating, expansion=config.expansion)
            for _ in range(config.flows)
        )
        self.of_codes = gating.of(NormalisedConv2d(channels + latent, channels))

    def before(self, state: Map, rate_code: RateCode) -> tuple[Map, Moments | None]:
        """The state behind the cells, and the prior it gives; ``None`` at the top: N(0, 1)."""
        for cell in self.cells:
            state = cell(state, rate_code)
        prior = None if self.to_prior is None else _moments(self.to_prior, F.elu(state), rate_code)
        return state, prior

    def draw(
        self,
        features: Map,
        noise: Latent,
        state: Map,
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
        if self.of_state is not None:
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
