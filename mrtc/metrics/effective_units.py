"""How many codes carry rate: by a threshold, and as an effective number."""

import numpy as np
from jaxtyping import Float64
from scipy.special import entr

from mrtc.metrics.arrays import Array, as_numpy
from mrtc.metrics.checks import check_finite
from mrtc.metrics.score import Score, undefined

ROUNDING = 1e-6  # nats below zero that a collapsed code's rate may have by float32


def soft_active_units(rate_per_code: Array, *, threshold: float = 0.01) -> Score:
    r"""Number of codes whose mean rate exceeds a threshold.

    .. math:: \sum_j [\, \mathbb E_x \mathrm{KL}(q(z_j|x) ‖ p(z_j)) > \epsilon \,]

    From 0 to the number of codes; a count, neither high nor low is better. Unlike
    :func:`mrtc.metrics.active_units.active_units` of Burda et al., which asks whether the posterior
    mean moves, it also counts a code whose posterior is the same for all images and not the prior,
    and it takes the noise of the posterior into account: it depends on no scale of the code. It
    jumps where a code passes the threshold, so show the rates, or
    :func:`effective_dimension`, beside it.

    Args:
        rate_per_code: Mean rate of each code in nats, as
            :func:`mrtc.metrics.rate_distortion.rate_per_code` returns it.
        threshold: Rate in nats that an active code exceeds; not negative.

    Returns:
        The count; ``per_code`` holds the rate of each active code, NaN for the others.

    Raises:
        ValueError: If there is no code, or a rate or the threshold is negative or not finite.

    References:
        The threshold of 0.01 is that of Burda et al., "Importance Weighted Autoencoders", ICLR
        2016, section 5.2, for the variance of the mean. A mean of variance v costs a rate of at
        least v / 2, so the same number is here the stricter one for a code near the prior.
    """
    if not (np.isfinite(threshold) and threshold >= 0):
        raise ValueError(f"the threshold is a rate in nats, at least 0; got {threshold}")
    rates = _as_rates(rate_per_code)
    active = rates > threshold
    return Score(
        float(active.sum()),
        per_code=np.where(active, rates, np.nan),
        parameters={"threshold": threshold},
    )


def effective_dimension(rate_per_code: Array) -> Score:
    r"""Number of codes that share the rate, as the exponential of the entropy of their shares.

    .. math:: \exp \Bigl( -\sum_j p_j \log p_j \Bigr), \qquad p_j = R_j / \textstyle\sum_k R_k

    From 1 (one code has it all) to the number of codes (equal shares); neither is better. It
    changes smoothly with beta, does not depend on the unit of the rate, and k equal codes among
    collapsed ones count k. It says nothing of how high the rate is: near collapse it counts shares
    of almost nothing, so show the rate beside it.

    Args:
        rate_per_code: As in :func:`soft_active_units`.

    Returns:
        The number; ``per_code`` holds the shares. NaN where no code has any rate.

    Raises:
        ValueError: If there is no code, or a rate is negative or not finite.

    References:
        Roy and Vetterli, "The Effective Rank", EUSIPCO 2007, section 2, who take the shares of
        singular values where this takes those of the rate. The participation ratio, 1 / Σ p²,
        is never greater.
    """
    rates = _as_rates(rate_per_code)
    total = rates.sum()
    if total == 0:
        return undefined("no code has any rate", per_code=np.full(len(rates), np.nan))
    shares = rates / total
    return Score(float(np.exp(entr(shares).sum())), per_code=shares)


def _as_rates(values: Array) -> Float64[np.ndarray, " code"]:
    rates = as_numpy(values)
    if rates.ndim != 1 or not rates.size or rates.dtype.kind not in "fiu":
        raise ValueError(
            "rate_per_code needs a real number for each code; got the shape "
            f"{rates.shape} and the type {rates.dtype}"
        )
    rates = rates.astype(np.float64)
    check_finite("rate_per_code", rates)
    if rates.min() < -ROUNDING:
        raise ValueError(
            f"a mean rate is never negative, got {rates.min():g} for code {rates.argmin()}; "
            "use the analytic rates, not those of single draws"
        )
    return rates.clip(min=0)
