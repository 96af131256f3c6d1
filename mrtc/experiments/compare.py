"""Results files compared: multi-rate runs and baselines found among them, and checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mrtc.errors import ResultsError
from mrtc.evaluation.compare import Comparison, compare, slopes_of
from mrtc.results import (
    Results,
    RunSet,
    collect,
    is_runs_file,
    kind_of,
    read,
    read_runs,
    require_comparable,
)
from mrtc.statistics import Slopes


@dataclass(frozen=True)
class Compared:
    """A comparison, and what is to be said beside it."""

    comparison: Comparison
    dense: RunSet
    """The multi-rate runs at all their betas."""
    slopes: dict[str, list[Slopes]]
    """The slope test of each seed, by the kind of runs, where the runs have what it needs."""
    remarks: list[str]
    """In which settings the runs differ, which failed, and what the results do not allow."""


def compare_files(
    paths: Sequence[Path | str],
    *,
    metrics: Sequence[str] | None = None,
    margins: Mapping[str, float] | None = None,
) -> Compared:
    """Compares the multi-rate runs among some results files with the baselines among them.

    Args:
        paths: Files of `mrtc eval-mig` or `mrtc eval`, one a run, and of `mrtc baselines`.
        metrics: What is compared, see :func:`mrtc.evaluation.compare.compare`.
        margins: What does not matter, by metric.

    Raises:
        ResultsError: If a kind is missing, runs of one kind differ in more than seed and beta, the
            two kinds measure different things, or they share no betas.
    """
    return compare_runs(*load_runs(paths), metrics=metrics, margins=margins)


def compare_runs(
    multirate: RunSet,
    baselines: RunSet,
    *,
    metrics: Sequence[str] | None = None,
    margins: Mapping[str, float] | None = None,
) -> Compared:
    """Compares two sets of runs, as :func:`compare_files` does.

    Raises:
        ResultsError: If they measure different things, or share no betas.
    """
    settings = require_comparable(multirate, baselines)
    comparison = compare(multirate, baselines, metrics=metrics, margins=margins)
    remarks = _remarks(comparison, settings)
    tested: dict[str, list[Slopes]] = {}
    for runs in (multirate, baselines):
        try:
            tested[runs.kind] = slopes_of(runs)
        except ResultsError as error:
            remarks.append(f"no slope test: {error}")
    return Compared(comparison, multirate, tested, remarks)


def load_runs(paths: Sequence[Path | str]) -> tuple[RunSet, RunSet]:
    """The multi-rate runs and the baselines among some results files.

    Raises:
        ResultsError: If a kind is missing, or its runs cannot be put together.
    """
    single: dict[str, list[Results]] = {"multi-rate": [], "baselines": []}
    sets: dict[str, list[RunSet]] = {"multi-rate": [], "baselines": []}
    for path in map(Path, paths):
        if is_runs_file(path):
            runs = read_runs(path)
            sets[runs.kind].append(runs)
        else:
            results = read(path)
            single[kind_of(results)].append(results)
    found = {}
    for kind in single:
        if single[kind]:
            sets[kind].append(collect(single[kind]))
        if len(sets[kind]) != 1:
            raise ResultsError(
                f"a comparison needs one set of {kind} runs, and {len(sets[kind])} were given; "
                f"give the results of {_how(kind)}"
            )
        found[kind] = sets[kind][0]
    return found["multi-rate"], found["baselines"]


def _how(kind: str) -> str:
    if kind == "baselines":
        return "one `mrtc baselines`, or of single baselines that differ in seed and beta"
    return "multi-rate models (`mrtc train`, then `mrtc eval-mig`), one file a seed"


def _remarks(comparison: Comparison, settings: Sequence[str]) -> list[str]:
    remarks = [f"the two kinds of runs differ in {setting}" for setting in settings]
    for runs in (comparison.multirate, comparison.baselines):
        remarks += [
            f"{runs.kind} run of seed {seed} at beta {beta:.3g} failed: {reason}"
            for (seed, beta), reason in runs.failures.items()
        ]
        if len(runs.seed) == 1:
            remarks.append(
                f"there is one seed of {runs.kind}: differences have no intervals, and nothing "
                "can be said of chance"
            )
    seeds = [runs.seed.tolist() for runs in (comparison.multirate, comparison.baselines)]
    if not comparison.pairing.is_paired and seeds[0] != seeds[1]:
        remarks.append(
            f"seeds do not pair ({seeds[0]} and {seeds[1]}): differences are of means, by Welch"
        )
    return remarks
