"""Posterior moments of many examples at many betas, the first layer computed once for all."""

import numpy as np
import torch
from jaxtyping import Float32, Int
from torch import Tensor

from mrtc.datasets.examples import Examples
from mrtc.devices import Precision, autocast
from mrtc.progress import Progress
from mrtc.vae import VAE

CHUNK = 1024
"""Examples at a time: a layer's activations then fit a processor's cache."""

STEM_BYTES = 4 * 2**30
"""Stems of all examples are kept up to this size, and computed anew for each beta beyond it."""


class PosteriorEncoder:
    """Encodes the same examples at one beta after another.

    What the encoder computes before beta comes in (its stem) is kept: in Chen et al.'s MLP that
    is 77 % of its arithmetic.

    Args:
        vae: The model, on ``device``.
        examples: The dataset, on ``device``.
        index: Which of its examples.
        device: Where to compute.
        precision: Of matrix products.
        quiet: Show no progress.
    """

    def __init__(
        self,
        vae: VAE,
        examples: Examples,
        index: Int[np.ndarray, " example"],
        *,
        device: torch.device,
        precision: Precision = "auto",
        quiet: bool = False,
    ) -> None:
        self._vae, self._examples = vae.eval(), examples
        self._device, self._precision = device, precision
        self._chunks = torch.split(torch.from_numpy(index).to(device), CHUNK)
        first = self._stem(self._chunks[0])
        self._stems: list[Tensor] | None = None
        if first[0].nbytes * len(index) <= STEM_BYTES:
            with Progress("first layer", len(index), unit="example", quiet=quiet) as progress:
                self._stems = []
                for chunk in self._chunks:
                    self._stems.append(self._stem(chunk))
                    progress.advance(len(chunk))

    def moments(
        self, beta: float
    ) -> tuple[Float32[np.ndarray, "example code"], Float32[np.ndarray, "example code"]]:
        """Mean and log sigma of every posterior at ``beta``, inside the trained range or not."""
        rate = torch.tensor([beta], device=self._device, dtype=torch.float32)
        means, log_sigmas = [], []
        for position, chunk in enumerate(self._chunks):
            stem = self._stem(chunk) if self._stems is None else self._stems[position]
            with torch.inference_mode(), autocast(self._precision, self._device):
                posterior = self._vae.posterior(stem, rate)
            means.append(posterior.mean)
            log_sigmas.append(posterior.log_sigma)
        return torch.cat(means).numpy(force=True), torch.cat(log_sigmas).numpy(force=True)

    def _stem(self, chunk: Tensor) -> Tensor:
        with torch.inference_mode(), autocast(self._precision, self._device):
            return self._vae.encoder.stem(self._examples.images(chunk))
