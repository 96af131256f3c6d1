"""What a report shows: numbers of models over beta, baselines put together as one series."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mrtc.errors import ResultsError
from mrtc.hierarchy import LatentGroup
from mrtc.results import VARIABLES, Results, RunSet, Variable, unit_of
from mrtc.results.groups import one_group
from mrtc.results.pictures import StoredPictures
from mrtc.results.sameness import Kind

SAME_DATA = ("dataset", "likelihood")
"""Entries of a configuration without which numbers of two models measure different things."""


@dataclass(frozen=True, eq=False)
class Source:
    """One file of a report, as read."""

    path: Path
    content: Results | RunSet
    pictures: StoredPictures | None = None

    @property
    def config(self) -> Mapping[str, Any]:
        """Of the run, or what all runs have in common."""
        return self.content.config

    @property
    def data(self) -> str:
        """The data in words."""
        content = self.content
        return content.source if isinstance(content, RunSet) else content.header.source

    @property
    def kind(self) -> Kind:
        """Baselines, or anything that has several betas: codes of other programs too."""
        if isinstance(self.content, RunSet):
            return self.content.kind
        betas = self.config.get("betas")
        is_single = isinstance(betas, Mapping) and betas["low"] == betas["high"]
        return "baselines" if is_single else "multi-rate"


@dataclass(frozen=True, eq=False)
class Series:
    """Numbers of one model over beta, of baselines, or of the mean over seeds of either."""

    name: str
    kind: Kind
    beta: Float[np.ndarray, " beta"]
    """Increasing."""
    values: Mapping[str, Float[np.ndarray, " beta"]]
    """By the names of ``variables``; NaN where there is no value."""
    low: Mapping[str, Float[np.ndarray, " beta"]]
    """One standard error below the value, or the end of its 95 % interval, where known."""
    high: Mapping[str, Float[np.ndarray, " beta"]]
    variables: Mapping[str, Variable]
    information: Float[np.ndarray, "beta code factor"] | None = None
    """Of code and factor: a share of the factor's entropy; None where it is not known."""
    factors: tuple[str, ...] = ()
    rate_code: Float[np.ndarray, "beta code"] | None = None
    groups: tuple[LatentGroup, ...] = ()
    """Of a hierarchy, the top one first; none of other models."""
    group: int | None = None
    """Of a hierarchy, the group whose codes the file keeps."""
    rate_group: Float[np.ndarray, "beta group"] | None = None
    pictures: tuple[StoredPictures, ...] = field(default=())

    @property
    def kept_group(self) -> str:
        """In words, of a hierarchy, the group whose codes are kept and scored; empty for others."""
        return "" if self.group is None else one_group(self.groups, self.group)


def gather(sources: Sequence[Source]) -> list[Series]:
    """Series of the files: one for each, but all single baselines as one.

    Raises:
        ResultsError: If the files are of different data or likelihoods, or a file is there twice.
    """
    _require_together(sources)
    names = _names(sources)
    series, single = [], []
    for source, name in zip(sources, names, strict=True):
        if isinstance(source.content, RunSet):
            series.append(_of_runs(name, source.content))
        elif source.kind == "baselines":
            single.append(_of_results(name, source, source.content))
        else:
            series.append(_of_results(name, source, source.content))
    if single:
        series.append(_joined(single))
    return sorted(series, key=lambda one: one.kind == "baselines")


def _require_together(sources: Sequence[Source]) -> None:
    if not sources:
        raise ResultsError("there is nothing to report on; give at least one results file")
    first = sources[0]
    for at, other in enumerate(sources[1:], 1):
        if other.path.resolve() in {source.path.resolve() for source in sources[:at]}:
            raise ResultsError(f"{other.path} is given twice; give each results file once")
        for entry in SAME_DATA:
            mine, theirs = (source.config.get(entry, source.data) for source in (first, other))
            if mine != theirs:
                raise ResultsError(
                    f"{first.path} and {other.path} cannot be shown together: {entry}: {mine} and "
                    f"{theirs}; write a report of each"
                )


def _names(sources: Sequence[Source]) -> list[str]:
    """Stems of the files; whole paths where two have the same."""
    stems = [source.path.stem for source in sources]
    if len(set(stems)) == len(stems):
        return stems
    return [str(source.path) for source in sources]


def _of_results(name: str, source: Source, results: Results) -> Series:
    there = results.evaluated
    scores = results.scores
    variables = dict(_scalars(results))
    values = {key: results.metrics[key][there] for key in variables}
    low, high = {}, {}
    for key in variables:
        if f"{key}_error" in results.metrics:
            error = results.metrics[f"{key}_error"][there]
            low[key], high[key] = values[key] - error, values[key] + error
    for key, score in scores.items():
        variables[key], values[key] = score.variable, score.value[there]
        if {"_low", "_high"} <= set(score.values):
            low[key], high[key] = score.values["_low"][there], score.values["_high"][there]
    return Series(
        name=name,
        kind=source.kind,
        beta=results.beta[there],
        values=values,
        low=low,
        high=high,
        variables=variables,
        information=_shares(results),
        factors=results.factors,
        rate_code=results.metrics["rate_code"][there] if "rate_code" in results.metrics else None,
        groups=results.header.groups,
        group=results.header.group,
        rate_group=results.metrics["rate_group"][there]
        if "rate_group" in results.metrics
        else None,
        pictures=() if source.pictures is None else (source.pictures,),
    )


def _scalars(results: Results) -> Iterator[tuple[str, Variable]]:
    """Metrics of one number a beta, with the units that they have in this run."""
    for name in results.metrics:
        variable = VARIABLES[name]
        if variable.dims == ("beta",) and not name.endswith("_error"):
            yield name, replace(variable, unit=unit_of(variable, results.config))


def _shares(results: Results) -> Float[np.ndarray, "beta code factor"] | None:
    """Mutual information of code and factor over the factor's entropy; NaN for constant ones."""
    if not {"information", "factor_entropy"} <= set(results.metrics):
        return None
    entropy = results.metrics["factor_entropy"]
    varying = np.where(entropy > 0, entropy, np.nan)
    shares: Float[np.ndarray, "beta code factor"] = results.metric("information") / varying
    return shares


def _of_runs(name: str, runs: RunSet) -> Series:
    """Means over seeds, with their standard errors where there are two seeds or more."""
    variables = {key: one for key, one in runs.variables.items() if one.dims == ("beta",)}
    variables = {key: one for key, one in variables.items() if not key.endswith("_error")}
    values, low, high = {}, {}, {}
    for key, variable in variables.items():
        variables[key] = replace(variable, unit=unit_of(variable, runs.config))
        found = np.isfinite(runs.values[key])
        count = found.sum(0)
        total = np.where(found, runs.values[key], 0).sum(0)
        mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        values[key] = mean
        if len(runs.seed) > 1:
            squares = np.where(found, runs.values[key] - mean, 0) ** 2
            error = np.sqrt(squares.sum(0) / np.maximum(count - 1, 1) / np.maximum(count, 1))
            error = np.where(count > 1, error, np.nan)
            low[key], high[key] = mean - error, mean + error
    seeds = len(runs.seed)
    label = f"{name} (mean of {seeds} seeds)" if seeds > 1 else name
    return Series(label, runs.kind, runs.beta, values, low, high, variables)


def _joined(single: Sequence[Series]) -> Series:
    """Baselines of one beta each as one series; several of one beta stay several points."""
    if len(single) == 1:
        return single[0]
    ordered = sorted(single, key=lambda one: float(one.beta[0]))
    names = [name for name in ordered[0].variables if all(name in s.values for s in ordered)]
    bounded = [name for name in names if all(name in one.low for one in ordered)]
    beta = np.concatenate([one.beta for one in ordered])
    parts = [one.information for one in ordered if one.information is not None]
    are_alike = len({(one.groups, one.group) for one in ordered}) == 1
    has_map = are_alike and len(parts) == len(ordered) and len({p.shape[1:] for p in parts}) == 1
    rates = [one.rate_group for one in ordered if one.rate_group is not None]
    return Series(
        name=f"baselines ({len(ordered)} models)",
        kind="baselines",
        beta=beta,
        values={name: np.concatenate([one.values[name] for one in ordered]) for name in names},
        low={name: np.concatenate([one.low[name] for one in ordered]) for name in bounded},
        high={name: np.concatenate([one.high[name] for one in ordered]) for name in bounded},
        variables={name: ordered[0].variables[name] for name in names},
        information=np.concatenate(parts) if has_map else None,
        factors=ordered[0].factors,
        groups=ordered[0].groups if are_alike else (),
        group=ordered[0].group if are_alike else None,
        rate_group=np.concatenate(rates) if are_alike and len(rates) == len(ordered) else None,
        pictures=tuple(pictures for one in ordered for pictures in one.pictures),
    )
