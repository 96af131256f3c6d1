"""Pictures of traversals: one code moves along each row, the other codes stay."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from mrtc.plots.theme import new_figure, theme

GAP = 0.06
"""Between two images, as a share of an image's width."""
LETTER, TITLES = 0.065, 0.7
"""Inches: width of a letter of the row labels, height of the titles and column labels."""


@theme()
def traversal_grid(
    images: Float[np.ndarray, "row column height width *channel"],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    title: str = "",
) -> Figure:
    """Images in rows and columns, for example codes by the values they are set to.

    Args:
        images: In [0, 1]; grey, or with 3 channels at the end. Values outside are clipped.
        row_labels: One for each row.
        column_labels: One for each column.
        title: Stands above all.

    Raises:
        ValueError: If labels and images do not match.
    """
    return traversal_grids(images[None], [""], row_labels, column_labels, title)


@theme()
def traversal_grids(
    images: Float[np.ndarray, "panel row column height width *channel"],
    panel_titles: Sequence[str],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    title: str = "",
) -> Figure:
    """Grids of the same rows and columns side by side, for example one for each beta.

    Args:
        images: In [0, 1]; grey, or with 3 channels at the end. Values outside are clipped.
        panel_titles: One for each grid.
        row_labels: One for each row; they stand at the left only.
        column_labels: One for each column.
        title: Stands above all.

    Raises:
        ValueError: If labels and images do not match.
    """
    given = (len(panel_titles), len(row_labels), len(column_labels))
    if images.shape[:3] != given or images.ndim not in (5, 6):
        raise ValueError(
            f"images of shape {images.shape} for {given[0]} panels, {given[1]} rows and "
            f"{given[2]} columns; give one label for each, and one axis or none for channels"
        )
    panels, rows, columns = given
    cell = float(np.clip(12 / (panels * columns), 0.32, 0.6))
    labels = 0.2 + LETTER * max(map(len, row_labels))
    figure = new_figure(labels + panels * (columns * cell + 0.15), TITLES + rows * cell)
    grids = figure.subplots(1, panels, squeeze=False, sharey=True)[0]
    height, width = images.shape[3:5]
    gap = _gap(width)
    for axes, panel, name in zip(grids, images, panel_titles, strict=True):
        axes.imshow(mosaic(panel), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axes.set_xticks(np.arange(columns) * (width + gap) + (width - 1) / 2, column_labels)
        axes.set_yticks(np.arange(rows) * (height + gap) + (height - 1) / 2, row_labels)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_title(name)
    figure.suptitle(title)
    return figure


def mosaic(
    images: Float[np.ndarray, "row column height width *channel"],
) -> Float[np.ndarray, "tall wide *channel"]:
    """One image of all, white between them."""
    gap = _gap(images.shape[3])
    pad = [(0, 0), (0, 0), (0, gap), (0, gap)] + [(0, 0)] * (images.ndim - 4)
    padded = np.pad(np.clip(images, 0, 1), pad, constant_values=1)
    rows, columns, height, width, *channel = padded.shape
    joined = padded.swapaxes(1, 2).reshape(rows * height, columns * width, *channel)
    return joined[:-gap, :-gap]


def _gap(width: int) -> int:
    return max(1, round(GAP * width))
