"""How long and how fast a model is trained."""

import math
from dataclasses import replace
from typing import Literal

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

Schedule = Literal["constant", "cosine"]


@dataclass(frozen=True)
class TrainingConfig:
    """Budget and learning rate."""

    steps: PositiveInt
    """Gradient steps."""
    batch: PositiveInt
    """Examples in a step."""
    learning_rate: PositiveFloat = 1e-3
    """Of Adam, at its greatest."""
    schedule: Schedule = "constant"
    """Of the learning rate after warm-up: flat, or a half cosine to zero."""
    gate_speed: PositiveFloat = 1.0
    """Learning rate of gates over that of all other weights."""
    clip: PositiveFloat | None = None
    """Norm that the gradient of all weights is scaled down to where it is greater."""
    warmup: NonNegativeInt = 0
    """Steps over which the learning rate first rises, linearly."""

    def __post_init__(self) -> None:
        if self.warmup >= self.steps:
            raise ValueError(f"a warm-up of {self.warmup} steps needs more than {self.steps} steps")

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of step ``step``, counted from 0."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / (self.warmup + 1)
        if self.schedule == "constant":
            return self.learning_rate
        progress = (step - self.warmup) / (self.steps - self.warmup)
        return self.learning_rate * (1 + math.cos(math.pi * progress)) / 2

    def with_steps(self, steps: int) -> "TrainingConfig":
        """The same with another number of steps, of which warm-up keeps its share."""
        return replace(self, steps=steps, warmup=self.warmup * steps // self.steps)
