"""Runs of one kind side by side, over beta and seeds: multi-rate models, or baselines."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from mrtc.errors import ResultsError
from mrtc.results.groups import all_codes
from mrtc.results.markup import over_beta
from mrtc.results.reader import Results
from mrtc.results.sameness import (
    Kind,
    distinct_betas,
    evaluation_of,
    kind_of,
    listed,
    positions,
    require_same,
    shared_config,
)
from mrtc.results.schema import VARIABLES, Variable, unit_of
from mrtc.trees import differing

COST = ("steps", "examples", "seconds", "parameters")
"""What is counted of a run."""


@dataclass(frozen=True, eq=False)
class RunSet:
    """What was measured of several runs, over (seed, beta); NaN where there is no value."""

    kind: Kind
    beta: Float[np.ndarray, " beta"]
    seed: Int[np.ndarray, " seed"]
    config: Mapping[str, Any]
    """Of all runs, without their seeds and betas; by dotted names."""
    parameters: Mapping[str, Any]
    """How they were evaluated."""
    source: str
    """The data in words."""
    num_codes: int
    factors: tuple[str, ...]
    values: Mapping[str, Float[np.ndarray, "seed beta *axes"]]
    """Metrics and scores by name."""
    variables: Mapping[str, Variable]
    """Their axes, without that of seeds, units and sources."""
    cost: Mapping[str, Float[np.ndarray, "seed run"]]
    """By the names of ``COST``, one entry a run: a multi-rate model is one run a seed."""
    failures: Mapping[tuple[int, float], str] = field(default_factory=dict)
    """Why a run has no values, by its seed and beta."""

    @property
    def all_codes(self) -> int:
        """Codes of each model, those of all groups of a hierarchy."""
        return all_codes(self.parameters, self.num_codes)

    def __repr__(self) -> str:
        return f"<RunSet of {self._summary()}>"

    def _repr_html_(self) -> str:
        values, deviations = {}, {}
        for name, value in self.values.items():
            if value.ndim == 2 and name.removesuffix("_error") not in values:
                runs = pd.DataFrame(value)  # its mean and deviation pass over NaN
                values[name], deviations[name] = runs.mean().to_numpy(), runs.std().to_numpy()
        units = {name: unit_of(self.variables[name], self.config) for name in values}
        caption = f"{self.source}: {self._summary()}; mean ± standard deviation over seeds"
        return over_beta(self.beta, values, deviations, units, caption)

    def _summary(self) -> str:
        failed = f", {len(self.failures)} runs failed" if self.failures else ""
        return (
            f"{self.kind}: {len(self.seed)} seeds, {len(self.beta)} betas from "
            f"{self.beta.min():.4g} to {self.beta.max():.4g}{failed}"
        )

    def value(self, name: str) -> Float[np.ndarray, "seed beta *axes"]:
        """One metric or score.

        Raises:
            ResultsError: If the runs were not all evaluated with it.
        """
        if name not in self.values:
            raise ResultsError(
                f"the {self.kind} results hold no {name}, only {', '.join(self.values)}; evaluate "
                "the runs again with it"
            )
        return self.values[name]

    def has_value(self) -> Bool[np.ndarray, "seed beta"]:
        """Where there is a run."""
        there: Bool[np.ndarray, "seed beta"] = np.isfinite(self.value("rate"))
        return there

    def at(self, beta: Float[np.ndarray, " chosen"]) -> "RunSet":
        """The same runs at some of their betas.

        Raises:
            ResultsError: If a beta is missing; the message names it.
        """
        position = positions(self.beta, beta)
        if (position < 0).any():
            missing = ", ".join(f"{value:.6g}" for value in beta[position < 0])
            raise ResultsError(
                f"the {self.kind} results have no beta {missing}; they have "
                f"{', '.join(f'{value:.6g}' for value in self.beta)}: evaluate both over betas "
                "that they share"
            )
        values = {name: value[:, position] for name, value in self.values.items()}
        cost = {
            name: value[:, position] if self.kind == "baselines" else value
            for name, value in self.cost.items()
        }
        return replace(self, beta=self.beta[position], values=values, cost=cost)


def collect(
    results: Sequence[Results], failures: Mapping[tuple[int, float], str] | None = None
) -> RunSet:
    """Puts evaluations of runs of one kind side by side.

    Args:
        results: Multi-rate runs of different seeds over one grid of beta, or baselines of one beta
            and one seed each; equal in all but seed and beta.
        failures: Runs that have no results, by seed and beta, with the reason.

    Raises:
        ResultsError: If there are none, they differ in more, or a run is there twice; the message
            names what differs.
    """
    if not results:
        raise ResultsError("there are no results to put together; give at least one results file")
    first = results[0]
    kind = kind_of(first)
    for other in results[1:]:
        require_same(first, other)
    failures = dict(failures or {})
    runs = [(_seed(run), run) for run in results]
    seeds = np.unique([seed for seed, _ in runs] + [seed for seed, _ in failures])
    beta = distinct_betas([*(b for run in results for b in run.beta), *(b for _, b in failures)])
    _require_once(runs, kind)

    variables = {
        name: variable
        for name, variable in _variables(first).items()
        if all(name in _all(run) for run in results)
    }
    names = list(variables)
    values = {
        name: np.full((len(seeds), len(beta), *_all(first)[name].shape[1:]), np.nan)
        for name in names
    }
    columns = len(beta) if kind == "baselines" else 1
    cost = {name: np.full((len(seeds), columns), np.nan) for name in COST}
    for seed, run in runs:
        row, column = int(np.searchsorted(seeds, seed)), positions(beta, run.beta)
        for name in names:
            values[name][row, column] = _all(run)[name]
        for name in COST:
            cost[name][row, column if kind == "baselines" else 0] = run.header.cost.get(
                name, np.nan
            )
    return RunSet(
        kind,
        beta,
        seeds.astype(np.int64),
        shared_config(first),
        evaluation_of(first),
        first.header.source,
        first.header.num_codes,
        first.factors,
        values,
        variables,
        cost,
        failures,
    )


def _seed(results: Results) -> int:
    return int(results.config["seed"])


def _variables(results: Results) -> dict[str, Variable]:
    """What is known at each beta."""
    metrics = {name: VARIABLES[name] for name in results.metrics}
    return {name: variable for name, variable in metrics.items() if "beta" in variable.dims} | {
        name: series.variable for name, series in results.scores.items()
    }


def _all(results: Results) -> dict[str, Float[np.ndarray, "beta ..."]]:
    return dict(results.metrics) | {name: series.value for name, series in results.scores.items()}


def _require_once(runs: Sequence[tuple[int, Results]], kind: Kind) -> None:
    seen: dict[tuple[int, float], Results] = {}
    for seed, run in runs:
        key = (seed, float(run.beta[0]) if kind == "baselines" else 0.0)
        if key in seen:
            raise ResultsError(
                f"{seen[key].path} and {run.path} are of the same run (seed {seed}); give each run "
                "once"
            )
        seen[key] = run


NOT_COMPARED = ("preset", "source", "precision", "model.gated", "model.gates", "model.gate_init")
"""Entries of a configuration that may differ between kinds of runs: what they are compared in."""

REQUIRED = ("dataset", "likelihood", "objective.name", "model.kind", "model.codes")
"""Entries without which two kinds of runs measure different things."""


def require_comparable(one: RunSet, two: RunSet) -> list[str]:
    """Checks that two sets measure the same thing.

    Returns:
        In which other entries of their configurations, such as the budget, they differ: in words.

    Raises:
        ResultsError: If likelihood, data, objective, architecture, latent size or evaluation
            differ; the message names what does.
    """
    differ = differing(one.config, two.config)
    found = {name: values for name, values in differ.items() if name in REQUIRED}
    found |= differing(one.parameters, two.parameters)
    if found:
        raise ResultsError(
            f"the {one.kind} and the {two.kind} results cannot be compared: {listed(found)}. Give "
            "results of the same data, likelihood, objective and architecture, evaluated alike"
        )
    by_kind = ("betas", "objective.groups")  # what a baseline has none of
    return [
        f"{name}: {mine} ({one.kind}), {theirs} ({two.kind})"
        for name, (mine, theirs) in differ.items()
        if name not in NOT_COMPARED and not name.startswith(by_kind)
    ]
