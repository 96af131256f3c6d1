"""A model on some examples, measured at any beta: what a search asks again and again."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float32, Float64

from mrtc.datasets.examples import Examples, FactorExamples
from mrtc.devices import Precision
from mrtc.evaluation.config import EvaluationConfig
from mrtc.evaluation.decode import PosteriorDecoder
from mrtc.evaluation.encode import PosteriorEncoder
from mrtc.evaluation.hierarchy import OnTheWay, WaysDown
from mrtc.metrics.active_units import code_variance
from mrtc.metrics.rate_distortion import rate_per_example
from mrtc.vae import VAE

Moments = tuple[Float32[np.ndarray, "example code"], Float32[np.ndarray, "example code"]]


class Measured:
    """A model on some examples: moments and distortions at any beta, moments kept.

    Args:
        vae: The model, on ``device``.
        examples: The dataset, on ``device``.
        count: How many of them, a stratified subset where there are factors.
        seed: Of the subset, of draws and of scores.
        group: Of a hierarchy, the latent group whose moments are told.
        device: Where to compute.
        precision: Of the encoder's matrix products.
        quiet: Show no progress.
    """

    def __init__(
        self,
        vae: VAE,
        examples: Examples,
        count: int,
        seed: int = 0,
        *,
        group: int = 0,
        device: torch.device,
        precision: Precision = "auto",
        quiet: bool = False,
    ) -> None:
        grid = examples.grid if isinstance(examples, FactorExamples) else None
        config = EvaluationConfig((), count, count, seed=seed)  # the subset of an evaluation
        self.index, _ = config.choose(len(examples), grid)
        self.codes, self.seed = vae.codes, seed
        self._vae, self._examples, self._group, self._device = vae, examples, group, device
        self._moments: dict[float, Moments] = {}
        self._prepare(precision, quiet=quiet)

    def _prepare(self, precision: Precision, *, quiet: bool) -> None:
        self._encoder = PosteriorEncoder(
            *(self._vae, self._examples, self.index),
            device=self._device,
            precision=precision,
            quiet=quiet,
        )

    def moments(self, beta: float) -> Moments:
        """Mean and log sigma of every posterior."""
        if beta not in self._moments:
            self._moments[beta] = self._encoder.moments(beta)
        return self._moments[beta]

    def rate(self, beta: float) -> Float64[np.ndarray, " example"]:
        """Of each example, in nats."""
        return rate_per_example(*self.moments(beta))

    def distortion(self, beta: float) -> Float64[np.ndarray, " example"]:
        """Of each example, from one draw; the same noise at every beta."""
        moments = self.moments(beta)
        decoder = PosteriorDecoder(
            *(self._vae, self._examples, self.index, *moments), beta=beta, device=self._device
        )
        return decoder.distortion(self.seed)

    def elbo(self, beta: float) -> Float64[np.ndarray, " example"]:
        """Of each example, in nats."""
        elbo: Float64[np.ndarray, " example"] = -self.distortion(beta) - self.rate(beta)
        return elbo

    def variance(self, beta: float) -> Float64[np.ndarray, " all_codes"]:
        """Of the posterior mean of each code over examples."""
        return code_variance(self.moments(beta)[0])

    def fourth_moment(self, beta: float, code: int) -> float:
        """Mean fourth power of what the posterior mean of a code is off its own mean."""
        mean = self.moments(beta)[0][:, code]
        centred = mean.astype(np.float64) - mean.mean(dtype=np.float64)
        return float((centred**4).mean())


class MeasuredHierarchy(Measured):
    """A hierarchy: the moments are those of one group, all else is of all groups.

    What one way down gives at a beta is kept, and serves rate, distortion and active units.
    """

    def _prepare(self, precision: Precision, *, quiet: bool) -> None:  # noqa: ARG002 -- it is float32, and has nothing to prepare
        self._ways = WaysDown(self._vae, self._examples, self.index, self.seed, device=self._device)
        self._found: dict[float, OnTheWay] = {}

    def _at(self, beta: float) -> OnTheWay:
        if beta not in self._found:
            self._found[beta] = self._ways.measure(beta, self._group)
        return self._found[beta]

    def moments(self, beta: float) -> Moments:
        """Mean and log sigma of the group's posteriors."""
        return self._at(beta).mean, self._at(beta).log_sigma

    def rate(self, beta: float) -> Float64[np.ndarray, " example"]:
        """Of each example and all groups, in nats, along one draw."""
        return self._at(beta).rate

    def distortion(self, beta: float) -> Float64[np.ndarray, " example"]:
        """Of each example, at the same draw; the same noise at every beta."""
        return self._at(beta).distortion

    def variance(self, beta: float) -> Float64[np.ndarray, " all_codes"]:
        """Of the posterior mean of each code of all groups over examples, along the draws."""
        return self._at(beta).variance

    def fourth_moment(self, beta: float, code: int) -> float:
        """As of other models, along the draws."""
        return float(self._at(beta).fourth[code])


PER_EXAMPLE: dict[str, Callable[[Measured, float], Float64[np.ndarray, " example"]]] = {
    "rate": lambda model, beta: model.rate(beta),
    "distortion": lambda model, beta: model.distortion(beta),
    "elbo": lambda model, beta: model.elbo(beta),
}
"""Quantities that are means over examples."""
