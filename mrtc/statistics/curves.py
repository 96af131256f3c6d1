"""Rate-distortion curves as wholes: read at a rate, compared at equal rate, and by hypervolume.

A curve is piecewise linear between its points, in nats per example on both axes, and low is good
on both. Points may come in any order. Those with a value that is not finite are left out, and of
points with equal rate the one with the lowest distortion stays.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True)
class AreaBetween:
    """What lies between two curves, over the rates that both reach; NaN where there are none."""

    mean_difference: float
    """Mean of D_a - D_b at equal rate, in nats: positive where ``a`` is the worse one."""
    low_rate: float
    high_rate: float
    area: float
    """Integral of D_a - D_b over the rate, in nats squared."""


def distortion_at(
    rate: Float64[np.ndarray, " point"],
    distortion: Float64[np.ndarray, " point"],
    at: Float64[np.ndarray, " at"],
) -> Float64[np.ndarray, " at"]:
    """Distortion of a curve at given rates, by linear interpolation, in nats.

    Above the truth between points where the true curve is convex, as that of exact optima is.

    Args:
        rate: Rate of each point of the curve.
        distortion: Its distortion.
        at: Rates to read the curve at.

    Returns:
        One for each entry of ``at``; NaN outside of the curve's rates, for nothing is known there.

    Raises:
        ValueError: If ``rate`` and ``distortion`` are not equally many.

    Example:
        >>> curve = np.array([1.0, 3.0]), np.array([10.0, 6.0])
        >>> distortion_at(*curve, np.array([0.0, 1.0, 2.0])).tolist()
        [nan, 10.0, 8.0]
    """
    rates, distortions = _curve(rate, distortion)
    if not len(rates):
        return np.full(at.shape, np.nan)
    inside = (at >= rates[0]) & (at <= rates[-1])  # NumPy reads a curve of one point at NaN too
    return np.where(inside, np.interp(at, rates, distortions), np.nan)


def area_between(
    rate_a: Float64[np.ndarray, " point_a"],
    distortion_a: Float64[np.ndarray, " point_a"],
    rate_b: Float64[np.ndarray, " point_b"],
    distortion_b: Float64[np.ndarray, " point_b"],
) -> AreaBetween:
    r"""Area between two curves, and their mean difference in distortion at equal rate.

    .. math:: A = \int_l^h D_a(R) - D_b(R) \, dR, \qquad A / (h - l)

    where both curves have rates from :math:`l` to :math:`h`. Exact for the piecewise linear
    curves. Where they have one rate in common, the area is 0 and the mean is the difference there.

    Args:
        rate_a: Rate of each point of the first curve.
        distortion_a: Its distortion.
        rate_b: As ``rate_a``, of the second curve.
        distortion_b: As ``distortion_a``, of the second curve.

    Raises:
        ValueError: If rates and distortions of a curve are not equally many.

    References:
        Bjøntegaard, "Calculation of Average PSNR Differences between RD-curves", ITU-T
        VCEG-M33, 2001, who fits cubics to the logarithm of the rate: another number.
    """
    curve_a, curve_b = _curve(rate_a, distortion_a), _curve(rate_b, distortion_b)
    nothing = AreaBetween(math.nan, math.nan, math.nan, math.nan)
    if not (len(curve_a[0]) and len(curve_b[0])):
        return nothing
    low = max(float(rates[0]) for rates, _ in (curve_a, curve_b))
    high = min(float(rates[-1]) for rates, _ in (curve_a, curve_b))
    if low > high:
        return nothing
    # Between neighbours of this union both curves are straight, and the trapezoid rule is exact.
    knots = np.unique(np.concatenate([curve_a[0], curve_b[0]]).clip(low, high))
    gap = np.interp(knots, *curve_a) - np.interp(knots, *curve_b)
    area = float(((gap[1:] + gap[:-1]) / 2 * np.diff(knots)).sum())
    mean = area / (high - low) if high > low else float(gap[0])
    return AreaBetween(mean, low, high, area)


def hypervolume(
    rate: Float64[np.ndarray, " point"],
    distortion: Float64[np.ndarray, " point"],
    reference: tuple[float, float],
) -> float:
    """Area that the points dominate, up to a reference point, in nats squared; high is good.

    A point dominates what has both a higher rate and a higher distortion. Unlike
    :func:`area_between` it compares curves that have no rate in common, draws no lines between
    points, and cares how many of them there are: compare curves over the same betas. Points at or
    beyond the reference, in either, count nothing, so choose one reference for all curves, which
    lies beyond all of them.

    Args:
        rate: Rate of each point.
        distortion: Its distortion.
        reference: Highest rate and highest distortion.

    Returns:
        From 0, also where no point is left, upwards.

    Raises:
        ValueError: If the reference is not finite, or rates and distortions are not equally many.

    References:
        Zitzler and Thiele, "Multiobjective Optimization Using Evolutionary Algorithms", PPSN 1998.

    Example:
        >>> hypervolume(np.array([1.0, 2.0]), np.array([2.0, 1.0]), (3.0, 3.0))
        3.0
    """
    highest_rate, highest_distortion = reference
    if not (math.isfinite(highest_rate) and math.isfinite(highest_distortion)):
        raise ValueError(
            f"the reference is a finite rate and a finite distortion, got {reference}; choose "
            "one beyond all points"
        )
    rates, distortions = _curve(rate, distortion)
    inside = (rates < highest_rate) & (distortions < highest_distortion)
    rates, lowest = rates[inside], np.minimum.accumulate(distortions[inside])
    widths = np.diff(rates, append=highest_rate)
    return float((widths * (highest_distortion - lowest)).sum())


def _curve(
    rate: Float64[np.ndarray, " point"], distortion: Float64[np.ndarray, " point"]
) -> tuple[Float64[np.ndarray, " knot"], Float64[np.ndarray, " knot"]]:
    """Finite points by increasing rate, each rate once, with its lowest distortion."""
    points = np.stack([rate, distortion])
    points = points[:, np.isfinite(points).all(0)]
    points = points[:, np.lexsort(points[::-1])]  # by rate, then by distortion
    rates, first = np.unique(points[0], return_index=True)
    return rates, points[1, first]
