"""One draw from each posterior, decoded: distortions, and the weights of importance sampling."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int

from mrtc.datasets.examples import Examples
from mrtc.distributions import DiagonalGaussian, log_standard_normal
from mrtc.evaluation.encode import CHUNK
from mrtc.metrics.importance_weighted import ImportanceWeightedBound, ImportanceWeights
from mrtc.randomness import torch_stream
from mrtc.vae import VAE

BATCH = 256
"""Draws of few examples are decoded together, up to so many: an LSTM takes 2 to 4 times as long for
each of ten documents as for each of a hundred. Beyond that little is gained for the memory."""


class PosteriorDecoder:
    """Decodes draws from the posteriors of some examples at one beta, in float32.

    Args:
        vae: The model, on ``device``.
        examples: The dataset, on ``device``.
        index: Which of its examples.
        mean: Of their posteriors.
        log_sigma: Of their posteriors.
        beta: Where the decoder works.
        device: Where to compute.
    """

    def __init__(
        self,
        vae: VAE,
        examples: Examples,
        index: Int[np.ndarray, " example"],
        mean: Float32[np.ndarray, "example code"],
        log_sigma: Float32[np.ndarray, "example code"],
        *,
        beta: float,
        device: torch.device,
    ) -> None:
        self._vae, self._examples = vae, examples
        arrays = (torch.from_numpy(array).to(device) for array in (index, mean, log_sigma))
        self._chunks = list(zip(*(torch.split(array, CHUNK) for array in arrays), strict=True))
        self._rate = torch.tensor([beta], device=device, dtype=torch.float32)
        self._device = device

    def distortion(self, seed: int) -> Float64[np.ndarray, " example"]:
        """Of each example at one draw, in nats; the same noise at every beta."""
        noise = torch_stream(seed, "distortion", device=self._device)
        return np.concatenate([-log_p for log_p, _ in self._draw(noise)])

    def importance_weighted_bound(
        self, samples: int, seed: int, *, advance: Callable[[int], None] = lambda _: None
    ) -> ImportanceWeightedBound:
        """The bound on log p(x) from so many draws of each posterior.

        Args:
            samples: Draws of each.
            seed: Of the draws, which are the same at every beta.
            advance: Is told how many draws have been made since it was told last.
        """
        noise = torch_stream(seed, "importance", device=self._device)
        weights = ImportanceWeights()
        examples = sum(len(chunk) for chunk, _, _ in self._chunks)
        at_once = max(1, BATCH // examples)
        for first in range(0, samples, at_once):
            draws = min(at_once, samples - first)
            log_weights = [log_p + log_ratio for log_p, log_ratio in self._draw(noise, draws)]
            weights.add(np.concatenate([block.reshape(draws, -1).T for block in log_weights]))
            advance(draws)
        return weights.bound()

    @torch.inference_mode()
    def _draw(
        self, noise: torch.Generator, draws: int = 1
    ) -> Iterator[tuple[Float64[np.ndarray, " row"], Float64[np.ndarray, " row"]]]:
        """log p(x|z) and log p(z) - log q(z|x), chunk by chunk: all of one draw, then the next."""
        for chunk, mean, log_sigma in self._chunks:
            posterior = DiagonalGaussian(mean.repeat(draws, 1), log_sigma.repeat(draws, 1))
            # Numbers are taken draw by draw, so that they do not depend on how many are decoded.
            normal = [torch.empty_like(mean).normal_(generator=noise) for _ in range(draws)]
            z = posterior.draw(torch.cat(normal))
            x = self._examples.images(chunk.repeat(draws))
            log_p = self._vae.decode(z, self._rate).log_prob(x)
            log_ratio = log_standard_normal(z).double() - posterior.log_density(z).double()
            yield log_p.double().numpy(force=True), log_ratio.sum(1).numpy(force=True)
