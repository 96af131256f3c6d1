"""A multi-rate VAE from anybody's encoder and decoder."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NoReturn

import torch
from jaxtyping import Float
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass as checked_dataclass
from torch import Tensor, nn

from mrtc.any_model.separation import require_own_rates
from mrtc.architectures.gateable import GateChoice, Trial, choose_layers, try_out, ungated
from mrtc.architectures.wrapped import WrappedDecoder, WrappedEncoder, full_name
from mrtc.errors import MrtcError
from mrtc.layers import GateInit, NoiseScale
from mrtc.randomness import torch_stream
from mrtc.rates import BetaRange
from mrtc.vae import VAE

TRIAL = 3
"""Examples that the networks are tried with: so few that no other axis is likely to be as long."""

Betas = tuple[float | int, float | int] | float | int | BetaRange

PixelLikelihood = Literal["bernoulli", "squared_error", "gaussian"]


@checked_dataclass(frozen=True)
class WrapConfig:
    """All that makes a multi-rate VAE of two networks, beside their weights and those of gates."""

    codes: PositiveInt
    """Latent dimensions."""
    betas: BetaRange
    """The range it is trained for; of a baseline, one beta."""
    encoder: tuple[str, ...]
    """Names of the encoder's gated layers."""
    decoder: tuple[str, ...]
    """Names of the decoder's gated layers."""
    event_shape: tuple[PositiveInt, ...]
    """Of what the decoder puts out for one example."""
    likelihood: PixelLikelihood = "bernoulli"
    """Of an example given its code."""
    sigma: PositiveFloat | Literal["learned"] = "learned"
    """Of a ``gaussian`` likelihood; no other reads it."""
    gate_init: GateInit = "open"
    """How gates start, see :class:`mrtc.layers.RateGate`."""
    seed: NonNegativeInt = 0
    """Of the gates' first values."""
    ungated: Mapping[str, str] = field(default_factory=dict)
    """Modules that have weights but no gates, by full name, and why."""


@dataclass(frozen=True)
class GatedLayers:
    """Which layers have gates and which have none; printed, a table."""

    gated: Mapping[str, str]
    """The kind of each gate, by the full name of its layer."""
    ungated: Mapping[str, str]
    """Why there is none, by the full name of each other module with weights."""

    def __str__(self) -> str:
        rows = [(name, f"{kind} gate") for name, kind in self.gated.items()]
        rows += [(name, f"-- {why}") for name, why in self.ungated.items()]
        width = max((len(name) for name, _ in rows), default=0)
        return "\n".join(f"{name:{width}}  {says}" for name, says in rows)

    __repr__ = __str__


class MultiRateVAE(VAE):
    """A VAE of somebody's networks; made by :func:`multirate`, or read by ``load``."""

    encoder: WrappedEncoder
    decoder: WrappedDecoder

    def __init__(self, encoder: nn.Module, decoder: nn.Module, config: WrapConfig) -> None:
        is_plain = not (config.encoder or config.decoder)
        noise = None
        if config.likelihood == "gaussian":
            sigma = 1.0 if config.sigma == "learned" else config.sigma
            noise = NoiseScale(sigma, is_learned=config.sigma == "learned", is_gated=not is_plain)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.set_state(torch_stream(config.seed, "gates").get_state())
            super().__init__(
                WrappedEncoder(encoder, config.encoder, config.codes, config.gate_init),
                WrappedDecoder(decoder, config.decoder, config.gate_init),
                config.codes,
                config.betas,
                config.likelihood,
                noise,
            )
        self.config = config

    @property
    def gated_layers(self) -> GatedLayers:
        """Which layers have gates, and why the others have none."""
        kinds = {full_name("encoder", name): "sigmoid" for name in self.config.encoder}
        kinds |= {full_name("decoder", name): "square-root" for name in self.config.decoder}
        return GatedLayers(kinds, self.config.ungated)

    def gates_at(self, beta: float | int) -> dict[str, Float[Tensor, " feature"]]:
        """What each gated layer's output channels are multiplied by, by the layer's full name.

        Raises:
            BetaError: If ``beta`` lies outside the trained range.
        """
        code = self._code(beta)
        return self.encoder.factors(code) | self.decoder.factors(code)

    def fold(self, beta: float | int) -> tuple[nn.Module, nn.Module]:
        """Copies of encoder and decoder as they are at ``beta``, without gates.

        They are modules of their authors, in evaluation mode, with other weights; nothing of mrtc
        is needed to load or to run them. A learned sigma of the likelihood is not part of them.

        Raises:
            BetaError: If ``beta`` lies outside the trained range.
        """
        code = self._code(beta)
        return self.encoder.folded(code), self.decoder.folded(code)

    def freeze(self, beta: float | None = None) -> NoReturn:
        """Refused, for what is frozen of such a model is modules of their author: :meth:`fold`.

        Raises:
            TypeError: Always.
        """
        raise TypeError(
            f"networks of your own stay modules of your own: use fold({beta or 'beta'})"
        )

    def _code(self, beta: float | int) -> Float[Tensor, " one"]:
        device = next((weight.device for weight in self.parameters()), torch.device("cpu"))
        return self._rate_code(float(beta), device)


def multirate(
    encoder: nn.Module,
    decoder: nn.Module,
    *,
    latent: int,
    betas: Betas = (0.01, 10.0),
    likelihood: PixelLikelihood = "bernoulli",
    sigma: float | int | Literal["learned"] = "learned",
    gate: GateChoice = None,
    plain: bool = False,
    gate_init: GateInit = "open",
    examples: Tensor | None = None,
    seed: int = 0,
) -> MultiRateVAE:
    """Makes a multi-rate VAE of an encoder and a decoder that know nothing of beta.

    Their linear and convolutional layers get gates: sigmoids in the encoder, square-root gates in
    the decoder, of which the last layer has none. The networks are used, not copied, and training
    the VAE trains them; called by themselves they are as they were.

    Args:
        encoder: From a batch of examples to one tensor (batch, 2 latent), of means and then log
            sigmas, or to the two as a pair.
        decoder: From codes (batch, latent) to logits (``bernoulli``) or means of the examples.
        latent: Latent dimensions.
        betas: Lower and upper end of the range; of a baseline, one beta.
        likelihood: ``bernoulli`` for values in [0, 1], from logits; ``gaussian``, with ``sigma``;
            or ``squared_error``, without the constants of a density.
        sigma: Of a ``gaussian`` likelihood: a number, or learned as a function of beta.
        gate: Full names of the layers to gate, such as ``encoder.features.0``, and no others; or
            a function of full name and layer, which says whether a layer gets the gate that it
            would have.
        plain: Leave out all gates: a baseline, with the parameters of the two networks alone.
        gate_init: How gates start, see :class:`mrtc.layers.RateGate`.
        examples: A few examples, where they are not of the shape that the decoder puts out, or
            not numbers between 0 and 1. Both networks are tried on a batch of three.
        seed: Of the gates' first values.

    Raises:
        BetaError: If ``betas`` is no range, or one beta without ``plain``.
        MrtcError: If the networks do not fit together, or a layer cannot have a gate; the message
            says which, and what to do.

    References:
        Bae et al., "Multi-Rate VAE", ICLR 2023.
    """
    span = _range(betas, plain=plain)
    device, dtype = _placed(decoder)
    generator = torch_stream(seed, "trial")
    z = torch.randn(TRIAL, latent, generator=generator).to(device, dtype)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.set_state(torch_stream(seed, "networks").get_state())
        trials = {"decoder": try_out(decoder, z, "decoder")}
        made = trials["decoder"].output
        if examples is None:
            shape = made.shape if isinstance(made, Tensor) else z.shape
            x = torch.rand(shape, generator=generator).to(*_placed(encoder))
        else:
            x = examples[torch.arange(TRIAL) % len(examples)].to(_placed(encoder)[0])
        trials["encoder"] = try_out(encoder, x, "encoder")
    networks = {"encoder": encoder, "decoder": decoder}
    names: dict[str, list[str]] = {"encoder": [], "decoder": []}
    if not plain:
        names = choose_layers(networks, trials, [gate] if isinstance(gate, str) else gate)
    config = WrapConfig(
        codes=latent,
        betas=span,
        encoder=tuple(names["encoder"]),
        decoder=tuple(names["decoder"]),
        event_shape=tuple(made.shape[1:]) if isinstance(made, Tensor) else (),
        likelihood=likelihood,
        sigma=sigma,
        gate_init=gate_init,
        seed=seed,
        ungated={
            name: why
            for where, network in networks.items()
            for name, why in ungated(where, network, names[where], trials[where]).items()
        },
    )
    vae = MultiRateVAE(encoder, decoder, config)
    _require_fitting(vae, x, z, trials["decoder"])
    return vae


def to_dict(config: WrapConfig) -> dict[str, Any]:
    """The configuration as JSON can hold it."""
    return {"kind": "any_model"} | asdict(config)


def _range(betas: Betas, *, plain: bool) -> BetaRange:
    if isinstance(betas, BetaRange):
        span = betas
    else:
        ends = betas if isinstance(betas, tuple) else (betas, betas)
        span = BetaRange(*map(float, ends))
    if span.is_single and not plain:
        raise MrtcError(
            f"betas={span} is one beta, at which gates have nothing to do; give a range such as "
            "betas=(0.01, 10), or plain=True for a baseline"
        )
    return span


def _placed(network: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Device and type of the first weight."""
    weight = next(network.parameters(), torch.empty(0))
    return weight.device, weight.dtype


def _require_fitting(vae: MultiRateVAE, x: Tensor, z: Tensor, trial: Trial) -> None:
    """Checks what can be seen from three examples, at three betas."""
    require_own_rates(vae.encoder, x, lambda moments: torch.cat(moments, 1))
    require_own_rates(vae.decoder, z, lambda out: out)
    values, pixels = x[0].numel(), math.prod(vae.config.event_shape)
    if values != pixels:
        raise MrtcError(
            f"the decoder puts out {vae.config.event_shape}, {pixels} values, for examples of "
            f"shape {tuple(x.shape[1:])}, {values} values; change its last layer"
        )
    if vae.likelihood == "bernoulli" and trial.ends_in_sigmoid:
        raise MrtcError(
            "the decoder ends in a Sigmoid, so it puts out probabilities, and a bernoulli "
            "likelihood wants logits; leave out that last module, or take "
            'likelihood="squared_error" or "gaussian"'
        )
