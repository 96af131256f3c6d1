"""Rates of latent groups over beta: what each group of a hierarchy codes."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from mrtc.hierarchy import LatentGroup
from mrtc.plots.theme import PALETTE, WIDTH, beta_axis, marker_size, new_figure, theme
from mrtc.results import Results
from mrtc.results.groups import scales

PALEST = 0.45
"""How much of its scale's colour the lowest group of the scale has; the highest has all of it."""


@theme()
def groups(results: Results) -> Figure:
    """The rate of every latent group over beta, and its share in the rate of all.

    Areas lie on one another, the top group lowest, so their upper edge is the whole rate. Groups of
    one scale have one colour, which pales from the first of them to the last.

    Raises:
        ResultsError: If the file is of a model without latent groups.
    """
    rates = results.rate_group
    order = np.argsort(results.beta[results.evaluated])
    beta, rates = results.beta[results.evaluated][order], rates[order]
    colours = group_colours(results.header.groups)
    figure = new_figure(WIDTH * 1.4)
    left, right = figure.subplots(1, 2)
    _stack(left, beta, rates, colours)
    left.plot(
        beta, rates.sum(1), color="black", linewidth=0.8, marker=".", markersize=marker_size(beta)
    )
    left.set_ylabel("rate (nats per example)")
    whole = rates.sum(1, keepdims=True)
    _stack(right, beta, rates / np.where(whole > 0, whole, np.nan), colours)
    right.set_ylabel("share in the rate")
    right.set_ylim(0, 1)
    for axes in (left, right):
        beta_axis(axes, beta)
    figure.legend(
        handles=_legend(results, colours), loc="outside right center", title="latent groups"
    )
    examples = int(results.parameters["rate_group"].get("examples", 0))
    of_examples = f"; {examples:,} examples" if examples else ""
    figure.suptitle(f"{results.header.source}{of_examples}", parse_math=False)
    return figure


def _stack(
    axes: Axes,
    beta: Float[np.ndarray, " beta"],
    rates: Float[np.ndarray, "beta group"],
    colours: list[tuple[float, float, float]],
) -> None:
    """Areas with white edges between them; bars where there is one beta, and so no area."""
    if len(beta) == 1:
        low, high = float(beta[0]) / 1.5, float(beta[0]) * 1.5
        beta, rates = np.array([low, high]), np.repeat(rates, 2, 0)
    axes.stackplot(beta, rates.T, colors=colours, edgecolor="white", linewidth=0.3)
    axes.set_ylim(bottom=0)


def group_colours(groups: Sequence[LatentGroup]) -> list[tuple[float, float, float]]:
    """Of each group, from the top: a hue for each scale, which pales from its first group on."""
    colours = []
    for at, (first, last) in enumerate(scales(groups)):
        hue = np.array(to_rgb(PALETTE[at % len(PALETTE)]))
        for strength in np.linspace(1, PALEST, last - first + 1):
            red, green, blue = (1 - strength * (1 - hue)).tolist()
            colours.append((red, green, blue))
    return colours


def _legend(results: Results, colours: list[tuple[float, float, float]]) -> list[Patch]:
    """The first and the last group of each scale, in the order in which areas lie."""
    handles = []
    for first, last in scales(results.header.groups):
        side = results.header.groups[first].side
        for group in dict.fromkeys((first, last)):
            top = ", the top one" if group == 0 else ""
            handles.append(Patch(color=colours[group], label=f"{group} ({side} x {side}){top}"))
    return handles[::-1]
