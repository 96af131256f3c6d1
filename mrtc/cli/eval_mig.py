"""``mrtc eval-mig``: MIG, rate, distortion and active units of a checkpoint over beta."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from mrtc.cli import grid_options, options


def eval_mig(
    checkpoint: options.Checkpoint,
    betas: grid_options.Betas = None,
    tolerance: grid_options.Tolerance = None,
    most_betas: grid_options.MostBetas = None,
    refine: grid_options.Refine = None,
    out: Annotated[Path | None, typer.Option(help="Results file to write (.h5).")] = None,
    data: options.Data = None,
    examples: Annotated[
        int | None, typer.Option(min=100, help="Encode a stratified subset of so many; all if out.")
    ] = None,
    keep: Annotated[
        int, typer.Option(min=2, help="Of these, decode so many, and store their moments.")
    ] = 10_000,
    factors: Annotated[
        str | None, typer.Option(help="Factors that are scored; Chen et al.'s four if left out.")
    ] = None,
    estimator: Annotated[
        Literal["quadrature", "sampling"], typer.Option(help="Of the entropies.")
    ] = "quadrature",
    samples: Annotated[int, typer.Option(min=2, help="Draws for each sampled entropy.")] = 10_000,
    recalibrate: options.Recalibrate = 0,
    extrapolate: options.Extrapolate = False,
    group: options.Group = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Evaluate one checkpoint over a grid of beta, to HDF5, with a picture beside it.

    An evaluation that was stopped goes on when the same command is given again. With `--betas
    auto`, curves are drawn from few betas, more where rate, distortion or MIG bend.

    Example: `mrtc eval-mig ckpt.pt --betas 0.1:10:50 --out results.h5`
    """
    import numpy as np

    from mrtc.experiments import evaluate
    from mrtc.experiments.evaluate import require_factors
    from mrtc.plots import KINDS, save
    from mrtc.results import VARIABLES

    require_factors(checkpoint)
    out = out or checkpoint.with_name(f"{checkpoint.stem}-mig.h5")
    results = evaluate(
        checkpoint,
        out,
        betas=grid_options.chosen_grid(
            checkpoint,
            betas,
            tolerance=tolerance,
            most_betas=most_betas,
            refine=refine,
        ),
        data=data,
        factors=None if factors is None else tuple(factors.split(",")),
        examples=examples,
        keep=keep,
        estimator=estimator,
        samples=samples,
        seed=seed,
        recalibrate=recalibrate,
        extrapolate=extrapolate,
        group=group,
        device=device,
        precision=precision,
        force=force,
        quiet=quiet,
    )
    picture = out.with_suffix(".png")
    save(KINDS["mig"](results), picture)
    if as_json:
        columns = results.table().items()
        units = {name: variable.unit for name, variable in VARIABLES.items()} | {"beta": "1"}
        typer.echo(
            json.dumps({n: {"value": c.tolist(), "unit": units[str(n)]} for n, c in columns})
        )
        return
    mig = results.metric("mig_chen")
    best = int(np.nanargmax(mig)) if np.isfinite(mig).any() else 0
    typer.echo(
        f"{out}, {picture}: {len(mig)} betas, best MIG (Chen) {mig[best]:.3f} at beta "
        f"{results.beta[best]:.3g}"
    )
