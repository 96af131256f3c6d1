"""How long and how fast a model is trained."""

import math
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveFloat, PositiveInt
from pydantic.dataclasses import dataclass

Schedule = Literal["constant", "cosine"]
Optimizer = Literal["adam", "adamax"]


def _none_for(usual: object) -> BeforeValidator:
    """None stands for what is usual, so runs of versions that had not the entry are the same."""

    def to_none(value: Any) -> Any:  # noqa: ANN401 -- before anything is known of it
        return None if value == usual else value

    return BeforeValidator(to_none)


@dataclass(frozen=True)
class TrainingConfig:
    """Budget and learning rate."""

    steps: PositiveInt
    """Gradient steps."""
    batch: PositiveInt
    """Examples in a step."""
    learning_rate: PositiveFloat = 1e-3
    """Of the optimiser, at its greatest."""
    schedule: Schedule = "constant"
    """Of the learning rate after warm-up: flat, or a half cosine to ``lowest_rate``."""
    gate_speed: PositiveFloat = 1.0
    """Learning rate of gates over that of all other weights."""
    clip: PositiveFloat | None = None
    """Norm that the gradient of all weights is scaled down to where it is greater."""
    warmup: NonNegativeInt = 0
    """Steps over which the learning rate first rises, linearly."""
    lowest_rate: Annotated[PositiveFloat | None, _none_for(0)] = None
    """Learning rate that the cosine ends at; None, which 0 becomes, is 0."""
    optimizer: Annotated[Optimizer | None, _none_for("adam")] = None
    """Adam's second moment is a mean of squares, Adamax's a slowly forgotten maximum. None, which
    ``adam`` becomes, is Adam."""
    accumulate: Annotated[PositiveInt | None, _none_for(1)] = None
    """Parts of a batch that go through the networks one after another, for one step on the mean of
    all: less memory for the same step, but that batch normalisation sees a part at a time. None,
    which 1 becomes, is the whole batch at once."""
    spectral: Annotated[float | None, Field(gt=0, allow_inf_nan=False), _none_for(0)] = None
    """Weight of :class:`mrtc.training.regularisation.SpectralPenalty`; None, which 0 becomes, is
    no penalty."""
    checkpointing: Annotated[bool | None, _none_for(usual=False)] = None
    """Whether cells keep their input alone, see
    :func:`mrtc.layers.checkpointing.recompute_activations`; None, which False becomes, keeps all
    activations."""

    def __post_init__(self) -> None:
        if self.warmup >= self.steps:
            raise ValueError(f"a warm-up of {self.warmup} steps needs more than {self.steps} steps")
        if (self.lowest_rate or 0) > self.learning_rate:
            raise ValueError(
                f"the learning rate cannot fall from {self.learning_rate:g} to a lowest rate of "
                f"{self.lowest_rate:g}; choose one that is not below the lowest"
            )
        if self.batch % self.parts:
            raise ValueError(
                f"a batch of {self.batch} cannot be cut into {self.parts} equal parts; accumulate "
                "over a number of parts that divides it"
            )

    @property
    def parts(self) -> int:
        """Parts that a batch is cut into, one after another."""
        return self.accumulate or 1

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of step ``step``, counted from 0."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / (self.warmup + 1)
        if self.schedule == "constant":
            return self.learning_rate
        progress = (step - self.warmup) / (self.steps - self.warmup)
        lowest = self.lowest_rate or 0.0
        return lowest + (self.learning_rate - lowest) * (1 + math.cos(math.pi * progress)) / 2

    def with_steps(self, steps: int) -> "TrainingConfig":
        """The same with another number of steps, of which warm-up keeps its share."""
        return replace(self, steps=steps, warmup=self.warmup * steps // self.steps)
