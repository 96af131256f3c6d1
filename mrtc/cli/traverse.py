"""``mrtc traverse``: what each code does to a picture, at chosen betas."""

from typing import Annotated

import typer

from mrtc.cli import options, picture_options


def traverse(
    checkpoint: options.Checkpoint,
    betas: options.Betas = None,
    out: picture_options.Out = None,
    example: Annotated[int | None, typer.Option(help="Index of the example.")] = None,
    group: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Of a hierarchy: the group whose codes move one by one, counted from the top (0). "
            "Groups below keep their whitened codes, so they follow the new prior. Rows are named "
            "by map, row and column.",
        ),
    ] = None,
    maps: Annotated[
        bool,
        typer.Option(
            "--maps", help="Of a hierarchy: move all codes of a map together, each by as much."
        ),
    ] = False,
    rows: Annotated[
        int | None,
        typer.Option(min=1, help="So many, of the greatest rates (all codes; 10 of a hierarchy)."),
    ] = None,
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
    from mrtc.cli.picture_options import FRAMES, chosen_betas
    from mrtc.experiments.traverse import traversal
    from mrtc.plots.animation import is_animation, save_drawing

    out = out or checkpoint.with_name(f"{checkpoint.stem}-traverse.png")
    drawing = traversal(
        checkpoint,
        betas=chosen_betas([checkpoint], betas, FRAMES if is_animation(out) else 3),
        example=example,
        group=group,
        maps=maps,
        rows=rows,
        span=span,
        columns=columns,
        data=data,
        extrapolate=extrapolate,
        quiet=quiet,
    )
    save_drawing(drawing, out)
    typer.echo(out)
