"""The betas at which a count holds, from the continuous margins that it comes from."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from mrtc.errors import MrtcError
from mrtc.evaluation.search import Found, Place
from mrtc.evaluation.search_curve import Curve, Watch
from mrtc.evaluation.search_roots import crossings, scan_tolerance
from mrtc.rates import BetaRange


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

    def margin(rank: int) -> Callable[[float], float]:
        return lambda beta: float(ranked.margins(beta)[rank])

    ranks = [rank for rank in (count - 1, count) if 0 <= rank < ranked.codes]
    curves = {rank: Curve(ranked.name, margin(rank), within, seen) for rank in ranks}
    edges = {
        edge: rank
        for rank, curve in curves.items()
        for edge in crossings(curve, 0.0, scan_tolerance(curve, 0.0))
    }
    to_beta = curves[ranks[0]].beta

    def noise(edge: float) -> tuple[float, float]:
        if edge not in edges:  # an end of the range
            return to_beta(edge), to_beta(edge)
        error = ranked.error(to_beta(edge), edges[edge])
        return curves[edges[edge]].interval(edge, error)

    bounds = [math.log(within.low), *sorted(edges), math.log(within.high)]
    places = []
    for low, high in pairwise(bounds):
        middle = to_beta((low + high) / 2)
        seen(middle, 0.0)
        if counts[middle] == count:
            holds = (to_beta(low), to_beta(high))
            widest = (noise(low)[0], noise(high)[1])
            places.append(Place(middle, float(count), math.nan, widest, holds))
    evaluations = tuple((beta, float(n)) for beta, n in sorted(counts.items()))
    if not places:
        among = ", ".join(f"{n}" for n in sorted(set(counts.values())))
        raise MrtcError(
            f"no beta in {within} was found with {ranked.name} {count}: the {len(counts)} that "
            f"were measured have {among}; ask for one of these"
        )
    return Found(ranked.name, ranked.unit, places[0], tuple(places[1:]), evaluations)
