"""A curve to search, and where."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from mrtc.rates import BetaRange

WITHIN = BetaRange(0.01, 10.0)

MOST = 12
"""Evaluations of one smooth crossing."""


@dataclass
class Toy:
    """A curve over log beta, with a constant error."""

    curve: Callable[[float], float]
    spread: float = 0.0
    name: str = "rate"
    unit: str = "nats"
    asked: list[float] = field(default_factory=list)

    def value(self, beta: float) -> float:
        self.asked.append(beta)
        return float(self.curve(math.log(beta)))

    def error(self, beta: float) -> float:
        del beta
        return self.spread
