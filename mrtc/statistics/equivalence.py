"""Equivalence: tests that show two kinds of runs to be alike, where a t test can only fail to."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy import stats

from mrtc.statistics.intervals import Difference, difference


@dataclass(frozen=True)
class Equivalence:
    """The outcome of two one-sided tests."""

    p_value: float
    """Small where the difference lies within the margin for sure; NaN where runs are too few."""
    margin: float
    difference: Difference
    """With the interval of level 1 - 2 alpha, which lies within the margin where p is below
    alpha."""


def equivalence(
    a: Float64[np.ndarray, " run_a"],
    b: Float64[np.ndarray, " run_b"],
    margin: float,
    *,
    paired: bool,
    alpha: float = 0.05,
) -> Equivalence:
    r"""Whether two kinds of runs differ by less than a margin: two one-sided t tests.

    .. math:: p = \max\bigl( P(T_\nu > (m - d) / e),\; P(T_\nu > (m + d) / e) \bigr)

    for a difference :math:`d` with standard error :math:`e` and margin :math:`m`. The p value is
    that of "they differ by the margin or more", which is what has to be refuted. Few runs make it
    large: no difference seen is no equivalence shown. Choose the margin before you see the values.

    Without any variance p is 0 inside the margin, 1 outside and 0.5 on it, which are the limits
    for a small one.

    Args:
        a: As in :func:`mrtc.statistics.intervals.difference`, as are ``b`` and ``paired``.
        b: The other runs.
        margin: Greatest difference that does not matter, in the unit of the values.
        paired: Whether ``a[i]`` and ``b[i]`` belong together.
        alpha: Error rate the interval is for, between 0 and 0.5; p does not depend on it.

    Raises:
        ValueError: If ``margin`` is not positive and finite, ``alpha`` is out of range, or paired
            runs are not equally many.

    References:
        Schuirmann, "A Comparison of the Two One-Sided Tests Procedure and the Power Approach for
        Assessing the Equivalence of Average Bioavailability", Journal of Pharmacokinetics and
        Biopharmaceutics 1987.
    """
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(
            f"the margin is positive and finite, got {margin}; give the greatest difference that "
            "does not matter"
        )
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha is an error rate between 0 and 0.5, got {alpha}")
    found = difference(a, b, paired=paired, level=1 - 2 * alpha)
    p_value = max(_p_value(margin - found.value, found), _p_value(margin + found.value, found))
    return Equivalence(p_value, margin, found)


def holm(p_values: Float64[np.ndarray, " test"]) -> Float64[np.ndarray, " test"]:
    r"""Adjusts p values for the number of tests, by Holm's step-down rule.

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1)\, p_{(j)})

    To call significant what stays below alpha is wrong anywhere in the family with probability
    alpha at most, however the tests depend on each other. To say *at which* betas two kinds of
    runs are equivalent takes adjusted values; to say that they are so at *all* betas does not: it
    is enough that each unadjusted value is below alpha.

    Args:
        p_values: One for each test. NaN, where there was no test, stays and does not count.

    Returns:
        Adjusted values in the same order, never below the ones given.

    Raises:
        ValueError: If a value is not a probability.

    References:
        Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of
        Statistics 1979; for the claim about all: Berger, "Multiparameter Hypothesis Testing and
        Acceptance Sampling", Technometrics 1982.

    Example:
        >>> holm(np.array([0.04, 0.01, np.nan, 0.03])).round(2).tolist()
        [0.06, 0.03, nan, 0.06]
    """
    order = np.argsort(p_values)[: np.count_nonzero(~np.isnan(p_values))]  # NaN comes last
    ascending = p_values[order]
    if not ((ascending >= 0) & (ascending <= 1)).all():
        raise ValueError(f"p values are between 0 and 1, got {p_values}")
    remaining = np.arange(len(order), 0, -1)
    adjusted = np.full(p_values.shape, np.nan)
    adjusted[order] = np.maximum.accumulate(remaining * ascending).clip(max=1)
    return adjusted


def _p_value(distance: float, of: Difference) -> float:
    """Of the test that a distance to one end of the margin, as exact as ``of``, is positive."""
    if of.standard_error == 0:
        return 0.5 if distance == 0 else float(distance < 0)
    return float(stats.t.sf(distance / of.standard_error, of.degrees))
