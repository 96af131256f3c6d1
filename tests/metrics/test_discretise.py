"""Bins against numpy, and what they do not depend on."""

from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mrtc.metrics.discretise import discretise, equal_width, quantile

VALUES = st.floats(-1e6, 1e6, allow_subnormal=False)
CODES = arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 3)), elements=VALUES)
BINS = st.integers(2, 30)


@pytest.mark.parametrize("bins", [2, 7, 20])
def test_equal_width_is_that_of_numpy(bins: int) -> None:
    """Edges of np.histogram without the last, and digitize; integers too, which sit on edges."""
    rng = np.random.default_rng(0)
    codes = np.stack([rng.normal(size=500), rng.exponential(size=500), rng.integers(0, 9, 500)], 1)
    for got, code in zip(equal_width(codes, bins).T, codes.T, strict=True):
        np.testing.assert_array_equal(got + 1, np.digitize(code, np.histogram(code, bins)[1][:-1]))


def test_the_largest_value_is_in_the_last_bin() -> None:
    codes = np.linspace(-3, 5, 100)[:, None]
    got = equal_width(codes, 20)[:, 0]
    assert (got[0], got[-1]) == (0, 19)
    np.testing.assert_array_equal(np.bincount(got), np.full(20, 5))


def test_quantile_bins_are_of_equal_count() -> None:
    codes = np.random.default_rng(0).standard_cauchy((400, 2))
    for got in quantile(codes, 20).T:
        np.testing.assert_array_equal(np.bincount(got), np.full(20, 20))


def test_a_quantile_bin_holds_the_middle_of_a_rank() -> None:
    """Of three ranks in two bins the second lies on the edge, which is the upper bin's."""
    np.testing.assert_array_equal(quantile(np.array([[0.3], [5.0], [9.0]]), 2), [[0], [1], [1]])


def test_quantile_bins_part_a_rare_value_on_either_side() -> None:
    code = np.repeat([0.0, 1.0], [99, 1])
    for got in quantile(np.stack([code, -code], 1), 20).T:
        assert len(set(got[:-1])) == 1
        assert got[-1] != got[0]


def test_an_outlier_moves_bins_of_equal_width_only() -> None:
    codes = np.random.default_rng(0).normal(size=(1000, 1))
    codes[0] = 1000
    assert len(np.unique(equal_width(codes))) == 2
    assert len(np.unique(quantile(codes))) == 20


def test_values_that_differ_by_rounding_are_no_error() -> None:
    codes = np.array([[1.0], [1.0 + 2.3e-16], [1.0]])
    assert len(np.unique(equal_width(codes))) == 2


@settings(max_examples=20, deadline=None)
@given(CODES, BINS)
def test_bins_are_in_order_and_equal_values_together(codes: np.ndarray, bins: int) -> None:
    """For both: from 0 to bins - 1, never falling with the value, one bin for one value."""
    for binning in ("equal_width", "quantile"):
        for got, code in zip(discretise(codes, bins, binning).T, codes.T, strict=True):
            assert got.min() >= 0
            assert got.max() < bins
            order = np.argsort(code, kind="stable")
            steps, rises = np.diff(got[order]), np.diff(code[order])
            assert (steps >= 0).all()
            assert (steps[rises == 0] == 0).all()


@settings(max_examples=20, deadline=None)
@given(CODES, BINS)
def test_quantile_bins_depend_on_the_order_only(codes: np.ndarray, bins: int) -> None:
    ranks = np.stack([np.unique(code, return_inverse=True)[1] for code in codes.T], 1)
    np.testing.assert_array_equal(quantile(codes, bins), quantile(np.exp(ranks / 20), bins))


@pytest.mark.parametrize("binning", ["equal_width", "quantile"])
def test_a_constant_code_has_one_bin(binning: str) -> None:
    assert len(np.unique(discretise(np.full((50, 1), 3.7), 20, binning))) == 1


def test_wrong_arguments_are_refused() -> None:
    codes = np.zeros((3, 1))
    with pytest.raises(ValueError, match="at least two, got bins=1"):
        equal_width(codes, 1)
    with pytest.raises(ValueError, match="at least two, got bins=0"):
        quantile(codes, 0)
    with pytest.raises(ValueError, match="binning is 'equal_width' or 'quantile', got 'width'"):
        unwrap(discretise)(codes, 20, "width")
