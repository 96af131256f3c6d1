"""The beta at which a curve meets a target, from few evaluations, with an interval from its noise.

Everything works on log beta. A curve is measured at the two ends of a range and at a few betas
between; each change of side between neighbours is then refined by Brent's method. Where the curve
is continuous, every place that the scan brackets is found. Two crossings between the same two
neighbours are not seen, unless the curve comes nearest to the target there without reaching it, in
which case that neighbourhood is searched too.
"""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq, minimize_scalar
from scipy.special import ndtri

from mrtc.errors import MrtcError
from mrtc.rates import BetaRange

SCAN, SCAN_FOR_BEST = 5, 9
"""Betas measured at first, the two ends included."""

REFINE = 7
"""Evaluations for each place after that, so that one crossing takes 12 in all."""

MORE = 13
"""Evaluations for a crossing after those, where it is not met within ten times ``CLOSE`` yet: at
a step, or at a sharp bend."""

CLOSE = 0.002
"""A target is met within this part of it, or of the span of the curve where that is less."""

LOG_BETA_STEP = 1e-4
"""Betas that are closer than this are one, for a root."""

APART = 0.02
"""Distance in log beta of the points a slope is taken from: rounding does not matter there."""

LEVEL = 0.95
"""Of the intervals."""

Z = float(ndtri((1 + LEVEL) / 2))

Watch = Callable[[float, float], None]
"""Told the beta and the value of each evaluation."""


@runtime_checkable
class Quantity(Protocol):
    """What is measured at a beta."""

    name: str
    unit: str

    def value(self, beta: float) -> float:
        """At one beta.

        Raises:
            ValueError: If there is none.
        """

    def error(self, beta: float) -> float:
        """Standard error of the value; asked for where something was found only."""


@runtime_checkable
class RankedQuantity(Protocol):
    """A count of codes above a threshold, by the continuous margins that it comes from."""

    name: str
    unit: str
    codes: int

    def margins(self, beta: float) -> Float[np.ndarray, " code"]:
        """How far each code is above the threshold, or below it, the highest first."""

    def error(self, beta: float, rank: int) -> float:
        """Standard error of the margin at this position."""


@dataclass(frozen=True)
class Place:
    """A beta that was found."""

    beta: float
    value: float
    """Measured there."""
    error: float
    """Standard error of the value; NaN for a count."""
    interval: tuple[float, float]
    """Betas that the noise of the evaluation leaves possible, at ``LEVEL``, within the range."""
    holds: tuple[float, float] | None = None
    """Betas between which a count holds; the place is their geometric middle."""


@dataclass(frozen=True)
class Found:
    """What a search found."""

    name: str
    unit: str
    place: Place
    others: tuple[Place, ...]
    """Further places that do as well, in the order of beta."""
    evaluations: tuple[tuple[float, float], ...]
    """Beta and value of all that was measured, in the order of beta."""


def find_target(
    quantity: Quantity, target: float, within: BetaRange, *, watch: Watch | None = None
) -> Found:
    """The smallest beta at which the quantity has this value, and all others that were seen.

    The interval is the value's standard error over the slope of the curve in log beta, each way.

    Args:
        quantity: Continuous in beta, rising or falling or both.
        target: The value.
        within: Where to search.
        watch: Told of each evaluation.

    Raises:
        MrtcError: If no beta was found to have it, or the quantity cannot be measured at some.
    """
    curve = _Curve(quantity, within, watch)
    found = _crossings(curve, target, _tolerance(curve, target))
    if not found:
        raise _out_of_reach(curve, f"{quantity.name} {target:g}", "a target between")
    places = [curve.place(log_beta) for log_beta in found]
    return Found(quantity.name, quantity.unit, places[0], tuple(places[1:]), curve.evaluations)


def find_at_most(
    quantity: Quantity, bound: float, within: BetaRange, *, watch: Watch | None = None
) -> Found:
    """The largest beta at which the quantity is at most ``bound``; the high end if it is there.

    What was found is never above the bound; it is below it by no more than ``CLOSE`` where the
    curve is smooth and it is not the high end. Arguments and errors as for :func:`find_target`;
    others are where the curve passes the bound at smaller betas.
    """
    curve = _Curve(quantity, within, watch)
    tolerance = _tolerance(curve, bound)
    high, last = curve.points()[-1]
    if last <= bound:
        place = curve.place(high)
        short = bound - last - Z * place.error
        if short >= 0:
            low_end = place.beta
        else:
            slope = curve.slope(high)
            low_end = curve.beta(high + short / slope) if slope > 0 else within.low
        end = Place(place.beta, place.value, place.error, (low_end, place.beta))
        return Found(quantity.name, quantity.unit, end, (), curve.evaluations)
    passes = _crossings(curve, bound - tolerance / 2, tolerance / 2)
    kept = [log_beta for log_beta, value in curve.points() if value <= bound]
    if not kept:
        raise _out_of_reach(curve, f"{quantity.name} of at most {bound:g}", "a bound above")
    best = max(kept)
    others = sorted(passes, key=lambda log_beta: abs(log_beta - best))[1:]
    return Found(
        quantity.name,
        quantity.unit,
        curve.place(best),
        tuple(curve.place(log_beta) for log_beta in sorted(others)),
        curve.evaluations,
    )


def find_best(
    quantity: Quantity,
    goal: Literal["highest", "lowest"],
    within: BetaRange,
    *,
    watch: Watch | None = None,
) -> Found:
    """The beta at which the quantity is highest, or lowest.

    A grid comes first, then a bounded search beside its best point; a peak
    narrower than the grid can be missed. The interval holds the betas around the best whose value
    is within the noise of it; it is wider than need be, as values at two betas come from the same
    examples. Others are peaks elsewhere that noise cannot tell from the best, as the grid shows
    them.

    Args:
        quantity: What is to be best.
        goal: Which end of it.
        within: Where to search.
        watch: Told of each evaluation.

    Raises:
        MrtcError: If the quantity cannot be measured at some beta.
    """
    curve, sign = _Curve(quantity, within, watch), 1 if goal == "highest" else -1
    grid = curve.scan(SCAN_FOR_BEST)
    at = max(range(len(grid)), key=lambda i: sign * curve(grid[i]))
    _refine(lambda x: -sign * curve(x), grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)])
    points = curve.points()
    best = max(points, key=lambda point: sign * point[1])[0]
    error = quantity.error(curve.beta(best))
    worst = sign * curve(best) - Z * error
    runs = [
        (is_kept, list(run))
        for is_kept, run in groupby(points, key=lambda point: sign * point[1] >= worst)
    ]
    places = []
    for at, (is_kept, run) in enumerate(runs):
        if not is_kept:
            continue
        ends = [run[0][0], run[-1][0]]
        for side, beside in ((0, at - 1), (-1, at + 1)):  # where the curve leaves the noise
            if 0 <= beside < len(runs):
                inside, outside = run[side], runs[beside][1][-1 - side]
                part = (sign * inside[1] - worst) / (sign * (inside[1] - outside[1]))
                ends[side] += part * (outside[0] - inside[0])
        top = max(run, key=lambda point: sign * point[1])[0]
        spread = error if top == best else quantity.error(curve.beta(top))
        interval = (curve.beta(ends[0]), curve.beta(ends[1]))
        places.append(Place(curve.beta(top), curve(top), spread, interval))
    place = next(place for place in places if place.beta == curve.beta(best))
    others = tuple(other for other in places if other is not place)
    return Found(quantity.name, quantity.unit, place, others, curve.evaluations)


def find_count(
    ranked: RankedQuantity, count: int, within: BetaRange, *, watch: Watch | None = None
) -> Found:
    """Where so many codes are above the threshold: a range of betas, since a count is of steps.

    Exactly n are where the n-th highest margin is not below zero and the next one is. Margins are
    continuous, so the ends of the range are roots and come by Brent's method; the count at its
    middle is then measured. Others are further ranges.

    Args:
        ranked: The margins.
        count: How many.
        within: Where to search.
        watch: Told of each evaluation, with the count.

    Raises:
        MrtcError: If no beta was found to have that count.
    """
    if not 0 <= count <= ranked.codes:
        raise MrtcError(
            f"the model has {ranked.codes} codes, and {ranked.name} {count} were asked for; ask "
            f"for 0 to {ranked.codes}"
        )
    counts: dict[float, int] = {}

    def seen(beta: float, _margin: float) -> None:
        if beta not in counts:
            counts[beta] = int((ranked.margins(beta) >= 0).sum())
            if watch is not None:
                watch(beta, float(counts[beta]))

    ranks = [rank for rank in (count - 1, count) if 0 <= rank < ranked.codes]
    curves = [_Curve(_Margin(ranked, rank), within, seen) for rank in ranks]
    edges: dict[float, _Curve] = {}
    for curve in curves:
        edges |= dict.fromkeys(_crossings(curve, 0.0, _tolerance(curve, 0.0)), curve)
    bounds = [math.log(within.low), *sorted(edges), math.log(within.high)]
    places = []
    for low, high in pairwise(bounds):
        middle = curves[0].beta((low + high) / 2)
        seen(middle, 0.0)
        if counts[middle] == count:
            ends = (curves[0].beta(low), curves[0].beta(high))
            widest = (
                edges[low].place(low).interval[0] if low in edges else ends[0],
                edges[high].place(high).interval[1] if high in edges else ends[1],
            )
            places.append(Place(middle, float(count), math.nan, widest, ends))
    evaluations = tuple((beta, float(n)) for beta, n in sorted(counts.items()))
    if not places:
        among = ", ".join(f"{n}" for n in sorted(set(counts.values())))
        raise MrtcError(
            f"no beta in {within} was found with {ranked.name} {count}: the {len(counts)} that "
            f"were measured have {among}; ask for one of these"
        )
    return Found(ranked.name, ranked.unit, places[0], tuple(places[1:]), evaluations)


@dataclass
class _Margin:
    """One margin of a ranked quantity."""

    ranked: RankedQuantity
    rank: int

    def __post_init__(self) -> None:
        self.name, self.unit = self.ranked.name, self.ranked.unit

    def value(self, beta: float) -> float:
        return float(self.ranked.margins(beta)[self.rank])

    def error(self, beta: float) -> float:
        return self.ranked.error(beta, self.rank)


class _Curve:
    """A quantity over log beta, measured once at each."""

    def __init__(self, quantity: Quantity, within: BetaRange, watch: Watch | None) -> None:
        self._quantity, self.within, self._watch = quantity, within, watch
        self._values: dict[float, float] = {}

    def __call__(self, log_beta: float) -> float:
        log_beta = float(log_beta)
        if log_beta not in self._values:
            beta = self.beta(log_beta)
            try:
                value = self._quantity.value(beta)
            except ValueError as error:
                raise MrtcError(
                    f"{self._quantity.name} cannot be measured at beta {beta:g}: {error}; leave "
                    "that beta out with --within LOW:HIGH"
                ) from error
            if not math.isfinite(value):
                raise MrtcError(
                    f"{self._quantity.name} is {value} at beta {beta:g}; leave that beta out with "
                    "--within LOW:HIGH"
                )
            self._values[log_beta] = value
            if self._watch is not None:
                self._watch(beta, value)
        return self._values[log_beta]

    def beta(self, log_beta: float) -> float:
        """Within the range, whatever the rounding."""
        low, high = math.log(self.within.low), math.log(self.within.high)
        if not low < log_beta < high:
            return self.within.low if log_beta <= low else self.within.high
        return math.exp(log_beta)

    def scan(self, count: int) -> list[float]:
        """Measures that many betas, evenly over log beta."""
        ends = math.log(self.within.low), math.log(self.within.high)
        grid = [float(log_beta) for log_beta in np.linspace(*ends, count)]
        for log_beta in grid:
            self(log_beta)
        return grid

    def latest(self) -> list[float]:
        """All log betas that were measured, the last of them first."""
        return list(reversed(self._values))

    def points(self) -> list[tuple[float, float]]:
        """All that was measured, by log beta."""
        return sorted(self._values.items())

    @property
    def evaluations(self) -> tuple[tuple[float, float], ...]:
        return tuple((self.beta(log_beta), value) for log_beta, value in self.points())

    def slope(self, log_beta: float) -> float:
        """From the nearest points on both sides, of second order; 0 where there are none."""
        points = self.points()
        left = [point for point in points if point[0] <= log_beta - APART][-1:]
        right = [point for point in points if point[0] >= log_beta + APART][:1]
        if not left and not right:
            return 0.0
        where, values = zip(*left, (log_beta, self(log_beta)), *right, strict=True)
        return float(np.gradient(values, where)[len(left)])

    def place(self, log_beta: float) -> Place:
        """With the interval that noise and slope make; the whole range where it is level."""
        beta, slope = self.beta(log_beta), self.slope(log_beta)
        error = self._quantity.error(beta)
        half = Z * error / abs(slope) if slope else math.inf
        interval = (self.beta(log_beta - half), self.beta(log_beta + half))
        return Place(beta, self(log_beta), error, interval)


def _tolerance(curve: _Curve, target: float) -> float:
    values = [curve(log_beta) for log_beta in curve.scan(SCAN)]
    span = max(values) - min(values)
    return CLOSE * (min(span, abs(target)) if target else span)


def _crossings(curve: _Curve, target: float, tolerance: float) -> list[float]:
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


def _root(curve: _Curve, target: float, tolerance: float, low: float, high: float) -> float:
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


def _look_between(curve: _Curve, gap: Callable[[float], float], gaps: list[float]) -> None:
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
        _refine(distance, where[nearest - 1], where[nearest + 1])


class _Reached(Exception):  # noqa: N818 -- no error: it ends a search that has what it wants
    """The target was met."""


def _refine(function: Callable[[float], float], low: float, high: float) -> None:
    """Measures on the way to a least value."""
    options = {"maxiter": REFINE, "xatol": APART}
    minimize_scalar(function, bounds=(low, high), method="bounded", options=options)


def _out_of_reach(curve: _Curve, wanted: str, advice: str) -> MrtcError:
    by_value = sorted(curve.points(), key=lambda point: point[1])
    (lowest, low), (highest, high) = by_value[0], by_value[-1]
    return MrtcError(
        f"no beta in {curve.within} was found with {wanted}: at the {len(by_value)} that were "
        f"measured it goes from {low:.4g} (beta {curve.beta(lowest):.3g}) to {high:.4g} (beta "
        f"{curve.beta(highest):.3g}); choose {advice}"
    )
