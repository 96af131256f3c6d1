"""Scores over beta, a panel for each family of the catalogue."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mrtc.errors import ResultsError
from mrtc.metrics.catalogue import CATALOGUE
from mrtc.plots.theme import HEIGHT, MARKERS, PALETTE, WIDTH, beta_axis, new_figure, theme
from mrtc.results import Results, ScoreSeries

UNITS = {"1": "score", "nats": "nats per example", "count": "codes"}


@theme()
def scores(results: Results) -> Figure:
    """Every stored score over beta, with its interval where it has one.

    Raises:
        ResultsError: If the file holds no score.
    """
    panels: dict[tuple[str, str], list[ScoreSeries]] = {}
    order = {name: at for at, name in enumerate(CATALOGUE)}
    for name in sorted(results.scores, key=lambda name: order.get(name, len(order))):
        series = results.scores[name]
        family = CATALOGUE[name].family if name in CATALOGUE else "others"
        if np.isfinite(series.value[results.evaluated]).any():
            panels.setdefault((family, series.variable.unit), []).append(series)
    if not panels:
        raise ResultsError(
            f"{results.path} holds no scores; add some with `mrtc rescore {results.path}`"
        )
    figure = new_figure(1.4 * WIDTH, HEIGHT * (0.3 + 0.7 * len(panels)))
    rows = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for axes, ((family, unit), lines) in zip(rows, panels.items(), strict=True):
        _draw(axes, results, lines)
        axes.set_ylabel(UNITS.get(unit, unit))
        axes.set_title(family, loc="left")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    examples = len(results.header.index)
    of_group = f"; codes of {results.kept_group}" if results.kept_group else ""
    figure.suptitle(f"{results.header.source}; {examples:,} examples{of_group}")
    return figure


def _draw(axes: Axes, results: Results, lines: list[ScoreSeries]) -> None:
    beta = results.beta[results.evaluated]
    for at, series in enumerate(lines):
        colour = PALETTE[at % len(PALETTE)]
        axes.plot(
            beta,
            series.value[results.evaluated],
            marker=MARKERS[at % len(MARKERS)],
            markersize=2.8 if len(beta) <= 20 else 1.8,
            linewidth=1.0,
            color=colour,
            label=series.variable.long_name,
        )
        if "_low" in series.values:
            low, high = (series.values[end][results.evaluated] for end in ("_low", "_high"))
            axes.fill_between(beta, low, high, color=colour, alpha=0.2, linewidth=0)
    beta_axis(axes, beta)
    if lines[0].variable.unit == "1":
        axes.set_ylim(-0.03, 1.03)
    elif lines[0].variable.unit == "count":
        axes.set_ylim(0, 1.05 * results.header.num_codes)
