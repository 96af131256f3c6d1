"""Frechet distance of two sets of features, as of two normal distributions: FID, of any network."""

import numpy as np
from jaxtyping import Float, Float64

from mrtc.metrics.checks import check_finite
from mrtc.metrics.score import Score, undefined

USUAL_EXAMPLES = 10_000
"""The least that the authors of FID advise; the distance falls as 1/N towards its limit."""


class FeatureMoments:
    """Mean and covariance of features that come in batches, in float64.

    Each batch is centred by itself and merged (Chan et al., 1983), so that a large mean costs a
    small variance no digits.
    """

    def __init__(self) -> None:
        self.count = 0
        self._mean: Float64[np.ndarray, " feature"] = np.zeros(0)
        self._scatter: Float64[np.ndarray, "feature feature"] = np.zeros((0, 0))

    def add(self, features: Float[np.ndarray, "batch feature"]) -> None:
        """Takes in one batch, one row an example.

        Raises:
            ValueError: If a value is not finite, or the number of features is another than before.
        """
        check_finite("features", features)
        rows = features.astype(np.float64)
        if not self.count:
            self._mean = np.zeros(rows.shape[1])
            self._scatter = np.zeros((rows.shape[1], rows.shape[1]))
        if rows.shape[1] != len(self._mean):
            raise ValueError(
                f"a batch has {rows.shape[1]} features, and those before it {len(self._mean)}; "
                "moments are of one network"
            )
        if not len(rows):
            return
        mean = rows.mean(0)
        total = self.count + len(rows)
        centred, shift = rows - mean, mean - self._mean
        self._scatter += centred.T @ centred
        self._scatter += np.outer(shift, shift) * (self.count * len(rows) / total)
        self._mean = self._mean + shift * (len(rows) / total)
        self.count = total

    @property
    def mean(self) -> Float64[np.ndarray, " feature"]:
        """Of each feature."""
        return self._mean

    @property
    def covariance(self) -> Float64[np.ndarray, "feature feature"]:
        """With ``count - 1`` in the denominator.

        Raises:
            ValueError: If there are fewer than two examples.
        """
        if self.count < 2:
            raise ValueError(f"a covariance needs two examples, there is {self.count}; add more")
        return self._scatter / (self.count - 1)


def frechet_distance(
    mean_a: Float[np.ndarray, " feature"],
    covariance_a: Float[np.ndarray, "feature feature"],
    mean_b: Float[np.ndarray, " feature"],
    covariance_b: Float[np.ndarray, "feature feature"],
) -> float:
    r"""Squared 2-Wasserstein distance of two normal distributions.

    .. math:: \|\mu_a - \mu_b\|^2 + \mathrm{tr}\,\Sigma_a + \mathrm{tr}\,\Sigma_b
        - 2\, \| \Sigma_a^{1/2} \Sigma_b^{1/2} \|_*

    The nuclear norm is the trace of :math:`(\Sigma_a \Sigma_b)^{1/2}`. It takes no root of that
    product, whose noise, where a covariance is singular, such a root would magnify.

    Args:
        mean_a: Of the one.
        covariance_a: Symmetric, positive semidefinite; may be singular.
        mean_b: Of the other.
        covariance_b: As ``covariance_a``.

    Returns:
        The distance, in squared units of the features; at least 0, up to rounding.

    Raises:
        ValueError: If a value is not finite.

    References:
        Dowson and Landau, "The Frechet distance between multivariate normal distributions",
        Journal of Multivariate Analysis, 1982.
    """
    arrays = {"mean_a": mean_a, "covariance_a": covariance_a}
    for name, array in (arrays | {"mean_b": mean_b, "covariance_b": covariance_b}).items():
        check_finite(name, array)
    means = float(((mean_a.astype(np.float64) - mean_b) ** 2).sum())
    factor_a, factor_b = _factor(covariance_a), _factor(covariance_b)
    overlap = np.linalg.svd(factor_a.T @ factor_b, compute_uv=False).sum()
    return means + float(np.trace(covariance_a) + np.trace(covariance_b) - 2 * overlap)


def frechet_score(real: FeatureMoments, samples: FeatureMoments) -> Score:
    """The Frechet distance of samples from data, with a caution where there are few of either.

    Args:
        real: Features of data.
        samples: Features of what a model made, of the same network.

    References:
        Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", NeurIPS 2017.
    """
    fewest = min(real.count, samples.count)
    parameters = {"samples": samples.count, "real_examples": real.count}
    if fewest < 2:
        return undefined(f"it needs two examples of each, there is {fewest}", parameters=parameters)
    features = len(real.mean)
    value = frechet_distance(real.mean, real.covariance, samples.mean, samples.covariance)
    caution = None
    if fewest <= features:
        caution = (
            f"{fewest} examples of {features} features: a covariance is singular, and the distance "
            f"too high; take more than {features}, better {max(USUAL_EXAMPLES, 5 * features)}"
        )
    elif fewest < USUAL_EXAMPLES:
        caution = (
            f"of {fewest} examples the distance is too high; compare at equal numbers only, "
            f"usually {USUAL_EXAMPLES} or 50000"
        )
    return Score(value, parameters=parameters | {"features": features}, caution=caution)


def _factor(
    covariance: Float[np.ndarray, "feature feature"],
) -> Float64[np.ndarray, "feature rank"]:
    """F with F F^T the covariance, without the directions that are rounding alone."""
    values, vectors = np.linalg.eigh(covariance.astype(np.float64))
    noise = max(values[-1], 0.0) * len(values) * np.finfo(np.float64).eps
    real = values > noise
    factor: Float64[np.ndarray, "feature rank"] = vectors[:, real] * np.sqrt(values[real])
    return factor
