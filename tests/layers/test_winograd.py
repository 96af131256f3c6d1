"""The algorithms of one axis against sums written out, and their rounding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrtc.layers.winograd import MOST_POINTS, Window, algorithm, correlation

WINDOWS = st.builds(
    lambda pixels, kernel, stride, padding: Window(
        pixels + kernel, kernel, stride, padding, (pixels + 2 * padding) // stride + 1
    ),
    st.integers(0, 20),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(0, 2),
)


@settings(max_examples=40, deadline=None)
@given(WINDOWS, st.integers(0, 99))
def test_it_is_the_sum_over_taps(window: Window, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, kernel = rng.standard_normal(window.pixels), rng.standard_normal(window.kernel)
    padded = np.pad(x, (window.padding, window.padding))
    starts = range(0, window.results * window.stride, window.stride)
    expected = [float(padded[start : start + window.kernel] @ kernel) for start in starts]

    made = algorithm(window)

    out = made.output @ ((made.kernel @ kernel) * (made.input @ x))
    np.testing.assert_allclose(out, expected, atol=1e-11)


@pytest.mark.parametrize(
    ("window", "products"),
    [
        (Window(4, 3, 1, 1, 4), 6),
        (Window(7, 3, 1, 1, 7), 9),
        (Window(8, 3, 1, 1, 8), 2 * 6),
        (Window(14, 4, 2, 1, 7), 2 * 8),
        (Window(7, 3, 2, 1, 4), 5 + 4),
        (Window(3, 4, 2, 1, 1), 3),  # of four taps one lies outside
    ],
)
def test_how_many_products_an_axis_takes(window: Window, products: int) -> None:
    """By ``m + r - 1`` for each tile of each phase."""
    assert len(algorithm(window).input) == products


@pytest.mark.parametrize(("outputs", "taps", "bound"), [(4, 3, 1.5e-6), (7, 2, 6e-6), (7, 3, 2e-5)])
def test_rounding_in_single_precision(outputs: int, taps: int, bound: float) -> None:
    """In two dimensions, root mean square of the error over that of the result."""
    made = correlation(outputs, taps)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((made.input.shape[1],) * 2 + (500,))
    kernel = rng.standard_normal((taps, taps, 500))

    def both(matrix: np.ndarray, of: np.ndarray) -> np.ndarray:
        matrix = matrix.astype(of.dtype)
        return np.einsum("ia,jb,abn->ijn", matrix, matrix, of)

    def apply(dtype: type) -> np.ndarray:
        values = both(made.input, x.astype(dtype)) * both(made.kernel, kernel.astype(dtype))
        return both(made.output, values)

    exact = apply(np.float64)
    error = apply(np.float32) - exact
    assert np.sqrt((error**2).mean() / (exact**2).mean()) < bound


def test_too_many_points_are_refused() -> None:
    with pytest.raises(ValueError, match="tiles"):
        correlation(MOST_POINTS, 2)
