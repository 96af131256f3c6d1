"""The linear VAE, plain or gated: the model whose optimum at every beta is known."""

import math
from dataclasses import replace
from math import prod
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from pydantic import PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- the name everybody knows

from mrtc.architectures.linear_optimum import LinearOptimum, LinearParameters
from mrtc.layers import Gated, GateInit, GateKind, RateGate
from mrtc.layers.gate import OPEN_OFFSET
from mrtc.rates import BetaRange

LinearGates = Literal["none", "paper", "exact"]

ENCODER_GATE: dict[LinearGates, GateKind | None] = {
    "none": None,
    "paper": "sigmoid",
    "exact": "sqrt",
}

CLOSING: dict[GateKind, float] = {"sigmoid": -1.0, "sqrt": 1.0}
"""Slopes with which a gate closes as beta rises, and yet starts open at every beta of the range."""


@dataclass(frozen=True)
class LinearConfig:
    """Size and gates of the linear VAE."""

    codes: PositiveInt = 32
    """Latent dimensions."""
    gates: LinearGates = "exact"
    """``none`` (a baseline); ``exact``, which can be optimal at every beta: square-root gates on
    the codes in encoder and decoder, and a log variance that is linear in log beta up to zero;
    ``paper``, the construction of Bae et al.'s theorem, which cannot: sigmoid gates on the means
    and on the variances of the posterior, square-root gates in the decoder."""
    gate_init: GateInit = "open"
    """How gates start: ``open`` at every beta of the range, all alike, and closing as beta rises,
    which theory says of all of them; or ``paper``, see :class:`mrtc.layers.RateGate`."""
    kind: Literal["linear"] = "linear"

    @property
    def is_plain(self) -> bool:
        """Whether it has no gates."""
        return self.gates == "none"

    def plain(self) -> "LinearConfig":
        """The same size without gates."""
        return replace(self, gates="none")


class SharedLogVariance(nn.Module):
    r"""Log variance of each code's posterior: the same for all examples, a function of beta.

    .. math::
        \text{none: } b \qquad \text{exact: } \min(0, wr + b) \qquad
        \text{paper: } v + \log \mathrm{sigmoid}(wr + b)

    Gated, it starts as the gates do: a clip that is closed at every beta would have no gradient.

    Args:
        config: Of the linear VAE.
    """

    def __init__(self, config: LinearConfig) -> None:
        super().__init__()
        self.gates = config.gates
        if config.is_plain:
            # As gated ones start at mid-range: the noise of a unit variance would drown the codes.
            self.offset = nn.Parameter(torch.full((config.codes,), OPEN_OFFSET["sqrt"]))
            return
        # The clipped line is log(1 - g^2) of a square-root gate g, so it is open where that is.
        start = _gate("sqrt", config)
        self.slope, self.offset = start.slope, start.offset
        if self.gates == "paper":
            self.log_scale = nn.Parameter(torch.zeros(config.codes))

    def forward(self, rate_code: Float[Tensor, " group"]) -> Float[Tensor, "group code"]:
        """At each rate code."""
        if self.gates == "none":
            return self.offset.expand(len(rate_code), -1)
        line = torch.outer(rate_code, self.slope) + self.offset
        return line.clamp(max=0) if self.gates == "exact" else self.log_scale + F.logsigmoid(line)


class LinearEncoder(nn.Module):
    """Example to posterior: an affine mean, gated with its bias, and shared log sigmas.

    Args:
        image_shape: Of one example, without the batch axis.
        config: Size and gates.

    References:
        Bae et al., ICLR 2023, sections 3.2 and 5.1.
    """

    def __init__(self, image_shape: tuple[int, ...], config: LinearConfig) -> None:
        super().__init__()
        layer = nn.Linear(prod(image_shape), config.codes)
        kind = ENCODER_GATE[config.gates]
        self.mean = Gated(layer, kind)
        if kind is not None:
            self.mean.gate = _gate(kind, config)
        self.log_variance = SharedLogVariance(config)

    def stem(self, x: Float[Tensor, "batch *image"]) -> Float[Tensor, "batch code"]:
        """The mean before its gates; in float32 under autocast too, as it is a moment already."""
        layer = self.mean.layer
        with torch.autocast(x.device.type, enabled=False):
            stem: Tensor = layer(x.flatten(1).to(layer.weight.dtype))
        return stem

    def from_stem(
        self, stem: Float[Tensor, "batch code"], rate_code: Float[Tensor, " group"]
    ) -> tuple[Float[Tensor, "batch code"], Float[Tensor, "batch code"]]:
        """Mean and log sigma of each code."""
        log_sigma = 0.5 * self.log_variance(rate_code)
        return self.mean.scale(stem, rate_code), _each(log_sigma, len(stem))

    def forward(
        self, x: Float[Tensor, "batch *image"], rate_code: Float[Tensor, " group"]
    ) -> tuple[Float[Tensor, "batch code"], Float[Tensor, "batch code"]]:
        """Mean and log sigma of the posterior of each example."""
        return self.from_stem(self.stem(x), rate_code)


class LinearDecoder(nn.Module):
    """Codes, each scaled by a square-root gate, to an affine mean of the example.

    The gates are at the input: the bias stays open, for at high beta it is all that is left.
    """

    def __init__(self, image_shape: tuple[int, ...], config: LinearConfig) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.output = nn.Linear(config.codes, prod(image_shape))
        self.gate = None if config.is_plain else _gate("sqrt", config)

    def forward(
        self, z: Float[Tensor, "batch code"], rate_code: Float[Tensor, " group"]
    ) -> Float[Tensor, "batch *image"]:
        """What the likelihood takes; means, for squared errors."""
        if self.gate is not None:
            z = z * _each(self.gate(rate_code).to(z.dtype), len(z))
        mean: Tensor = self.output(z)
        return mean.reshape(-1, *self.image_shape)


def read_parameters(
    encoder: LinearEncoder,
    decoder: LinearDecoder,
    rate_code: float,
    data_mean: Float[np.ndarray, " feature"],
) -> LinearParameters:
    """What the two networks compute at one rate code, as matrices.

    With :func:`mrtc.architectures.linear_optimum.linear_rate_distortion` this gives the rate and
    the distortion of a trained model over all its data, without drawing from it.

    Args:
        encoder: Of a linear VAE.
        decoder: Of the same.
        rate_code: Log beta, standardised, see :meth:`mrtc.rates.BetaRange.standardise`.
        data_mean: Of the data that are to be measured on.
    """
    weight = decoder.output.weight
    code = torch.tensor([rate_code], dtype=weight.dtype, device=weight.device)
    features, codes = weight.shape
    with torch.no_grad():
        images = torch.eye(features + 1, features).to(weight)  # the last row is zero
        means, log_sigma = encoder(images, code)
        units = torch.eye(codes + 1, codes).to(weight)
        outputs = decoder(units, code).flatten(1)
    encoded, decoded, log_sigma = (
        a.double().numpy(force=True) for a in (means, outputs, log_sigma)
    )
    encoder_matrix, decoder_matrix = (encoded[:-1] - encoded[-1]).T, (decoded[:-1] - decoded[-1]).T
    code_mean = encoder_matrix @ data_mean + encoded[-1]
    return LinearParameters(
        encoder_matrix,
        np.exp(2 * log_sigma[0]),
        decoder_matrix,
        code_mean,
        data_mean - decoder_matrix @ code_mean - decoded[-1],
    )


def set_optimal(
    encoder: LinearEncoder,
    decoder: LinearDecoder,
    optimum: LinearOptimum,
    betas: BetaRange,
    data_mean: Float[np.ndarray, " feature"],
) -> None:
    r"""Sets the parameters to those of the theory, in place.

    A gate reads the standardised code r with :math:`\log\beta = m + sr`, so that
    :math:`\log(t / \lambda_i) = sr + m + \log s^2 - \log\lambda_i`. With ``exact`` gates the model
    is then optimal at every beta; a plain one at the low end of ``betas``, which is its only one;
    with ``paper`` gates it has the constants of the paper's theorem, optimal for a decoder that
    does not change with beta, and this one does.

    Args:
        encoder: Of a linear VAE with as many codes as ``optimum``.
        decoder: Of the same.
        optimum: Of its data, with directions.
        betas: Its range.
        data_mean: Of its data.
    """
    gates = encoder.log_variance.gates
    if gates == "none":
        best = optimum.parameters(betas.low)
        _assign(encoder, "log_variance.offset", np.log(best.posterior_variance))
    else:
        best = optimum.parameters(0.0)  # all gates open
        scale = optimum.code_eigenvalues
        used = scale > 0
        middle = (math.log(betas.low) + math.log(betas.high)) / 2
        slope = np.where(used, (math.log(betas.high) - math.log(betas.low)) / math.sqrt(12), 0.0)
        offset = np.where(
            used, middle + math.log(optimum.noise) - np.log(np.where(used, scale, 1.0)), 0.0
        )
        falling = -1 if gates == "paper" else 1  # a sigmoid rises where a square-root gate falls
        for network, name, sign in (
            (encoder, "mean.gate", falling),
            (encoder, "log_variance", 1),
            (decoder, "gate", 1),
        ):
            _assign(network, f"{name}.slope", sign * slope)
            _assign(network, f"{name}.offset", sign * offset)
        if gates == "paper":
            _assign(encoder, "log_variance.log_scale", np.where(used, 0.0, math.log(2)))
    _assign(encoder, "mean.layer.weight", best.encoder)
    _assign(encoder, "mean.layer.bias", -best.encoder @ data_mean)
    _assign(decoder, "output.weight", best.decoder)
    _assign(decoder, "output.bias", data_mean)


def _gate(kind: GateKind, config: LinearConfig) -> RateGate:
    """One gate a code, at its start."""
    gate = RateGate(config.codes, kind, config.gate_init)
    if config.gate_init == "open":
        nn.init.constant_(gate.slope, CLOSING[kind])
    return gate


def _assign(network: nn.Module, name: str, values: Float[np.ndarray, "*shape"]) -> None:
    with torch.no_grad():
        network.get_parameter(name).copy_(torch.from_numpy(values))


def _each(of_groups: Float[Tensor, "group code"], batch: int) -> Float[Tensor, "{batch} code"]:
    """One row for each example, from one for each of equal groups of consecutive examples."""
    return of_groups.repeat_interleave(batch // len(of_groups), dim=0)
