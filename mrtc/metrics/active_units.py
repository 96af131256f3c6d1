"""Active units: codes whose posterior mean moves with the example."""

import numpy as np
from jaxtyping import Float

from mrtc.metrics.checks import check_finite


def code_variance(mean: Float[np.ndarray, "example code"]) -> Float[np.ndarray, " code"]:
    r"""Variance of each code's posterior mean over the examples.

    .. math:: \frac1{N-1} \sum_n (\mu_{nj} - \bar\mu_j)^2

    From 0 upwards, in squared units of the code (whose prior has variance 1). Store it beside the
    count of active units, which jumps where a code passes the threshold.

    Args:
        mean: Posterior means, at least two examples.

    Raises:
        ValueError: If there are fewer than two examples, or a mean is not finite.
    """
    if len(mean) < 2:
        raise ValueError(f"a variance needs at least two examples, got means of {mean.shape}")
    check_finite("mean", mean)
    variance: Float[np.ndarray, " code"] = mean.var(axis=0, ddof=1, dtype=np.float64)
    return variance


def active_units(mean: Float[np.ndarray, "example code"], threshold: float = 0.01) -> int:
    """Number of codes whose variance, see :func:`code_variance`, reaches the threshold.

    From 0 to the number of codes; a count. It says that a code is used, not what for.

    Args:
        mean: Posterior means, at least two examples.
        threshold: Least variance of an active code.

    Raises:
        ValueError: If there are fewer than two examples, or a mean is not finite.

    References:
        Burda et al., "Importance Weighted Autoencoders", ICLR 2016, section 5.2 (threshold 0.01).
    """
    return int((code_variance(mean) >= threshold).sum())
