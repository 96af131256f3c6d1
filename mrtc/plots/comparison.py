"""Sets of runs beside each other: rate and distortion, metrics over beta, slopes, differences.

Every seed is drawn. Sets differ in colour, marker and dashes at once, so that they are told apart
in grey too, and none is drawn heavier than another.
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

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
from mrtc.plots.curves import TITLE_WIDTH, _marker_size, _spread
from mrtc.plots.theme import (
    MARKERS,
    PALETTE,
    SHADE,
    beta_axis,
    beta_limits,
    label_beta,
    new_figure,
    theme,
)
from mrtc.results import RunSet
from mrtc.results.runs import SAME
from mrtc.statistics import Slopes, mean_interval, off_slope

COLOURS = [PALETTE[at] for at in (0, 1, 4, 9, 5)]
"""Blue, orange, pink, light blue, brown: none that says good or bad, as green and red do."""
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.2)), (0, (4, 1.2, 1, 1.2)), (0, (1, 1)))
THICK, THIN = 1.4, 0.6
GREY = "0.45"
LABEL_WIDTH, LEGEND_WIDTH = 40, 22
"""Letters along the y axis, and in a line of the legend."""
REACH = 10.0
"""How far the axis of slopes may go beyond the betas: at a rate near zero slopes have no bounds."""

Numbers = Float[np.ndarray, " _"]
Published = tuple[Numbers, Numbers, Numbers | None]
"""Betas, values, and half the length of their error bars if they have any."""
Style = dict[str, Any]
HOLLOW: Style = {"linestyle": "", "markerfacecolor": "white", "markeredgewidth": 0.8}
Colour = str | tuple[float, float, float]
T = TypeVar("T")


@theme()
def rate_distortion_of(sets: Mapping[str, RunSet]) -> Figure:
    """Distortion over rate: every seed, and the mean over seeds at each beta.

    The mean is of the runs at a beta that did not fail. Some betas are written beside the curves;
    a dotted line joins the means of all sets at such a beta.

    Args:
        sets: By the names that the legend gives them.

    Raises:
        ResultsError: If a set lacks the rate or the distortion.
    """
    figure = new_figure(height=3.4)
    axes = figure.add_subplot()
    handles: list[Artist] = []
    means = []
    for label, runs, style in _styled(sets, [runs.beta for runs in sets.values()]):
        points = np.stack([runs.value("rate"), runs.value("distortion")])
        points[:, ~np.isfinite(points).all(0)] = np.nan
        mean = np.stack([_interval(values)[1] for values in points])
        handles.append(_draw(axes, points, mean, style, label))
        means.append((runs.beta, mean))
    axes.margins(0.08)
    handles += _key(sets) + _annotate(axes, means)
    axes.set_xlabel("rate (nats per example)")
    axes.set_ylabel("distortion (nats per example)")
    return _finish(figure, handles, title_of(sets))


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
    for label, runs, style in _styled(sets, [runs.beta for runs in sets.values()]):
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
        handles += axes.plot(beta, value, label=_wrapped(f"{label} (published)"), **look)
        bar = np.zeros(len(value)) if half is None else half
        axes.vlines(beta, value - bar, value + bar, color=GREY, linewidth=THIN)
        betas.append(beta)
        seen += [value - bar, value + bar]

    runs = next(iter(sets.values()))
    beta_axis(axes, np.concatenate(betas))
    _limit(axes, runs, name, np.concatenate(seen), np.concatenate(ends))
    if name == "active_units":
        axes.set_ylabel(f"active units (of {runs.num_codes} codes)")
    else:
        axes.set_ylabel(textwrap.fill(_in_words(name, runs.variables[name].unit), LABEL_WIDTH))
    return _finish(figure, handles, title_of(sets, name))


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
    for label, seeds, style in _styled(sets_of_slopes, pairs):
        for slopes in seeds:
            is_off |= _draw_slopes(axes, slopes, factor, furthest, style)
        handles.append(Line2D([], [], label=_wrapped(label), linewidth=THIN, **style))
    outside = "outside; at the edge:\nbeyond the axis"
    hollow = [Line2D([], [], label=outside, color=GREY, marker="o", **HOLLOW)] * is_off

    beta_axis(axes, beta)
    axes.set_xlabel("beta (logarithmic mean of two neighbours)")
    axes.set_yscale("log")
    axes.set_ylim(*limits)
    label_beta(axes.yaxis, limits)
    axes.set_ylabel("realised slope (nats per nat)")
    return _finish(figure, [*handles, optimum, zone, *hollow], title)


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
    (points,) = axes.plot(beta, value, "o", color=COLOURS[0], label=_wrapped(label))
    handles: list[Artist] = [points]
    if np.isfinite(low).any():
        handles.append(bars)
    elif np.isfinite(value).any():
        handles.append(Line2D([], [], linestyle="", label="one seed: no interval"))
    beta_axis(axes, beta)
    reach = 1.08 * float(np.nanmax(np.abs(np.r_[value, low, high, margin])))
    axes.set_ylim(-reach, reach)  # as far to either side
    axes.set_ylabel(textwrap.fill(f"difference in {_in_words(name, unit)}", LABEL_WIDTH))
    return _finish(figure, [*handles, band], title)


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


def _in_words(name: str, unit: str) -> str:
    title = CATALOGUE[name].title if name in CATALOGUE else name.replace("_", " ")
    return f"{title} (nats)" if unit == "nats" else title


def _styled(sets: Mapping[str, T], grids: Sequence[Numbers]) -> list[tuple[str, T, Style]]:
    """Each set with its look; markers of all are as small as the densest grid needs."""
    if not sets:
        raise ValueError("there is no set to draw; give one at least")
    size = min(1.3 * _marker_size(grid) for grid in grids)
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
    (line,) = axes.plot(*mean, linewidth=THICK, zorder=3, label=_wrapped(label), **style)
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


def _annotate(
    axes: Axes, means: Sequence[tuple[Float[np.ndarray, " _"], Float[np.ndarray, "2 _"]]]
) -> list[Artist]:
    """Writes some betas of the sparsest set, and joins the sets there."""
    beta, (rate, distortion) = min(means, key=lambda mean: _sparse(mean[1]))
    extent = np.array([np.ptp(axes.get_xlim()), np.ptp(axes.get_ylim())])
    joined: list[Artist] = []
    for at in _spread(rate, distortion):
        same = [mean[:, np.isclose(grid, beta[at], rtol=SAME, atol=0)] for grid, mean in means]
        points = np.concatenate(same, axis=1)
        points = points[:, np.isfinite(points).all(0)]
        if points.shape[1] > 1:
            joined = [
                *axes.plot(*points, ":", color="0.2", linewidth=1, zorder=4, label="same beta")
            ]
        outermost = (points.T / extent).sum(1).argmax()  # where no curve is above it
        axes.annotate(
            f"{beta[at]:.2g}" if axes.texts else f"beta {beta[at]:.2g}",
            (float(points[0, outermost]), float(points[1, outermost])),
            xytext=(6, 5),
            textcoords="offset points",
            fontsize=7,
            color="0.2",
            path_effects=[withStroke(linewidth=1.5, foreground="white")],
        )
    return joined


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
        high = min(high, runs.num_codes) if unit == "count" else high
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


def _wrapped(label: str) -> str:
    return textwrap.fill(label, LEGEND_WIDTH)


def _finish(figure: Figure, handles: Sequence[Artist], title: str) -> Figure:
    figure.legend(handles=list(handles), loc="outside right center")
    figure.suptitle(title)
    return figure
