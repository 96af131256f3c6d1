"""What a comparison says: tables, a page of Markdown, and pictures."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mrtc.evaluation.compare import ALPHA, Comparison, Cost
from mrtc.experiments.compare import Compared
from mrtc.files import write_atomically
from mrtc.plots import (
    differences,
    over_beta,
    rate_distortion_of,
    save,
    slope_picture,
    title_of,
)
from mrtc.statistics import Difference, Equivalence, Slopes, off_slope

OFF = 1.5
"""A slope that is off by more than this factor says that the range is under-trained there."""

_SLOPES = (
    "Realised slope over nominal beta between neighbouring betas, each seed: 1 at an optimum. "
    f"Where it is off by more than a factor of {OFF}, the runs are under-trained; exact optima of "
    "betas more than a factor of 2 apart may be off by as much."
)


def write(compared: Compared, folder: Path, image_format: str = "png") -> list[Path]:
    """Writes ``comparison.md``, its tables as ``.csv``, and the pictures.

    Returns:
        What was written.

    Raises:
        OutputError: If a file cannot be written.
    """
    comparison = compared.comparison
    sets = {"multi-rate": compared.dense, "baselines": comparison.baselines}
    figures = {"rd": rate_distortion_of(sets)}
    for metric in comparison.metrics.values():
        figures[metric.name] = over_beta(sets, metric.name)
        tests = [test.difference for test in metric.at_beta]
        figures[f"{metric.name}-difference"] = differences(
            metric.name,
            metric.unit,
            metric.beta,
            np.array([test.value for test in tests]),
            np.array([test.low for test in tests]),
            np.array([test.high for test in tests]),
            metric.overall.margin,
            label="multi-rate less baselines",
            level=1 - 2 * ALPHA,
            title=title_of(sets, metric.name),
        )
    if any(len(seed.beta) for seeds in compared.slopes.values() for seed in seeds):
        figures["slopes"] = slope_picture(
            compared.slopes, OFF, title=title_of({kind: sets[kind] for kind in compared.slopes})
        )
    texts = {
        "comparison.md": report(compared),
        "differences.csv": difference_table(comparison).to_csv(index=False, float_format="%.6g"),
        "slopes.csv": slope_table(compared.slopes).to_csv(index=False, float_format="%.6g"),
        "cost.csv": cost_table(comparison.costs).to_csv(index=False, float_format="%.6g"),
    }
    for name, text in texts.items():
        write_atomically(folder / name, text.encode())
    pictures = {folder / f"{name}.{image_format}": figure for name, figure in figures.items()}
    for path, figure in pictures.items():
        save(figure, path)
    return [*(folder / name for name in texts), *pictures]


def difference_table(comparison: Comparison) -> pd.DataFrame:
    """One row for each metric and beta, and one for its mean over betas (beta is NaN there)."""
    rows = []
    for metric in comparison.metrics.values():
        tests = [*metric.at_beta, metric.overall]
        betas = [*metric.beta.tolist(), math.nan]
        adjusted = [*metric.adjusted.tolist(), math.nan]
        values = [
            runs.value(metric.name).T.tolist()
            for runs in (comparison.multirate, comparison.baselines)
        ]
        for at, (test, beta, p_adjusted) in enumerate(zip(tests, betas, adjusted, strict=True)):
            seeds = [_seeds(one[at]) if at < len(metric.beta) else "" for one in values]
            rows.append(
                {
                    "metric": metric.name,
                    "unit": metric.unit,
                    "beta": beta,
                    "multi-rate": seeds[0],
                    "baselines": seeds[1],
                    **_difference(test),
                    "p_equivalence_adjusted": p_adjusted,
                }
            )
    return pd.DataFrame(rows)


def slope_table(slopes: Mapping[str, Sequence[Slopes]]) -> pd.DataFrame:
    """One row for each kind of runs and pair of neighbouring betas.

    ``slope / beta`` is 1 at an optimum, for each seed; ``off`` counts the seeds where it is more
    than a factor of 1.5 away, or the weighed term does not fall with beta.
    """
    rows = []
    for kind, seeds in slopes.items():
        for at, beta in enumerate(seeds[0].beta.tolist()):
            ratio = np.array([seed.ratio[at] for seed in seeds])
            off = int(off_slope(ratio, OFF).sum())
            rows.append(
                {
                    "runs": kind,
                    "beta": beta,
                    "slope / beta": _seeds(ratio.tolist()),
                    "off": f"{off} of {len(seeds)}",
                }
            )
    return pd.DataFrame(rows)


def cost_table(costs: Mapping[str, Cost]) -> pd.DataFrame:
    """The cost ledger: one row for each kind of runs."""
    return pd.DataFrame(
        [
            {
                "runs": kind,
                "runs a curve": cost.runs,
                "parameters of a model": cost.parameters,
                "parameters of a curve": cost.runs * cost.parameters,
                "steps of a run": cost.steps,
                "examples of a run": cost.examples,
                "seconds of a run": cost.seconds,
                "sd": cost.seconds_deviation,
                "seconds of a curve": cost.curve_seconds,
            }
            for kind, cost in costs.items()
        ]
    )


def report(compared: Compared) -> str:
    """The comparison as Markdown."""
    comparison = compared.comparison
    first = comparison.baselines
    head = (
        f"{first.source}; {len(comparison.multirate.seed)} multi-rate runs, "
        f"{int(first.has_value().sum())} baselines over {len(first.beta)} betas. Differences are "
        f"multi-rate less baselines, with intervals of level {1 - 2 * ALPHA:.0%}: they lie within "
        f"the margin where equivalence is shown at {ALPHA:.0%}. Adjusted p values are by Holm, for "
        "the number of betas. A wide interval shows neither a difference nor equivalence."
    )
    parts = ["# Multi-rate runs and baselines", head]
    if compared.remarks:
        parts.append("\n".join(f"- {remark}" for remark in compared.remarks))
    table = difference_table(comparison)
    for metric in comparison.metrics.values():
        rows = table[table.metric == metric.name].drop(columns=["metric", "unit", "margin"])
        rows["beta"] = ["all (means)" if math.isnan(b) else f"{b:.3g}" for b in rows.beta]
        parts.append(f"## {metric.name} ({metric.unit}), margin {metric.overall.margin:g}")
        parts.append(_markdown(rows))
    parts += ["## Rate-distortion curves", _curve_text(comparison)]
    slopes = slope_table(compared.slopes)
    if len(slopes):
        parts += ["## Slopes", _SLOPES, _markdown(slopes)]
    parts += ["## Cost", _markdown(cost_table(comparison.costs)), _break_even_text(comparison)]
    return "\n\n".join(parts) + "\n"


def _curve_text(comparison: Comparison) -> str:
    curves = comparison.curves
    gap = curves.mean_difference
    areas = _seeds([area.mean_difference for area in curves.areas])
    rate, distortion = (_number(value) for value in curves.reference)
    volumes = "; ".join(f"{kind} {_seeds(each)}" for kind, each in curves.hypervolume.items())
    return (
        "Distortion at equal rate, multi-rate less baselines, mean over the rates that both "
        "reach, by straight lines between the betas of the baselines: "
        f"{_number(gap.value)} nats (95 %: {_number(gap.low)} to {_number(gap.high)}; "
        f"each pair of seeds: {areas}).\n\n"
        f"Hypervolume below rate {rate} and distortion {distortion}, in square nats, each seed "
        f"(greater is better): {volumes}."
    )


def _break_even_text(comparison: Comparison) -> str:
    known = {name: n for name, n in comparison.break_even.items() if not math.isnan(n)}
    counts = ", ".join(f"{count:.0f} (by {name})" for name, count in known.items())
    return (
        "Betas from which on one multi-rate run costs no more than a baseline for each: "
        f"{counts or 'unknown'}."
    )


def _markdown(table: pd.DataFrame) -> str:
    rows = [list(table.columns), ["---"] * table.shape[1], *table.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(map(_number, row)) + " |" for row in rows)


def _difference(test: Equivalence) -> dict[str, float]:
    of: Difference = test.difference
    return {
        "difference": of.value,
        "low": of.low,
        "high": of.high,
        "margin": test.margin,
        "p_equivalence": test.p_value,
    }


def _seeds(values: Iterable[float]) -> str:
    return " ".join(_number(value) for value in values)


def _number(value: object) -> str:
    if not isinstance(value, float | int):
        return str(value)
    if math.isnan(value):
        return "-"
    return f"{value:.0f}" if abs(value) >= 10_000 else f"{value:.4g}"
