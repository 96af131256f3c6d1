"""Curves of models trained on different ranges of beta, whose ends are what one looks at."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from mrtc.plots.sets import GREY, HOLLOW, THICK, THIN, Numbers, Style, finish, styled, wrapped
from mrtc.plots.theme import WIDTH, beta_axis, distortion_label, new_figure, theme
from mrtc.results import RunSet
from mrtc.statistics import mean_interval

END = 1.8
"""Size of the markers at the ends, as a multiple of the others'."""


@theme()
def range_curves(
    sets: Mapping[str, RunSet],
    *,
    title: str,
    published: Mapping[str, tuple[Numbers, Numbers]] | None = None,
) -> Figure:
    """Distortion over rate, and rate over beta; the ends have large markers and numbers.

    Numbers are betas in the first panel, and rates in the second.

    Lines are means over seeds, of the runs at a beta that did not fail; thin ones are seeds.

    Args:
        sets: Runs over their range, by the names that the legend gives them.
        title: What the picture shows.
        published: By the same names, rates and distortions at the least and the greatest beta.

    Raises:
        ResultsError: If a set lacks the rate or the distortion.
        ValueError: If there is no set.
    """
    figure = new_figure(1.35 * WIDTH)
    plane, rates = figure.subplots(1, 2)
    handles: list[Artist] = []
    published = published or {}
    for label, runs, style in styled(sets, [runs.beta for runs in sets.values()]):
        curve = np.stack([runs.value("rate"), runs.value("distortion")])
        curve[:, ~np.isfinite(curve).all(0)] = np.nan
        mean = np.stack([_means(values) for values in curve])
        for x, y in curve.swapaxes(0, 1) if len(runs.seed) > 1 else ():
            thin = style | {"marker": "", "linewidth": THIN, "alpha": 0.6}
            plane.plot(x, y, **thin)
            rates.plot(runs.beta, x, **thin)
        handles += plane.plot(*mean, linewidth=THICK, label=wrapped(label), **style)
        rates.plot(runs.beta, mean[0], linewidth=THICK, **style)
        _mark_ends(plane, mean, [f"{beta:g}" for beta in runs.beta], style)
        over_beta = np.stack([runs.beta, mean[0]])
        _mark_ends(rates, over_beta, [f"{rate:.3g}" for rate in mean[0]], style)
        if label in published:
            rate, distortion = published[label]
            look = style | HOLLOW | {"markersize": END * style["markersize"]}
            plane.plot(rate, distortion, **look)
            rates.plot(runs.beta[[0, -1]], rate, **look)
    if published:
        look = HOLLOW | {"color": GREY, "marker": "o"}
        handles += plane.plot([], [], label=wrapped("Bae et al., ends (published)"), **look)
    plane.set_xlabel("rate (nats per example)")
    plane.set_ylabel(distortion_label(*(runs.config for runs in sets.values())))
    plane.margins(0.1)
    beta_axis(rates, np.concatenate([runs.beta for runs in sets.values()]))
    rates.set_ylabel("rate (nats per example)")
    return finish(figure, handles, title)


def _means(values: Float[np.ndarray, "seed beta"]) -> Float[np.ndarray, " beta"]:
    return np.array([mean_interval(column).value for column in values.T])


def _mark_ends(
    axes: Axes, curve: Float[np.ndarray, "xy beta"], labels: Sequence[str], style: Style
) -> None:
    """The first and the last point, where there is one, with its label beside it."""
    look = style | {"linestyle": "", "markersize": END * style["markersize"]}
    for at in (0, -1):
        x, y = (float(value) for value in curve[:, at])
        if np.isfinite([x, y]).all():
            axes.plot([x], [y], **look)
            axes.annotate(
                labels[at],
                (x, y),
                xytext=(5, 4),
                textcoords="offset points",
                fontsize=7,
                color=style["color"],
                path_effects=[withStroke(linewidth=1.5, foreground="white")],
            )
