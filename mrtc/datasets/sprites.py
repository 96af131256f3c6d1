"""The sprites of dSprites from their geometry: outlines, and a rasteriser that fills them.

The constants were fitted to real frames; they are published nowhere. Lengths are in pixels of a
canvas of 64 x 64, x to the right and y downwards, with pixel centres at + 0.5.

References:
    Matthey, Higgins, Hassabis, Lerchner, "dSprites: Disentanglement testing Sprites dataset",
    2017, whose images were drawn with the LOVE framework, without anti-aliasing.
"""

import numpy as np
from jaxtyping import Float, UInt8

SIDE = 64
RADIUS = 9.6
"""Half side of the largest square, in pixels."""

SUBPIXELS = 256
"""Vertices are rounded to this fraction of a pixel, after the sprite has been moved."""

CENTRES = SIDE / 4 + SIDE / 2 * np.arange(32) / 31
"""Where the 32 classes of x put the centre of a sprite, in pixels; those of y likewise."""

MIDDLES = SUBPIXELS * np.arange(SIDE) + SUBPIXELS // 2
"""Pixel centres, in subpixels."""

FROM_COLUMN = np.append(np.uint64(2**64 - 1) >> np.arange(SIDE, dtype=np.uint64), np.uint64(0))
"""A row of pixels as 64 bits, the leftmost highest: lit from column 0, 1, ..., 64 on."""


def outline(shape: int, scale: int, orientation: int) -> Float[np.ndarray, "xy vertex"]:
    """Polygon of a sprite about its own centre, in pixels, from its three factor classes."""
    match shape:
        case 0:
            x, y = np.array([[-1.0, 1.0, 1.0, -1.0], [-1.0, -1.0, 1.0, 1.0]])
        case 1:
            t = 2 * np.pi * np.arange(100) / 100
            x, y = 1.33 * np.cos(t), np.sin(t) / 1.33
        case 2:
            t = 2 * np.pi * np.arange(150) / 150
            x = np.sin(t) ** 3
            height = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
            y = -height / 14.5 - 0.15
        case _:
            raise ValueError(f"shapes are 0 (square), 1 (ellipse) and 2 (heart), got {shape}")
    size = RADIUS * (0.5 + 0.1 * scale)
    angle = 2 * np.pi * orientation / 39  # counter-clockwise on the screen; 39 is 0 again
    cos, sin = np.cos(angle), np.sin(angle)
    return size * np.stack([cos * x + sin * y, cos * y - sin * x])


def draw(
    polygon: Float[np.ndarray, "xy vertex"], centres: Float[np.ndarray, " centre"] = CENTRES
) -> UInt8[np.ndarray, "centre centre byte"]:
    """Fills a polygon at every pair of centres, by the even-odd rule.

    A pixel is lit if its centre lies inside. A centre exactly on a left edge or a bottom edge is
    inside, one on a right edge or a top edge is not; the arithmetic is exact, in integers.

    Args:
        polygon: Vertices about the centre, in pixels.
        centres: Centres to draw at, in pixels, used for x and for y.

    Returns:
        One image of 64 x 64 pixels at ``[x, y]``, eight pixels a byte as by ``np.packbits``.
    """
    x, y = np.rint((polygon[:, None] + centres[:, None]) * SUBPIXELS).astype(np.int64)
    run, rise = np.roll(x, -1, axis=1) - x, np.roll(y, -1, axis=1) - y

    # Every crossing of an edge with a row of pixel centres, for each centre in y, row after row.
    low, high = np.minimum(y, y + rise)[:, None], np.maximum(y, y + rise)[:, None]
    at, row, edge = np.nonzero((low < MIDDLES[:, None]) & (MIDDLES[:, None] <= high))

    # The first column whose centre is not left of the crossing, for each centre in x.
    above = rise[at, edge]
    lever = MIDDLES[row] - y[at, edge]
    leftwards = (MIDDLES[0] - x[:, edge]) * above - lever * run[:, edge]
    column = -(leftwards // (SUBPIXELS * above))

    # From there on the row changes between dark and lit.
    changes = FROM_COLUMN[column.clip(0, SIDE)]
    line = SIDE * at + row
    first = np.flatnonzero(np.diff(line, prepend=-1))
    canvas = np.zeros((len(centres), len(centres) * SIDE), np.uint64)
    canvas[:, line[first]] = np.bitwise_xor.reduceat(changes, first, axis=1)
    return canvas.astype(">u8").view(np.uint8).reshape(len(centres), len(centres), -1)
