"""Options of the grid of an evaluation: which betas, or how to choose them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mrtc.errors import BetaError

if TYPE_CHECKING:
    import numpy as np

    from mrtc.evaluation.adaptive import AdaptiveGrid

Betas = Annotated[
    str | None,
    typer.Option(
        help="Grid low:high:count (0.1:10:50, log-spaced), list 0.5,1,4, one number, or auto: more "
        "betas where curves bend; 50 over the trained range if left out."
    ),
]
Tolerance = Annotated[
    float | None,
    typer.Option(
        help="With --betas auto, what lines between betas may miss, as a share of each curve's "
        "span; 0.02 if left out."
    ),
]
MostBetas = Annotated[
    int | None, typer.Option(help="With --betas auto, how many at most; 25 if left out.")
]
Refine = Annotated[
    str | None,
    typer.Option(
        help="With --betas auto, the curves that decide: rate, distortion, elbo, active_units, "
        "mig_chen."
    ),
]


def chosen_grid(
    checkpoint: Path,
    betas: str | None,
    *,
    tolerance: float | None,
    most_betas: int | None,
    refine: str | None,
    usual: tuple[str, ...] | None = None,
) -> "np.ndarray | AdaptiveGrid":
    """What ``--betas`` and the options of adaptive grids say.

    Args:
        checkpoint: Whose trained range it is, where ``betas`` are left out.
        betas: A grid as text, or ``auto``.
        tolerance: Of an adaptive grid.
        most_betas: Of an adaptive grid.
        refine: Names of its curves, with commas.
        usual: Its curves, where none are named.

    Raises:
        BetaError: If ``betas`` cannot be read, or options of adaptive grids stand beside another.
    """
    from mrtc.evaluation.adaptive import AdaptiveGrid
    from mrtc.experiments.evaluate import AUTO, default_betas
    from mrtc.rates import parse_grid

    given = {
        option: value
        for option, value in (
            ("tolerance", tolerance),
            ("most-betas", most_betas),
            ("refine", refine),
        )
        if value is not None
    }
    if betas == AUTO:
        usual_grid = AdaptiveGrid()
        return AdaptiveGrid(
            usual_grid.tolerance if tolerance is None else tolerance,
            usual_grid.most_betas if most_betas is None else most_betas,
            usual if refine is None else tuple(refine.split(",")),
        )
    if given:
        shown = ", ".join(f"--{option} {value}" for option, value in given.items())
        raise BetaError(
            f"{shown} is of adaptive grids, and the betas are {betas or 'left out'}; add --betas "
            "auto, or leave it out"
        )
    return default_betas(checkpoint) if betas is None else parse_grid(betas)
