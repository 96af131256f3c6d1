"""Arrays that no metric takes: the message says what was seen, and where."""

import numpy as np
import pytest

from mrtc.metrics.checks import check_finite, check_moments, count_classes


def test_unequal_shapes_are_refused_with_both() -> None:
    with pytest.raises(ValueError, match=r"one shape .* got \(3, 2\) and \(2, 2\)"):
        check_moments(np.zeros((3, 2)), np.zeros((2, 2)))


def test_no_more_than_three_places_are_shown() -> None:
    values = np.array([[np.nan, 0.0], [-np.inf, np.inf], [np.nan, np.nan]])
    with pytest.raises(
        ValueError, match=r"5 values of 6 .* at \(0, 0\), \(1, 0\), \(1, 1\), \.\.\."
    ):
        check_finite("mean", values)


def test_finite_values_whose_sum_is_not_are_taken() -> None:
    check_finite("mean", np.full(4, 3e38, dtype=np.float32))


def test_classes_are_counted_from_zero() -> None:
    assert count_classes(np.array([3, 0, 3], dtype=np.uint8)).tolist() == [1, 0, 0, 2]
    with pytest.raises(ValueError, match="no example"):
        count_classes(np.zeros(0, dtype=np.int64))
