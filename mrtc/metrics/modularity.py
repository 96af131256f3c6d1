"""Modularity: whether each code tells of one factor only."""

import numpy as np

from mrtc.metrics.active_units import code_variance
from mrtc.metrics.arrays import Array, as_codes, as_factors, varying
from mrtc.metrics.discretise import Binning, discretise
from mrtc.metrics.histogram import histogram_information
from mrtc.metrics.mig_variants import Inactive, mean_over_codes
from mrtc.metrics.score import Score, undefined


def modularity(
    codes: Array,
    factors: Array,
    *,
    bins: int = 20,
    binning: Binning = "equal_width",
    active_variance: float = 0.0,
    inactive: Inactive = "left out",
    weighted: bool = False,
) -> Score:
    r"""Deviation of each code from telling of one factor only, as one minus a squared ratio.

    .. math:: \frac1J \sum_j \left(1 - \frac{\sum_{k \ne k(j)} I(z_j; v_k)^2}
        {(K - 1)\, I(z_j; v_{k(j)})^2}\right)

    where k(j) is the factor of which code j tells most. ``per_code`` holds the parts.

    Args:
        codes: Posterior means.
        factors: Class index of each factor, in the same row order; at least two that vary.
        bins: Of each code.
        binning: ``"equal_width"`` or ``"quantile"``.
        active_variance: A code is active if its variance over the examples is above this, and it
            tells something of some factor.
        inactive: ``"left out"`` of the mean, or count ``"zero"``, as in disentanglement_lib,
            where collapse therefore lowers the score.
        weighted: Codes weigh by the information they have about their best factor, instead of
            equally; codes of noise then hardly count.

    Returns:
        Score in [0, 1], without unit, higher is better; NaN where no code is active.

    Raises:
        ValueError: If an array or argument is not as described.

    Note:
        Only ratios matter, so a code of noise, whose estimated information is bias, scores too:
        high where factors differ in their number of classes. For a VAE set ``active_variance`` to
        0.01, see :func:`mrtc.metrics.active_units.active_units`. It does not see whether factors
        are held at all, or by how many codes. Factors that never vary are not counted in K;
        disentanglement_lib counts them.

    References:
        Ridgeway and Mozer, "Learning Deep Disentangled Embeddings with the F-Statistic Loss",
        NeurIPS 2018, section 3 (definition, 20 bins).
        Locatello et al., ICML 2019, appendix C (inactive codes as zero).
    """
    z = as_codes(codes)
    v = as_factors(factors, len(z))
    parameters = {
        "bins": bins,
        "binning": binning,
        "active_variance": active_variance,
        "inactive": inactive,
        "weighted": weighted,
        "examples": len(z),
    }
    information = histogram_information(discretise(z, bins, binning), v).information
    kept = varying(v)
    if len(kept) < 2:
        reason = f"modularity needs at least two factors that vary, there are {len(kept)}"
        return undefined(reason, parameters=parameters)
    best = information.max(axis=1)
    active = (code_variance(z) > active_variance) & (best > 0)
    ratio = information / np.where(active, best, 1.0)[:, None]
    parts = 1 - ((ratio**2).sum(axis=1) - 1) / (len(kept) - 1)
    weights = best if weighted else None
    return mean_over_codes(parts, active, inactive, parameters, weights)
