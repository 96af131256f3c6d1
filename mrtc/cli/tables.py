"""Tables of scores on standard output."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:  # what stands here is slow to import, and `mrtc --help` is not
    from mrtc.results import Results


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
    shown = betas if len(betas) <= 8 else betas[:: math.ceil(len(betas) / 8)]
    typer.echo(" " * width + "  beta" + "".join(f"{beta:>9.3g}" for beta in shown))
    remarks: dict[str, list[str]] = {}
    for name, s in series.items():
        values = dict(zip(betas, s.value[results.evaluated], strict=True))
        cells = "".join(f"{values[beta]:>9.3f}" for beta in shown)
        typer.echo(f"{name:<{width}}  {s.variable.unit:<4}{cells}")
        for beta, details in zip(results.beta, s.details, strict=True):
            for remark in _remarks(details or {}):
                remarks.setdefault(remark, []).append(f"{name} at beta {beta:.3g}")
    if len(shown) < len(betas):
        typer.echo(f"({len(shown)} of {len(betas)} betas; all are in {results.path})")
    for remark, places in remarks.items():
        more = f" and {len(places) - 3} more" if len(places) > 3 else ""
        typer.echo(f"note: {remark} ({', '.join(places[:3])}{more})")


def _remarks(details: Mapping[str, object]) -> list[str]:
    return [str(r) for r in (details.get("reason"), details.get("caution")) if r]
