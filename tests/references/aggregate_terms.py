"""The aggregate posterior written down as it is defined, a draw and an example at a time."""

import math

import numpy as np
from scipy.integrate import dblquad
from scipy.special import logsumexp
from scipy.stats import norm


def log_aggregate_density(z: np.ndarray, mean: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """log (1/N) sum_n q(z_i|x_n) for every draw i, in float64 throughout."""
    rows = []
    for draw in z:
        log_q = [norm.logpdf(draw, m, s).sum() for m, s in zip(mean, sigma, strict=True)]
        rows.append(logsumexp(log_q) - math.log(len(mean)))
    return np.array(rows)


def joint_entropy_of_two_codes(mean: np.ndarray, sigma: np.ndarray) -> float:
    """-∫∫ q log q over the plane, by adaptive quadrature."""

    def integrand(y: float, x: float) -> float:
        distance = (((np.array([x, y]) - mean) / sigma) ** 2).sum(1)
        density = (np.exp(-0.5 * distance) / sigma.prod(1)).mean() / (2 * math.pi)
        return -density * math.log(density) if density > 0 else 0.0

    low, high = (mean - 8 * sigma).min(0), (mean + 8 * sigma).max(0)
    area = dblquad(integrand, low[0], high[0], low[1], high[1], epsabs=1e-5, epsrel=1e-5)
    return float(area[0])
