"""The two pictures of curves, as plotly figures: the page's script moves their marked points."""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from mrtc.plots.theme import PALETTE, beta_limits, log_ticks
from mrtc.report.series import Series

SYMBOLS = ("circle", "square", "triangle-up", "pentagon", "hexagon", "star")
BASELINE_SYMBOL = "diamond-open"
DASHES = ("solid", "dash", "dot", "dashdot")


def rate_distortion(series: Sequence[Series]) -> dict[str, Any]:
    """Distortion over rate of all that have both: a curve each, then a marked point each."""
    unit = next((s.variables["distortion"].unit for s in series if "distortion" in s.values), "")
    lines = [_line(at, one, "rate", "distortion") for at, one in enumerate(series)]
    marks = [_mark(at, one) for at, one in enumerate(series)]
    figure = go.Figure(
        [*lines, *marks], layout("rate (nats)", f"distortion ({html.escape(unit, quote=False)})")
    )
    return dict(figure.to_plotly_json())


def over_beta(series: Sequence[Series], name: str) -> dict[str, Any]:
    """One quantity over beta: a curve each, then a marked point each, and a line at the beta."""
    lines = [_line(at, one, "", name) for at, one in enumerate(series)]
    marks = [_mark(at, one) for at, one in enumerate(series)]
    made = layout("beta", "")
    made["shapes"] = [line_at(beta_axis(made, series))]
    return dict(go.Figure([*lines, *marks], made).to_plotly_json())


def beta_axis(made: dict[str, Any], series: Sequence[Series]) -> float:
    """Makes the horizontal axis of a layout one of beta, and says where it begins."""
    low, high = beta_limits(np.concatenate([one.beta for one in series]))
    ticks = log_ticks(low, high)
    made["xaxis"] |= {
        "type": "log",
        "range": [float(np.log10(low)), float(np.log10(high))],
        "tickvals": ticks,
        "ticktext": [f"{tick:g}" for tick in ticks],
    }
    return low


def line_at(beta: float) -> dict[str, Any]:
    """The line that marks the beta that is shown; the script gives it its place."""
    return {
        "type": "line",
        "yref": "paper",
        "x0": beta,
        "x1": beta,
        "y0": 0,
        "y1": 1,
        "line": {"color": "#888", "width": 1, "dash": "dot"},
        "layer": "below",
    }


def colour(at: int) -> str:
    """Of the series at a place, as CSS writes it; the theme's, which colour-blind readers tell."""
    return css(PALETTE[at % len(PALETTE)])


def css(rgb: Sequence[float]) -> str:
    """Red, green and blue in [0, 1], as CSS writes them."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


def numbers(values: Float[np.ndarray, " n"]) -> list[float | None]:
    """As JSON can hold them: six digits, and null where there is no value."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in values.tolist()]


def _line(at: int, one: Series, x: str, y: str) -> go.Scatter:
    none = np.full(len(one.beta), np.nan)
    is_baseline = one.kind == "baselines"
    return go.Scatter(
        x=numbers(one.values.get(x, none) if x else one.beta),
        y=numbers(one.values.get(y, none)),
        customdata=numbers(one.beta),
        # plotly reads tags in names, so a name that looks like one must not be one
        name=html.escape(one.name, quote=False),
        mode="markers" if is_baseline else "lines+markers",
        marker={
            "symbol": BASELINE_SYMBOL if is_baseline else SYMBOLS[at % len(SYMBOLS)],
            "size": 10 if is_baseline else 6,
            "color": colour(at),
            "line": {"color": colour(at), "width": 2 if is_baseline else 0},
        },
        line={"color": colour(at), "width": 2, "dash": DASHES[at // len(SYMBOLS) % len(DASHES)]},
        hovertemplate="beta %{customdata:.3g}<br>%{xaxis.title.text} %{x:.4g}<br>%{y:.4g}"
        "<extra>%{fullData.name}</extra>",
    )


def _mark(at: int, one: Series) -> go.Scatter:
    """The point of the beta that is shown; the script gives it its place."""
    return go.Scatter(
        x=[None],
        y=[None],
        mode="markers",
        marker={
            "symbol": "diamond" if one.kind == "baselines" else SYMBOLS[at % len(SYMBOLS)],
            "size": 16,
            "color": colour(at),
            "line": {"color": "#000", "width": 2},
        },
        showlegend=False,
        hoverinfo="skip",
    )


def layout(x: str, y: str) -> dict[str, Any]:
    """What all figures have in common, with titles of both axes."""
    axis = {"automargin": True, "zeroline": False, "ticks": "outside", "fixedrange": True}
    return {
        "template": "simple_white",
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#1b1b1b"},
        "margin": {"l": 10, "r": 10, "t": 10, "b": 10},
        "xaxis": {**axis, "title": {"text": x}},
        "yaxis": {**axis, "title": {"text": y}},
        "legend": {"orientation": "h", "y": -0.25, "yanchor": "top", "x": 0},
        "dragmode": False,  # a finger on a phone scrolls the page
        "hovermode": "closest",
        "autosize": True,
    }
