"""What models make of the same codes at several betas: as rows of images, or as an animation."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from PIL import Image

from mrtc.plots.animation import FRAME_DPI, frame_of
from mrtc.plots.panels import Mark, Panel, panels

BESIDE = 3
"""Models beside each other in an animation whose images wrap."""


@dataclass(frozen=True)
class ModelImages:
    """Images of one model, a row for each beta."""

    name: str
    """Of the model."""
    beta: Float[np.ndarray, " beta"]
    """Increasing; a baseline has one."""
    images: Float[np.ndarray, "beta column height width *channel"]
    """In [0, 1]; grey, or with 3 channels at the end. Values outside are clipped."""


@dataclass(frozen=True)
class Picture:
    """Images of models in the same columns, to be drawn below one another.

    Raises:
        ValueError: If there is no model, or models of several betas differ in them.
    """

    models: tuple[ModelImages, ...]
    """One or more; those of several betas have the same."""
    title: str = ""
    originals: Float[np.ndarray, "column height width *channel"] | None = None
    """The first row, if there are examples to compare with."""
    column_labels: tuple[str, ...] = ()
    """One for each column. Columns with neither labels nor originals wrap in an animation."""

    def __post_init__(self) -> None:
        grids = {tuple(model.beta.tolist()) for model in self.models if len(model.beta) > 1}
        if not self.models or len(grids) > 1:
            raise ValueError(
                f"{len(self.models)} models with {len(grids)} grids of beta; give at least one "
                "model, and the same betas for all that have several"
            )

    def figure(self) -> Figure:
        """A row for each beta of each model, below the originals."""
        rows = [
            Panel(
                model.images,
                [f"beta {beta:.3g}" for beta in model.beta],
                model.name if len(self.models) > 1 else "",
            )
            for model in self.models
        ]
        return panels([[row] for row in self._head() + rows], self.column_labels, self.title)

    def frames(self) -> list[Image.Image]:
        """A picture for each beta; models of one beta stand still."""
        among = max((model.beta for model in self.models), key=len)
        return [
            frame_of(
                panels(
                    self._table(at),
                    self.column_labels,
                    f"beta {beta:.2g}\n{self.title}".strip(),
                    mark=Mark(float(beta), among),
                    dpi=FRAME_DPI,
                )
            )
            for at, beta in enumerate(among)
        ]

    @property
    def _wraps(self) -> bool:
        """Whether the columns mean nothing, so that an animation may have others."""
        return not self.column_labels and self.originals is None

    def _head(self) -> list[Panel]:
        return [] if self.originals is None else [Panel(self.originals[None], ["original"])]

    def _table(self, at: int) -> list[list[Panel]]:
        """The models at one beta, what wraps side by side; of the same size in every frame."""
        rows = []
        for model in self.models:
            is_still = len(model.beta) == 1
            images = model.images[0 if is_still else at]
            images = wrap(images) if self._wraps else images[None]
            name = f"{model.name}, beta {model.beta[0]:.3g}" if is_still else model.name
            label = "" if self.originals is None else "decoded"
            rows.append(Panel(images, [label] * len(images), name if len(self.models) > 1 else ""))
        if not self._wraps:
            return [[row] for row in self._head() + rows]
        return [rows[first : first + BESIDE] for first in range(0, len(rows), BESIDE)]


def wrap(
    images: Float[np.ndarray, "image height width *channel"],
) -> Float[np.ndarray, "row column height width *channel"]:
    """Images in rows of equal length, not fewer columns than rows, the last filled with white."""
    rows = math.isqrt(len(images))
    columns = math.ceil(len(images) / rows)
    rows = math.ceil(len(images) / columns)
    pad = [(0, rows * columns - len(images))] + [(0, 0)] * (images.ndim - 1)
    return np.pad(images, pad, constant_values=1).reshape(rows, columns, *images.shape[1:])
