"""Scores of a results file from the moments that it keeps: no model, no GPU."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import joblib
import numpy as np
from jaxtyping import Float64, Int64
from pydantic import NonNegativeInt
from pydantic.dataclasses import dataclass as checked_dataclass

from mrtc.errors import MrtcError, ResultsError
from mrtc.metrics.catalogue import CATALOGUE, DISTANCES, Metric
from mrtc.metrics.score import Score
from mrtc.metrics.scorecard import Representation, computations, compute, with_cautions
from mrtc.metrics.uncertainty import bootstrap_interval, permutation_null
from mrtc.progress import Progress
from mrtc.results import Results, ScoreRecord, Variable, read, reopen
from mrtc.results.groups import GROUP, OF_ALL_GROUPS


@checked_dataclass(frozen=True)
class ScoringConfig:
    """What scores depend on beside the moments."""

    seed: NonNegativeInt = 0
    """Of the scores that draw random numbers, and of the two below."""
    bootstrap: NonNegativeInt = 0
    """Resamples of the examples, for a 95 % interval of each score that reads means and factors
    alone; 0 for none. Each costs as much as the score itself."""
    null: NonNegativeInt = 0
    """Permutations, for the same scores where codes and factors have nothing in common."""


@dataclass(frozen=True)
class Spread:
    """What resampling and permuting say of one score."""

    interval: tuple[float, float] | None = None
    details: Mapping[str, object] = field(default_factory=dict)


def score_results(
    path: Path,
    names: Sequence[str],
    config: ScoringConfig | None = None,
    *,
    workers: int = 1,
    force: bool = False,
    quiet: bool = False,
) -> Results:
    """Computes scores at every evaluated beta of a results file, and adds them to it.

    Scores that are there already, from the same configuration, are kept: what was interrupted
    goes on. The file is written once a beta. Values do not depend on the number of workers.

    Of a hierarchy, scores are of the codes of the group that the file keeps; rate and active units
    are of all groups, and there already.

    Args:
        path: The results file, with moments.
        names: Of the catalogue.
        config: Seed and repetitions.
        workers: Processes over betas and scores, and threads over factors where those are few.
        force: Compute again what is there.
        quiet: Show no progress.

    Raises:
        MrtcError: If a score is of samples, which needs the model.
        ResultsError: If the file holds no moments, or cannot be used.
        OutputError: If it cannot be written.
    """
    config = config or ScoringConfig()
    names = tuple(names)
    if of_samples := [name for name in names if name in DISTANCES]:
        raise MrtcError(
            f"{', '.join(of_samples)} compare samples with data, which needs the model; use "
            f"`mrtc eval CHECKPOINT --metrics {','.join(of_samples)} --out {path}`"
        )
    with reopen(path) as writer:
        results = read(path)
        there = OF_ALL_GROUPS if results.header.groups else ()
        names = tuple(name for name in names if name not in there)
        pending = dict(_pending(results, names, config, force=force))
        tasks = [(at, group) for at, groups in pending.items() for group in groups]
        processes = max(1, min(workers, len(tasks)))
        spare = workers // processes  # where betas and scores are few: factors
        with (
            Progress("scoring", len(tasks), unit="computation", quiet=quiet) as progress,
            joblib.Parallel(
                n_jobs=min(workers, max(1, len(tasks))), return_as="generator"
            ) as parallel,
        ):
            computed = parallel(
                joblib.delayed(_compute)(group, _representation(results, at), config, spare)
                for at, group in tasks
            )
            for at, groups in pending.items():
                scores: dict[str, Score] = {}
                spreads: dict[str, Spread] = {}
                for _ in groups:
                    some_scores, some_spreads = next(computed)
                    scores |= some_scores
                    spreads |= some_spreads
                    progress.advance(numbers={"beta": float(results.beta[at])})
                scores = with_cautions(scores, _representation(results, at))
                writer.write_scores(
                    at,
                    [
                        record(
                            CATALOGUE[name],
                            score,
                            spreads.get(name, Spread()),
                            config,
                            len(results.header.index),
                            results.header.group,
                        )
                        for name, score in scores.items()
                        if name not in there  # what is computed together may have them
                    ],
                )
    return read(path)


def record(
    metric: Metric,
    score: Score,
    spread: Spread,
    config: ScoringConfig,
    examples: int,
    group: int | None = None,
) -> ScoreRecord:
    """A score of so many examples, with what the catalogue says of it, as a file stores it.

    Of a hierarchy it is of the codes of one ``group``.
    """
    parts: dict[str, np.ndarray | float] = {}
    if score.per_factor is not None:
        parts["_factor"] = score.per_factor
    if score.per_code is not None:
        parts["_code"] = score.per_code
    if spread.interval is not None:
        parts["_low"], parts["_high"] = spread.interval
    remarks = {"reason": score.reason, "caution": score.caution}
    details = {
        "examples": examples,
        "parameters": dict(score.parameters),
        "config": asdict(config),
        **{key: remark for key, remark in remarks.items() if remark is not None},
        **spread.details,
        **({} if group is None else {GROUP: group}),
    }
    variable = Variable(
        metric.name, ("beta",), metric.unit, metric.title, metric.source, metric.direction
    )
    return ScoreRecord(variable, score.value, parts, details)


def _pending(
    results: Results, names: Sequence[str], config: ScoringConfig, *, force: bool
) -> Iterator[tuple[int, list[tuple[str, ...]]]]:
    """What is not there yet: positions of betas, and what is computed together there."""
    for at in np.flatnonzero(results.evaluated).tolist():
        missing = [
            name
            for name in names
            if force
            or name not in results.scores
            or (results.scores[name].details[at] or {}).get("config") != asdict(config)
        ]
        if missing:
            yield at, computations(missing)


def _compute(
    group: tuple[str, ...], representation: Representation, config: ScoringConfig, workers: int
) -> tuple[dict[str, Score], dict[str, Spread]]:
    scores = compute(group, representation, config.seed, workers)
    spreads = {}
    if representation.factors is not None:
        for name, score in scores.items():
            if score.reason is None and CATALOGUE[name].needs == ("factors",):
                spreads[name] = _spread(group, name, representation, config)
    return scores, spreads


def _spread(
    group: tuple[str, ...], name: str, representation: Representation, config: ScoringConfig
) -> Spread:
    def score(
        codes: Float64[np.ndarray, "example code"], factors: Int64[np.ndarray, "example factor"]
    ) -> Score:
        return compute(group, Representation(codes, None, factors), config.seed)[name]

    codes, factors = representation.mean, representation.classes
    interval, details = None, {}
    if config.bootstrap:
        resampled = bootstrap_interval(
            score, codes, factors, resamples=config.bootstrap, seed=config.seed
        )
        interval = resampled.low, resampled.high
        details["bootstrap"] = {"mean": resampled.mean, "level": resampled.level}
    if config.null:
        null = permutation_null(score, codes, factors, permutations=config.null, seed=config.seed)
        details["null"] = {
            "mean": null.mean,
            "low": null.low,
            "high": null.high,
            "p_value": null.p_value,
        }
    return Spread(interval, details)


def _representation(results: Results, at: int) -> Representation:
    moments = results.moments(at)
    scored = results.header.parameters.get("scored_factors")
    try:
        return Representation.of(
            moments.mean,
            moments.log_sigma,
            moments.classes,
            None if scored is None else [results.factors.index(name) for name in scored],
        )
    except ValueError as error:
        raise ResultsError(
            f"{results.path} cannot be scored at beta {results.beta[at]:g}: {error}"
        ) from error
