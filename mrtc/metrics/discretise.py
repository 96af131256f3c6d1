"""Bins for codes, so that mutual information can be counted."""

from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64
from scipy.stats import rankdata

Binning = Literal["equal_width", "quantile"]


def discretise(
    codes: Float64[np.ndarray, "example code"], bins: int, binning: Binning
) -> Int64[np.ndarray, "example code"]:
    """Bins by name: :func:`equal_width` or :func:`quantile`.

    Raises:
        ValueError: If there is no such binning, or fewer than two bins.
    """
    if binning == "equal_width":
        return equal_width(codes, bins)
    if binning == "quantile":
        return quantile(codes, bins)
    raise ValueError(f"binning is 'equal_width' or 'quantile', got {binning!r}")


def equal_width(
    codes: Float64[np.ndarray, "example code"], bins: int = 20
) -> Int64[np.ndarray, "example code"]:
    """Bins of one width, from the smallest to the largest value of each code.

    The edges are those of ``np.histogram``; a value on an edge falls into the bin above it, and
    the largest value into the last bin. One outlying example widens all bins, so that most
    examples share one: compare :func:`quantile`.

    Args:
        codes: Finite values.
        bins: At least two. A code that never varies has a single one.

    Returns:
        Index of the bin, from 0 on.

    Raises:
        ValueError: If there are fewer than two bins.

    References:
        Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning of
        Disentangled Representations", ICML 2019, appendix C (20 bins).
    """
    _check(bins)
    # np.histogram refuses codes that vary by rounding only; its edges do not
    edges = np.linspace(codes.min(axis=0), codes.max(axis=0), bins + 1)[:-1]
    binned = [
        np.searchsorted(edge, code, side="right") - 1
        for edge, code in zip(edges.T, codes.T, strict=True)
    ]
    return np.stack(binned, axis=1).astype(np.int64)


def quantile(
    codes: Float64[np.ndarray, "example code"], bins: int = 20
) -> Int64[np.ndarray, "example code"]:
    """Bins of equal count; equal values stay together.

    Only the order of the values matters, so any increasing function of a code has the same bins.

    Args:
        codes: Finite values.
        bins: At least two. A code that never varies has a single one.

    Returns:
        Index of the bin, from 0 on, that holds the middle of the ranks of a value.

    Raises:
        ValueError: If there are fewer than two bins.
    """
    _check(bins)
    twice_rank = (2 * rankdata(codes, axis=0)).astype(np.int64)  # a mean rank may be a half
    binned: Int64[np.ndarray, "example code"] = (twice_rank - 1) * bins // (2 * len(codes))
    return binned


def _check(bins: int) -> None:
    if bins < 2:
        raise ValueError(f"bins are at least two, got bins={bins}")
