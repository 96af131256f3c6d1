"""Differential entropies of Gaussian mixtures, by sampling: slow, noisy, and beyond doubt."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mrtc.metrics.checks import check_moments

CHUNK_DENSITIES = 2**21  # evaluated at once: 16 MiB an array


class Estimate(NamedTuple):
    """A mean over independent draws, with its standard error."""

    value: float
    error: float


def sampled_entropy(
    mean: Float[np.ndarray, " example"],
    log_sigma: Float[np.ndarray, " example"],
    generator: np.random.Generator,
    samples: int = 10_000,
) -> Estimate:
    r"""Entropy of the aggregate posterior of one code, in nats, estimated from draws.

    .. math:: \hat H = -\frac1S \sum_{s=1}^S \log \frac1N \sum_{n=1}^N
              \mathcal N(z_s; \mu_n, \sigma_n^2)

    The draws are independent: first a component, with replacement, then a value from it. So their
    number is not capped at that of the examples, and the error is a plain standard error. The
    density is the mean over all components. Takes samples x examples evaluations, in bounded
    memory.

    Args:
        mean: Posterior mean of each example.
        log_sigma: Natural logarithm of each posterior's standard deviation.
        generator: Where the draws come from.
        samples: Number of draws, at least 2.

    Raises:
        ValueError: If there is no example, a moment is not finite, or there is one draw only.

    References:
        Chen et al., "Isolating Sources of Disentanglement", NeurIPS 2018, section 4. Their code
        draws without replacement, one value an image, at most as many as there are images.
    """
    check_moments(mean, log_sigma)
    if samples < 2:
        raise ValueError(f"a standard error needs at least 2 samples, got {samples}")
    mu, log_s = mean.astype(np.float64), log_sigma.astype(np.float64)
    drawn = generator.integers(len(mu), size=samples)
    z = mu[drawn] + np.exp(log_s[drawn]) * generator.standard_normal(samples)
    surprise = -_log_density(z, mu, log_s)
    return Estimate(float(surprise.mean()), float(surprise.std(ddof=1) / math.sqrt(samples)))


def _log_density(
    z: Float[np.ndarray, " sample"],
    mean: Float[np.ndarray, " example"],
    log_sigma: Float[np.ndarray, " example"],
) -> Float[np.ndarray, " sample"]:
    precision = np.exp(-log_sigma)
    at_once = max(1, CHUNK_DENSITIES // len(mean))
    density = np.empty_like(z)
    for first in range(0, len(z), at_once):
        part = slice(first, first + at_once)
        distance = (z[part, None] - mean) * precision
        density[part] = (np.exp(-0.5 * distance**2) * precision).mean(1)
    # Never the logarithm of zero: every z was drawn from one of the components.
    log_density: Float[np.ndarray, " sample"] = np.log(density) - 0.5 * math.log(2 * math.pi)
    return log_density
