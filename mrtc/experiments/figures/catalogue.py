"""The figures there are."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mrtc.errors import MrtcError
from mrtc.experiments.figures import fig4, fig5, fig8_mig, table_cost
from mrtc.experiments.figures.options import FigureOptions


@dataclass(frozen=True)
class Figure:
    """A figure or table of the paper."""

    summary: str
    """What it shows, in a line."""
    draw: Callable[[FigureOptions], list[Path]]
    """Trains what is not trained yet, draws, and returns the files that were written."""


FIGURES = {
    "fig4": Figure(
        "linear VAEs on binarised MNIST beside the exact rate-distortion curve", fig4.draw
    ),
    **{
        f"fig5-{name}": Figure(
            f"rate and distortion on {dataset}, multi-rate runs and repeated baselines",
            partial(fig5.draw, dataset),
        )
        for name, dataset in fig5.DATASETS.items()
    },
    "fig8-mig": Figure(
        "MIG of beta-TCVAE on dSprites over beta: multi-rate runs and repeated baselines",
        fig8_mig.draw,
    ),
    "table-cost": Figure(
        "parameters and time of one multi-rate run, of a baseline, and of eight", table_cost.draw
    ),
}
"""By the names that ``mrtc figure`` takes."""


def draw(name: str, options: FigureOptions) -> list[Path]:
    """Makes one figure, from training to picture; what is trained already is not trained again.

    Args:
        name: Of ``FIGURES``.
        options: Where it goes, and how its runs are trained.

    Returns:
        The files that were written.

    Raises:
        MrtcError: If there is no such figure, or its runs failed.
    """
    if name not in FIGURES:
        raise MrtcError(f"there is no figure {name!r}; choose among {', '.join(FIGURES)}")
    return FIGURES[name].draw(options)
