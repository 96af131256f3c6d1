"""Multi-rate runs beside repeated baselines: differences with intervals, curves, slopes, cost.

All numbers come from runs at the same betas; nothing here draws a line between betas but the area
between the rate-distortion curves, which says so.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from mrtc.errors import MrtcError
from mrtc.results import RunSet
from mrtc.statistics import (
    AreaBetween,
    Equivalence,
    Interval,
    Pairing,
    Slopes,
    area_between,
    equivalence,
    holm,
    hypervolume,
    mean_interval,
    pair,
    slopes,
)

MARGINS: Mapping[str, float] = {
    "rate": 1.0,
    "distortion": 1.0,
    "elbo": 1.0,
    "mig_chen": 0.05,
    "active_units": 1.0,
}
"""Greatest differences that do not matter, unless told otherwise: a nat, a code, 0.05 of a gap."""

ALPHA = 0.05


@dataclass(frozen=True)
class MetricComparison:
    """One metric of multi-rate runs less that of baselines."""

    name: str
    unit: str
    beta: Float64[np.ndarray, " beta"]
    at_beta: tuple[Equivalence, ...]
    """At each beta: difference with interval, and the equivalence test."""
    adjusted: Float64[np.ndarray, " beta"]
    """P values of those tests, adjusted by Holm for the number of betas."""
    overall: Equivalence
    """Of the means over beta of each seed that has a value at every beta."""


@dataclass(frozen=True)
class CurveComparison:
    """Rate-distortion curves, each seed's on its own."""

    areas: tuple[AreaBetween, ...]
    """Multi-rate less baselines, for each pair of seeds that are compared."""
    mean_difference: Interval
    """Of distortion at equal rate, over the areas; without interval if seeds do not pair."""
    hypervolume: dict[str, Float64[np.ndarray, " seed"]]
    """Dominated area of each seed, in square nats, by the kind of runs; greater is better. NaN for
    a seed of which a run failed: fewer points dominate less."""
    reference: tuple[float, float]
    """Rate and distortion that bound the hypervolumes: the greatest of all runs."""


@dataclass(frozen=True)
class Cost:
    """What the curve of one seed took."""

    runs: int
    """Training runs that make up a curve."""
    parameters: float
    """Of one model."""
    steps: float
    """Of one run."""
    examples: float
    """Seen by one run."""
    seconds: float
    """Of one run, mean over the runs that counted them."""
    seconds_deviation: float
    """Over those runs."""

    @property
    def curve_seconds(self) -> float:
        """Of the whole curve."""
        return self.runs * self.seconds


@dataclass(frozen=True)
class Comparison:
    """Multi-rate runs against one set of baselines."""

    multirate: RunSet
    baselines: RunSet
    """Both at the betas that are compared: those of the baselines."""
    pairing: Pairing
    metrics: dict[str, MetricComparison]
    curves: CurveComparison
    costs: dict[str, Cost]
    """By the kind of runs."""
    break_even: dict[str, float]
    """From how many betas on one multi-rate run takes less than a baseline for each: by
    ``seconds`` and by ``examples``; NaN where that is not known."""


def compare(
    multirate: RunSet,
    baselines: RunSet,
    *,
    metrics: Sequence[str] | None = None,
    margins: Mapping[str, float] | None = None,
) -> Comparison:
    """Compares multi-rate runs with baselines at the betas of the baselines.

    Runs that failed are left out, with their partner where seeds pair. With one seed there are
    differences and no intervals.

    Args:
        multirate: Runs over seeds.
        baselines: Runs over seeds and beta.
        metrics: What is compared; by default all with a margin that both sets have.
        margins: By metric, what does not matter; those of ``MARGINS`` are changed or added to.

    Raises:
        ResultsError: If the multi-rate runs lack a beta of the baselines, or a set lacks a metric.
        MrtcError: If a metric has no margin.
    """
    multirate = multirate.at(baselines.beta)
    allowed = dict(MARGINS) | dict(margins or {})
    if metrics is None:
        metrics = [
            name for name in allowed if all(name in s.values for s in (multirate, baselines))
        ]
    pairing = pair(multirate.seed.tolist(), baselines.seed.tolist())
    costs: dict[str, Cost] = {runs.kind: cost_of(runs) for runs in (multirate, baselines)}
    return Comparison(
        multirate,
        baselines,
        pairing,
        {name: _metric(name, multirate, baselines, pairing, allowed) for name in metrics},
        _curves(multirate, baselines, pairing),
        costs,
        {
            name: _break_even(getattr(costs["multi-rate"], name), getattr(costs["baselines"], name))
            for name in ("seconds", "examples")
        },
    )


def slopes_of(runs: RunSet) -> list[Slopes]:
    """The slope test of each seed: at an optimum distortion falls by beta nats per nat of rate.

    Under beta-TCVAE beta weighs the total correlation alone, so that stands for the rate, and the
    rest of the loss for the distortion. It needs no baseline.

    Raises:
        ResultsError: If the runs lack a metric that it needs, such as ``total_correlation``.
    """
    rate, distortion = runs.value("rate"), runs.value("distortion")
    if runs.config.get("objective.name") == "tcvae":
        weighed = runs.value("total_correlation")
        rate, distortion = weighed, distortion + rate - weighed
    return [slopes(runs.beta, r, d) for r, d in zip(rate, distortion, strict=True)]


def cost_of(runs: RunSet) -> Cost:
    """What one curve over all betas took."""
    seconds = runs.cost["seconds"][np.isfinite(runs.cost["seconds"])]
    return Cost(
        runs=1 if runs.kind == "multi-rate" else len(runs.beta),
        parameters=_mean(runs.cost["parameters"]),
        steps=_mean(runs.cost["steps"]),
        examples=_mean(runs.cost["examples"]),
        seconds=_mean(seconds),
        seconds_deviation=float(seconds.std(ddof=1)) if len(seconds) > 1 else math.nan,
    )


def _metric(
    name: str,
    multirate: RunSet,
    baselines: RunSet,
    pairing: Pairing,
    margins: Mapping[str, float],
) -> MetricComparison:
    if name not in margins:
        raise MrtcError(
            f"{name} has no margin, a difference of it that does not matter; give one with "
            f"--margins {name}=NUMBER, chosen before you look"
        )
    ours, theirs = _paired(multirate, baselines, pairing, name)
    at_beta = tuple(
        equivalence(a, b, margins[name], paired=pairing.is_paired, alpha=ALPHA)
        for a, b in zip(ours.T, theirs.T, strict=True)
    )
    overall = equivalence(
        ours.mean(1), theirs.mean(1), margins[name], paired=pairing.is_paired, alpha=ALPHA
    )
    return MetricComparison(
        name,
        baselines.variables[name].unit,
        baselines.beta,
        at_beta,
        holm(np.array([test.p_value for test in at_beta])),
        overall,
    )


def _paired(
    multirate: RunSet, baselines: RunSet, pairing: Pairing, name: str
) -> tuple[Float[np.ndarray, "seed_a beta"], Float[np.ndarray, "seed_b beta"]]:
    return multirate.value(name)[pairing.index_a], baselines.value(name)[pairing.index_b]


def _curves(multirate: RunSet, baselines: RunSet, pairing: Pairing) -> CurveComparison:
    rate, their_rate = _paired(multirate, baselines, pairing, "rate")
    distortion, their_distortion = _paired(multirate, baselines, pairing, "distortion")
    if pairing.is_paired:
        areas = tuple(
            area_between(*curves)
            for curves in zip(rate, distortion, their_rate, their_distortion, strict=True)
        )
    else:
        curves = (rate, distortion, their_rate, their_distortion)
        areas = (area_between(*(_mean_over_seeds(values) for values in curves)),)
    reference = (
        float(np.nanmax([np.nanmax(rate), np.nanmax(their_rate)])),
        float(np.nanmax([np.nanmax(distortion), np.nanmax(their_distortion)])),
    )
    return CurveComparison(
        areas,
        mean_interval(np.array([area.mean_difference for area in areas])),
        {
            runs.kind: np.array(
                [
                    hypervolume(r, d, reference) if np.isfinite(r + d).all() else math.nan
                    for r, d in zip(runs.value("rate"), runs.value("distortion"), strict=True)
                ]
            )
            for runs in (multirate, baselines)
        },
        reference,
    )


def _break_even(one_multirate: float, one_baseline: float) -> float:
    """The smallest number of betas at which the multi-rate run is the cheaper way, or as cheap."""
    ratio = one_multirate / one_baseline if one_baseline > 0 else math.nan
    return math.nan if math.isnan(ratio) else float(math.ceil(ratio - 1e-9))


def _mean_over_seeds(values: Float[np.ndarray, "seed beta"]) -> Float64[np.ndarray, " beta"]:
    return np.array([_mean(column) for column in values.T])


def _mean(values: Float[np.ndarray, "*shape"]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else math.nan
