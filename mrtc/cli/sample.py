"""``mrtc sample``: what models make of the same draws from the prior, at chosen betas."""

from typing import Annotated

import typer

from mrtc.cli import options, picture_options


def sample(
    checkpoints: picture_options.Checkpoints,
    betas: options.Betas = None,
    count: Annotated[int, typer.Option(min=1, help="Draws from the prior.")] = 8,
    out: picture_options.Out = None,
    seed: options.Seed = 0,
    extrapolate: options.Extrapolate = False,
) -> None:
    """Draw samples: a row for each beta, and in each column the same draw of the codes.

    Example: `mrtc sample ckpt.pt --betas 0.1,1,10`
    """
    from mrtc.cli.picture_options import FRAMES, ROWS, chosen_betas
    from mrtc.experiments.pictures import sample as draw
    from mrtc.plots.animation import is_animation, save_drawing

    out = out or checkpoints[0].with_name(f"{checkpoints[0].stem}-samples.png")
    drawing = draw(
        checkpoints,
        betas=chosen_betas(checkpoints, betas, FRAMES if is_animation(out) else ROWS),
        count=count,
        seed=seed,
        extrapolate=extrapolate,
    )
    save_drawing(drawing, out)
    typer.echo(out)
