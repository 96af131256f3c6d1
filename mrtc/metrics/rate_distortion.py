"""Rate of diagonal Gaussian posteriors, and the error of a mean over examples."""

import math

import numpy as np
from jaxtyping import Float

from mrtc.metrics.checks import check_finite, check_moments


def rate_per_code(
    mean: Float[np.ndarray, "example code"], log_sigma: Float[np.ndarray, "example code"]
) -> Float[np.ndarray, " code"]:
    r"""Mean rate of each code, in nats per example.

    .. math:: \frac1N \sum_n \tfrac12 (\mu_{nj}^2 + \sigma_{nj}^2 - 1) - \log \sigma_{nj}

    the divergence KL(q(z_j|x) ‖ N(0, 1)), averaged; from 0 upwards. Its sum over codes is the rate.

    Args:
        mean: Posterior means.
        log_sigma: Natural logarithms of the posteriors' standard deviations.

    Raises:
        ValueError: If there is no example, shapes differ, or a moment is not finite.

    References:
        Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014, appendix B.
    """
    rate: Float[np.ndarray, " code"] = _rate(mean, log_sigma).mean(0)
    return rate


def rate_per_example(
    mean: Float[np.ndarray, "example code"], log_sigma: Float[np.ndarray, "example code"]
) -> Float[np.ndarray, " example"]:
    """Rate of each example, in nats: the divergence of :func:`rate_per_code` summed over codes.

    From 0 upwards.

    Raises:
        ValueError: If there is no example, shapes differ, or a moment is not finite.
    """
    rate: Float[np.ndarray, " example"] = _rate(mean, log_sigma).sum(1)
    return rate


def standard_error(values: Float[np.ndarray, " example"]) -> float:
    r"""Standard error of the mean of independent values, in their unit.

    .. math:: \sqrt{\frac1{N(N-1)} \sum_n (x_n - \bar x)^2}

    From 0 upwards. It speaks of other examples of the same source, not of other training runs.

    Args:
        values: One for each example, at least two.

    Raises:
        ValueError: If there are fewer than two values, or one is not finite.
    """
    if len(values) < 2:
        raise ValueError(f"a standard error needs at least two values, got {len(values)}")
    check_finite("values", values)
    return float(values.std(ddof=1, dtype=np.float64)) / math.sqrt(len(values))


def _rate(
    mean: Float[np.ndarray, "example code"], log_sigma: Float[np.ndarray, "example code"]
) -> Float[np.ndarray, "example code"]:
    check_moments(mean, log_sigma)
    mu, log_s = mean.astype(np.float64), log_sigma.astype(np.float64)
    # expm1 keeps the digits of sigma² - 1 where the posterior is close to the prior.
    return 0.5 * (mu**2 + np.expm1(2 * log_s)) - log_s
