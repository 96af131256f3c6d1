"""Figures measured in dots from their upper left corner, for images that must stay crisp."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

from mrtc.plots.theme import new_figure

POINTS = 72
"""In an inch."""
GAP = 0.06
"""Between two images, as a share of an image's width."""


def dots_figure(width: int, height: int, dpi: int) -> Figure:
    """An empty figure of this size in dots, which does not lay itself out."""
    figure = new_figure(width / dpi, height / dpi)
    figure.set_dpi(dpi)
    figure.set_layout_engine("none")
    return figure


def dots_axes(figure: Figure, x: int, y: int, width: int, height: int) -> Axes:
    """Axes without frame or ticks, their upper left corner at (x, y) dots from the figure's."""
    whole = figure.bbox
    axes = figure.add_axes(
        (
            x / whole.width,
            1 - (y + height) / whole.height,
            width / whole.width,
            height / whole.height,
        )
    )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return axes


def text_width(texts: Sequence[str], size: float) -> float:
    """Of the widest text, in points, for letters of ``size`` points."""
    widths = [TextPath((0, 0), text, size=size).get_extents().width for text in texts if text]
    return float(max(widths, default=0.0))


def gap_of(width: int) -> int:
    """Pixels between two images of this width."""
    return max(1, round(GAP * width))


def mosaic(
    images: Float[np.ndarray, "row column height width *channel"],
) -> Float[np.ndarray, "tall wide *channel"]:
    """One image of all, white between them; values outside [0, 1] are clipped."""
    gap = gap_of(images.shape[3])
    pad = [(0, 0), (0, 0), (0, gap), (0, gap)] + [(0, 0)] * (images.ndim - 4)
    padded = np.pad(np.clip(images, 0, 1), pad, constant_values=1)
    rows, columns, height, width, *channel = padded.shape
    joined = padded.swapaxes(1, 2).reshape(rows * height, columns * width, *channel)
    return joined[:-gap, :-gap]
