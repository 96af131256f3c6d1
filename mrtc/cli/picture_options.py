"""What commands that show what models make have in common, for images and for documents."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np

    from mrtc.plots.texts import TextTable

FRAMES = 30
"""Betas of an animation, unless told otherwise."""
ROWS = {"images": 5, "documents": 3}
"""Betas of a picture or a table, unless told otherwise."""
COLUMNS = {"images": 8, "documents": 4}
"""Samples, or reconstructions."""
STEPS = {"images": 9, "documents": 5}
"""Of an interpolation."""

Checkpoints = Annotated[
    list[Path],
    typer.Argument(help="Checkpoints that `mrtc train` wrote (.pt), drawn below one another."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="File to write: .png, .pdf, .svg, or .gif, animated over beta; of documents .png, "
        ".pdf, .svg, .md or .json, beside the table that is printed, or .h5: results of the same "
        "model, or a file of texts, to which the table is added for `mrtc plot`."
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(
        help="Of documents: draw words at this temperature; 1 is the model as it is. Left out, "
        "each word is the likeliest one."
    ),
]
Longest = Annotated[
    int | None,
    typer.Option(min=1, help="Of documents: words of a text at most (those of training)."),
]


def chosen_betas(checkpoints: Sequence[Path], betas: str | None, count: int) -> "np.ndarray":
    """What ``--betas`` says, or ``count`` over the range of the first multi-rate model.

    Raises:
        BetaError: If ``betas`` cannot be read.
        CheckpointError: If a checkpoint cannot be used.
    """
    from mrtc.experiments.evaluate import default_betas
    from mrtc.rates import parse_grid

    if betas is not None:
        return parse_grid(betas)
    return max((default_betas(path, count) for path in checkpoints), key=len)


def are_of_texts(checkpoints: Sequence[Path]) -> bool:
    """Whether checkpoints are of documents, not of images.

    Raises:
        CheckpointError: If a checkpoint cannot be used.
        MrtcError: If there are some of both.
    """
    from mrtc.errors import MrtcError
    from mrtc.experiments.run import read_config
    from mrtc.training import Checkpoint

    configs = [read_config(Checkpoint.load(path), path) for path in checkpoints]
    kinds = {config.text is not None for config in configs}
    if len(kinds) > 1:
        seen = ", ".join(
            f"{path} of {config.dataset}" for path, config in zip(checkpoints, configs, strict=True)
        )
        raise MrtcError(
            f"these checkpoints are of images and of documents: {seen}; show those of the same "
            "data together"
        )
    return kinds.pop()


def refuse_for_images(**options: object) -> None:
    """Checks that options that are for documents are left out, which is None.

    Raises:
        MrtcError: If one is given; the message names all that are.
    """
    from mrtc.errors import MrtcError

    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        raise MrtcError(
            f"{', '.join(given)} cannot be used: that is for models of documents, and the "
            "checkpoint is one of images; leave it out, or give a checkpoint of documents"
        )


def require_table_format(out: Path | None) -> None:
    """Checks, before long work, that a table of texts can be written to ``out``, if to any file.

    Raises:
        OutputError: If its suffix is that of no form of a table.
        ResultsError: If it is an HDF5 file to which no texts can be added.
    """
    from mrtc.plots.texts import require_table_format as require

    if out is not None:
        require(out)


def show_table(table: "TextTable", out: Path | None) -> None:
    """Prints a table as wide as the terminal, and writes it if there is a place to."""
    import shutil

    from mrtc.plots.texts import save_table

    typer.echo(table.to_text(shutil.get_terminal_size().columns))
    if out is not None:
        save_table(table, out)
        typer.echo(f"\n{out}")
