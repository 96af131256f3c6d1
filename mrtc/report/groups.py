"""Rates of latent groups over beta, as a plotly figure: what each group of a hierarchy codes."""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mrtc.plots.groups import group_colours
from mrtc.report.figures import beta_axis, css, layout, line_at, numbers
from mrtc.report.series import Series
from mrtc.results.groups import one_group, scales

WIDEN = 1.25
"""An area needs two places: where there is one beta, it reaches so many times below and above."""


def group_traces(one: Series) -> list[dict[str, Any]]:
    """Areas on one another, the top group lowest, so that the upper edge is the whole rate.

    Groups of one scale have one hue, which pales from the first of them to the last; the legend
    names these two.

    Raises:
        ValueError: If the series has no rates of groups.
    """
    if one.rate_group is None:
        raise ValueError(f"{one.name} has no rates of latent groups; give a series that has")
    beta, rates, true = one.beta, one.rate_group, one.beta
    if len(beta) == 1:
        beta = np.array([beta[0] / WIDEN, beta[0] * WIDEN])
        rates, true = np.repeat(rates, 2, 0), np.repeat(true, 2)
    ends = {group for scale in scales(one.groups) for group in scale}
    return [
        dict(
            go.Scatter(
                x=numbers(beta),
                y=numbers(rates[:, group]),
                customdata=numbers(true),
                name=html.escape(one_group(one.groups, group), quote=False),
                mode="lines",
                stackgroup="groups",
                line={"width": 0.5, "color": "#fff"},
                fillcolor=css(colour),
                legendrank=-group,  # from above, as areas lie
                showlegend=group in ends,
                hoveron="points",
                hovertemplate="beta %{customdata:.3g}<br>%{y:.4g} nats"
                "<extra>%{fullData.name}</extra>",
            ).to_plotly_json()
        )
        for group, colour in enumerate(group_colours(one.groups))
    ]


def group_layout(series: Sequence[Series]) -> dict[str, Any]:
    """Of the figure, whichever of the series it shows."""
    made = layout("beta", "rate (nats)")
    low = beta_axis(made, [one for one in series if one.rate_group is not None])
    made["yaxis"]["rangemode"] = "tozero"
    # Areas would hide it, and the template makes it paler.
    line = {"color": "#000", "width": 1.5, "dash": "dot"}
    made["shapes"] = [line_at(low) | {"layer": "above", "opacity": 1, "line": line}]
    return dict(go.Figure(None, made).to_plotly_json()["layout"])
