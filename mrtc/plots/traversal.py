"""Pictures of traversals: one code moves along each row, the other codes stay."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from PIL import Image

from mrtc.plots.animation import FRAME_DPI, frame_of
from mrtc.plots.panels import Mark, Panel, panels


@dataclass(frozen=True)
class Traversal:
    """Grids of images at several betas, of the same rows and columns."""

    beta: Float[np.ndarray, " beta"]
    """Increasing."""
    images: Float[np.ndarray, "beta row column height width *channel"]
    """In [0, 1]; grey, or with 3 channels at the end. Values outside are clipped."""
    row_labels: tuple[str, ...]
    column_labels: tuple[str, ...]
    title: str = ""

    def figure(self) -> Figure:
        """A grid for each beta, side by side."""
        names = [f"beta {beta:g}" for beta in self.beta]
        return traversal_grids(self.images, names, self.row_labels, self.column_labels, self.title)

    def frames(self) -> list[Image.Image]:
        """One grid for each beta."""
        return [
            frame_of(
                panels(
                    [[Panel(images, self.row_labels)]],
                    self.column_labels,
                    f"beta {beta:.2g}\n{self.title}".strip(),
                    mark=Mark(float(beta), self.beta),
                    dpi=FRAME_DPI,
                )
            )
            for beta, images in zip(self.beta, self.images, strict=True)
        ]


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
    row = [Panel(panel, row_labels, name) for panel, name in zip(images, panel_titles, strict=True)]
    return panels([row], column_labels, title)
