"""Adaptive grids: betas are put where straight lines between those before could be most wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from mrtc.errors import BetaError
from mrtc.rates import BetaRange

FIRST = 5
"""Betas that are always evaluated, evenly spread: the ends and the quarters."""

INTERVALS = 64
"""Of the finest grid, a power of two: over two decades, neighbours are 7 % apart."""

USUAL = ("rate", "distortion", "mig_chen")
"""Metrics whose curves decide unless others are named, as far as they are measured."""

NORMAL_95 = 1.96

ROUNDING = 1e-6
"""Of a curve's size: networks compute in float32, and smaller changes are none."""


@dataclass(frozen=True)
class AdaptiveGrid:
    """How betas are chosen one after another; see :func:`next_beta`.

    Raises:
        BetaError: If the tolerance is not between 0 and 1, the budget is below the first betas,
            or nothing is to be refined.
    """

    tolerance: float = 0.02
    """What straight lines may miss at most, as a share of each curve's span."""
    most_betas: int = 25
    """Budget: how many betas are evaluated at most."""
    refined: tuple[str, ...] | None = None
    """Names of metrics whose curves, and ends of their 95 % intervals, decide; by default rate and
    distortion, and the MIG where it is measured."""

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < 1:
            raise BetaError(
                f"the tolerance of an adaptive grid is {self.tolerance}; choose one between 0 and "
                "1, a share of the span of each curve, such as 0.02"
            )
        if self.most_betas < FIRST:
            raise BetaError(
                f"an adaptive grid begins with {FIRST} betas, and at most {self.most_betas} were "
                f"allowed; allow at least {FIRST}, or list the betas"
            )
        if self.refined is not None and not self.refined:
            raise BetaError(
                "an adaptive grid needs a curve to go by, and none was named; name rate or "
                "distortion, or leave the names out"
            )

    def candidates(self, betas: BetaRange) -> Float[np.ndarray, " beta"]:
        """The finest grid, log-spaced over a range; some of its betas are evaluated."""
        intervals = max(INTERVALS, 2 ** (self.most_betas - 2).bit_length())
        finest: Float[np.ndarray, " beta"] = np.geomspace(betas.low, betas.high, intervals + 1)
        return finest

    def next(
        self,
        candidates: Float[np.ndarray, " beta"],
        metrics: Mapping[str, Float[np.ndarray, " beta"]],
        evaluated: Bool[np.ndarray, " beta"],
    ) -> int | None:
        """:func:`next_beta` within the budget, of the curves that are refined.

        Raises:
            BetaError: If one was named that is not among the metrics, once there are any.
        """
        if evaluated.sum() >= self.most_betas:
            return None
        missing = [name for name in self.refined or () if metrics and name not in metrics]
        if missing:
            raise BetaError(
                f"an adaptive grid cannot go by {', '.join(missing)}, which is not measured: there "
                f"are {', '.join(metrics)}; name some of these, or none"
            )
        values = curves(metrics, self.refined or USUAL, len(candidates))
        return next_beta(candidates, values, evaluated, self.tolerance)


def curves(
    metrics: Mapping[str, Float[np.ndarray, " beta"]], names: Sequence[str], betas: int
) -> Float[np.ndarray, "curve beta"]:
    """Curves that stand for metrics: both ends of the 95 % interval where there is an error.

    Where both ends are nearly straight, so is the metric in their middle.
    """
    rows = [np.full(betas, np.nan)]  # nothing is measured before the first beta
    for name in names:
        if name in metrics:
            half = NORMAL_95 * np.nan_to_num(metrics.get(f"{name}_error", np.zeros(betas)))
            rows += [metrics[name] - half, metrics[name] + half]
    return np.stack(rows)


def next_beta(
    candidates: Float[np.ndarray, " beta"],
    values: Float[np.ndarray, "curve beta"],
    evaluated: Bool[np.ndarray, " beta"],
    tolerance: float,
) -> int | None:
    """Where to evaluate next: first the ends and quarters, then where lines may miss most.

    A function of what is evaluated alone, so a search that was stopped goes on the same way.

    Args:
        candidates: Increasing betas among which to choose, log-spaced; at least five.
        values: Curves over them; only values at evaluated betas are read.
        evaluated: Which candidates are evaluated.
        tolerance: The doubt, in spans of a curve, from which on an interval is halved.

    Returns:
        Position among the candidates; ``None`` where no interval that can be halved is in doubt.

    Raises:
        ValueError: If there are fewer than five candidates.
    """
    if len(candidates) < FIRST:
        raise ValueError(
            f"an adaptive grid needs at least {FIRST} candidates, got {len(candidates)}"
        )
    for first in np.linspace(0, len(candidates) - 1, FIRST).round().astype(int).tolist():
        if not evaluated[first]:
            return int(first)
    done = np.flatnonzero(evaluated)
    doubt = doubts(np.log(candidates[done]), values[:, done]).max(0)
    doubt[np.diff(done) == 1] = 0  # no candidate lies between
    worst = int(doubt.argmax())
    if doubt[worst] <= tolerance:
        return None
    return int(done[worst] + done[worst + 1]) // 2


def doubts(
    x: Float[np.ndarray, " point"], values: Float[np.ndarray, "curve point"]
) -> Float[np.ndarray, "curve interval"]:
    r"""How wrong a straight line between neighbours could be, in spans of each curve.

    With :math:`h` the width of an interval, :math:`a` and :math:`b` the changes of slope at its
    ends, and :math:`h_a, h_b` the widths of the intervals beyond, it is the largest of

    .. math:: \frac{h}{1/a + 1/b}, \quad \frac{h^2 a}{2(h + h_a)}, \quad \frac{h^2 b}{2(h + h_b)}

    The first is the height of the triangle between the line and the lines of both neighbours
    continued, in which a convex or concave curve must lie: a bound. At the first and last point,
    where no line comes in, the change is taken to be infinite. A jump by :math:`J` between flat
    neighbours has :math:`J/2`, however narrow the interval. The others are twice the error
    :math:`h^2|f''|/8` of a smooth curve; they matter where a curve is straight on one side, which
    may be chance, as beside the turning point of a sigmoid. What changes without a bend is in no
    doubt: a picture of lines shows it.

    Args:
        x: Increasing; at least three.
        values: Where one is not finite, no line is drawn, and there is no doubt.

    Returns:
        At least zero; zero for curves that are constant but for rounding.
    """
    finite = np.isfinite(values)
    low = values.min(1, initial=np.inf, where=finite)
    high = values.max(1, initial=-np.inf, where=finite)
    is_curve = high > low + ROUNDING * np.maximum(np.abs(low), np.abs(high))
    span = np.subtract(high, low, where=is_curve, out=np.full(len(values), np.inf))
    width = np.diff(x)
    shares = np.where(finite, values, np.nan) / span[:, None]
    bend = np.abs(np.diff(np.diff(shares) / width))
    edge_bend = np.full((len(values), 1), np.inf)
    with np.errstate(divide="ignore"):
        left = 1 / np.hstack([edge_bend, bend])
        right = 1 / np.hstack([bend, edge_bend])
        triangle = width / (left + right)
    smooth = np.zeros_like(triangle)
    curvature = bend / (2 * (width[1:] + width[:-1]))
    smooth[:, 1:] = width[1:] ** 2 * curvature
    smooth[:, :-1] = np.fmax(smooth[:, :-1], width[:-1] ** 2 * curvature)
    return np.nan_to_num(np.fmax(triangle, smooth), nan=0.0)
