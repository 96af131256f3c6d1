"""Linear VAEs beside the curve that no linear VAE can be below."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure

from mrtc.plots.sets import COLOURS
from mrtc.plots.theme import MARKERS, WIDTH, beta_axis, new_figure, theme

Numbers = Float[np.ndarray, " _"]


@theme()
def linear_curves(
    runs: Mapping[str, pd.DataFrame],
    best_rate: Numbers,
    best_distortion: Numbers,
    published: Mapping[str, tuple[Numbers, Numbers]],
    *,
    title: str,
) -> Figure:
    """Three panels: the curves, the distance from the best one at equal rate, the error in rate.

    Args:
        runs: By label, one row for each seed and beta, with the columns ``seed``, ``beta``,
            ``rate``, ``distortion``, ``excess_at_equal_rate`` and ``rate_error``.
        best_rate: Of the exact curve, in nats.
        best_distortion: Of the exact curve.
        published: By label, rate and distortion of others.
        title: What the picture shows.
    """
    figure = new_figure(1.5 * WIDTH, 2.8)
    curve, excess, error = figure.subplots(1, 3)
    curve.plot(best_rate, best_distortion, color="black", linewidth=1, label="best linear VAE")
    for at, (label, (rate, distortion)) in enumerate(published.items()):
        curve.plot(
            *(rate, distortion, "s^"[at % 2]),
            markersize=4,
            markerfacecolor="none",
            markeredgecolor="0.45",
            markeredgewidth=0.7,
            label=label,
        )
    for at, (label, table) in enumerate(runs.items()):
        style = {"color": COLOURS[at], "marker": MARKERS[at], "linestyle": ("-", "--", ":")[at % 3]}
        for number, (_, seed) in enumerate(table.sort_values("beta").groupby("seed")):
            shared = {"markersize": 2.5, "linewidth": 0.8, **style}
            named = label if number == 0 else None
            curve.plot(seed.rate, seed.distortion, **shared | {"linestyle": ""}, label=named)
            excess.plot(seed.beta, 100 * seed.excess_at_equal_rate, **shared)
            error.plot(seed.beta, seed.rate_error, **shared)
    curve.set_xlabel("rate (nats per example)")
    curve.set_ylabel("distortion (squared error)")
    excess.set_ylabel("distortion above the best\nat equal rate (%)")
    excess.set_ylim(bottom=0)
    error.set_ylabel("rate less that of the\nbest at this beta (nats)")
    error.set_yscale("symlog", linthresh=1)
    error.axhline(0, color="black", linewidth=0.6)
    error.yaxis.set_major_formatter("{x:g}")
    betas = np.concatenate([table.beta.to_numpy() for table in runs.values()])
    for axes in (excess, error):
        beta_axis(axes, betas)
    figure.legend(loc="outside lower center", ncols=3)
    figure.suptitle(title)
    return figure
