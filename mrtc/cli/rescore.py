"""``mrtc rescore``: more scores of a results file, without the model."""

from pathlib import Path
from typing import Annotated

import typer

from mrtc.cli import options, tables


def rescore(
    results: Annotated[Path, typer.Argument(help="Results file with moments (.h5).")],
    metrics: options.Metrics = "all",
    bootstrap: options.Bootstrap = 0,
    null: options.Null = 0,
    workers: options.Workers = 1,
    seed: options.Seed = 0,
    force: Annotated[bool, typer.Option("--force", help="Compute again what is there.")] = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Add scores to a results file, from the moments that it keeps: no model, no GPU.

    What was stopped goes on when the same command is given again.

    Example: `mrtc rescore results.h5 --metrics sap_discrete,dci_fast_disentanglement`
    """
    from mrtc.evaluation.scoring import ScoringConfig, score_results
    from mrtc.metrics.catalogue import choose

    names = choose(metrics)
    loaded = score_results(
        results,
        names,
        ScoringConfig(seed, bootstrap, null),
        workers=workers,
        force=force,
        quiet=quiet,
    )
    tables.print_scores(loaded, names, as_json=as_json)
