"""``mrtc interpolate``: from one example to another, at chosen betas."""

from typing import Annotated

import typer

from mrtc.cli import options, picture_options


def interpolate(
    checkpoint: options.Checkpoint,
    first: Annotated[int, typer.Option("--from", help="Index of the first example.")],
    last: Annotated[int, typer.Option("--to", help="Index of the last.")],
    betas: options.Betas = None,
    columns: Annotated[int, typer.Option(min=2, help="Steps, the two examples included.")] = 9,
    spherical: Annotated[
        bool, typer.Option("--spherical", help="On a circle about the origin, not on a line.")
    ] = False,
    out: picture_options.Out = None,
    data: options.Data = None,
    extrapolate: options.Extrapolate = False,
    quiet: options.Quiet = False,
) -> None:
    """Draw what lies between the posterior means of two examples, a row for each beta.

    Example: `mrtc interpolate ckpt.pt --from 0 --to 17 --betas 0.1,1,10`
    """
    from mrtc.cli.picture_options import FRAMES, ROWS, chosen_betas
    from mrtc.experiments.pictures import interpolate as draw
    from mrtc.plots.animation import is_animation, save_drawing

    out = out or checkpoint.with_name(f"{checkpoint.stem}-interpolation.png")
    drawing = draw(
        checkpoint,
        first,
        last,
        betas=chosen_betas([checkpoint], betas, FRAMES if is_animation(out) else ROWS),
        columns=columns,
        spherical=spherical,
        data=data,
        extrapolate=extrapolate,
        quiet=quiet,
    )
    save_drawing(drawing, out)
    typer.echo(out)
