"""``mrtc interpolate``: from one example to another, at chosen betas."""

from typing import Annotated

import typer

from mrtc.cli import options, picture_options


def interpolate(
    checkpoint: options.Checkpoint,
    first: Annotated[int | None, typer.Option("--from", help="Index of the first example.")] = None,
    last: Annotated[int | None, typer.Option("--to", help="Index of the last.")] = None,
    from_text: Annotated[
        str | None, typer.Option(help="Of documents: the first, in your own words.")
    ] = None,
    to_text: Annotated[
        str | None, typer.Option(help="Of documents: the last, in your own words.")
    ] = None,
    betas: options.Betas = None,
    columns: Annotated[
        int | None,
        typer.Option(min=2, help="Steps, the two examples included (9; 5 of documents)."),
    ] = None,
    spherical: Annotated[
        bool, typer.Option("--spherical", help="On a circle about the origin, not on a line.")
    ] = False,
    out: picture_options.Out = None,
    seed: Annotated[int, typer.Option(min=0, help="Of documents: seed of words.")] = 0,
    temperature: picture_options.Temperature = None,
    longest: picture_options.Longest = None,
    data: options.Data = None,
    extrapolate: options.Extrapolate = False,
    quiet: options.Quiet = False,
) -> None:
    """Draw what lies between the posterior means of two examples, a row for each beta.

    Example: `mrtc interpolate ckpt.pt --from 0 --to 17 --betas 0.1,1,10`
    """
    from mrtc.cli.picture_options import FRAMES, ROWS, STEPS, chosen_betas
    from mrtc.experiments import pictures, texts
    from mrtc.plots.animation import is_animation, save_drawing

    if picture_options.are_of_texts([checkpoint]):
        picture_options.require_table_format(out)
        table = texts.interpolate(
            checkpoint,
            _one("from", first, from_text),
            _one("to", last, to_text),
            betas=chosen_betas([checkpoint], betas, ROWS["documents"]),
            columns=columns or STEPS["documents"],
            spherical=spherical,
            seed=seed,
            temperature=temperature,
            longest=longest,
            data=data,
            extrapolate=extrapolate,
            quiet=quiet,
        )
        picture_options.show_table(table, out)
        return
    picture_options.refuse_for_images(
        from_text=from_text,
        to_text=to_text,
        seed=seed or None,
        temperature=temperature,
        longest=longest,
    )
    out = out or checkpoint.with_name(f"{checkpoint.stem}-interpolation.png")
    drawing = pictures.interpolate(
        checkpoint,
        _index("from", first),
        _index("to", last),
        betas=chosen_betas([checkpoint], betas, FRAMES if is_animation(out) else ROWS["images"]),
        columns=columns or STEPS["images"],
        spherical=spherical,
        data=data,
        extrapolate=extrapolate,
        quiet=quiet,
    )
    save_drawing(drawing, out)
    typer.echo(out)


def _index(side: str, index: int | None) -> int:
    from mrtc.errors import MrtcError

    if index is None:
        raise MrtcError(f"--{side} is missing; give the index of an example, as --{side} 0")
    return index


def _one(side: str, index: int | None, text: str | None) -> int | str:
    from mrtc.errors import MrtcError

    given = [end for end in (index, text) if end is not None]
    if len(given) != 1:
        seen = "both were given" if given else "neither was given"
        raise MrtcError(
            f"one of --{side} and --{side}-text is needed, and {seen}; give the index of an "
            "example, or a text of your own"
        )
    return given[0]
