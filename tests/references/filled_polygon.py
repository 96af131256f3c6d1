"""A sprite, pixel by pixel: each asks how many edges lie to its left."""

import cmath
import math
from fractions import Fraction

import numpy as np
from jaxtyping import Bool

Point = tuple[int, int]
"""In 1/256 of a pixel."""


def sprite(
    shape: int, scale: int, orientation: int, x: int, y: int
) -> Bool[np.ndarray, "height width"]:
    """One image of dSprites from its factor classes."""
    centre = complex(16 + 32 * x / 31, 16 + 32 * y / 31)
    turn = cmath.rect(9.6 * (0.5 + 0.1 * scale), -2 * math.pi * orientation / 39)
    vertices = [centre + turn * point for point in OUTLINES[shape]]
    return filled([(round(256 * v.real), round(256 * v.imag)) for v in vertices])


def filled(vertices: list[Point]) -> Bool[np.ndarray, "height width"]:
    """Pixels of a 64 x 64 canvas whose centres lie inside."""
    centres = range(128, 64 * 256, 256)
    return np.array([[_is_inside(vertices, x, y) for x in centres] for y in centres])


def _is_inside(vertices: list[Point], x: int, y: int) -> bool:
    inside = False
    for (x0, y0), (x1, y1) in zip(vertices, vertices[1:] + vertices[:1], strict=True):
        if (y0 < y) != (y1 < y) and x0 + Fraction((y - y0) * (x1 - x0), y1 - y0) <= x:
            inside = not inside
    return inside


def _heart(t: float) -> complex:
    height = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
    return complex(math.sin(t) ** 3, -height / 14.5 - 0.15)


OUTLINES = (
    [-1 - 1j, 1 - 1j, 1 + 1j, -1 + 1j],
    [
        complex(1.33 * math.cos(math.tau * i / 100), math.sin(math.tau * i / 100) / 1.33)
        for i in range(100)
    ],
    [_heart(math.tau * i / 150) for i in range(150)],
)
