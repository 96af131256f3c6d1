"""A VAE whose encoder and decoder read beta."""

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from mrtc.distributions import (
    Bernoulli,
    DiagonalGaussian,
    Gaussian,
    Likelihood,
    LikelihoodName,
    SquaredError,
)
from mrtc.errors import BetaError, MrtcError
from mrtc.frozen import FrozenTextVAE, FrozenVAE, fold
from mrtc.hierarchy import LatentGroup
from mrtc.layers import NoiseScale
from mrtc.logistic_mixture import DiscretisedLogisticMixture
from mrtc.rates import BetaRange
from mrtc.token_sequences import TokenSequences


@runtime_checkable
class Encoder(Protocol):
    """A module that maps examples to the moments of their posteriors, in two parts."""

    def stem(self, x: Tensor) -> Tensor:
        """What does not depend on beta: computed once for many betas."""

    def from_stem(self, stem: Tensor, rate_code: Tensor) -> tuple[Tensor, ...]:
        """Mean and log sigma of each code, given the rate code; of a hierarchy, features."""


class Inference(NamedTuple):
    """One draw from each posterior, with what it was drawn from and what it is decoded to."""

    posterior: DiagonalGaussian
    z: Float[Tensor, "batch code"]
    likelihood: Likelihood | TokenSequences


class Pass(NamedTuple):
    """What one training step needs of one batch; a tuple, so that engines can convert it."""

    mean: Float[Tensor, "batch code"]
    log_sigma: Float[Tensor, "batch code"]
    z: Float[Tensor, "batch code"]
    distortion: Float[Tensor, " batch"]


class VAE(nn.Module):
    """Encoder, standard normal prior, decoder with its likelihood.

    With gates in its networks this is a multi-rate VAE, and ``beta`` says at which rate it works;
    without gates it is a plain one, and ``beta`` has no effect.

    Args:
        encoder: Module with ``stem`` and ``from_stem``, see :class:`Encoder`.
        decoder: Module from codes and rate code to what the likelihood takes: logits, or means; or,
            for ``tokens``, to the likelihood itself. For ``logistic_mixture`` its attribute
            ``image_channels`` says for how many channels its parameters are.
        codes: Latent dimensions.
        betas: The range it is trained for.
        likelihood: Of an example given its code.
        noise: Its log sigma, for ``gaussian``.

    Raises:
        ValueError: If likelihood and noise do not go together.
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: nn.Module,
        codes: int,
        betas: BetaRange,
        likelihood: LikelihoodName = "bernoulli",
        noise: NoiseScale | None = None,
    ) -> None:
        super().__init__()
        if (likelihood == "gaussian") != (noise is not None):
            raise ValueError(f"a gaussian likelihood needs noise, and only that; got {likelihood}")
        self.encoder: Encoder = encoder
        self.decoder = decoder
        self.codes = codes
        self.betas = betas
        self.likelihood = likelihood
        self.noise = noise
        self.groups: tuple[LatentGroup, ...] = ()
        """Of a hierarchy; none where all codes are drawn at once."""

    def encode(
        self, x: Shaped[Tensor, "batch *event"], beta: Float[Tensor, " group"] | float
    ) -> DiagonalGaussian:
        """The posterior of each example.

        Args:
            x: Examples.
            beta: One for all (a number), one for each, or one for each of equal groups of
                consecutive examples. A number outside the trained range is refused.

        Raises:
            BetaError: If the number ``beta`` lies outside the trained range.
        """
        return self.posterior(self.encoder.stem(x), beta)

    def posterior(
        self, stem: Shaped[Tensor, "batch *stem"], beta: Float[Tensor, " group"] | float
    ) -> DiagonalGaussian:
        """The posterior of each example, from ``encoder.stem(x)``, which serves every beta."""
        return DiagonalGaussian(*self.encoder.from_stem(stem, self._rate_code(beta, stem.device)))

    def decode(
        self, z: Float[Tensor, "batch code"], beta: Float[Tensor, " group"] | float
    ) -> Likelihood | TokenSequences:
        """The likelihood of each code vector; ``beta`` as in :meth:`encode`."""
        rate_code = self._rate_code(beta, z.device)
        return self._likelihood(self.decoder(z, rate_code), rate_code)

    def infer(
        self,
        stem: Shaped[Tensor, "batch *stem"],
        beta: Float[Tensor, " group"] | float,
        noise: Float[Tensor, "batch code"],
    ) -> Inference:
        """One draw from each posterior, decoded.

        Args:
            stem: Of the examples, ``encoder.stem(x)``, which serves every beta.
            beta: As in :meth:`encode`.
            noise: Standard normal, from which the draws are made.
        """
        posterior = self.posterior(stem, beta)
        z = posterior.draw(noise)
        return Inference(posterior, z, self.decode(z, beta))

    def sample(
        self, count: int, beta: float, generator: torch.Generator, temperature: float = 1.0
    ) -> Float[Tensor, "count *event"]:
        """Means of the likelihood at ``count`` draws of :meth:`draw_prior`.

        Raises:
            MrtcError: As there.
            TypeError: As :meth:`mean`.
        """
        return self.mean(self.draw_prior(count, generator, temperature), beta)

    def draw_prior(
        self, count: int, generator: torch.Generator, temperature: float = 1.0
    ) -> Float[Tensor, "count code"]:
        r"""Codes from the prior, :math:`N(0, t^2 I)`.

        Args:
            count: Draws.
            generator: On the device where the model is.
            temperature: Standard deviation t of the codes: 1 is the model's own prior, and less
                keeps to its more probable part. Those of a hierarchy are whitened, so t scales
                the noise of each group's prior, which is how samples of one are usually shown.

        Raises:
            MrtcError: If the temperature is not positive and finite.
        """
        if not 0 < temperature < float("inf"):
            raise MrtcError(
                f"a temperature of {temperature} cannot be used; give a positive number: 1 for the "
                "model's own prior, less for its more probable part"
            )
        noise = torch.randn(count, self.codes, generator=generator, device=generator.device)
        return temperature * noise

    def mean(
        self, z: Float[Tensor, "batch code"], beta: Float[Tensor, " group"] | float
    ) -> Float[Tensor, "batch *event"]:
        """The mean of the likelihood of each code vector; ``beta`` as in :meth:`encode`.

        Raises:
            TypeError: If the examples are documents, which have no mean.
        """
        likelihood = self.decode(z, beta)
        if isinstance(likelihood, TokenSequences):
            raise TypeError("documents have no mean; draw them with decode(z, beta).sample()")
        return likelihood.mean

    def freeze(self, beta: float | None = None) -> FrozenVAE | FrozenTextVAE:
        """A plain model that computes what this one does at one beta, with weights of its own.

        Gates and batch normalisation are folded into the layers, see :func:`mrtc.frozen.fold`.

        Args:
            beta: In the trained range; left out, that of a baseline.

        Raises:
            BetaError: If it lies outside the range, or is left out where there are several.
            MrtcError: If the weights are not finite.
            TypeError: If encoder or decoder are not of :mod:`mrtc.architectures`.
            ValueError: If the model is in training mode.
        """
        if beta is None:
            if not self.betas.is_single:
                raise BetaError(
                    f"a model is frozen at one beta, and this one is trained for {self.betas}; "
                    "give one of that range"
                )
            beta = self.betas.low
        try:
            self.betas.require([beta])
        except BetaError:
            raise BetaError(
                f"beta {beta:g} lies outside the trained range, {self.betas}, and a model cannot "
                "be frozen there; choose a beta inside"
            ) from None
        device = next(self.parameters()).device
        rate_code = self._rate_code(beta, device)
        about = {
            "beta": beta,
            "codes": self.codes,
            "likelihood": self.likelihood,
            "log_sigma": None if self.noise is None else self.noise(rate_code).item(),
        }
        # The protocol of encoders does not say that they are modules.
        encoder: nn.Module = self.encoder  # type: ignore[assignment]
        return fold(encoder, self.decoder, rate_code, about).to(device)

    def forward(
        self,
        x: Shaped[Tensor, "batch *event"],
        beta: Float[Tensor, " group"],
        noise: Float[Tensor, "batch code"],
    ) -> Pass:
        """One draw through the model: posterior moments, draw, and distortion in nats.

        Args:
            x: Examples.
            beta: As in :meth:`encode`.
            noise: Standard normal, from which the draws are made, and in training what a decoder
                of documents drops.
        """
        posterior, z, likelihood = self.infer(self.encoder.stem(x), beta, noise)
        if self.training and isinstance(likelihood, TokenSequences):
            likelihood = likelihood.with_dropout(noise)
        log_prob = likelihood.log_prob(x).to(z.dtype)
        return Pass(posterior.mean, posterior.log_sigma, z, -log_prob)

    def _likelihood(
        self, out: Tensor | TokenSequences, rate_code: Float[Tensor, " group"]
    ) -> Likelihood | TokenSequences:
        """Of what the decoder put out."""
        if isinstance(out, TokenSequences):
            return out
        if self.noise is not None:
            log_sigma = self.noise(rate_code).repeat_interleave(len(out) // len(rate_code))
            return Gaussian(out, log_sigma)
        if self.likelihood == "logistic_mixture":
            # Its protocol has no such entry, as decoders of other data have none.
            channels: int = self.decoder.image_channels  # type: ignore[assignment]
            return DiscretisedLogisticMixture(out, channels)
        return Bernoulli(out) if self.likelihood == "bernoulli" else SquaredError(out)

    def _rate_code(self, beta: Tensor | float, device: torch.device) -> Tensor:
        if isinstance(beta, Tensor):
            return self.betas.standardise(beta)
        self.betas.require([beta])
        return self.betas.standardise(torch.tensor([beta], device=device))
