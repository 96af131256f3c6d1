"""Moments from blocks, against numpy on all rows at once."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrtc.evaluation.running_moments import RunningMoments


def of_blocks(rows: np.ndarray, sizes: list[int]) -> RunningMoments:
    moments, at = RunningMoments(), 0
    for size in sizes:
        moments.add(torch.from_numpy(rows[at : at + size]))
        at += size
    return moments


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_blocks_of_any_sizes_give_the_moments_of_all(sizes: list[int], seed: int) -> None:
    """Far from zero too, where a mean of squares would have lost every digit."""
    rows = np.random.default_rng(seed).exponential(size=(sum(sizes) + 1, 3))
    rows[:, 1] = 1e8 + rows[:, 1]
    rows[:, 2] = -3.0
    found = of_blocks(rows, [*sizes, 1])
    np.testing.assert_allclose(found.variance, rows.var(0, ddof=1), rtol=1e-6, atol=1e-12)
    fourth = ((rows - rows.mean(0)) ** 4).mean(0)
    np.testing.assert_allclose(found.fourth, fourth, rtol=1e-5, atol=1e-12)


def test_single_numbers_are_added_up_in_double_precision() -> None:
    rows = np.float32([[1e4], [1e4 + 1], [1e4 + 2]])
    assert of_blocks(rows, [1, 1, 1]).variance.tolist() == [1.0]


def test_one_example_has_no_variance() -> None:
    with pytest.raises(ValueError, match="needs at least two examples, got 1"):
        _ = of_blocks(np.ones((1, 2)), [1]).variance
