"""Curves against closed forms, quadrature, and rectangles counted on a grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from mrtc.statistics.curves import area_between, distortion_at, hypervolume

seeds = st.integers(0, 10_000)
points = st.integers(1, 7)
Curve = tuple[np.ndarray, np.ndarray]


def draw(rng: np.random.Generator, count: int, low: float = 0.0) -> Curve:
    return rng.uniform(low, 10, count), rng.uniform(0, 50, count)


def spoilt(curve: Curve, rng: np.random.Generator) -> Curve:
    """The same curve: failed points in between, higher ones at the same rate, another order."""
    rate, distortion = curve
    bad = np.array([[5.0, np.nan, np.inf, 3.0], [np.nan, 1.0, -1.0, -np.inf]])
    both = np.hstack([[rate, distortion], [rate, distortion + 1], bad])
    return tuple(both[:, rng.permutation(both.shape[1])])


def straight_line(curve: Curve, at: float) -> float:
    """The value at ``at``, from the nearest point on either side."""
    ascending = sorted(zip(*curve, strict=True))
    left = [point for point in ascending if point[0] <= at][-1]
    right = next(point for point in ascending if point[0] >= at)
    if left == right:
        return float(left[1])
    share = (at - left[0]) / (right[0] - left[0])
    return float((1 - share) * left[1] + share * right[1])


@settings(max_examples=20, deadline=None)
@given(seeds, points)
def test_reads_straight_lines(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    curve = draw(rng, count)
    low, high = curve[0].min(), curve[0].max()
    at = np.concatenate([rng.uniform(low, high, 5), curve[0]])
    expected = [straight_line(curve, rate) for rate in at]
    np.testing.assert_allclose(distortion_at(*spoilt(curve, rng), at), expected, rtol=1e-9)
    outside = np.array([np.nextafter(low, -1), np.nextafter(high, 11), -np.inf, np.nan])
    assert np.isnan(distortion_at(*curve, outside)).all()


def test_equal_rates_keep_the_lowest_distortion() -> None:
    rate, distortion = np.array([1.0, 2.0, 2.0, 2.0, 3.0]), np.array([9.0, 6.0, 4.0, 5.0, 2.0])
    got = distortion_at(rate, distortion, np.array([1.5, 2.0, 2.5]))
    np.testing.assert_allclose(got, [6.5, 4, 3])


def test_a_curve_without_points_has_no_values() -> None:
    failed = np.full(2, np.nan)
    assert np.isnan(distortion_at(failed, failed, np.ones(3))).all()


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(2, 7), st.integers(2, 7))
def test_area_by_quadrature(seed: int, count_a: int, count_b: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = draw(rng, count_a), draw(rng, count_b, low=2.0)
    got = area_between(*spoilt(a, rng), *spoilt(b, rng))
    low, high = max(a[0].min(), b[0].min()), min(a[0].max(), b[0].max())
    if low > high:
        assert np.isnan([got.mean_difference, got.low_rate, got.high_rate, got.area]).all()
        return
    expected, _ = integrate.quad(
        lambda rate: straight_line(a, rate) - straight_line(b, rate),
        low,
        high,
        points=np.clip(np.concatenate([a[0], b[0]]), low, high),
        limit=200,
    )
    assert (got.low_rate, got.high_rate) == (low, high)
    assert got.area == pytest.approx(expected, abs=1e-8)
    assert got.mean_difference == pytest.approx(expected / (high - low), abs=1e-8)


def test_area_of_curves_that_cross() -> None:
    """Two triangles, one on each side: 4 * 2 / 2 - 2 * 1 / 2 over a width of 3."""
    got = area_between(
        np.array([0.0, 3.0]), np.array([4.0, -2.0]), np.array([5.0, -1.0]), np.zeros(2)
    )
    assert (got.area, got.mean_difference) == pytest.approx((3, 1))
    assert (got.low_rate, got.high_rate) == (0, 3)


def test_a_shift_in_distortion_is_the_mean_difference() -> None:
    rng = np.random.default_rng(0)
    rate, distortion = draw(rng, 6)
    got = area_between(rate, distortion + 2.5, rate, distortion)
    assert got.mean_difference == pytest.approx(2.5)
    back = area_between(rate, distortion, rate, distortion + 2.5)
    assert back.area == pytest.approx(-2.5 * np.ptp(rate))


def test_curves_that_touch_at_one_rate() -> None:
    got = area_between(np.array([0.0, 1.0]), np.array([9.0, 5.0]), np.array([1.0]), np.array([2.0]))
    assert (got.mean_difference, got.low_rate, got.high_rate, got.area) == (3, 1, 1, 0)


@pytest.mark.parametrize("rate_b", [[2.0, 3.0], [np.nan, np.nan]])
def test_curves_with_no_rate_in_common(rate_b: list[float]) -> None:
    got = area_between(np.array([0.0, 1.0]), np.ones(2), np.array(rate_b), np.ones(2))
    assert np.isnan([got.mean_difference, got.low_rate, got.high_rate, got.area]).all()


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(0, 8))
def test_hypervolume_counts_cells(seed: int, count: int) -> None:
    """Points of whole numbers: the unit cells that some point dominates, one by one."""
    rng = np.random.default_rng(seed)
    curve = tuple(rng.integers(0, 12, (2, count)).astype(float))
    reference = (9.0, 7.0)
    cells = np.indices((9, 7)).reshape(2, -1)
    dominated = [
        any(r <= x and d <= y for r, d in zip(*curve, strict=True)) for x, y in cells.T.tolist()
    ]
    assert hypervolume(*curve, reference) == sum(dominated)
    assert hypervolume(*spoilt(curve, rng), reference) == sum(dominated)


def test_hypervolume_of_a_front() -> None:
    """D = 1/R on [1, 2] up to (2, 1): from below, towards 1 - log 2."""
    rate = np.linspace(1, 2, 2_001)
    assert hypervolume(rate, 1 / rate, (2.0, 1.0)) == pytest.approx(1 - np.log(2), abs=3e-4)
    assert hypervolume(rate, 1 / rate, (2.0, 1.0)) < 1 - np.log(2)


def test_a_better_point_never_lowers_the_hypervolume() -> None:
    rng = np.random.default_rng(0)
    rate, distortion = draw(rng, 12)
    volumes = [hypervolume(rate[:n], distortion[:n], (11.0, 60.0)) for n in range(13)]
    assert volumes[0] == 0
    assert (np.diff(volumes) >= -1e-9).all()  # rounding of the sums
    assert volumes[-1] > volumes[1]


@pytest.mark.parametrize("reference", [(np.inf, 1.0), (1.0, np.nan)])
def test_bad_reference(reference: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"finite rate and a finite distortion, got \("):
        hypervolume(np.ones(1), np.ones(1), reference)
