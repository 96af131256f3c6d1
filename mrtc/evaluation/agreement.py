"""How far scores agree on which beta is better."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float
from scipy.stats import kendalltau

from mrtc.errors import ResultsError
from mrtc.metrics.catalogue import CATALOGUE
from mrtc.results import Results

LEAST_BETAS = 3
"""Ranks of fewer betas say nothing."""


@dataclass(frozen=True)
class Flip:
    """Two scores that rank the betas the other way round."""

    one: str
    other: str
    best_for_one: float
    """The beta that the first score puts highest."""
    best_for_other: float
    correlation: float
    """Kendall's tau-b, below 0."""


@dataclass(frozen=True, eq=False)
class Agreement:
    """Rank correlations of the scores of one results file, over beta."""

    names: tuple[str, ...]
    correlation: Float[np.ndarray, "score score"]
    """Kendall's tau-b, from -1 to 1; NaN where a score is the same at all betas."""
    flips: list[Flip]
    """Pairs with a negative correlation, the worst first."""
    betas: int


def agreement(results: Results) -> Agreement:
    """Rank agreement over beta of all scores that have a direction.

    The betas of one checkpoint are not independent models: this compares what scores say of one
    curve, and is no test.

    Raises:
        ResultsError: If the file has fewer than two such scores, or too few betas.
    """
    names = [
        name
        for name, series in results.scores.items()
        if name in CATALOGUE and CATALOGUE[name].direction
        if np.isfinite(series.value[results.evaluated]).sum() >= LEAST_BETAS
    ]
    if len(names) < 2:
        raise ResultsError(
            f"{results.path} holds {len(names)} scores with a direction at {LEAST_BETAS} betas or "
            f"more, {', '.join(names) or 'none'}; add some with `mrtc rescore {results.path} "
            "--metrics all`"
        )
    sign = {name: -1 if CATALOGUE[name].direction.startswith("lower") else 1 for name in names}
    values = {name: sign[name] * results.scores[name].value[results.evaluated] for name in names}
    beta = results.beta[results.evaluated]
    correlation = np.eye(len(names))
    flips = []
    for i, j in combinations(range(len(names)), 2):
        a, b = values[names[i]], values[names[j]]
        both = np.isfinite(a) & np.isfinite(b)
        tau = float(kendalltau(a[both], b[both]).statistic) if both.sum() >= LEAST_BETAS else np.nan
        correlation[i, j] = correlation[j, i] = tau
        if tau < 0:
            best_a, best_b = (float(beta[both][values[both].argmax()]) for values in (a, b))
            flips.append(Flip(names[i], names[j], best_a, best_b, tau))
    return Agreement(
        tuple(names), correlation, sorted(flips, key=lambda flip: flip.correlation), len(beta)
    )
