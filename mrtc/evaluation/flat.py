"""What is measured at a beta of a model whose codes are drawn at once."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float, Float32, Int

from mrtc.datasets.documents import Documents
from mrtc.datasets.examples import Examples, FactorExamples
from mrtc.devices import Precision
from mrtc.evaluation.config import ACTIVE_VARIANCE, EvaluationConfig, Values
from mrtc.evaluation.decode import PosteriorDecoder
from mrtc.evaluation.encode import PosteriorEncoder
from mrtc.evaluation.information import information_values
from mrtc.metrics.active_units import code_variance
from mrtc.metrics.importance_weighted import ImportanceWeightedBound
from mrtc.metrics.rate_distortion import rate_per_code, rate_per_example, standard_error
from mrtc.vae import VAE


class FlatMeasurer:
    """Encodes examples, and decodes one draw of those that are kept.

    Args:
        vae: The model, on ``device``.
        examples: The dataset, on ``device``; without factors there is no MIG.
        config: What is measured, and on how many examples.
        device: Where to compute.
        precision: Of the encoder's matrix products.
        quiet: Show no progress.
    """

    def __init__(
        self,
        vae: VAE,
        examples: Examples,
        config: EvaluationConfig,
        *,
        device: torch.device,
        precision: Precision = "auto",
        quiet: bool = False,
    ) -> None:
        self._vae, self._examples, self._config, self._device = vae, examples, config, device
        self._grid = examples.grid if isinstance(examples, FactorExamples) else None
        self._index, self._kept = config.choose(len(examples), self._grid)
        self._encoder = PosteriorEncoder(
            vae, examples, self._index, device=device, precision=precision, quiet=quiet
        )
        self.parameters = config.parameters(len(self._index), len(self._kept))

    def measure(self, beta: float, advance: Callable[[int], None]) -> Values:
        """Everything at one beta.

        Raises:
            ResultsError: If the moments are not finite, or too extreme for the quadrature.
        """
        mean, log_sigma = self._encoder.moments(beta)
        mig: Values = {}
        if self._grid is not None:
            mig = information_values(mean, log_sigma, self._index, self._grid, self._config, beta)
        kept, config = self._kept, self._config
        index = self._index[kept]
        decoder = PosteriorDecoder(
            *(self._vae, self._examples, index, mean[kept], log_sigma[kept]),
            beta=beta,
            device=self._device,
        )
        values = _values(mean, log_sigma, kept, decoder.distortion(config.seed)) | mig
        if draws := config.importance_samples:
            bound = decoder.importance_weighted_bound(draws, config.seed, advance=advance)
            values |= bound_values(bound)
        if isinstance(self._examples, Documents):
            values |= _perplexities(values, self._examples, index)
        return values


def bound_values(bound: ImportanceWeightedBound) -> Values:
    """An importance-weighted bound as it is stored."""
    return {
        "importance_weighted_bound": bound.value,
        "importance_weighted_bound_error": bound.error,
        "effective_samples": bound.mean_effective_samples,
    }


def _values(
    mean: Float32[np.ndarray, "example code"],
    log_sigma: Float32[np.ndarray, "example code"],
    kept: Int[np.ndarray, " kept"],
    distortion: Float[np.ndarray, " kept"],
) -> Values:
    rate = rate_per_example(mean, log_sigma)
    variance = code_variance(mean)
    return {
        "rate": float(rate.mean()),
        "rate_error": standard_error(rate),
        "rate_code": rate_per_code(mean, log_sigma),
        "distortion": float(distortion.mean()),
        "distortion_error": standard_error(distortion),
        "elbo": -float((distortion + rate[kept]).mean()),
        "active_units": float((variance >= ACTIVE_VARIANCE).sum()),
        "code_variance": variance,
        "mean": mean[kept],
        "log_sigma": log_sigma[kept],
    }


def _perplexities(values: Values, documents: Documents, index: Int[np.ndarray, " kept"]) -> Values:
    """exp of the nats of a token, END counted: upper bounds, from bounds on log p(x)."""
    tokens = documents.lengths.numpy(force=True)[index] - 1  # START is given
    mean = float(tokens.mean())
    bounds = {
        "perplexity": "elbo",
        "importance_weighted_perplexity": "importance_weighted_bound",
    }
    return {
        name: float(np.exp(-values[bound] / mean))
        for name, bound in bounds.items()
        if bound in values
    }
