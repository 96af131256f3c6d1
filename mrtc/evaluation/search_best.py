"""The beta at which a curve is highest or lowest, and the betas that noise cannot tell from it."""

from itertools import groupby
from typing import Literal

from mrtc.evaluation.search import Found, Place, Quantity
from mrtc.evaluation.search_curve import Curve, Watch, Z, refine
from mrtc.rates import BetaRange

SCAN_FOR_BEST = 9
"""Betas measured at first, the two ends included."""


def find_best(
    quantity: Quantity,
    goal: Literal["highest", "lowest"],
    within: BetaRange,
    *,
    watch: Watch | None = None,
) -> Found:
    """The beta at which the quantity is highest, or lowest.

    A grid comes first, then a bounded search beside its best point; a peak narrower than the grid
    can be missed. The interval holds the betas around the best whose value is within the noise of
    it; it is wider than need be, as values at two betas come from the same examples. Others are
    peaks elsewhere that noise cannot tell from the best, as the grid shows them.

    Args:
        quantity: What is to be best.
        goal: Which end of it.
        within: Where to search.
        watch: Told of each evaluation.

    Raises:
        MrtcError: If the quantity cannot be measured at some beta.
    """
    curve = Curve(quantity.name, quantity.value, within, watch)
    sign = 1 if goal == "highest" else -1
    grid = curve.scan(SCAN_FOR_BEST)
    at = max(range(len(grid)), key=lambda i: sign * curve(grid[i]))
    refine(lambda x: -sign * curve(x), grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)])
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
