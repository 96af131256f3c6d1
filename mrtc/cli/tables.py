"""Tables of scores on standard output."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:  # what stands here is slow to import, and `mrtc --help` is not
    from pathlib import Path

    import numpy as np
    from jaxtyping import Float

    from mrtc.results import Results, RunSet

WITH_DECODER = (
    "distortion",
    "elbo",
    "bits_per_dimension",
    "perplexity",
    "importance_weighted_bound",
    "importance_weighted_perplexity",
    "effective_samples",
)

COLUMNS = 8
"""Betas that a table shows at most."""


def print_scores(results: Results, names: Sequence[str], *, as_json: bool) -> None:
    """The scores at every beta, as a table or as JSON; reasons and cautions below the table.

    What the evaluation measured with the decoder stands above them, where the file has it.
    """
    import numpy as np

    from mrtc.results import VARIABLES, unit_of
    from mrtc.results.groups import OF_ALL_GROUPS

    betas = results.beta[results.evaluated]
    groups = results.header.groups
    rows = {
        name: (unit_of(VARIABLES[name], results.config), results.metric(name))
        for name in ((*OF_ALL_GROUPS, *WITH_DECODER) if groups else WITH_DECODER)
        if name in results.metrics
    }
    series = {name: results.scores[name] for name in names if name not in rows}
    rows |= {n: (s.variable.unit, s.value[results.evaluated]) for n, s in series.items()}
    if as_json:
        table = {"beta": {"value": betas.tolist(), "unit": "1"}} | {
            name: {"value": [None if math.isnan(v) else v for v in values], "unit": unit}
            for name, (unit, values) in rows.items()
        }
        if groups:
            table |= {
                name: {"value": values.tolist(), "unit": VARIABLES[name].unit}
                for name, values in (
                    ("rate_group", results.rate_group),
                    ("active_units_group", results.active_units_group),
                )
            } | {"group": {"value": results.header.group, "unit": "1"}}
        typer.echo(json.dumps(table))
        return
    width = max(map(len, rows), default=0)
    unit_width = max((len(unit) for unit, _ in rows.values()), default=4)
    shown = sorted({round(at * (len(betas) - 1) / (COLUMNS - 1)) for at in range(COLUMNS)})
    typer.echo(
        " " * width + f"  {'beta':<{unit_width}}" + "".join(f"{betas[at]:>9.3g}" for at in shown)
    )
    for name, (unit, values) in rows.items():
        if np.isfinite(values).any():  # why there is nothing else stands below
            typer.echo(f"{name:<{width}}  {unit:<{unit_width}}" + "".join(_cells(values[shown])))
    notes: dict[str, list[str]] = {}
    for name, s in series.items():
        remarks = [
            (remark, f"{beta:.3g}")
            for beta, details in zip(results.beta, s.details, strict=True)
            for remark in _remarks(details or {})
        ]
        if remarks:
            remark, beta = remarks[0]
            more = f" and {len(remarks) - 1} more" if len(remarks) > 1 else ""
            notes.setdefault(f"{remark} (at beta {beta}{more})", []).append(name)
    if len(shown) < len(betas):
        typer.echo(f"({len(shown)} of {len(betas)} betas; all are in {results.path})")
    for note, about in notes.items():
        typer.echo(f"{', '.join(about)}: {note}")
    if groups:
        typer.echo(
            f"rate and active_units are of all {len(groups)} latent groups (`mrtc plot "
            f"{results.path} --kind groups` shows each), scores of codes of {results.kept_group}"
        )


def _cells(values: Float[np.ndarray, " beta"]) -> list[str]:
    return ["        -" if math.isnan(value) else f"{_short(value):>9}" for value in values]


def _short(value: float) -> str:
    """In eight characters at the most."""
    if abs(value) < 1_000:
        return f"{value:z.3f}"  # never -0.000
    return f"{value:.1f}" if abs(value) < 100_000 else f"{value:.2g}"


def _remarks(details: Mapping[str, object]) -> list[str]:
    return [str(r) for r in (details.get("reason"), details.get("caution")) if r]


def print_runs(runs: RunSet, path: Path, *, as_json: bool) -> None:
    """The mean over seeds of what was measured at each beta; runs that failed, and why, below."""
    import warnings

    import numpy as np

    from mrtc.results import unit_of

    units = {name: unit_of(variable, runs.config) for name, variable in runs.variables.items()}
    names = [name for name, variable in runs.variables.items() if variable.dims == ("beta",)]
    if as_json:
        table = {
            name: {
                "value": [[None if math.isnan(v) else v for v in row] for row in runs.values[name]],
                "unit": units[name],
            }
            for name in names
        }
        axes = {"beta": runs.beta.tolist(), "seed": runs.seed.tolist()}
        typer.echo(json.dumps({n: {"value": v, "unit": "1"} for n, v in axes.items()} | table))
        return
    shown = sorted({round(at * (len(runs.beta) - 1) / (COLUMNS - 1)) for at in range(COLUMNS)})
    names = [name for name in names if not name.endswith("_error")]
    width, unit_width = max(map(len, names)), max(len(units[name]) for name in names)
    typer.echo(
        " " * width
        + f"  {'beta':<{unit_width}}"
        + "".join(f"{runs.beta[at]:>9.3g}" for at in shown)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # betas of which every run failed
        for name in names:
            mean = np.nanmean(runs.values[name], axis=0)[shown]
            typer.echo(f"{name:<{width}}  {units[name]:<{unit_width}}" + "".join(_cells(mean)))
    done = int(runs.has_value().sum())
    typer.echo(f"{path}: {done} runs, means over seeds {', '.join(map(str, runs.seed))}")
