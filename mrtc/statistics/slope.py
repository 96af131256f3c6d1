"""Slope calibration: whether a rate-distortion curve falls as steeply as its betas say.

At an optimum of distortion + beta * rate, dD/dR = -beta. This needs no baseline to compare with,
and shows where a model of many betas is trained worse than elsewhere.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from mrtc.errors import BetaError


@dataclass(frozen=True, eq=False)
class Slopes:
    """Slopes between neighbouring betas, by increasing beta; one fewer than there are betas."""

    beta: Float64[np.ndarray, " pair"]
    """Logarithmic mean of the two neighbours: the slope to be expected."""
    realised: Float64[np.ndarray, " pair"]
    """Nats of distortion for one nat of rate, positive where one falls as the other rises. NaN
    where the rate does not fall from the lower to the higher beta."""
    ratio: Float64[np.ndarray, " pair"]
    """``realised / beta``; 1 is calibrated."""


def slopes(
    beta: Float64[np.ndarray, " beta"],
    rate: Float64[np.ndarray, " beta"],
    distortion: Float64[np.ndarray, " beta"],
) -> Slopes:
    r"""Realised slope of a curve between neighbouring betas, beside the one to be expected.

    .. math::
        -\frac{D_2 - D_1}{R_2 - R_1}
        \quad\text{beside}\quad
        L(\beta_1, \beta_2) = \frac{\beta_2 - \beta_1}{\log \beta_2 - \log \beta_1}

    For a linear VAE with k active codes, R = -k/2 log(beta) and D = k/2 beta up to constants, so
    the logarithmic mean makes the ratio exactly 1. For *any* family of models, exact optima
    have realised slopes from beta_1 to beta_2, so betas a factor q apart have ratios from
    log(q) / (q - 1) to q log(q) / (q - 1): choose a dense grid, or read a ratio against these.

    Under an objective that weighs another part of the loss, pass that part for the rate and the
    rest for the distortion: under beta-TCVAE the total correlation, and the distortion plus
    index-code MI plus dimension-wise KL.

    Args:
        beta: Rate weights, in any order.
        rate: Rate at each beta, in nats; NaN, or infinite, where the run failed.
        distortion: Distortion at each beta, in nats, likewise.

    Returns:
        One for each pair of neighbours; NaN where a value of either one is missing, or the rate
        does not fall.

    Raises:
        BetaError: If a beta is not positive and finite, or occurs twice.
        ValueError: If there is not one rate and one distortion for each beta.

    References:
        Alemi et al., "Fixing a Broken ELBO", ICML 2018, for the slope; Lucas et al.,
        "Don't Blame the ELBO!", NeurIPS 2019, for the linear VAE.
    """
    curve = np.stack([beta, rate, distortion])[:, np.argsort(beta)]
    curve[~np.isfinite(curve)] = np.nan
    betas = curve[0]
    step = np.diff(betas)
    if not ((betas > 0).all() and (step > 0).all()):
        raise BetaError(
            f"betas of a curve are positive, finite and different, got {beta.tolist()}; "
            "leave out the others, and average runs at the same beta first"
        )
    fall = -np.diff(curve[1])
    realised = np.diff(curve[2]) / np.where(fall > 0, fall, np.nan)
    expected = step / np.log1p(step / betas[:-1])  # log1p keeps the digits of close neighbours
    return Slopes(expected, realised, realised / expected)


def off_slope(
    ratio: Float64[np.ndarray, " pair"], factor: float = 1.5
) -> Bool[np.ndarray, " pair"]:
    """Marks where a curve is not calibrated, as one is where training was too short.

    With the default, exact optima at betas up to a factor of 2.1 apart are never marked; further
    apart they may be, see :func:`slopes`.

    Args:
        ratio: As :func:`slopes` returns it.
        factor: A ratio up to this, and down to its inverse, is calibrated; above 1.

    Returns:
        True outside of that, and where there is no ratio.

    Raises:
        ValueError: If ``factor`` is not finite or not above 1.
    """
    if not (math.isfinite(factor) and factor > 1):
        raise ValueError(f"the factor is finite and above 1, got {factor}; 1.5 is usual")
    return ~((ratio >= 1 / factor) & (ratio <= factor))
