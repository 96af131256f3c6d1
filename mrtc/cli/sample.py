"""``mrtc sample``: what models make of the same draws from the prior, at chosen betas."""

from typing import Annotated

import typer

from mrtc.cli import options, picture_options


def sample(
    checkpoints: picture_options.Checkpoints,
    betas: options.Betas = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="Draws from the prior (8; 4 documents).")
    ] = None,
    out: picture_options.Out = None,
    seed: options.Seed = 0,
    temperature: Annotated[
        float | None,
        typer.Option(
            help="Standard deviation of the codes (1; a hierarchy is usually shown at 0.6 to 1). "
            "Of documents: draw words at this temperature; left out, each is the likeliest one."
        ),
    ] = None,
    longest: picture_options.Longest = None,
    extrapolate: options.Extrapolate = False,
) -> None:
    """Draw samples: a row for each beta, and in each column the same draw of the codes.

    Example: `mrtc sample ckpt.pt --betas 0.1,1,10`
    """
    from mrtc.cli.picture_options import COLUMNS, FRAMES, ROWS, chosen_betas
    from mrtc.experiments import pictures, texts
    from mrtc.plots.animation import is_animation, save_drawing

    if picture_options.are_of_texts(checkpoints):
        picture_options.require_table_format(out)
        table = texts.sample(
            checkpoints,
            betas=chosen_betas(checkpoints, betas, ROWS["documents"]),
            count=count or COLUMNS["documents"],
            seed=seed,
            temperature=temperature,
            longest=longest,
            extrapolate=extrapolate,
        )
        picture_options.show_table(table, out)
        return
    picture_options.refuse_for_images(longest=longest)
    out = out or checkpoints[0].with_name(f"{checkpoints[0].stem}-samples.png")
    drawing = pictures.sample(
        checkpoints,
        betas=chosen_betas(checkpoints, betas, FRAMES if is_animation(out) else ROWS["images"]),
        count=count or COLUMNS["images"],
        seed=seed,
        temperature=1.0 if temperature is None else temperature,
        extrapolate=extrapolate,
    )
    save_drawing(drawing, out)
    typer.echo(out)
