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
    text: Annotated[
        list[str] | None, typer.Option(help="Of documents: one of your own; may be repeated.")
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="Examples that are drawn (8; 4 documents).")
    ] = None,
    out: picture_options.Out = None,
    seed: options.Seed = 0,
    sampled: Annotated[
        bool, typer.Option("--sampled", help="Of documents: draw words, as --temperature 1.")
    ] = False,
    temperature: picture_options.Temperature = None,
    longest: picture_options.Longest = None,
    data: options.Data = None,
    extrapolate: options.Extrapolate = False,
    quiet: options.Quiet = False,
) -> None:
    """Draw examples in the first row, and below them their reconstructions, a row for each beta.

    Example: `mrtc reconstruct ckpt.pt --betas 0.1,1,10 --examples 0,5,17`
    """
    from mrtc.cli.picture_options import COLUMNS, FRAMES, ROWS, chosen_betas
    from mrtc.errors import MrtcError
    from mrtc.experiments import pictures, texts
    from mrtc.plots.animation import is_animation, save_drawing

    chosen = None if examples is None else _indices(examples)
    if picture_options.are_of_texts(checkpoints):
        picture_options.require_table_format(out)
        if text and chosen is not None:
            raise MrtcError(
                f"--text and --examples {examples} were both given; choose texts of your own or "
                "examples of the data"
            )
        table = texts.reconstruct(
            checkpoints,
            betas=chosen_betas(checkpoints, betas, ROWS["documents"]),
            texts=text or None,
            examples=chosen,
            count=count or COLUMNS["documents"],
            seed=seed,
            temperature=1.0 if sampled and temperature is None else temperature,
            longest=longest,
            data=data,
            extrapolate=extrapolate,
            quiet=quiet,
        )
        picture_options.show_table(table, out)
        return
    picture_options.refuse_for_images(
        text=text or None, sampled=sampled or None, temperature=temperature, longest=longest
    )
    out = out or checkpoints[0].with_name(f"{checkpoints[0].stem}-reconstructions.png")
    drawing = pictures.reconstruct(
        checkpoints,
        betas=chosen_betas(checkpoints, betas, FRAMES if is_animation(out) else ROWS["images"]),
        examples=chosen,
        count=count or COLUMNS["images"],
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
