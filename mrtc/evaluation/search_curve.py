"""A curve over log beta that is measured once at each point, and what its slope makes of noise."""

import math
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import ndtri

from mrtc.errors import MrtcError
from mrtc.rates import BetaRange

REFINE = 7
"""Evaluations for each place after a scan, so that one crossing takes 12 in all."""

APART = 0.02
"""Distance in log beta of the points a slope is taken from: rounding does not matter there."""

LEVEL = 0.95
"""Of the intervals."""

Z = float(ndtri((1 + LEVEL) / 2))

Watch = Callable[[float, float], None]
"""Told the beta and the value of each evaluation."""


class Curve:
    """Values over log beta.

    Args:
        name: What is measured, for messages.
        value: Measures it at a beta; raises ``ValueError`` where there is none.
        within: The range of betas.
        watch: Told of each evaluation.
    """

    def __init__(
        self, name: str, value: Callable[[float], float], within: BetaRange, watch: Watch | None
    ) -> None:
        self._name, self._value, self.within, self._watch = name, value, within, watch
        self._values: dict[float, float] = {}

    def __call__(self, log_beta: float) -> float:
        """The value there, measured unless it is known.

        Raises:
            MrtcError: If there is none, or it is not finite.
        """
        log_beta = float(log_beta)
        if log_beta not in self._values:
            beta = self.beta(log_beta)
            try:
                value = self._value(beta)
            except ValueError as error:
                raise MrtcError(
                    f"{self._name} cannot be measured at beta {beta:g}: {error}; leave that beta "
                    "out with --within LOW:HIGH"
                ) from error
            if not math.isfinite(value):
                raise MrtcError(
                    f"{self._name} is {value} at beta {beta:g}; leave that beta out with --within "
                    "LOW:HIGH"
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
        """Measures that many betas, evenly over log beta, and says which."""
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
        """All that was measured, by beta."""
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

    def interval(self, log_beta: float, error: float) -> tuple[float, float]:
        """Betas that noise leaves possible, given the slope; the whole range where it is level."""
        slope = self.slope(log_beta)
        half = Z * error / abs(slope) if slope else math.inf
        return self.beta(log_beta - half), self.beta(log_beta + half)


def refine(function: Callable[[float], float], low: float, high: float) -> None:
    """Measures on the way to a least value."""
    options = {"maxiter": REFINE, "xatol": APART}
    minimize_scalar(function, bounds=(low, high), method="bounded", options=options)
