"""Relatives of the mutual information gap, which also look at what else a code tells."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64

from mrtc.metrics.active_units import code_variance
from mrtc.metrics.arrays import Array, as_codes, as_factors, varying
from mrtc.metrics.discretise import Binning, discretise
from mrtc.metrics.histogram import histogram_information
from mrtc.metrics.score import Score, undefined

Inactive = Literal["left out", "zero"]


def mig_sup(
    codes: Array,
    factors: Array,
    *,
    bins: int = 20,
    binning: Binning = "equal_width",
    active_variance: float = 0.01,
    inactive: Inactive = "left out",
) -> Score:
    r"""How much more each code tells of its best factor than of its second best.

    .. math:: \frac1J \sum_j \Bigl(\tilde I_{j(1)} - \tilde I_{j(2)}\Bigr), \qquad
        \tilde I_{jk} = \frac{I(z_j; v_k)}{H(v_k)}

    The counterpart of the gap over codes: it falls where one code holds two factors, and does not
    see a factor that is spread over many codes, or held by none. ``per_code`` holds the gaps.

    Args:
        codes: Posterior means.
        factors: Class index of each factor, in the same row order; at least two that vary.
        bins: Of each code.
        binning: ``"equal_width"`` or ``"quantile"``.
        active_variance: A code is active if its variance over the examples is above this.
        inactive: ``"left out"`` of the mean, as in the authors' program, or count ``"zero"``; the
            formula in print averages all codes, which is ``"zero"`` with a variance of 0.

    Returns:
        Score in [0, 1], without unit, higher is better; NaN where no code is active.

    Raises:
        ValueError: If an array or argument is not as described.

    Note:
        The authors estimate the information from q(z|x), as for their gap; these are histograms
        of the means, so numbers do not compare. They divide by log K, which is the entropy where
        all classes are equally frequent.

    References:
        Li et al., "Progressive Learning and Disentanglement of Hierarchical Representations",
        ICLR 2020, section 4 (definition), and their program (active units only).
    """
    z = as_codes(codes)
    v = as_factors(factors, len(z))
    parameters = {
        "bins": bins,
        "binning": binning,
        "active_variance": active_variance,
        "inactive": inactive,
        "examples": len(z),
    }
    table = histogram_information(discretise(z, bins, binning), v)
    kept = varying(v)
    if len(kept) < 2:
        return undefined(_few_factors(len(kept)), parameters=parameters)
    active = code_variance(z) > active_variance
    second, best = _best_two(table.information[:, kept] / table.factor_entropy[kept])
    return mean_over_codes(best - second, active, inactive, parameters)


def dcimig(
    codes: Array, factors: Array, *, bins: int = 20, binning: Binning = "equal_width"
) -> Score:
    r"""Share of the factors' entropy that is held by codes of one factor each.

    .. math:: \frac{\sum_k S_k}{\sum_k H(v_k)}, \qquad S_k = \max_{j:\,k(j)=k} R_j, \qquad
        R_j = I(z_j; v_{k(j)}) - \max_{k \ne k(j)} I(z_j; v_k)

    where k(j) is the factor of which code j tells most. Factors weigh by their entropy, and
    ``per_factor`` holds each S_k / H(v_k). A duplicated code does no harm. One that holds two
    factors about equally counts for neither.

    Args:
        codes: Posterior means.
        factors: Class index of each factor, in the same row order; at least two that vary.
        bins: Of each code.
        binning: ``"equal_width"`` or ``"quantile"``.

    Returns:
        Score in [0, 1], without unit, higher is better.

    Raises:
        ValueError: If an array or argument is not as described.

    References:
        Sepliarskaia, Kiseleva and de Rijke, "Evaluating Disentangled Representations",
        arXiv 1910.05587, 2019 (there 3CharM; DCIMIG in its first version).
    """
    z = as_codes(codes)
    v = as_factors(factors, len(z))
    parameters = {"bins": bins, "binning": binning, "examples": len(z)}
    table = histogram_information(discretise(z, bins, binning), v)
    kept = varying(v)
    if len(kept) < 2:
        return undefined(_few_factors(len(kept)), parameters=parameters)
    information, entropy = table.information[:, kept], table.factor_entropy[kept]
    second, best = _best_two(information)
    held = np.zeros(len(kept))
    np.maximum.at(held, information.argmax(axis=1), best - second)
    per_factor = np.full(v.shape[1], np.nan)
    per_factor[kept] = held / entropy
    value = float(held.sum() / entropy.sum())
    return Score(value, per_factor=per_factor, parameters=parameters)


def jemmig(
    codes: Array, factors: Array, *, bins: int = 20, binning: Binning = "equal_width"
) -> Score:
    r"""Gap between the best two codes of a factor, less what else the best code holds.

    .. math:: \frac1K \sum_k \left(1 - \frac{H(z_*, v_k) - I(z_*; v_k) + I(z_\circ; v_k)}
        {H(v_k) + \log B}\right)

    with the best code z_* and the second best, and B bins. This is the normalised joint entropy
    minus mutual information gap. It is 1 only where the best code is the factor and nothing else.

    Args:
        codes: Posterior means, at least two codes.
        factors: Class index of each factor, in the same row order.
        bins: Of each code.
        binning: ``"equal_width"`` or ``"quantile"``.

    Returns:
        Score in [0, 1], without unit, higher is better. NaN where no code varies: the formula
        would grant log B / (H + log B) for having no entropy.

    Raises:
        ValueError: If an array or argument is not as described.

    Note:
        Zero is not what codes without information get: one of uniform noise scores 0, one that
        sits in few bins well above it. So compare it only at one number of bins, beside a gap.

    References:
        Do and Tran, "Theory and Evaluation Metrics for Learning Disentangled Representations",
        ICLR 2020, section 3 (JEMMIG; the raw form is lower-is-better).
    """
    z = as_codes(codes)
    v = as_factors(factors, len(z))
    parameters = {"bins": bins, "binning": binning, "examples": len(z)}
    table = histogram_information(discretise(z, bins, binning), v)
    kept = varying(v)
    if z.shape[1] < 2:
        return undefined("a gap needs at least two codes, there is 1", parameters=parameters)
    if not len(kept):
        return undefined("no factor varies in these examples", parameters=parameters)
    if not table.code_entropy.any():
        return undefined("no code varies in these examples", parameters=parameters)
    information, entropy = table.information[:, kept], table.factor_entropy[kept]
    second, best = _best_two(information.T)
    joint = table.code_entropy[information.argmax(axis=0)] + entropy - best
    per_factor = np.full(v.shape[1], np.nan)
    per_factor[kept] = 1 - (joint - best + second) / (entropy + np.log(bins))
    return Score(float(np.nanmean(per_factor)), per_factor=per_factor, parameters=parameters)


def mean_over_codes(
    values: Float64[np.ndarray, " code"],
    active: Bool[np.ndarray, " code"],
    inactive: Inactive,
    parameters: Mapping[str, object],
    weights: Float64[np.ndarray, " code"] | None = None,
) -> Score:
    """The score of the active codes' values, with the others left out or counting zero.

    Raises:
        ValueError: If ``inactive`` is neither.
    """
    if inactive not in ("left out", "zero"):
        raise ValueError(f"inactive is 'left out' or 'zero', got {inactive!r}")
    if not active.any():
        return undefined("no code is active", parameters=parameters)
    counted = active if inactive == "left out" else np.ones_like(active)
    value = np.average(
        np.where(active, values, 0.0)[counted],
        weights=None if weights is None else weights[counted],
    )
    per_code = np.where(active, values, np.nan)
    return Score(float(value), per_code=per_code, parameters=parameters)


def _best_two(
    table: Float64[np.ndarray, "row column"],
) -> tuple[Float64[np.ndarray, " row"], Float64[np.ndarray, " row"]]:
    """The second largest and the largest of each row."""
    ordered = np.sort(table, axis=1)
    return ordered[:, -2], ordered[:, -1]


def _few_factors(there_are: int) -> str:
    return f"a gap over factors needs at least two that vary, there are {there_are}"
