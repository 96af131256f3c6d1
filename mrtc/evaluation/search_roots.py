"""Where a curve over log beta meets a value: a scan, then Brent's method at each change of side."""

import math
from collections.abc import Callable
from contextlib import suppress
from itertools import groupby, pairwise

import numpy as np
from scipy.optimize import brentq

from mrtc.evaluation.search_curve import REFINE, Curve, refine

SCAN = 5
"""Betas measured at first, the two ends included."""

MORE = 13
"""Evaluations for a crossing after ``REFINE``, where it is not met within ten times ``CLOSE`` yet:
at a step, or at a sharp bend."""

CLOSE = 0.002
"""A target is met within this part of it, or of the span of the curve where that is less."""

LOG_BETA_STEP = 1e-4
"""Betas that are closer than this are one, for a root."""


def scan_tolerance(curve: Curve, target: float) -> float:
    """Scans the curve, and says how near to the target is near enough."""
    values = [curve(log_beta) for log_beta in curve.scan(SCAN)]
    span = max(values) - min(values)
    return CLOSE * (min(span, abs(target)) if target else span)


def crossings(curve: Curve, target: float, tolerance: float) -> list[float]:
    """Where a curve that was scanned meets the target, in log beta, increasing."""

    def gap(log_beta: float) -> float:
        distance = curve(log_beta) - target
        return distance if abs(distance) > tolerance else 0.0

    gaps = [gap(log_beta) for log_beta, _ in curve.points()]
    if min(gaps) > 0 or max(gaps) < 0:
        _look_between(curve, gap, gaps)
    by_side = groupby(curve.points(), key=lambda point: np.sign(gap(point[0])))
    runs = [(side, [log_beta for log_beta, _ in run]) for side, run in by_side]
    found = [min(run, key=lambda x: abs(curve(x) - target)) for side, run in runs if side == 0]
    for (side, run), (next_side, next_run) in pairwise(runs):
        if side * next_side < 0:
            found.append(_root(curve, target, tolerance, run[-1], next_run[0]))
    return sorted(found)


def _root(curve: Curve, target: float, tolerance: float, low: float, high: float) -> float:
    """The place between two log betas on whose sides of the target the curve lies."""
    distances: list[float] = []

    def gap(log_beta: float) -> float:
        gap = curve(log_beta) - target
        distances.append(abs(gap))
        steps = len(distances) - 2  # the ends come first
        enough = tolerance if steps < REFINE else 10 * tolerance
        return gap if min(distances) > enough else 0.0  # Brent's method ends at zero

    brentq(gap, low, high, xtol=LOG_BETA_STEP, maxiter=REFINE + MORE, disp=False)
    inside = [x for x in curve.latest() if low <= x <= high]  # of equals, the one next to a step
    return min(inside, key=lambda x: abs(curve(x) - target))


def _look_between(curve: Curve, gap: Callable[[float], float], gaps: list[float]) -> None:
    """Goes on towards the target from the nearest point, if that is not an end, until it is met."""
    where = [log_beta for log_beta, _ in curve.points()]
    nearest = int(np.argmin(np.abs(gaps)))
    if not 0 < nearest < len(gaps) - 1:
        return
    side = math.copysign(1, gaps[0])

    def distance(log_beta: float) -> float:
        left = side * gap(log_beta)
        if left <= 0:
            raise _Reached
        return left

    with suppress(_Reached):
        refine(distance, where[nearest - 1], where[nearest + 1])


class _Reached(Exception):  # noqa: N818 -- no error: it ends a search that has what it wants
    """The target was met."""
