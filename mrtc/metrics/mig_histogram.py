"""Mutual information gap from histograms of the posterior means."""

import numpy as np

from mrtc.metrics.arrays import Array, as_codes, as_factors, varying
from mrtc.metrics.discretise import Binning, discretise
from mrtc.metrics.histogram import histogram_information
from mrtc.metrics.mig import mutual_information_gap
from mrtc.metrics.score import Score, undefined


def mig_locatello(codes: Array, factors: Array, *, bins: int = 20) -> Score:
    r"""Mutual information gap by bins of equal width, as in disentanglement_lib.

    .. math:: \frac1K \sum_k \frac{I(z_{(1)}; v_k) - I(z_{(2)}; v_k)}{H(v_k)}

    The mean is over all factors given that vary; ``per_factor`` holds the gaps.

    Args:
        codes: Posterior means, at least two codes.
        factors: Class index of each factor, in the same row order.
        bins: Of each code, between its smallest and its largest value.

    Returns:
        Score in [0, 1], without unit, higher is better.

    Raises:
        ValueError: If an array is not as described, or there are fewer than two bins.

    Note:
        Chen et al. (2018) integrate over q(z|x); that is :func:`mrtc.metrics.mig.mig_chen` and
        another number. Bins follow the scale of a code, so a collapsed code whose means move by
        1e-4 counts like any other, and one outlying example can pull the score down: look at
        :func:`mig_quantile` too, and at the active units. It does not see whether one code tells
        of two factors. disentanglement_lib returns NaN if a factor never varies.

    References:
        Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning of
        Disentangled Representations", ICML 2019, appendix C (20 bins, 10,000 examples).
        Chen et al., "Isolating Sources of Disentanglement", NeurIPS 2018, section 4 (definition).
    """
    return _mig(codes, factors, bins, "equal_width")


def mig_quantile(codes: Array, factors: Array, *, bins: int = 20) -> Score:
    r"""Mutual information gap by bins of equal count: outlying examples do not matter.

    .. math:: \frac1K \sum_k \frac{I(z_{(1)}; v_k) - I(z_{(2)}; v_k)}{H(v_k)}

    :func:`mig_locatello` with other bins, which no paper has reported. It is the same for every
    increasing function of a code. Where the two differ by more than 0.05, the bins of equal width
    have met outliers, or a code in heaps. The limits are the same otherwise.

    Args:
        codes: Posterior means, at least two codes.
        factors: Class index of each factor, in the same row order.
        bins: Of each code; equal values share one.

    Returns:
        Score in [0, 1], without unit, higher is better.

    Raises:
        ValueError: If an array is not as described, or there are fewer than two bins.

    References:
        Chen et al., "Isolating Sources of Disentanglement", NeurIPS 2018, section 4 (definition).
    """
    return _mig(codes, factors, bins, "quantile")


def _mig(codes: Array, factors: Array, bins: int, binning: Binning) -> Score:
    z = as_codes(codes)
    v = as_factors(factors, len(z))
    parameters = {"bins": bins, "binning": binning, "examples": len(z)}
    table = histogram_information(discretise(z, bins, binning), v)
    if z.shape[1] < 2:
        return undefined("a gap needs at least two codes, there is 1", parameters=parameters)
    if not len(varying(v)):
        return undefined("no factor varies in these examples", parameters=parameters)
    gaps = mutual_information_gap(table.information, table.factor_entropy)
    return Score(float(np.nanmean(gaps)), per_factor=gaps, parameters=parameters)
