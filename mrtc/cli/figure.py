"""``mrtc figure``: one figure or table of the paper, from training to picture."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mrtc.cli import options, run_options


def figure(
    name: Annotated[
        str | None, typer.Argument(help="Name; left out, the figures there are.")
    ] = None,
    preset: Annotated[
        Literal["quick", "paper"],
        typer.Option(help="Budget: quick for two cores, paper for the published one."),
    ] = "quick",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the picture, its numbers and its runs; figures of one dataset in one "
            "folder share runs."
        ),
    ] = None,
    data: options.Data = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each kind: seeds 0, 1, ...")] = 3,
    steps: run_options.Steps = None,
    workers: run_options.RunWorkers = 1,
    stack: run_options.Stack = None,
    ray: run_options.Ray = None,
    gpus_per_run: run_options.GpusPerRun = 0.0,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    force: options.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Make one figure or table of the paper; the published numbers stand beside ours.

    What is trained already is not trained again: to go on after a stop, give the same command.

    Example: `mrtc figure fig8-mig --preset quick --workers 2`
    """
    from mrtc.cli.training_options import choose_executor
    from mrtc.experiments.figures import FIGURES, FigureOptions, draw
    from mrtc.experiments.tasks import Protocol

    if name is None:
        typer.echo("\n".join(f"{name}: {entry.summary}" for name, entry in FIGURES.items()))
        return
    written = draw(
        name,
        FigureOptions(
            folder=out or Path(f"{name}-{preset}"),
            preset=preset,
            seeds=seeds,
            steps=steps,
            protocol=Protocol(data=data, device=device, precision=precision),
            executor=choose_executor(
                workers=workers, stack=stack, ray=ray, gpus_per_run=gpus_per_run, quiet=quiet
            ),
            force=force,
            quiet=quiet,
        ),
    )
    typer.echo("\n".join(map(str, written)))
