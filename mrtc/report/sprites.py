"""Images in a grid, as one PNG inside the page."""

import io
from base64 import b64encode

import numpy as np
from jaxtyping import UInt8
from PIL import Image

MARGIN = 1
"""White pixels around every image, so that all places of a grid are equally large."""


def sprite(images: UInt8[np.ndarray, "row column height width *channel"]) -> str:
    """A data address of the grid; images are gray, or have three channels at the end."""
    edge = ((0, 0), (0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN))
    padded = np.pad(images, (*edge, *((0, 0),) * (images.ndim - 4)), constant_values=255)
    rows, columns, height, width, *channel = padded.shape
    grid = padded.swapaxes(1, 2).reshape(rows * height, columns * width, *channel)
    buffer = io.BytesIO()
    Image.fromarray(grid).save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(buffer.getvalue()).decode('ascii')}"
