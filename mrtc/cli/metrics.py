"""``mrtc metrics``: the catalogue of scores, and how far the scores of a file agree."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal, no_type_check

import typer

from mrtc.cli import options, tables

SHOWN = 10
"""Pairs of scores that are told in words."""


@no_type_check  # typer hands over a context of another class than the one it wants named
def catalogue(context: typer.Context, as_json: options.Json = False) -> None:
    """List every score (range, unit, direction, needs, source), or compare those of a file."""
    if context.invoked_subcommand is not None:
        return
    from mrtc.metrics.catalogue import CATALOGUE

    if as_json:
        rows = {
            name: asdict(metric) | {"low": str(metric.low), "high": str(metric.high)}
            for name, metric in CATALOGUE.items()
        }
        typer.echo(json.dumps(rows))
        return
    width = max(map(len, CATALOGUE))
    family = ""
    for name, metric in CATALOGUE.items():
        if metric.family != family:
            family = metric.family
            typer.echo(f"\n{family}")
        needs = ", ".join(metric.needs) or "means only"
        unit = "" if metric.unit == "1" else f" {metric.unit}"
        direction = f"; {metric.direction}" if metric.direction else ""
        typer.echo(f"  {name:<{width}}  {metric.range}{unit}{direction}; needs {needs}")
        typer.echo(f"  {'':<{width}}  {metric.title}. {metric.source}")


def agree(
    results: Annotated[Path, typer.Argument(help="Results file with scores (.h5).")],
    out: Annotated[
        Path | None, typer.Option(help="Picture; beside the results if left out.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Show how the scores of a file rank its betas: a picture, and the pairs that contradict.

    Example: `mrtc metrics agree results.h5`
    """
    from mrtc.evaluation.agreement import agreement
    from mrtc.plots import save
    from mrtc.plots.agreement import agreement_matrix
    from mrtc.results import read

    loaded = read(results)
    found = agreement(loaded)
    picture = out or results.with_name(f"{results.stem}-agree.png")
    save(agreement_matrix(found.names, found.correlation, str(loaded.header.source)), picture)
    if as_json:
        typer.echo(json.dumps([asdict(flip) for flip in found.flips]))
        return
    typer.echo(f"{picture}: {len(found.names)} scores over {found.betas} betas")
    for flip in found.flips[:SHOWN]:
        typer.echo(
            f"{flip.one} is best at beta {flip.best_for_one:.3g}, {flip.other} at beta "
            f"{flip.best_for_other:.3g}: rank correlation {flip.correlation:.2f}"
        )
    if len(found.flips) > SHOWN:
        typer.echo(f"and {len(found.flips) - SHOWN} more pairs; --json lists all")


def udr(
    results: Annotated[list[Path], typer.Argument(help="Results files of two or more models.")],
    similarity: Annotated[
        Literal["lasso", "spearman"], typer.Option(help="Of the codes of two models.")
    ] = "lasso",
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Rank models without labels: how well the codes of each pair off with those of the others.

    Example: `mrtc metrics udr seed0.h5 seed1.h5 seed2.h5`
    """
    from mrtc.evaluation.models import score_models

    models = score_models(results, similarity=similarity, quiet=quiet)
    if as_json:
        rows = [
            {"results": str(m.path), "udr": {"value": m.scores["udr"].value.tolist(), "unit": "1"}}
            for m in models
        ]
        typer.echo(json.dumps(rows))
        return
    for model in models:
        typer.echo(model.path)
        tables.print_scores(model, ["udr"], as_json=False)
