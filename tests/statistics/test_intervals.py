"""Intervals over runs, against scipy and by hand; what they hold of is in test_simulation.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mrtc.statistics.intervals import difference, mean_interval, pair

seeds = st.integers(0, 10_000)
runs = st.integers(2, 8)
levels = st.floats(0.5, 0.999)


@settings(max_examples=20, deadline=None)
@given(seeds, runs, levels)
def test_mean_is_that_of_scipy(seed: int, count: int, level: float) -> None:
    values = np.random.default_rng(seed).normal(50, 3, count)
    got = mean_interval(values, level)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(level)
    assert (got.value, got.low, got.high) == pytest.approx((values.mean(), low, high))
    assert (got.level, got.runs) == (level, count)


@settings(max_examples=20, deadline=None)
@given(seeds, runs, levels)
def test_paired_is_that_of_scipy(seed: int, count: int, level: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(50, 3, count), rng.normal(48, 5, count)
    got, known = difference(a, b, paired=True, level=level), stats.ttest_rel(a, b)
    low, high = known.confidence_interval(level)
    assert (got.low, got.high, got.degrees) == pytest.approx((low, high, count - 1))
    assert got.value / got.standard_error == pytest.approx(known.statistic)
    assert got.value == pytest.approx(a.mean() - b.mean())
    assert got.paired
    assert got.level == level


@settings(max_examples=20, deadline=None)
@given(seeds, runs, runs, levels, st.sampled_from([1e-90, 1e-3, 1.0, 1e3]))
def test_unpaired_is_welch_of_scipy(
    seed: int, count_a: int, count_b: int, level: float, scale: float
) -> None:
    """Also where the squares of the variances are too small for a float."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0, 3, count_a), rng.normal(1, 5 * max(scale, 1e-3), count_b)
    got = difference(a * scale, b * scale, paired=False, level=level)
    known = stats.ttest_ind(a, b, equal_var=False)
    low, high = known.confidence_interval(level)
    assert (got.low / scale, got.high / scale) == pytest.approx((low, high))
    assert got.degrees == pytest.approx(known.df)
    assert got.value / got.standard_error == pytest.approx(known.statistic)
    assert not got.paired


@pytest.mark.parametrize("paired", [False, True])
def test_swapped_runs_turn_the_interval_round(paired: bool) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 4))
    there, back = difference(a, b, paired=paired), difference(b, a, paired=paired)
    assert (there.value, there.low, there.high) == (-back.value, -back.high, -back.low)
    assert there.degrees == pytest.approx(back.degrees)


@pytest.mark.parametrize("failed", [np.nan, np.inf, -np.inf])
def test_failed_runs_do_not_count(failed: float) -> None:
    a, b = np.array([3.0, 1.0, 2.0, 4.0]), np.array([1.5, 1.0, 2.5, 0.0])
    assert mean_interval(np.insert(a, 1, failed)) == mean_interval(a)
    with_failures = np.insert(a, 1, failed), np.insert(b, 3, failed)
    assert difference(*with_failures, paired=False) == difference(a, b, paired=False)
    got = difference(*with_failures, paired=True)  # the pairs at 1 and 3 are gone
    assert got == difference(with_failures[0][[0, 2, 4]], with_failures[1][[0, 2, 4]], paired=True)


def test_a_failed_pair_of_infinities_is_left_out() -> None:
    a = np.array([1.0, np.inf, 4.0])
    assert difference(a, a, paired=True).value == 0


def test_one_run_has_no_interval() -> None:
    got = mean_interval(np.array([2.0, np.nan]))
    assert (got.value, got.runs) == (2, 1)
    assert np.isnan([got.low, got.high]).all()


@pytest.mark.parametrize(
    ("a", "b", "paired"),
    [
        ([5.0, np.nan], [3.0, 7.0], True),
        ([5.0], [3.0], False),
        ([5.0], [2.0, 4.0], False),
        ([4.0, 6.0], [3.0], False),
    ],
)
def test_one_run_of_a_kind_has_no_interval(a: list[float], b: list[float], paired: bool) -> None:
    got = difference(np.array(a), np.array(b), paired=paired)
    assert got.value == 2
    assert np.isnan([got.low, got.high, got.standard_error, got.degrees]).all()


@pytest.mark.parametrize("paired", [False, True])
def test_no_run_left(paired: bool) -> None:
    none = np.full(2, np.nan)
    got = difference(none, np.ones(2), paired=paired)
    assert np.isnan([got.value, got.low, got.high, got.standard_error, got.degrees]).all()
    assert not np.isfinite([mean_interval(none).value, mean_interval(none).high]).any()
    assert mean_interval(none).runs == mean_interval(none[:0]).runs == 0


def test_equal_runs_have_no_width() -> None:
    equal = np.full(3, 2.0)
    got = mean_interval(equal)
    assert (got.low, got.high) == (2, 2)
    shifted = difference(np.array([1.0, 2, 3]), np.array([0.0, 1, 2]), paired=True)
    assert (shifted.low, shifted.high, shifted.standard_error, shifted.degrees) == (1, 1, 0, 2)
    welch = difference(equal, np.zeros(5), paired=False)
    assert (welch.low, welch.high, welch.standard_error, welch.degrees) == (2, 2, 0, 2)


@settings(max_examples=20, deadline=None)
@given(st.sets(st.integers(0, 99), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_equal_seeds_are_brought_together(chosen: set[int], random) -> None:
    seeds_a, seeds_b = random.sample(sorted(chosen), len(chosen)), sorted(chosen)
    got = pair(seeds_a, seeds_b)
    assert got.is_paired
    assert np.array(seeds_a)[got.index_a].tolist() == np.array(seeds_b)[got.index_b].tolist()
    assert sorted(got.index_a.tolist()) == list(range(len(chosen)))


@pytest.mark.parametrize(
    ("seeds_a", "seeds_b"),
    [([2, 0, 1], [0, 1]), ([1, 0], [2, 1]), ([7], [7]), ([], []), ([1, 0], [])],
)
def test_other_seeds_are_compared_unpaired(seeds_a: list[int], seeds_b: list[int]) -> None:
    got = pair(seeds_a, seeds_b)
    assert not got.is_paired
    assert got.index_a.tolist() == list(range(len(seeds_a)))
    assert got.index_b.tolist() == list(range(len(seeds_b)))


def test_bad_input() -> None:
    two, three = np.arange(2.0), np.arange(3.0)
    with pytest.raises(ValueError, match=r"equally many, got 2 and 3; .* paired=False"):
        difference(two, three, paired=True)
    for level in (0.0, 1.0, 95.0, float("nan")):
        with pytest.raises(ValueError, match=f"between 0 and 1, got {level}"):
            mean_interval(two, level)
        with pytest.raises(ValueError, match=f"between 0 and 1, got {level}"):
            difference(two, two, paired=False, level=level)
    with pytest.raises(ValueError, match=r"seeds_b are to differ, got \[1, 0, 1\]"):
        pair([0, 1], [1, 0, 1])
    with pytest.raises(ValueError, match="seeds_a are to differ"):
        pair([0, 0], [1, 0])
