"""``mrtc plot``: pictures of a results file."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mrtc.cli import options

TEXTS = "texts"
"""The kind whose pictures are of tables, not of curves: one for each."""


def plot(
    results: Annotated[Path, typer.Argument(help="Results file, or file of texts (.h5).")],
    kind: Annotated[
        str | None,
        typer.Option(
            help="Which pictures: mig,rd,au,scores,lifelines,groups,texts; if left out, all that "
            "the file has."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the pictures; beside the results if left out.")
    ] = None,
    image_format: Annotated[
        Literal["png", "pdf", "svg"], typer.Option("--format", help="Of the pictures.")
    ] = "png",
    quiet: options.Quiet = False,
) -> None:
    """Draw the curves of a results file over beta, and the tables of texts that were added to it.

    Example: `mrtc plot results.h5 --kind mig,rd`
    """
    from mrtc.errors import MrtcError, ResultsError
    from mrtc.plots import KINDS, save
    from mrtc.plots.texts import read_tables
    from mrtc.results import read
    from mrtc.results.texts_file import is_texts_file

    known = [TEXTS] if is_texts_file(results) else [*KINDS, TEXTS]
    kinds = known if kind is None else kind.split(",")
    unknown = [name for name in kinds if name not in (*KINDS, TEXTS)]
    if unknown:
        raise MrtcError(
            f"there is no picture {unknown[0]!r}; choose among {', '.join((*KINDS, TEXTS))}"
        )
    curves = [name for name in kinds if name != TEXTS]
    loaded = read(results) if curves else None
    folder = out or results.parent
    for name in kinds:
        try:
            if loaded is None or name == TEXTS:
                tables = read_tables(results)
                figures = {f"{TEXTS}-{table}": tables[table].figure() for table in tables}
            else:
                figures = {name: KINDS[name](loaded)}
        except ResultsError:
            if kind is None and curves:  # what the file does not hold was not asked for either
                continue
            raise
        for label, figure in figures.items():
            path = folder / f"{results.stem}-{label}.{image_format}"
            save(figure, path)
            if not quiet:
                typer.echo(path)
