"""``mrtc score``: the same scores for the codes of any model."""

from pathlib import Path
from typing import Annotated

import typer

from mrtc.cli import options, tables


def score(
    codes: Annotated[Path, typer.Argument(help="File of codes (.npz, .h5 or .parquet).")],
    metrics: options.Metrics = "all",
    out: Annotated[Path | None, typer.Option(help="Results file to write (.h5).")] = None,
    bootstrap: options.Bootstrap = 0,
    null: options.Null = 0,
    workers: options.Workers = 1,
    seed: options.Seed = 0,
    force: options.Force = False,
    quiet: options.Quiet = False,
    as_json: options.Json = False,
) -> None:
    """Score the codes of any model, from a file of arrays.

    Arrays: `mean` (or `codes`) of shape (example, code), or (beta, example, code) with `beta`;
    `log_sigma` or `sigma` of the same shape, `factors` (example, factor) as class indices, and
    `factor_names`, where there are any. A Parquet table has the columns mean_0, mean_1, ...,
    sigma_0, ..., and factor_NAME.

    Example: `mrtc score codes.npz --metrics gaps`
    """
    from mrtc.evaluation.scoring import ScoringConfig
    from mrtc.experiments.score import score_codes
    from mrtc.metrics.catalogue import choose

    out = out or codes.with_name(f"{codes.stem}-scores.h5")
    results = score_codes(
        codes,
        out,
        metrics=metrics,
        scoring=ScoringConfig(seed, bootstrap, null),
        workers=workers,
        force=force,
        quiet=quiet,
    )
    tables.print_scores(results, choose(metrics), as_json=as_json)
