"""Beta, the weight of the rate: ranges, grids, draws, and the code that gates read."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from mrtc.errors import BetaError

GRID_FORM = "write a grid as low:high:count (0.1:10:50), a list as 0.5,1,4, or one number"
RANGE_FORM = "write a range as low:high, for example 0.1:10"


@dataclass(frozen=True)
class BetaRange:
    """The betas one model was trained for, from ``low`` to ``high``; a baseline has one beta.

    Raises:
        BetaError: If an end is not positive and finite, or ``low`` is above ``high``.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _require_positive((self.low, self.high), f"range {self}", RANGE_FORM)
        if self.low > self.high:
            raise BetaError(f"the range {self} is reversed; write it as {self.high:g}:{self.low:g}")

    def __str__(self) -> str:
        return f"{self.low:g}" if self.is_single else f"{self.low:g}:{self.high:g}"

    @classmethod
    def parse(cls, text: str) -> "BetaRange":
        """Reads ``"0.1:10"``.

        Raises:
            BetaError: If the text has another form, or a value cannot be used.
        """
        parts = text.split(":")
        if len(parts) != 2:
            raise BetaError(f"{text!r} is not a range of betas; {RANGE_FORM}")
        low, high = (_number(part, text, RANGE_FORM) for part in parts)
        betas = cls(low, high)
        if betas.is_single:
            raise BetaError(
                f"the range {text!r} holds one beta; give two different ones, or train a model of "
                "one with `mrtc train --beta`"
            )
        return betas

    @property
    def is_single(self) -> bool:
        """Whether this is a baseline's one beta."""
        return self.low == self.high

    def standardise(self, beta: Float[Tensor, " group"]) -> Float[Tensor, " group"]:
        r"""The rate code: log beta, to mean 0 and deviation 1 when beta is drawn from the range.

        .. math:: r = \frac{\log\beta - (\log a + \log b) / 2}{(\log b - \log a) / \sqrt{12}}

        Uniform on :math:`[-\sqrt3, \sqrt3]` over the range; zero for a single beta.
        """
        if self.is_single:
            return torch.zeros_like(beta)
        low, high = math.log(self.low), math.log(self.high)
        return (beta.log() - (low + high) / 2) * (math.sqrt(12) / (high - low))

    def draw(self, count: int, generator: torch.Generator) -> Float[Tensor, " {count}"]:
        """``count`` betas, log-uniform over the range, on the generator's device."""
        uniform = torch.rand(count, generator=generator, device=generator.device)
        return self.low * (self.high / self.low) ** uniform

    def require(self, betas: Iterable[float], *, extrapolate: bool = False) -> None:
        """Refuses betas outside the range, where the model was never trained.

        Raises:
            BetaError: If one lies outside and ``extrapolate`` is not set.
        """
        slack = 1e-6  # grids are written with few digits
        outside = [
            beta for beta in betas if not self.low * (1 - slack) <= beta <= self.high * (1 + slack)
        ]
        if outside and not extrapolate:
            trained = f"at beta {self}" if self.is_single else f"for beta in {self}"
            shown = ", ".join(f"{beta:g}" for beta in outside[:3])
            more = f" and {len(outside) - 3} more" if len(outside) > 3 else ""
            raise BetaError(
                f"beta {shown}{more} lies outside the trained range: this model was trained "
                f"{trained}; choose betas inside, or insist with --extrapolate"
            )


def parse_grid(text: str) -> Float[np.ndarray, " beta"]:
    """Reads ``"0.1:10:50"`` (log-spaced, both ends included), ``"0.5,1,4"`` or ``"4"``.

    Returns:
        Increasing betas in float64.

    Raises:
        BetaError: If the text has another form, or a value cannot be used.
    """
    if ":" not in text:
        betas = [_number(part, text, GRID_FORM) for part in text.split(",")]
        _require_positive(betas, repr(text), GRID_FORM)
        if any(second <= first for first, second in pairwise(betas)):
            raise BetaError(f"the betas in {text!r} do not increase; sort them, each one once")
        return np.array(betas)
    parts = text.split(":")
    if len(parts) != 3:
        raise BetaError(f"{text!r} is not a grid of betas; {GRID_FORM}")
    low, high = (_number(part, text, GRID_FORM) for part in parts[:2])
    _require_positive((low, high), repr(text), GRID_FORM)
    if not parts[2].strip().isdecimal():
        raise BetaError(f"the count in {text!r} is not a whole number; {GRID_FORM}")
    count = int(parts[2])
    if low > high:
        raise BetaError(f"the grid {text!r} is reversed; write {parts[1]}:{parts[0]}:{parts[2]}")
    if count < 2 or low == high:
        raise BetaError(
            f"the grid {text!r} needs two ends and at least two points; for one beta write {low:g}"
        )
    return np.geomspace(low, high, count)


def _number(part: str, text: str, form: str) -> float:
    try:
        return float(part)
    except ValueError:
        raise BetaError(f"{part.strip()!r} in {text!r} is not a number; {form}") from None


def _require_positive(values: Iterable[float], where: str, form: str) -> None:
    for value in values:
        if not (math.isfinite(value) and value > 0):
            raise BetaError(f"beta {value:g} in {where} is not positive and finite; {form}")
