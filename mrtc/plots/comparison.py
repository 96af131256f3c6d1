"""Sets of runs beside each other: rate and distortion, metrics over beta.

Every seed is drawn. Sets differ in colour, marker and dashes at once, so that they are told apart
in grey too, and none is drawn heavier than another.
"""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from mrtc.errors import ResultsError
from mrtc.metrics.catalogue import CATALOGUE
from mrtc.plots.sets import (
    GREY,
    HOLLOW,
    LABEL_WIDTH,
    THICK,
    THIN,
    Numbers,
    Style,
    finish,
    in_words,
    styled,
    title_of,
    wrapped,
)
from mrtc.plots.theme import (
    MARKERS,
    beta_axis,
    distortion_label,
    new_figure,
    points_well_apart,
    theme,
)
from mrtc.results import RunSet, unit_of
from mrtc.results.sameness import SAME
from mrtc.statistics import distortion_at, mean_interval

Published = tuple[Numbers, Numbers, Numbers | None]
"""Betas, values, and half the length of their error bars if they have any."""
Colour = str | tuple[float, float, float]


@theme()
def rate_distortion_of(
    sets: Mapping[str, RunSet], *, published: Mapping[str, tuple[Numbers, Numbers]] | None = None
) -> Figure:
    """Distortion over rate: every seed, and the mean over seeds at each beta.

    The mean is of the runs at a beta that did not fail. Some betas are written beside the curves;
    a dotted line joins the means of all sets at such a beta.

    Args:
        sets: By the names that the legend gives them.
        published: Rates and distortions of papers, likewise.

    Raises:
        ResultsError: If a set lacks the rate or the distortion.
    """
    figure = new_figure(height=3.4)
    axes = figure.add_subplot()
    handles: list[Artist] = []
    means = []
    for label, runs, style in styled(sets, [runs.beta for runs in sets.values()]):
        points = np.stack([runs.value("rate"), runs.value("distortion")])
        points[:, ~np.isfinite(points).all(0)] = np.nan
        mean = np.stack([_interval(values)[1] for values in points])
        handles.append(_draw(axes, points, mean, style, label))
        means.append((runs.beta, mean))
    for at, (label, curve) in enumerate((published or {}).items()):
        look = HOLLOW | {"color": GREY, "marker": MARKERS[-1 - at % len(MARKERS)], "zorder": 1}
        handles += axes.plot(*curve, label=wrapped(f"{label} (published)"), **look)
    axes.margins(0.08)
    handles += _key(sets) + _annotate(axes, means)
    axes.set_xlabel("rate (nats per example)")
    axes.set_ylabel(distortion_label(*(runs.config for runs in sets.values())))
    return finish(figure, handles, title_of(sets))


@theme()
def over_beta(
    sets: Mapping[str, RunSet], name: str, *, published: Mapping[str, Published] | None = None
) -> Figure:
    """One metric over beta: every seed, their mean, and the 95 % t interval of that mean.

    Runs that failed are left out; a beta with one run has no interval.

    Args:
        sets: By the names that the legend gives them.
        name: A metric or score with one value for each run and beta.
        published: Series of papers, likewise, with error bars as the paper has them.

    Raises:
        ResultsError: If a set lacks the metric, or it has several values at each beta.
    """
    figure = new_figure()
    axes = figure.add_subplot()
    handles: list[Artist] = []
    betas, seen, ends = [], [], []
    for label, runs, style in styled(sets, [runs.beta for runs in sets.values()]):
        values = _one_each(runs, name)
        low, mean, high = _interval(values)
        _draw_band(axes, runs.beta, low, high, style["color"])
        points = np.stack([np.broadcast_to(runs.beta, values.shape), values])
        handles.append(_draw(axes, points, np.stack([runs.beta, mean]), style, label))
        betas.append(runs.beta)
        seen.append(values.ravel())
        ends += [low, high]
    has_interval = bool(np.isfinite(np.concatenate(ends)).any())
    handles += _key(sets)
    handles += [Patch(color="0.8", label="95 % t interval\nof the mean")] * has_interval
    for at, (label, (beta, value, half)) in enumerate((published or {}).items()):
        look = HOLLOW | {"color": GREY, "marker": MARKERS[-1 - at % len(MARKERS)], "zorder": 4}
        handles += axes.plot(beta, value, label=wrapped(f"{label} (published)"), **look)
        bar = np.zeros(len(value)) if half is None else half
        axes.vlines(beta, value - bar, value + bar, color=GREY, linewidth=THIN)
        betas.append(beta)
        seen += [value - bar, value + bar]

    runs = next(iter(sets.values()))
    beta_axis(axes, np.concatenate(betas))
    _limit(axes, runs, name, np.concatenate(seen), np.concatenate(ends))
    if name == "active_units":
        axes.set_ylabel(f"active units (of {runs.all_codes} codes)")
    else:
        axes.set_ylabel(
            textwrap.fill(in_words(name, unit_of(runs.variables[name], runs.config)), LABEL_WIDTH)
        )
    return finish(figure, handles, title_of(sets, name))


def _draw(
    axes: Axes,
    points: Float[np.ndarray, "xy seed beta"],
    mean: Float[np.ndarray, "xy beta"],
    style: Style,
    label: str,
) -> Line2D:
    """Every seed thin, if there are several, and the mean thick."""
    small = style | {"markersize": 0.45 * style["markersize"]}
    if points.shape[1] > 1:
        for x, y in points.swapaxes(0, 1):
            axes.plot(x, y, linewidth=THIN, alpha=0.6, zorder=2, **small)
    (line,) = axes.plot(*mean, linewidth=THICK, zorder=3, label=wrapped(label), **style)
    return line


def _draw_band(
    axes: Axes,
    beta: Float[np.ndarray, " beta"],
    low: Float[np.ndarray, " beta"],
    high: Float[np.ndarray, " beta"],
    colour: Colour,
) -> None:
    axes.fill_between(beta, low, high, color=colour, alpha=0.15, linewidth=0)
    known = np.pad(np.isfinite(low), 1)
    alone = known[1:-1] & ~known[:-2] & ~known[2:]  # a band of no width
    axes.vlines(beta[alone], low[alone], high[alone], color=colour, alpha=0.3, linewidth=3)


def _annotate(
    axes: Axes, means: Sequence[tuple[Float[np.ndarray, " _"], Float[np.ndarray, "2 _"]]]
) -> list[Artist]:
    """Writes some betas of the sparsest set, and joins the sets there."""
    beta, (rate, distortion) = min(means, key=lambda mean: _sparse(mean[1]))
    extent = np.array([np.ptp(axes.get_xlim()), np.ptp(axes.get_ylim())])
    joined: list[Artist] = []
    for at in points_well_apart(rate, distortion):
        same = [mean[:, np.isclose(grid, beta[at], rtol=SAME, atol=0)] for grid, mean in means]
        points = np.concatenate(same, axis=1)
        points = points[:, np.isfinite(points).all(0)]
        if points.shape[1] > 1:
            joined = [
                *axes.plot(*points, ":", color="0.2", linewidth=1, zorder=4, label="same beta")
            ]
        x, y = max(points.T, key=lambda point: (-_covered(point, means), sum(point / extent)))
        axes.annotate(
            f"{beta[at]:.2g}" if axes.texts else f"beta {beta[at]:.2g}",
            (float(x), float(y)),
            xytext=(6, 5),
            textcoords="offset points",
            fontsize=7,
            color="0.2",
            path_effects=[withStroke(linewidth=1.5, foreground="white")],
        )
    return joined


def _covered(
    point: Float[np.ndarray, "2"],
    means: Sequence[tuple[Float[np.ndarray, " _"], Float[np.ndarray, "2 _"]]],
) -> float:
    """By how many nats of distortion the highest curve is above a point, at its rate."""
    heights = [distortion_at(mean[0], mean[1], point[:1]).item() for _, mean in means]
    return float(np.nanmax([*heights, point[1]]) - point[1])


def _sparse(mean: Float[np.ndarray, "2 _"]) -> tuple[bool, int]:
    """Sorts sets by their number of points, those that make no curve last."""
    count = int(np.isfinite(mean[0]).sum())
    return count < 2, count


def _interval(
    values: Float[np.ndarray, "seed beta"],
) -> tuple[Float[np.ndarray, " beta"], Float[np.ndarray, " beta"], Float[np.ndarray, " beta"]]:
    """Lower end, mean and upper end at each beta."""
    intervals = [mean_interval(column) for column in values.T]
    low, mean, high = np.array([(one.low, one.value, one.high) for one in intervals]).T
    return low, mean, high


def _one_each(runs: RunSet, name: str) -> Float[np.ndarray, "seed beta"]:
    values = runs.value(name)
    if values.ndim != 2:
        axis = runs.variables[name].dims[1]
        raise ResultsError(
            f"{name} has a value for each {axis} at each beta, and this picture shows one: choose "
            f"one of {', '.join(n for n, v in runs.values.items() if v.ndim == 2)}"
        )
    return values


def _limit(axes: Axes, runs: RunSet, name: str, seen: Numbers, ends: Numbers) -> None:
    """Shows all values, and of the intervals what the metric can be; scores from zero."""
    low, high, unit = -np.inf, np.inf, runs.variables[name].unit
    if name in CATALOGUE:
        low, high = CATALOGUE[name].low, CATALOGUE[name].high
        high = min(high, runs.all_codes) if unit == "count" else high
    if unit == "count":
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    zero = [0.0] if unit != "nats" else []
    shown = np.concatenate([seen, np.clip(ends, low, high), zero])
    shown = shown[np.isfinite(shown)]
    if len(shown):
        margin = 0.04 * float(np.ptp(shown)) or 0.5
        axes.set_ylim(shown.min() - margin, shown.max() + margin)


def _key(sets: Mapping[str, RunSet]) -> list[Artist]:
    """What thick and thin lines are, where both are drawn."""
    if all(len(runs.seed) < 2 for runs in sets.values()):
        return []
    return [
        Line2D([], [], color=GREY, linewidth=THICK, label="mean over seeds"),
        Line2D([], [], color=GREY, linewidth=THIN, label="each seed"),
    ]
