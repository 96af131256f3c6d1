"""Interventional robustness (IRS): does a code stay put while other factors change."""

import numpy as np

from mrtc.metrics.arrays import Array, as_codes, as_factors
from mrtc.metrics.score import Score, undefined
from mrtc.metrics.splits import shared_factors


def irs(codes: Array, factors: Array, *, quantile: float = 0.99) -> Score:
    r"""How far each code is moved, at worst, by the factors other than its own.

    .. math:: \mathrm{IRS}_j = \max_k 1 - \frac{\frac1{|v_k|} \sum_c
        Q_{.99}\big(|z_j - E[z_j | v_k = c]| \,\big|\, v_k = c\big)}{\max |z_j - E[z_j]|}

    The score is the mean of the codes weighted by ``max |z_j - E z_j|``, the largest deviation
    there is. Codes that never vary have no weight.

    Args:
        codes: Posterior means.
        factors: Class index of each factor, in the same row order.
        quantile: Which deviation counts as the worst of a class, in (0, 1]. In the paper it is
            the largest, 1; in its published code 0.99, which forgives outliers.

    Returns:
        Score up to 1, without unit, higher is better; 0 where the worst deviation is as large
        whatever is held fixed. ``per_code`` holds IRS_j, NaN for codes that never vary.

    Raises:
        ValueError: If arrays do not fit, or the quantile is out of range.

    Note:
        It rewards codes that depend on one factor, whichever: several codes of the same factor,
        or factors without a code, cost nothing. Weights are in units of the codes, so the scale
        of a code matters. Classes weigh alike, however frequent, as published. The quantile of
        few examples is close to their mean, so small classes look robust; those of one example,
        whose deviation is 0, are left out. Classes are taken as they are, where the settings of
        Locatello et al. merge them to 20.

    References:
        Suter et al., "Robustly Disentangled Causal Mechanisms", ICML 2019.
    """
    if not 0 < quantile <= 1:
        raise ValueError(f"quantile lies in (0, 1]; got {quantile}")
    z = as_codes(codes)
    groups = shared_factors(as_factors(factors, len(z)))
    parameters = {"quantile": quantile}
    if not groups:
        return undefined("no factor varies and has a class of two examples", parameters=parameters)
    active = (z != z[0]).any(axis=0)
    if not active.any():
        return undefined("no code varies", parameters=parameters)
    z = z[:, active]
    largest = np.abs(z - z.mean(axis=0)).max(axis=0)
    robust = np.full(len(largest), -np.inf)
    for group in groups.values():
        worst = []
        for rows in np.split(group.order, np.cumsum(group.count)[:-1]):
            if len(rows) > 1:
                deviation = np.abs(z[rows] - z[rows].mean(axis=0))
                worst.append(np.quantile(deviation, quantile, axis=0))
        robust = np.maximum(robust, 1 - np.mean(worst, axis=0) / largest)
    per_code = np.full(len(active), np.nan)
    per_code[active] = robust
    value = float(np.average(robust, weights=largest))
    return Score(value, per_code=per_code, parameters=parameters)
