"""The figures there are."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mrtc.errors import MrtcError
from mrtc.experiments.figures import (
    fig4,
    fig5,
    fig5_yahoo,
    fig6,
    fig7,
    fig8_mig,
    fig8_range,
    fig9,
    table1,
    table2,
    table_cost,
)
from mrtc.experiments.figures.image_runs import DATASETS
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
        for name, dataset in DATASETS.items()
    },
    **{
        f"fig5-nvae-{name}": Figure(
            f"rate and distortion of hierarchical VAEs on {DATASETS[name]}, multi-rate runs and "
            "repeated baselines",
            partial(fig5.draw, DATASETS[name], architectures=("nvae",)),
        )
        for name in ("mnist", "omniglot-28", "celeba")
    },
    "fig5-yahoo": Figure(
        "rate and distortion, and active units over beta, on Yahoo answers: multi-rate runs and "
        "three kinds of repeated baselines",
        fig5_yahoo.draw,
    ),
    **{
        f"fig6-{name}": Figure(
            f"active units over beta on {name}"
            f"{', and distances of samples from data' * (name in fig6.NATURAL)}",
            partial(fig6.draw, name),
        )
        for name in fig6.DATASETS
    },
    **{
        f"fig7-{name}": Figure(
            f"samples across beta on {name}, of one multi-rate run and of baselines",
            partial(fig7.draw, name),
        )
        for name in fig7.DATASETS
    },
    "fig8-mig": Figure(
        "MIG of beta-TCVAE on dSprites over beta: multi-rate runs and repeated baselines",
        fig8_mig.draw,
    ),
    **{
        f"fig8-range{ending}": Figure(
            f"rate and distortion on {dataset} of multi-rate runs trained on different ranges",
            partial(fig8_range.draw, dataset),
        )
        for ending, dataset in fig8_range.DATASETS.items()
    },
    **{
        f"fig9{ending}": Figure(
            f"rate and distortion on {dataset} of multi-rate runs with different gates",
            partial(fig9.draw, dataset),
        )
        for ending, dataset in fig9.DATASETS.items()
    },
    "table1": Figure("parameters of the image networks, plain and multi-rate", table1.draw),
    **{
        f"table2{ending}": Figure(
            f"best ELBO on {' and '.join(names)}, multi-rate runs and repeated baselines",
            partial(table2.draw, ending),
        )
        for ending, names in table2.NAMES.items()
    },
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
