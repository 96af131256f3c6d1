"""``mrtc report``: results as one HTML file, with a slider for beta."""

from pathlib import Path
from typing import Annotated

import typer

from mrtc.cli import options
from mrtc.cli.inputs import require_results
from mrtc.errors import MrtcError


def report(
    results: Annotated[
        list[Path],
        typer.Argument(
            help="Results files of one data set (.h5): of multi-rate models, of baselines, and of "
            "`mrtc baselines`."
        ),
    ],
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            help="Model that one of the files is of; its pictures are made, and kept in that file. "
            "May be given several times."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write (.html); beside the first results file if left out."),
    ] = None,
    pictures: Annotated[
        int | None, typer.Option(min=1, help="Betas with pictures, at most (20).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the pictures' examples and draws.")] = 0,
    data: options.Data = None,
    quiet: options.Quiet = False,
) -> None:
    """Write one HTML file that shows results, and what beta does to pictures, without a network.

    Example: `mrtc report results.h5 baselines.h5 --checkpoint ckpt.pt`
    """
    require_results(results)
    if pictures is not None and not checkpoint:
        raise MrtcError(
            f"--pictures {pictures} was given without --checkpoint, so there is no model to make "
            "pictures of; give it, or leave --pictures out to show what the files have"
        )

    from mrtc.experiments.report import write_report
    from mrtc.experiments.stored_pictures import MOST_BETAS

    out = out or results[0].with_name(f"{results[0].stem}-report.html")
    written = write_report(
        results,
        out,
        checkpoints=checkpoint or (),
        most=pictures or MOST_BETAS,
        seed=seed,
        data=data,
        quiet=quiet,
    )
    typer.echo(f"{written}: {written.stat().st_size / 1e6:.1f} MB")
