"""``mrtc traverse``: what each code does to a picture, at chosen betas."""

from pathlib import Path
from typing import Annotated

import typer

from mrtc.cli import options


def traverse(
    checkpoint: options.Checkpoint,
    betas: options.Betas = None,
    out: Annotated[Path | None, typer.Option(help="Picture to write: .png, .pdf, .svg.")] = None,
    example: Annotated[int | None, typer.Option(help="Index of the example.")] = None,
    span: Annotated[
        float, typer.Option(min=0.1, help="Codes move so many standard deviations each way.")
    ] = 2.0,
    columns: Annotated[int, typer.Option(min=2, help="Values of each code.")] = 9,
    data: options.Data = None,
    extrapolate: options.Extrapolate = False,
    quiet: options.Quiet = False,
) -> None:
    """Draw decodings of one example while one code moves, at each beta side by side.

    Example: `mrtc traverse ckpt.pt --betas 0.1,1,10`
    """
    from mrtc.experiments import traverse as draw
    from mrtc.experiments.evaluate import default_betas
    from mrtc.plots import picture_format, save
    from mrtc.rates import parse_grid

    out = out or checkpoint.with_name(f"{checkpoint.stem}-traverse.png")
    picture_format(out)
    chosen = default_betas(checkpoint, 3) if betas is None else parse_grid(betas)
    figure = draw(
        checkpoint,
        betas=chosen,
        example=example,
        span=span,
        columns=columns,
        data=data,
        extrapolate=extrapolate,
        quiet=quiet,
    )
    save(figure, out)
    typer.echo(out)
