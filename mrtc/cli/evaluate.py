"""``mrtc eval``: all scores of a checkpoint over beta, from moments that are encoded once."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mrtc.cli import grid_options, options, tables

MOST_EXAMPLES = 10_000
"""Scored unless another number is asked for: enough for most scores, and soon done."""


def evaluate(
    checkpoint: options.Checkpoint,
    betas: grid_options.Betas = None,
    tolerance: grid_options.Tolerance = None,
    most_betas: grid_options.MostBetas = None,
    refine: grid_options.Refine = None,
    metrics: options.Metrics = "all",
    out: Annotated[Path | None, typer.Option(help="Results file to write (.h5).")] = None,
    data: options.Data = None,
    part: options.Part = None,
    examples: Annotated[
        int | None,
        typer.Option(
            min=100,
            help="Encode a stratified subset of so many, and score it; of 10,000 if left out, or "
            "all where there are fewer.",
        ),
    ] = None,
    importance_samples: Annotated[
        int,
        typer.Option(min=0, help="Draws for the importance-weighted bound on log p(x), if any."),
    ] = 0,
    bootstrap: options.Bootstrap = 0,
    null: options.Null = 0,
    workers: options.Workers = 1,
    recalibrate: options.Recalibrate = 0,
    extrapolate: options.Extrapolate = False,
    group: options.Group = None,
    feature_network: Annotated[
        Literal["inception", "efficientnet-lite0"] | None,
        typer.Option(
            help="In whose features samples are compared with data; that of the metric's name if "
            "left out. Only distances of inception are FID and KID."
        ),
    ] = None,
    fid_weights: options.FidWeights = None,
    fid_samples: Annotated[
        int, typer.Option(min=2, help="Draws from the prior at each beta; 50,000 is usual too.")
    ] = 10_000,
    fid_reference: options.FidReference = None,
    fid_reference_examples: options.FidReferenceExamples = None,
    pictures: Annotated[
        int,
        typer.Option(
            min=0,
            help="Betas, spread over the grid, at which pictures are kept for `mrtc report`.",
        ),
    ] = 0,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Score one checkpoint over a grid of beta: rate, distortion, and every score asked for.

    Moments are encoded once and kept, so `mrtc rescore` adds other scores later without the
    model. An evaluation that was stopped goes on when the same command is given again. With
    `--betas auto`, there are more betas where rate and distortion bend.

    `fid`, `kid` and their kin compare samples with data, and are asked for by name; nothing is
    downloaded for them.

    Example: `mrtc eval ckpt.pt --betas 0.1:10:20 --metrics gaps,sap_continuous`
    """
    from mrtc.evaluation.feature_networks import load_feature_network
    from mrtc.evaluation.realism_config import RealismConfig
    from mrtc.evaluation.scoring import ScoringConfig, score_results
    from mrtc.experiments import evaluate
    from mrtc.experiments.data import require_images
    from mrtc.experiments.realism import distances_asked, evaluate_realism, renamed
    from mrtc.experiments.refinement import USUAL
    from mrtc.experiments.run import read_config
    from mrtc.experiments.stored_pictures import add_pictures, require_pictures
    from mrtc.metrics.catalogue import CATALOGUE, DISTANCES, choose, distance_metric
    from mrtc.results import read
    from mrtc.training import Checkpoint

    names = choose(metrics)
    for name, new in renamed(names, feature_network).items():
        typer.echo(
            f"mrtc: {name} is of {DISTANCES[name][1]}; in features of {feature_network} this is "
            f"another distance, stored as {new} and not to be called {name}",
            err=True,
        )
    asked = distances_asked(names, feature_network)
    names = tuple(name for name in names if name not in DISTANCES)
    # What is missing is said now, not after hours.
    if asked:
        require_images(read_config(Checkpoint.load(checkpoint), checkpoint))
    if pictures:
        require_pictures(checkpoint)
    networks = {name: load_feature_network(name, fid_weights) for name in asked}
    realism = RealismConfig(fid_samples, fid_reference_examples, seed=seed)
    out = out or checkpoint.with_name(f"{checkpoint.stem}-scores.h5")
    evaluate(
        checkpoint,
        out,
        betas=grid_options.chosen_grid(
            checkpoint,
            betas,
            tolerance=tolerance,
            most_betas=most_betas,
            refine=refine,
            usual=USUAL,
        ),
        data=data,
        part=part,
        examples=examples,
        most=MOST_EXAMPLES,
        keep=examples or MOST_EXAMPLES,
        importance_samples=importance_samples,
        seed=seed,
        recalibrate=recalibrate,
        extrapolate=extrapolate,
        group=group,
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
    for network, distances in asked.items():
        results = evaluate_realism(
            *(checkpoint, out, networks[network]),
            distances=distances,
            config=realism,
            data=data,
            part=fid_reference,
            device=device,
            quiet=quiet,
        )
        names += tuple(distance_metric(distance, network).name for distance in distances)
    if pictures:
        add_pictures(checkpoint, out, most=pictures, seed=seed, data=data, quiet=quiet)
    tables.print_scores(results, names, as_json=as_json)
