"""The beta at which a curve meets a target, from few evaluations, with an interval from its noise.

Everything works on log beta. A curve is measured at the two ends of a range and at a few betas
between; each change of side between neighbours is then refined by Brent's method. Where the curve
is continuous, every place that the scan brackets is found. Two crossings between the same two
neighbours are not seen, unless the curve comes nearest to the target there without reaching it, in
which case that neighbourhood is searched too.

The best of a curve is searched for in ``search_best.py``, and a count in ``search_count.py``.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mrtc.errors import MrtcError
from mrtc.evaluation.search_curve import Curve, Watch, Z
from mrtc.evaluation.search_roots import crossings, scan_tolerance
from mrtc.rates import BetaRange


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
    curve = Curve(quantity.name, quantity.value, within, watch)
    found = crossings(curve, target, scan_tolerance(curve, target))
    if not found:
        raise _out_of_reach(curve, f"{quantity.name} {target:g}", "a target between")
    places = [_place(quantity, curve, log_beta) for log_beta in found]
    return Found(quantity.name, quantity.unit, places[0], tuple(places[1:]), curve.evaluations)


def find_at_most(
    quantity: Quantity, bound: float, within: BetaRange, *, watch: Watch | None = None
) -> Found:
    """The largest beta at which the quantity is at most ``bound``; the high end if it is there.

    What was found is never above the bound; it is below it by no more than ``CLOSE`` where the
    curve is smooth and it is not the high end. Arguments and errors as for :func:`find_target`;
    others are where the curve passes the bound at smaller betas.
    """
    curve = Curve(quantity.name, quantity.value, within, watch)
    tolerance = scan_tolerance(curve, bound)
    high, last = curve.points()[-1]
    if last <= bound:
        error = quantity.error(within.high)
        short = bound - last - Z * error
        if short >= 0:
            low_end = within.high
        else:
            slope = curve.slope(high)
            low_end = curve.beta(high + short / slope) if slope > 0 else within.low
        end = Place(within.high, last, error, (low_end, within.high))
        return Found(quantity.name, quantity.unit, end, (), curve.evaluations)
    passes = crossings(curve, bound - tolerance / 2, tolerance / 2)
    kept = [log_beta for log_beta, value in curve.points() if value <= bound]
    if not kept:
        raise _out_of_reach(curve, f"{quantity.name} of at most {bound:g}", "a bound above")
    best = max(kept)
    others = sorted(passes, key=lambda log_beta: abs(log_beta - best))[1:]
    return Found(
        quantity.name,
        quantity.unit,
        _place(quantity, curve, best),
        tuple(_place(quantity, curve, log_beta) for log_beta in sorted(others)),
        curve.evaluations,
    )


def _place(quantity: Quantity, curve: Curve, log_beta: float) -> Place:
    """With the interval that noise and slope make."""
    beta = curve.beta(log_beta)
    error = quantity.error(beta)
    return Place(beta, curve(log_beta), error, curve.interval(log_beta, error))


def _out_of_reach(curve: Curve, wanted: str, advice: str) -> MrtcError:
    by_value = sorted(curve.points(), key=lambda point: point[1])
    (lowest, low), (highest, high) = by_value[0], by_value[-1]
    return MrtcError(
        f"no beta in {curve.within} was found with {wanted}: at the {len(by_value)} that were "
        f"measured it goes from {low:.4g} (beta {curve.beta(lowest):.3g}) to {high:.4g} (beta "
        f"{curve.beta(highest):.3g}); choose {advice}"
    )
