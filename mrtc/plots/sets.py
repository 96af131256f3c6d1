"""What pictures of sets of runs share: the look of each set, the legend, titles and labels."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from mrtc.metrics.catalogue import CATALOGUE
from mrtc.plots.theme import MARKERS, PALETTE, TITLE_WIDTH, marker_size
from mrtc.results import RunSet

COLOURS = [PALETTE[at] for at in (0, 1, 4, 9, 5)]
"""Blue, orange, pink, light blue, brown: none that says good or bad, as green and red do."""
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.2)), (0, (4, 1.2, 1, 1.2)), (0, (1, 1)))
THICK, THIN = 1.4, 0.6
GREY = "0.45"
LABEL_WIDTH, LEGEND_WIDTH = 40, 22
"""Letters along the y axis, and in a line of the legend."""

Numbers = Float[np.ndarray, " _"]
Style = dict[str, Any]
HOLLOW: Style = {"linestyle": "", "markerfacecolor": "white", "markeredgewidth": 0.8}
T = TypeVar("T")


def title_of(sets: Mapping[str, RunSet], name: str = "") -> str:
    """What a picture of ``sets`` shows: data, examples, seeds, and what the MIG depends on."""
    described = dict.fromkeys(_described(runs) for runs in sets.values())
    counts = sorted({len(runs.seed) for runs in sets.values()})
    seeds = f"{counts[0]} to {counts[-1]} seeds"
    if len(counts) == 1:
        seeds = f"{counts[0]} seed{'s' * (counts[0] > 1)}{' each' * (len(sets) > 1)}"
    lines = textwrap.wrap("; ".join([*described, seeds]), TITLE_WIDTH)
    parameters = next(iter(sets.values())).parameters
    if name == "mig_chen" and {"estimator", "scored_factors"} <= parameters.keys():
        scored = ", ".join(parameters["scored_factors"])
        how = f"{parameters['estimator']} estimator; scored factors: {scored}"
        lines += textwrap.wrap(how, TITLE_WIDTH)
    return "\n".join(lines)


def _described(runs: RunSet) -> str:
    """Data and examples; rates are of all that are encoded, distortions of those decoded."""
    if "encoded" not in runs.parameters:
        return runs.source
    encoded = int(runs.parameters["encoded"])
    decoded = min(encoded, int(runs.parameters.get("keep", encoded)))
    text = f"{runs.source}; {encoded:,} examples"
    return text + f" ({decoded:,} decoded)" * (decoded < encoded)


def styled(sets: Mapping[str, T], grids: Sequence[Numbers]) -> list[tuple[str, T, Style]]:
    """Each set with its look; markers of all are as small as the densest grid needs.

    Args:
        sets: By the names that the legend gives them.
        grids: Betas of each of them.

    Raises:
        ValueError: If there is no set.
    """
    if not sets:
        raise ValueError("there is no set to draw; give one at least")
    size = min(1.3 * marker_size(grid) for grid in grids)
    return [
        (
            label,
            one,
            {
                "color": COLOURS[at % len(COLOURS)],
                "marker": MARKERS[at % len(MARKERS)],
                "linestyle": DASHES[at % len(DASHES)],
                "markersize": size,
            },
        )
        for at, (label, one) in enumerate(sets.items())
    ]


def in_words(name: str, unit: str) -> str:
    """What an axis is called that shows the metric ``name``."""
    title = CATALOGUE[name].title if name in CATALOGUE else name.replace("_", " ")
    return f"{title} ({unit})" if unit in ("nats", "squared error") else title


def wrapped(label: str) -> str:
    """``label`` in lines that fit beside a picture."""
    return textwrap.fill(label, LEGEND_WIDTH)


def finish(figure: Figure, handles: Sequence[Artist], title: str) -> Figure:
    """``figure``, with a legend of ``handles`` beside what is drawn, and a title above it."""
    figure.legend(handles=list(handles), loc="outside right center")
    figure.suptitle(title)
    return figure
