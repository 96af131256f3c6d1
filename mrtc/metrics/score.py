"""What a score returns: the number, what it is made of, and why there is none."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, eq=False)
class Score:
    """One score of one set of codes. Unit, range and direction stand in the catalogue."""

    value: float
    """NaN where ``reason`` says why."""
    reason: str | None = None
    """Why there is no value; ``None`` where there is one."""
    per_factor: Float[np.ndarray, " factor"] | None = None
    """The part of each factor; NaN for one that never varies."""
    per_code: Float[np.ndarray, " code"] | None = None
    """The part of each code; NaN for one that is not active."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    """What the value depends on beside the arrays: bins, sample sizes, thresholds, seeds."""
    caution: str | None = None
    """Why the value should not be trusted, where there is one."""

    def __post_init__(self) -> None:
        if math.isnan(self.value) != (self.reason is not None):
            raise ValueError(
                f"a score is a number, or NaN with a reason; got {self.value} and {self.reason!r}"
            )


def undefined(reason: str, **parts: object) -> Score:
    """A score that has no value, with the reason; ``parts`` are the other fields."""
    # One signature for all fields: their types are those of Score, checked at run time in tests.
    return Score(math.nan, reason, **parts)  # type: ignore[arg-type]
