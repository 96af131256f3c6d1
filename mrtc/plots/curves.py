"""Curves over beta, from a results file alone: MIG, rate and distortion, active units."""

import textwrap

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from mrtc.plots.theme import (
    MARKERS,
    PALETTE,
    SHADE,
    TITLE_WIDTH,
    WIDTH,
    beta_axis,
    beta_limits,
    distortion_label,
    label_beta,
    marker_size,
    new_figure,
    points_well_apart,
    theme,
)
from mrtc.results import Results


@theme()
def mig(results: Results) -> Figure:
    """The mutual information gap over beta, and that of each factor as a thinner line.

    Grey where fewer than two codes are active: a gap between the best code and the second best
    then says nothing about the model.

    Raises:
        ResultsError: If the file does not hold the score.
    """
    beta, score = _beta(results), results.metric("mig_chen")
    figure = new_figure()
    axes = figure.add_subplot()
    shaded = _shade(axes, beta, _few_active(results))

    (mean,) = axes.plot(
        beta,
        score,
        "o-",
        color="black",
        linewidth=2,
        markersize=1.4 * marker_size(beta),
        zorder=3,
        label="mean",
    )
    lines = []
    if "mig_chen_factor" in results.metrics:
        scored = results.parameters["mig_chen"].get("scored_factors", results.factors)
        for at, (factor, gap) in enumerate(
            zip(results.factors, results.metric("mig_chen_factor").T, strict=True)
        ):
            is_scored = factor in scored
            lines += axes.plot(
                beta,
                gap,
                marker=MARKERS[at % len(MARKERS)],
                markersize=marker_size(beta),
                linewidth=0.9,
                linestyle="-" if is_scored else ":",
                color=PALETTE[at % len(PALETTE)],
                label=factor if is_scored else f"{factor} (not scored)",
            )
    # In the order in which the lines end, so that the legend reads as the picture does.
    lines.sort(key=lambda line: _last(np.asarray(line.get_ydata())), reverse=True)

    beta_axis(axes, beta)
    axes.set_ylim(bottom=min(0, axes.get_ylim()[0]))
    axes.set_ylabel("mutual information gap (MIG)")
    figure.legend(handles=[mean, *lines, *shaded], loc="outside right center")
    figure.suptitle(_title(results, "mig_chen"))
    return figure


@theme()
def rate_distortion(results: Results) -> Figure:
    """Distortion over rate, one point for each beta, coloured by it.

    Raises:
        ResultsError: If the file does not hold both.
    """
    beta, rate = _beta(results), results.metric("rate")
    distortion = results.metric("distortion")
    figure = new_figure(4.5)
    axes = figure.add_subplot()
    norm, colours = LogNorm(*beta_limits(beta)), "viridis"
    axes.plot(rate, distortion, color="0.75", linewidth=0.8, zorder=1)
    axes.scatter(rate, distortion, c=beta, norm=norm, cmap=colours, s=16, zorder=2)
    axes.margins(0.08)
    for at in points_well_apart(rate, distortion):
        axes.annotate(
            f"{beta[at]:.2g}",
            (rate[at], distortion[at]),
            xytext=(5, 4),
            textcoords="offset points",
            fontsize=7,
            color="0.2",
        )
    bar = figure.colorbar(ScalarMappable(norm, colours), ax=axes)
    label_beta(bar.ax.yaxis, beta)
    axes.set_xlabel("rate (nats per example)")
    axes.set_ylabel(distortion_label(results.config))
    figure.suptitle(_title(results, "rate"))
    return figure


@theme()
def active_units(results: Results) -> Figure:
    """How many codes are active over beta, and the rate of each code beside it.

    Codes are listed by their mean rate. The colours go to the ten highest, the rest is grey.

    Raises:
        ResultsError: If the file does not hold both.
    """
    beta, count = _beta(results), results.metric("active_units")
    rates = results.metric("rate_code")
    figure = new_figure(WIDTH * 1.2)
    left, right = figure.subplots(1, 2)

    left.plot(beta, count, "o-", color="black", markersize=marker_size(beta))
    # Of the many codes of a hierarchy few are active.
    most = float(np.nanmax(count)) if results.header.groups else results.header.num_codes
    left.set_ylim(-0.03 * max(most, 1), 1.05 * max(most, 1))
    left.yaxis.set_major_locator(MaxNLocator(integer=True))
    left.set_ylabel(f"active units (of {results.header.all_codes} codes)")

    order = _by_rate(rates)
    for rank, code in reversed(list(enumerate(order))):
        is_coloured = rank < len(PALETTE)
        right.plot(
            beta,
            rates[:, code],
            marker=MARKERS[rank] if is_coloured else ".",
            markersize=marker_size(beta),
            linewidth=1.0,
            color=PALETTE[rank] if is_coloured else "0.8",
            label=f"code {code}",
        )
    right.set_ylim(bottom=-0.03 * right.get_ylim()[1])
    right.set_ylabel("rate of each code (nats per example)")

    for axes in (left, right):
        beta_axis(axes, beta)
    named = right.get_lines()[::-1][: len(PALETTE)]
    others = [Patch(color="0.8", label=f"{len(order) - len(named)} others")]
    figure.legend(handles=[*named, *others * (len(order) > len(named))], loc="outside right center")
    figure.suptitle(_title(results, "active_units"))
    return figure


def _beta(results: Results) -> Float[np.ndarray, " evaluated"]:
    beta: Float[np.ndarray, " evaluated"] = results.beta[results.evaluated]
    return beta


def _few_active(results: Results) -> Bool[np.ndarray, " evaluated"]:
    if "active_units" not in results.metrics:
        return np.zeros(results.evaluated.sum(), bool)
    few: Bool[np.ndarray, " evaluated"] = results.metric("active_units") < 2
    return few


def _shade(
    axes: Axes, beta: Float[np.ndarray, " evaluated"], where: Bool[np.ndarray, " evaluated"]
) -> list[Patch]:
    """Greys ``axes`` around the betas in ``where``, halfway to their neighbours."""
    low, high = beta_limits(beta)
    edges = np.array([low, *np.sqrt(beta[1:] * beta[:-1]), high])
    starts = where & ~np.r_[False, where[:-1]]
    ends = where & ~np.r_[where[1:], False]
    for start, end in zip(edges[:-1][starts], edges[1:][ends], strict=True):
        axes.axvspan(start, end, color=SHADE, linewidth=0, zorder=0)
    return [Patch(color=SHADE, label="fewer than two\nactive codes")] * bool(where.any())


def _last(values: Float[np.ndarray, " evaluated"]) -> float:
    """The last value that is a number."""
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if len(finite) else -np.inf


def _by_rate(rates: Float[np.ndarray, "evaluated code"]) -> Int[np.ndarray, " code"]:
    """Codes from the highest mean rate to the lowest."""
    return np.argsort(-np.nan_to_num(rates).mean(0), kind="stable")


def _title(results: Results, name: str) -> str:
    """What the picture shows: the data, then what the numbers of ``name`` depend on."""
    parameters = results.parameters[name]
    parts = [results.header.source]
    if "estimator" in parameters:
        parts.append(f"{parameters['estimator']} estimator")
    if "examples" in parameters:
        parts.append(f"{parameters['examples']:,} examples")
    if results.kept_group and name != "rate":
        what = "rates of codes:" if name == "active_units" else "codes of"
        parts.append(f"{what} {results.kept_group}")
    lines = textwrap.wrap("; ".join(parts), TITLE_WIDTH)
    if name == "mig_chen" and "scored_factors" in parameters:
        scored = ", ".join(parameters["scored_factors"])
        lines += textwrap.wrap(f"scored factors: {scored}", TITLE_WIDTH)
    return "\n".join(lines)
