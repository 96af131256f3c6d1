"""How a checkpoint is evaluated, and on which examples."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int
from pydantic import NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from mrtc.factors import FactorGrid
from mrtc.metrics.information import Estimator
from mrtc.randomness import numpy_stream

ACTIVE_VARIANCE = 0.01

Values = dict[str, np.ndarray | float]
"""What is measured at one beta, by the names of :data:`mrtc.results.VARIABLES`."""

Parameters = dict[str, dict[str, object]]
"""By the same names, what a value depends on beside the model."""


@dataclass(frozen=True)
class EvaluationConfig:
    """How a checkpoint is evaluated."""

    scored_factors: tuple[str, ...]
    """Factors whose gaps make up the MIG; none where the data have no factors."""
    examples: PositiveInt | None = None
    """Examples that are encoded, a stratified subset; ``None`` for all."""
    keep: PositiveInt = 10_000
    """Examples, of those encoded, whose moments are stored, and which are decoded for the
    distortion."""
    estimator: Estimator = "quadrature"
    """Of the entropies behind the MIG."""
    samples: PositiveInt = 10_000
    """Draws for each entropy, with ``sampling``."""
    seed: int = 0
    """Of the subsets and of all draws."""
    importance_samples: NonNegativeInt = 0
    """Draws of each kept posterior for the importance-weighted bound; 0 for no bound."""

    def choose(
        self, population: int, grid: FactorGrid | None = None
    ) -> tuple[Int[np.ndarray, " example"], Int[np.ndarray, " kept"]]:
        """Indices of the examples to encode, and positions among them of those to keep.

        Args:
            population: Examples in the dataset.
            grid: Of its factors; whatever is drawn from the whole is stratified over it.
        """
        index = np.arange(population)
        if self.examples is not None and self.examples < population:
            index = _subset(self.examples, population, grid, numpy_stream(self.seed, "examples"))
        kept = np.arange(len(index))
        if self.keep < len(index):
            whole_grid = grid if len(index) == population else None
            kept = _subset(self.keep, len(index), whole_grid, numpy_stream(self.seed, "kept"))
        return index, kept

    def parameters(self, encoded: int, decoded: int) -> Parameters:
        """What each stored variable depends on beside the model.

        Args:
            encoded: Number of examples whose codes are measured.
            decoded: Number of those that are decoded, too.
        """
        all_encoded: dict[str, object] = {"examples": encoded}
        all_decoded: dict[str, object] = {"examples": decoded, "draws": 1, "seed": self.seed}
        entropies = all_encoded | {"estimator": self.estimator}
        if self.estimator == "sampling":
            entropies |= {"samples": self.samples, "seed": self.seed}
        active = all_encoded | {"threshold": ACTIVE_VARIANCE}
        kept: dict[str, object] = {"examples": decoded}
        importance = all_decoded | {"draws": self.importance_samples}
        return {
            **dict.fromkeys(("rate", "rate_error", "rate_code", "code_variance"), all_encoded),
            **dict.fromkeys(("distortion", "distortion_error", "elbo", "perplexity"), all_decoded),
            **dict.fromkeys(("information", "information_error", "code_entropy"), entropies),
            **dict.fromkeys(("mean", "log_sigma"), kept),
            **dict.fromkeys(
                (
                    "importance_weighted_bound",
                    "importance_weighted_bound_error",
                    "importance_weighted_perplexity",
                    "effective_samples",
                ),
                importance,
            ),
            "mig_chen": entropies | {"scored_factors": list(self.scored_factors)},
            "mig_chen_factor": entropies | {"scored_factors": list(self.scored_factors)},
            "active_units": active,
            "factor_entropy": all_encoded,
        }


def _subset(
    count: int, population: int, grid: FactorGrid | None, rng: np.random.Generator
) -> Int[np.ndarray, " example"]:
    if grid is not None:
        return grid.stratified(count, rng)
    chosen: Int[np.ndarray, " example"] = np.sort(rng.choice(population, count, replace=False))
    return chosen


@runtime_checkable
class Measurer(Protocol):
    """A model and the examples on which it is measured, at one beta after another."""

    parameters: Parameters

    def measure(self, beta: float, advance: Callable[[int], None]) -> Values:
        """Everything at one beta; tells ``advance`` how many draws of importance are done."""
