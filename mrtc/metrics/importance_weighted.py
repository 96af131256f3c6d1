"""The importance-weighted bound on log p(x), and how far its samples are to be trusted."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.special import logsumexp

from mrtc.metrics.arrays import Array, as_numpy
from mrtc.metrics.checks import check_finite
from mrtc.metrics.rate_distortion import standard_error


@dataclass(frozen=True, eq=False)
class ImportanceWeightedBound:
    """A lower bound on the mean of log p(x), in nats per example."""

    value: float
    """Mean of ``per_example``."""
    error: float
    """Standard error over examples; NaN for a single one. Not the distance to log p(x)."""
    per_example: Float64[np.ndarray, " example"]
    effective_samples: Float64[np.ndarray, " example"]
    """Kish's size, (sum of weights)² over sum of squared weights: from 1 to ``samples``. Near 1,
    a single sample decides the bound, which is then far below log p(x)."""
    samples: int
    """Samples for each example, S."""

    @property
    def mean_effective_samples(self) -> float:
        """Over examples."""
        return float(self.effective_samples.mean())

    @property
    def least_effective_samples(self) -> float:
        """Of the worst example."""
        return float(self.effective_samples.min())


class ImportanceWeights:
    """Takes in log weights block by block, so that the number of samples may be large.

    Three numbers are kept for each example. Blocks hold the same examples in the same order, and
    any number of samples each; how they are cut changes nothing but rounding.
    """

    def __init__(self) -> None:
        self._log_sum: Float64[np.ndarray, " example"] | None = None
        self._log_sum_squares: Float64[np.ndarray, " example"] | None = None
        self._samples = 0

    def add(self, log_weights: Array) -> None:
        """Takes in a block of shape (example, sample).

        Raises:
            ValueError: If there is nothing in it, a weight is not finite, or the number of
                examples is not that of the blocks before.
        """
        block = as_numpy(log_weights)
        if block.ndim != 2 or not block.size or block.dtype.kind != "f":
            raise ValueError(
                "log_weights are real numbers of the shape (example, sample), at least one of "
                f"each; got {block.shape} and the type {block.dtype}"
            )
        check_finite("log_weights", block)
        block = block.astype(np.float64)
        log_sum, log_sum_squares = logsumexp(block, axis=1), logsumexp(2 * block, axis=1)
        if self._log_sum is not None and self._log_sum_squares is not None:
            if len(self._log_sum) != len(block):
                raise ValueError(
                    "blocks hold the same examples, each some of their samples; got "
                    f"{len(block)} examples after {len(self._log_sum)}"
                )
            log_sum = np.logaddexp(self._log_sum, log_sum)
            log_sum_squares = np.logaddexp(self._log_sum_squares, log_sum_squares)
        self._log_sum, self._log_sum_squares = log_sum, log_sum_squares
        self._samples += block.shape[1]

    def bound(self) -> ImportanceWeightedBound:
        """The bound from all blocks so far; see :func:`importance_weighted_bound`.

        Raises:
            ValueError: If there is no block yet.
        """
        if self._log_sum is None or self._log_sum_squares is None:
            raise ValueError("there are no samples yet; give log weights to add()")
        per_example = self._log_sum - math.log(self._samples)
        effective = np.exp(2 * self._log_sum - self._log_sum_squares)
        return ImportanceWeightedBound(
            value=float(per_example.mean()),
            error=standard_error(per_example) if len(per_example) > 1 else math.nan,
            per_example=per_example,
            effective_samples=effective.clip(1, self._samples),  # but for rounding it lies there
            samples=self._samples,
        )


def importance_weighted_bound(log_weights: Array) -> ImportanceWeightedBound:
    r"""Lower bound on the mean of log p(x), in nats per example; higher is better.

    .. math:: L_S = \frac1N \sum_n \log \frac1S \sum_{s=1}^S w_{ns}, \qquad
              w_{ns} = \frac{p(x_n|z_{ns})\, p(z_{ns})}{q(z_{ns}|x_n)}, \quad z_{ns} \sim q(z|x_n)

    With one sample it is the sampled ELBO; in expectation it never falls as samples are added, and
    it tends to log p(x). So bounds are compared only at the same S, and what is left of the gap
    depends on how close q is to the true posterior: see ``effective_samples``.

    Args:
        log_weights: Natural logarithms of the weights, (example, sample), finite. Give all samples
            of an example, or use :class:`ImportanceWeights` for blocks of them.

    Raises:
        ValueError: If there is no weight, or one is not finite.

    References:
        Burda et al., "Importance Weighted Autoencoders", ICLR 2016, section 3 (equation 8).
        Kish, "Survey Sampling", 1965, for the effective number of samples.
    """
    weights = ImportanceWeights()
    weights.add(log_weights)
    return weights.bound()
