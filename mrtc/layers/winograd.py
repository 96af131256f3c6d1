r"""Short convolutions by few products: the matrices of Winograd's and Cook and Toom's algorithms.

Outputs :math:`y_i = \sum_k w_k x_{i+k}` of a kernel :math:`w` are, transposed, the coefficients of
a product of polynomials, which follow from its values at as many points as there are coefficients:

.. math:: y = O\, [(G w) \odot (I x)]

``m`` outputs of ``r`` taps take ``m + r - 1`` products instead of ``m r``. With stride ``s`` a
convolution is the sum of ``s`` such ones, each of every ``s``-th tap. In two dimensions the same
matrices act along each axis, and the savings multiply: 3 x 3 taps on 7 x 7 pixels take 81 products
instead of 441.

The points are pairs :math:`\pm a`, zero if their number is odd, and infinity. Rounding grows with
their number: in float32 the error is 1e-6 of the result (root mean squares) with 6 points and 1e-5
with 9, where a direct sum has 2e-7.

References:
    Winograd, "Arithmetic Complexity of Computations", SIAM 1980.
    Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

PAIRS: tuple[tuple[float, ...], ...] = (
    (),
    (1.0,),
    (0.7, 1.4),
    (0.5, 1.0, 2.0),
    (0.25, 0.7, 1.1, 2.2),
)
"""Finite points, for one sign, by the number of pairs: of a search, those of the least error."""

MOST_POINTS = 2 * len(PAIRS) - 1
"""With one more, zero, the error is 7e-5; longer axes are cut into tiles."""


class Bilinear(NamedTuple):
    """An algorithm for one axis, ``output @ ((kernel @ w) * (input @ x))``."""

    input: Float[np.ndarray, "point pixel"]
    kernel: Float[np.ndarray, "point tap"]
    output: Float[np.ndarray, "result point"]


@lru_cache
def correlation(outputs: int, taps: int) -> Bilinear:
    """For ``outputs`` neighbouring results from ``outputs + taps - 1`` pixels, without stride.

    Raises:
        ValueError: If that takes more than :data:`MOST_POINTS` points.
    """
    if outputs == 1 or taps == 1:  # nothing to save: a product for each pair
        size = outputs * taps
        ones, unit = np.ones((size, 1)), np.eye(size)
        return Bilinear(unit, unit if outputs == 1 else ones, unit if taps == 1 else ones.T)
    points = outputs + taps - 1
    if points > MOST_POINTS:
        raise ValueError(
            f"{outputs} outputs of {taps} taps take {points} points, more than {MOST_POINTS}; cut "
            "the outputs into tiles"
        )
    pairs = PAIRS[(points - 1) // 2]
    finite = np.array([*pairs, *(-a for a in pairs), *[0.0] * ((points - 1) % 2)])
    at_infinity = np.eye(points)[-1:]
    values = np.vstack([np.vander(finite, points, increasing=True), at_infinity])
    kernel = np.vstack([values[:-1, :taps], at_infinity[:, -taps:]])
    output = np.vstack([values[:-1, :outputs], at_infinity[:, -outputs:]]).T
    # A product of polynomials interpolates the product of their values. Wanted is the transpose of
    # that: outputs take the place of one factor, and inputs are transformed as by interpolation.
    pixels = np.linalg.inv(values).T
    # Rows of equal length keep the numbers between the steps within one order of magnitude.
    lengths = [np.linalg.norm(a, axis=1) for a in (pixels, kernel, output.T)]
    common = np.cbrt(np.prod(lengths, axis=0))
    a, b, c = (common / length for length in lengths)
    return Bilinear(pixels * a[:, None], kernel * b[:, None], output * c)


class Window(NamedTuple):
    """Of a convolution along one axis, from ``pixels`` to ``results``."""

    pixels: int
    kernel: int
    stride: int
    padding: int
    results: int


@lru_cache
def algorithm(window: Window) -> Bilinear:
    """For a whole axis: tiles of about equal size for each phase of the stride.

    Zeros of the padding are left out, and so are products with nothing but zeros.
    """
    pixels, kernel, stride, padding, results = window
    parts = []
    for phase in range(min(stride, kernel)):
        taps = len(range(phase, kernel, stride))
        tiles = -(-results // (MOST_POINTS + 1 - taps)) if taps > 1 else 1
        for rows in np.array_split(np.arange(results), tiles):
            tile = correlation(len(rows), taps)
            reads = stride * (rows[0] + np.arange(tile.input.shape[1])) + phase - padding
            inside = (reads >= 0) & (reads < pixels)
            part = Bilinear(
                np.zeros((len(tile.input), pixels)),
                np.zeros((len(tile.input), kernel)),
                np.zeros((results, len(tile.input))),
            )
            part.input[:, reads[inside]] = tile.input[:, inside]
            part.kernel[:, phase::stride] = tile.kernel
            part.output[rows] = tile.output
            parts.append(part)
    inputs, kernels, outputs = zip(*parts, strict=True)
    whole = Bilinear(np.vstack(inputs), np.vstack(kernels), np.hstack(outputs))
    used = whole.input.any(1)
    return Bilinear(whole.input[used], whole.kernel[used], whole.output[:, used])
