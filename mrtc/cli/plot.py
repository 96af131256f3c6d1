"""``mrtc plot``: pictures of a results file."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mrtc.cli import options


def plot(
    results: Annotated[Path, typer.Argument(help="Results file (.h5).")],
    kind: Annotated[
        str | None,
        typer.Option(help="Which pictures: mig,rd,au,scores; if left out, all that the file has."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the pictures; beside the results if left out.")
    ] = None,
    image_format: Annotated[
        Literal["png", "pdf", "svg"], typer.Option("--format", help="Of the pictures.")
    ] = "png",
    quiet: options.Quiet = False,
) -> None:
    """Draw the curves of a results file over beta.

    Example: `mrtc plot results.h5 --kind mig,rd`
    """
    from mrtc.errors import MrtcError, ResultsError
    from mrtc.plots import KINDS, save
    from mrtc.results import read

    kinds = list(KINDS) if kind is None else kind.split(",")
    unknown = [name for name in kinds if name not in KINDS]
    if unknown:
        raise MrtcError(f"there is no picture {unknown[0]!r}; choose among {', '.join(KINDS)}")
    loaded = read(results)
    folder = out or results.parent
    for name in kinds:
        path = folder / f"{results.stem}-{name}.{image_format}"
        try:
            figure = KINDS[name](loaded)
        except ResultsError:
            if kind is None:  # what the file does not hold was not asked for either
                continue
            raise
        save(figure, path)
        if not quiet:
            typer.echo(path)
