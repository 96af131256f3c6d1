"""A model on some examples, measured at any beta: what a search asks again and again."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float32, Float64

from mrtc.datasets.examples import Examples, FactorExamples
from mrtc.devices import Precision
from mrtc.evaluation.decode import PosteriorDecoder
from mrtc.evaluation.encode import PosteriorEncoder
from mrtc.evaluation.sweep import EvaluationConfig
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
        device: torch.device,
        precision: Precision = "auto",
        quiet: bool = False,
    ) -> None:
        grid = examples.grid if isinstance(examples, FactorExamples) else None
        config = EvaluationConfig((), count, count, seed=seed)  # the subset of an evaluation
        self.index, _ = config.choose(len(examples), grid)
        self.codes, self.seed = vae.codes, seed
        self._vae, self._examples, self._device = vae, examples, device
        self._encoder = PosteriorEncoder(
            vae, examples, self.index, device=device, precision=precision, quiet=quiet
        )
        self._moments: dict[float, Moments] = {}

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


PER_EXAMPLE: dict[str, Callable[[Measured, float], Float64[np.ndarray, " example"]]] = {
    "rate": Measured.rate,
    "distortion": Measured.distortion,
    "elbo": Measured.elbo,
}
"""Quantities that are means over examples."""
