"""Panels of images with labels, in which each pixel is a whole number of dots wide."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mrtc.plots.dots import POINTS, dots_axes, dots_figure, gap_of, mosaic, text_width
from mrtc.plots.theme import beta_limits, label_beta, theme

PRINT_DPI = 300
"""As :func:`mrtc.plots.save` writes pictures."""
WIDE, SMALL, LARGE = 5.0, 0.32, 1.0
"""Inches: all images beside each other; the least and the greatest width of one."""
NARROW = 2.0
"""Inches: what a title has at least, above few images."""
TITLE, LABEL = 8.0, 7.0
"""Sizes of text in points, as the theme has them."""
LINE = 1.6
"""Height of a line of text with what is free around it, as a multiple of its size."""


@dataclass(frozen=True)
class Panel:
    """Images in rows and columns, with a label for each row.

    Raises:
        ValueError: If labels and images do not match.
    """

    images: Float[np.ndarray, "row column height width *channel"]
    """In [0, 1]; grey, or with 3 channels at the end. Values outside are clipped."""
    row_labels: Sequence[str]
    """They stand at the left of the leftmost panel only."""
    title: str = ""

    def __post_init__(self) -> None:
        if len(self.row_labels) != len(self.images) or self.images.shape[4:] not in ((), (3,)):
            raise ValueError(
                f"images of shape {self.images.shape} with {len(self.row_labels)} row labels; give "
                "one label for each row, and 3 channels at the end or no axis for them"
            )


@dataclass(frozen=True)
class Mark:
    """One beta among those of an animation: a point on a scale below the panels."""

    beta: float
    among: Float[np.ndarray, " beta"]


class _Box(NamedTuple):
    """Where a panel's images stand, in dots from the upper left corner."""

    x: int
    y: int
    width: int
    height: int


@theme()
def panels(
    table: Sequence[Sequence[Panel]],
    column_labels: Sequence[str] = (),
    title: str = "",
    *,
    mark: Mark | None = None,
    dpi: int = PRINT_DPI,
) -> Figure:
    """Panels below and beside each other.

    Args:
        table: Rows of panels, those of a row with as many rows of images; all images of one size.
        column_labels: One for each column of images, below the lowest panels; or none.
        title: Stands above all.
        mark: What to mark on a scale of beta.
        dpi: Dots per inch, at which the picture is crisp; text has the same size at each.

    Raises:
        ValueError: If labels and images do not match, or images differ in size.
    """
    width = _width(table, column_labels)
    dot = dpi / POINTS
    title_line, label_line = round(dot * TITLE * LINE), round(dot * LABEL * LINE)
    margin = title_line // 2

    across = max(sum(panel.images.shape[1] for panel in row) for row in table)
    cell = round(dpi * float(np.clip(WIDE / across, SMALL, LARGE)))
    widest = dot * (text_width(column_labels, LABEL) + LABEL / 2)
    scale = max(1, round(cell / width), int(np.ceil(widest / (width + gap_of(width)))))

    row_labels = [label for row in table for label in row[0].row_labels]
    left = margin + (round(dot * (text_width(row_labels, LABEL) + LABEL)) if any(row_labels) else 0)
    boxes = _boxes(table, scale, left, dot, margin)
    right = max([round(NARROW * dpi), *(box.x + box.width for row in boxes for box in row)])
    for row, places in zip(table, boxes, strict=True):
        right = max(right, places[-1].x + round(dot * text_width([row[-1].title], TITLE)))
    title = _wrapped(title, (right - margin) / dot)
    over = title_line * (title.count("\n") + 1) if title else 0
    under = label_line * (bool(column_labels) + 2 * (mark is not None))
    low = margin + over + boxes[-1][0].y + boxes[-1][0].height

    figure = dots_figure(right + margin, low + under + margin, dpi)
    for row, places in zip(table, boxes, strict=True):
        for panel, box in zip(row, places, strict=True):
            axes = dots_axes(figure, box.x, margin + over + box.y, box.width, box.height)
            shown = column_labels if row is table[-1] else ()
            _draw(axes, panel, shown, labelled=panel is row[0])
    if title:
        corner = {"x": margin / figure.bbox.width, "y": 1 - margin / figure.bbox.height}
        figure.suptitle(title, ha="left", **corner)
    if mark is not None:
        _draw_scale(dots_axes(figure, left, low + under - label_line, right - left, 1), mark)
    return figure


def _width(table: Sequence[Sequence[Panel]], column_labels: Sequence[str]) -> int:
    """Of every image, in pixels."""
    images = [panel.images for row in table for panel in row]
    sizes: set[tuple[int, int]] = {one.shape[2:4] for one in images}
    columns = max(one.shape[1] for one in images)
    if len(sizes) != 1 or len(column_labels) not in (0, columns):
        raise ValueError(
            f"images of sizes {sorted(sizes)} in {columns} columns with {len(column_labels)} "
            "column labels; give images of one size, and one label for each column or none"
        )
    ((_, width),) = sizes
    return width


def _wrapped(title: str, points: float) -> str:
    """The lines of a title, each broken where it is wider than this."""
    lines = []
    for line in title.splitlines():
        letter = text_width([line], TITLE) / len(line)
        lines.append(textwrap.fill(line, max(20, int(0.95 * points / letter))))
    return "\n".join(lines)


def _boxes(
    table: Sequence[Sequence[Panel]], scale: int, left: int, dot: float, margin: int
) -> list[list[_Box]]:
    """The places of the panels, below the title of the figure."""
    boxes, y = [], 0
    for row in table:
        y += round(dot * TITLE * LINE) if any(panel.title for panel in row) else 0
        places, x = [], left
        for panel in row:
            tall, wide = (scale * side for side in mosaic(panel.images).shape[:2])
            places.append(_Box(x, y, wide, tall))
            x += max(wide, round(dot * text_width([panel.title], TITLE))) + margin
        boxes.append(places)
        y += max(box.height for box in places) + margin
    return boxes


def _draw(axes: Axes, panel: Panel, column_labels: Sequence[str], *, labelled: bool) -> None:
    rows, columns, height, width = panel.images.shape[:4]
    gap = gap_of(width)
    levels = np.rint(255 * mosaic(panel.images)).astype(np.uint8)
    if levels.ndim == 2:
        levels = np.stack([levels] * 3, axis=-1)  # colour maps are not exact
    axes.imshow(levels, interpolation="nearest", aspect="auto")
    if column_labels:
        axes.set_xticks(np.arange(columns) * (width + gap) + (width - 1) / 2, column_labels)
    else:
        axes.set_xticks([])
    axes.set_yticks(np.arange(rows) * (height + gap) + (height - 1) / 2, panel.row_labels)
    axes.tick_params(labelleft=labelled, pad=2)
    axes.set_title(panel.title, loc="left", pad=3)


def _draw_scale(axes: Axes, mark: Mark) -> None:
    axes.set_xscale("log")
    axes.set_xlim(*beta_limits(mark.among))
    axes.set_yticks([])
    label_beta(axes.xaxis, mark.among)
    axes.set_xlabel("")
    axes.spines.bottom.set_visible(True)
    axes.tick_params(length=3, pad=2)
    axes.plot([mark.beta], [0.5], "o", color="black", markersize=5, clip_on=False)
