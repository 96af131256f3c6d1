"""``mrtc eval``: all scores of a checkpoint over beta, from moments that are encoded once."""

from pathlib import Path
from typing import Annotated

import typer

from mrtc.cli import options, tables


def evaluate(
    checkpoint: options.Checkpoint,
    betas: options.Betas = None,
    metrics: options.Metrics = "all",
    out: Annotated[Path | None, typer.Option(help="Results file to write (.h5).")] = None,
    data: options.Data = None,
    part: options.Part = None,
    examples: Annotated[
        int, typer.Option(min=100, help="Encode a stratified subset of so many, and score it.")
    ] = 10_000,
    importance_samples: Annotated[
        int,
        typer.Option(min=0, help="Draws for the importance-weighted bound on log p(x), if any."),
    ] = 0,
    bootstrap: options.Bootstrap = 0,
    null: options.Null = 0,
    workers: options.Workers = 1,
    extrapolate: options.Extrapolate = False,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Score one checkpoint over a grid of beta: rate, distortion, and every score asked for.

    Moments are encoded once and kept, so `mrtc rescore` adds other scores later without the
    model. An evaluation that was stopped goes on when the same command is given again.

    Example: `mrtc eval ckpt.pt --betas 0.1:10:20 --metrics gaps,sap_continuous`
    """
    from mrtc.evaluation.scoring import ScoringConfig, score_results
    from mrtc.experiments import evaluate
    from mrtc.experiments.evaluate import default_betas
    from mrtc.metrics.catalogue import CATALOGUE, choose
    from mrtc.rates import parse_grid
    from mrtc.results import read

    names = choose(metrics)
    out = out or checkpoint.with_name(f"{checkpoint.stem}-scores.h5")
    evaluate(
        checkpoint,
        out,
        betas=default_betas(checkpoint) if betas is None else parse_grid(betas),
        data=data,
        part=part,
        examples=examples,
        keep=examples,
        importance_samples=importance_samples,
        seed=seed,
        extrapolate=extrapolate,
        device=device,
        precision=precision,
        force=force,
        quiet=quiet,
    )
    if metrics == "all" and not read(out).factors:
        names = tuple(name for name in names if "factors" not in CATALOGUE[name].needs)
    results = score_results(
        out, names, ScoringConfig(seed, bootstrap, null), workers=workers, quiet=quiet
    )
    tables.print_scores(results, names, as_json=as_json)
