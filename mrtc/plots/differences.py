"""How far runs are from what they should be: slopes from beta, differences from none."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mrtc.errors import ResultsError
from mrtc.plots.sets import (
    COLOURS,
    GREY,
    HOLLOW,
    LABEL_WIDTH,
    THICK,
    THIN,
    Style,
    finish,
    in_words,
    styled,
    wrapped,
)
from mrtc.plots.theme import SHADE, beta_axis, beta_limits, label_beta, new_figure, theme
from mrtc.statistics import Slopes, off_slope

REACH = 10.0
"""How far the axis of slopes may go beyond the betas: at a rate near zero slopes have no bounds."""


@theme()
def slope_picture(
    sets_of_slopes: Mapping[str, Sequence[Slopes]], factor: float = 1.5, *, title: str = ""
) -> Figure:
    """Realised slope of rate-distortion curves over the one to be expected, which is beta.

    Every line is a seed. Marks are hollow where the slope is off by more than ``factor``, as it is
    where training was too short; those beyond the axis, or not positive, stand at its edge.

    Args:
        sets_of_slopes: Slopes of each seed, by the names that the legend gives the sets.
        factor: What still is calibrated, see :func:`mrtc.statistics.off_slope`.
        title: Stands above all, for example :func:`title_of` of the runs.

    Raises:
        ResultsError: If there is no slope, as with one beta.
        ValueError: If ``factor`` is not finite or not above 1.
    """
    pairs = [slopes.beta for seeds in sets_of_slopes.values() for slopes in seeds]
    if not sum(map(len, pairs)):
        raise ResultsError(
            f"there are no slopes of {', '.join(sets_of_slopes) or 'no set'}: each has fewer "
            "than two betas; evaluate the runs at two betas or more"
        )
    beta = np.concatenate(pairs)
    figure = new_figure(height=3.4)
    axes = figure.add_subplot()
    ends = np.array(beta_limits(beta))
    furthest = ends * np.array([1 / max(REACH, factor), max(REACH, factor)])
    realised = [slopes.realised for seeds in sets_of_slopes.values() for slopes in seeds]
    reached = np.r_[np.clip(np.concatenate(realised), *furthest), ends / factor, ends * factor]
    limits = np.clip(beta_limits(reached[np.isfinite(reached)]), *furthest)
    label = f"within a factor\nof {factor:g}"
    zone = axes.fill_between(
        ends, ends / factor, ends * factor, color=SHADE, linewidth=0, label=label
    )
    (optimum,) = axes.plot(ends, ends, color="black", linewidth=0.8, label="optimum")
    handles: list[Artist] = []
    is_off = False
    for label, seeds, style in styled(sets_of_slopes, pairs):
        for slopes in seeds:
            is_off |= _draw_slopes(axes, slopes, factor, furthest, style)
        handles.append(Line2D([], [], label=wrapped(label), linewidth=THIN, **style))
    outside = "outside; at the edge:\nbeyond the axis"
    hollow = [Line2D([], [], label=outside, color=GREY, marker="o", **HOLLOW)] * is_off

    beta_axis(axes, beta)
    axes.set_xlabel("beta (logarithmic mean of two neighbours)")
    axes.set_yscale("log")
    axes.set_ylim(*limits)
    label_beta(axes.yaxis, limits)
    axes.set_ylabel("realised slope (nats per nat)")
    return finish(figure, [*handles, optimum, zone, *hollow], title)


@theme()
def differences(
    name: str,
    unit: str,
    beta: Float[np.ndarray, " beta"],
    value: Float[np.ndarray, " beta"],
    low: Float[np.ndarray, " beta"],
    high: Float[np.ndarray, " beta"],
    margin: float,
    *,
    label: str,
    level: float | None = None,
    title: str = "",
) -> Figure:
    """Difference of two kinds of runs at each beta, beside the margin that does not matter.

    Args:
        name: The metric.
        unit: ``nats``, ``count``, or ``1`` for a number without unit.
        beta: Where the runs are compared.
        value: Difference of means; NaN where a kind has no run left.
        low: Lower end of its interval; NaN with one seed.
        high: Upper end.
        margin: Greatest difference that does not matter.
        label: What is subtracted from what, for example ``multi-rate less baselines``.
        level: Of the intervals, between 0 and 1; the legend names it.
        title: Stands above all, for example :func:`title_of` of the runs.
    """
    figure = new_figure()
    axes = figure.add_subplot()
    band = axes.axhspan(
        -margin, margin, color=SHADE, linewidth=0, zorder=0, label=f"margin of {margin:g}"
    )
    axes.axhline(0, color="0.2", linewidth=THIN, zorder=1)
    interval = "interval" if level is None else f"{100 * level:g} % interval"
    bars = axes.vlines(beta, low, high, color=COLOURS[0], linewidth=THICK, label=interval)
    (points,) = axes.plot(beta, value, "o", color=COLOURS[0], label=wrapped(label))
    handles: list[Artist] = [points]
    if np.isfinite(low).any():
        handles.append(bars)
    elif np.isfinite(value).any():
        handles.append(Line2D([], [], linestyle="", label="one seed: no interval"))
    beta_axis(axes, beta)
    reach = 1.08 * float(np.nanmax(np.abs(np.r_[value, low, high, margin])))
    axes.set_ylim(-reach, reach)  # as far to either side
    axes.set_ylabel(textwrap.fill(f"difference in {in_words(name, unit)}", LABEL_WIDTH))
    return finish(figure, [*handles, band], title)


def _draw_slopes(
    axes: Axes, slopes: Slopes, factor: float, furthest: Float[np.ndarray, " 2"], style: Style
) -> bool:
    """One seed; returns whether a mark is hollow."""
    shown = np.clip(slopes.realised, *furthest)  # NaN stays
    off = off_slope(slopes.ratio, factor) & np.isfinite(shown)
    axes.plot(slopes.beta, shown, linewidth=THIN, alpha=0.8, **style)
    if off.any():
        axes.plot(slopes.beta[off], shown[off], zorder=3, clip_on=False, **style | HOLLOW)
    return bool(off.any())
