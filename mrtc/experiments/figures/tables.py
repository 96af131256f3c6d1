"""The numbers of a figure, as CSV, and as a page of Markdown that says how they came about."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from mrtc.experiments.config import RunConfig
from mrtc.experiments.figures.options import FigureOptions
from mrtc.files import write_atomically
from mrtc.results import RunSet


def run_table(sets: Mapping[str, RunSet], names: Sequence[str]) -> pd.DataFrame:
    """One row for each run and beta, with the columns ``runs``, ``seed``, ``beta`` and ``names``.

    Runs that failed have no values.

    Args:
        sets: By what the column ``runs`` says of them.
        names: Metrics and scores with one value for each run and beta.

    Raises:
        ResultsError: If a set lacks one of them.
    """
    return pd.DataFrame(
        [
            {"runs": label, "seed": int(seed), "beta": float(beta)}
            | {name: float(runs.value(name)[row, at]) for name in names}
            for label, runs in sets.items()
            for row, seed in enumerate(runs.seed)
            for at, beta in enumerate(runs.beta)
        ]
    )


def mean_table(table: pd.DataFrame) -> pd.DataFrame:
    """Means over the seeds of :func:`run_table`, at each beta."""
    means = table.drop(columns="seed").groupby(["runs", "beta"], sort=False).mean()
    return means.reset_index()


def budget(config: RunConfig, options: FigureOptions) -> str:
    """What the runs were given, in a sentence."""
    seeds = ", ".join(map(str, range(options.seeds)))
    training = config.training
    return (
        f"{config.dataset}, {config.model.kind}, {options.preset} budget: {training.steps} steps "
        f"of {training.batch} examples a run, learning rate {training.learning_rate:g}, seeds "
        f"{seeds}."
    )


def evaluation(runs: RunSet) -> str:
    """On what the runs were evaluated, in a sentence."""
    encoded = int(runs.parameters["encoded"])
    kept = min(encoded, int(runs.parameters["keep"]))
    return f"Evaluated on {runs.source}: {encoded} examples, {kept} of them decoded."


def failures(sets: Mapping[str, RunSet]) -> list[str]:
    """Runs without values, and why."""
    return [
        f"{label}, seed {seed}, beta {beta:.3g} failed: {reason}"
        for label, runs in sets.items()
        for (seed, beta), reason in runs.failures.items()
    ]


def write_tables(folder: Path, name: str, table: pd.DataFrame, page: Sequence[str]) -> list[Path]:
    """Writes ``name.csv``, and the paragraphs of a page as ``name.md``.

    Raises:
        OutputError: If a file cannot be written.
    """
    path = folder / f"{name}.md"
    write_atomically(path, ("\n\n".join(part for part in page if part) + "\n").encode())
    return [write_csv(folder / f"{name}.csv", table), path]


def write_csv(path: Path, table: pd.DataFrame) -> Path:
    """Writes ``table`` to six digits, and returns the path.

    Raises:
        OutputError: If the file cannot be written.
    """
    write_atomically(path, table.to_csv(index=False, float_format="%.6g").encode())
    return path


def markdown(table: pd.DataFrame) -> str:
    """A table of Markdown; whole numbers in full, others to four digits, no value as a dash."""
    rows = [table.columns.tolist(), ["---"] * table.shape[1]]
    rows += [[table[column].iloc[at] for column in table.columns] for at in range(len(table))]
    return "\n".join("| " + " | ".join(map(_cell, row)) + " |" for row in rows)


def _cell(value: object) -> str:
    if not isinstance(value, float):  # also numpy's
        return "-" if value is None or value is pd.NA else str(value)
    return "-" if math.isnan(value) else f"{value:.4g}"
