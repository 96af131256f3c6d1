"""``mrtc reconstruct``: examples, and what models make of them at chosen betas."""

from typing import Annotated

import typer

from mrtc.cli import options, picture_options


def reconstruct(
    checkpoints: picture_options.Checkpoints,
    betas: options.Betas = None,
    examples: Annotated[
        str | None, typer.Option(help="Indices of examples, as 0,5,17; drawn if left out.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Examples that are drawn.")] = 8,
    out: picture_options.Out = None,
    seed: options.Seed = 0,
    data: options.Data = None,
    extrapolate: options.Extrapolate = False,
    quiet: options.Quiet = False,
) -> None:
    """Draw examples in the first row, and below them their reconstructions, a row for each beta.

    Example: `mrtc reconstruct ckpt.pt --betas 0.1,1,10 --examples 0,5,17`
    """
    from mrtc.cli.picture_options import FRAMES, ROWS, chosen_betas
    from mrtc.experiments.pictures import reconstruct as draw
    from mrtc.plots.animation import is_animation, save_drawing

    out = out or checkpoints[0].with_name(f"{checkpoints[0].stem}-reconstructions.png")
    drawing = draw(
        checkpoints,
        betas=chosen_betas(checkpoints, betas, FRAMES if is_animation(out) else ROWS),
        examples=None if examples is None else _indices(examples),
        count=count,
        seed=seed,
        data=data,
        extrapolate=extrapolate,
        quiet=quiet,
    )
    save_drawing(drawing, out)
    typer.echo(out)


def _indices(text: str) -> list[int]:
    from mrtc.errors import MrtcError

    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise MrtcError(
            f"{text!r} is not a list of examples; write their indices as 0,5,17"
        ) from None
