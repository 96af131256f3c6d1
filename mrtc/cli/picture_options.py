"""What commands that draw images have in common."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np

ROWS, FRAMES = 5, 30
"""Betas of a picture and of an animation, unless told otherwise."""

Checkpoints = Annotated[
    list[Path],
    typer.Argument(help="Checkpoints that `mrtc train` wrote (.pt), drawn below one another."),
]
Out = Annotated[
    Path | None, typer.Option(help="File to write: .png, .pdf, .svg, or .gif, animated over beta.")
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
