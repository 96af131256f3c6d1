"""Tables of scores on standard output."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:  # what stands here is slow to import, and `mrtc --help` is not
    import numpy as np
    from jaxtyping import Float

    from mrtc.results import Results

COLUMNS = 8
"""Betas that a table shows at most."""


def print_scores(results: Results, names: Sequence[str], *, as_json: bool) -> None:
    """The scores at every beta, as a table or as JSON; reasons and cautions below the table."""
    betas = results.beta[results.evaluated]
    series = {name: results.scores[name] for name in names}
    if as_json:
        rows = {
            name: {
                "value": [None if math.isnan(v) else v for v in s.value[results.evaluated]],
                "unit": s.variable.unit,
            }
            for name, s in series.items()
        }
        typer.echo(json.dumps({"beta": {"value": betas.tolist(), "unit": "1"}} | rows))
        return
    width = max(map(len, names), default=0)
    shown = sorted({round(at * (len(betas) - 1) / (COLUMNS - 1)) for at in range(COLUMNS)})
    typer.echo(" " * width + "  beta" + "".join(f"{betas[at]:>9.3g}" for at in shown))
    notes: dict[str, list[str]] = {}
    for name, s in series.items():
        values = s.value[results.evaluated]
        typer.echo(f"{name:<{width}}  {s.variable.unit:<4}" + "".join(_cells(values[shown])))
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


def _cells(values: Float[np.ndarray, " beta"]) -> list[str]:
    return ["        -" if math.isnan(value) else f"{value:>9.3f}" for value in values]


def _remarks(details: Mapping[str, object]) -> list[str]:
    return [str(r) for r in (details.get("reason"), details.get("caution")) if r]
