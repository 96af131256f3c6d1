"""Factor grids against plain enumeration, and stratified draws against what they promise."""

from collections import Counter
from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mrtc.factors import FactorGrid


def grid_of(sizes: tuple[int, ...]) -> FactorGrid:
    return FactorGrid(names=tuple(f"factor{k}" for k in range(len(sizes))), sizes=sizes)


some_sizes = st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple)


@given(some_sizes)
def test_the_grid_enumerates_every_combination_last_factor_fastest(sizes: tuple[int, ...]):
    grid = grid_of(sizes)
    expected = np.array(list(product(*map(range, grid.sizes))))
    positions = np.arange(len(grid))
    np.testing.assert_array_equal(grid.classes(positions), expected)
    np.testing.assert_array_equal(grid.index(expected), positions)
    assert grid.classes(positions).dtype == grid.index(expected).dtype == np.int64


def test_positions_may_have_any_shape():
    grid = grid_of((3, 4))
    positions = np.arange(12).reshape(2, 3, 2)
    assert grid.classes(positions).shape == (2, 3, 2, 2)
    np.testing.assert_array_equal(grid.index(grid.classes(positions)), positions)
    assert grid.classes(np.array(7)).tolist() == [1, 3]


@given(some_sizes, st.data(), st.integers(0, 2**32))
def test_a_stratified_draw_is_distinct_and_balanced(
    sizes: tuple[int, ...], data: st.DataObject, seed: int
):
    grid = grid_of(sizes)
    count = data.draw(st.integers(1, len(grid)))
    drawn = grid.stratified(count, np.random.default_rng(seed))
    assert drawn.shape == (count,)
    assert (np.diff(drawn) > 0).all()
    for size, classes in zip(grid.sizes, grid.classes(drawn).T, strict=True):
        frequency = np.bincount(classes, minlength=size)
        assert frequency.max() - frequency.min() <= 1


def test_a_stratified_draw_of_all_is_the_grid():
    grid = grid_of((3, 4, 5))
    drawn = grid.stratified(60, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn, np.arange(60))


def test_every_example_is_equally_likely_to_be_drawn():
    grid, rng, draws, count = grid_of((2, 3, 2)), np.random.default_rng(0), 4000, 5
    frequency = sum(np.bincount(grid.stratified(count, rng), minlength=12) for _ in range(draws))
    p = count / 12
    deviation = np.abs(frequency - draws * p) / np.sqrt(draws * p * (1 - p))
    assert deviation.max() < 5  # standard deviations of a binomial


def test_a_stratified_draw_ties_no_factor_to_another():
    """One example a class of the first factor: every balanced choice of the second is as likely."""
    grid, rng = grid_of((6, 2)), np.random.default_rng(0)
    seen = Counter(tuple(grid.stratified(6, rng) % 2) for _ in range(2000))
    assert set(seen) == set(permutations([0, 0, 0, 1, 1, 1]))
    assert max(abs(n - 100) for n in seen.values()) < 5 * np.sqrt(100)  # 5 standard deviations


@pytest.mark.parametrize("count", [0, -1, 13])
def test_a_draw_outside_the_grid_is_refused(count: int):
    with pytest.raises(ValueError, match=rf"1 <= count <= 12, got count={count}"):
        grid_of((3, 4)).stratified(count, np.random.default_rng(0))


@pytest.mark.parametrize("position", [-1, 12])
def test_a_position_outside_the_grid_is_refused(position: int):
    with pytest.raises(ValueError, match=rf"from 0 to 11, got {position} to {position}"):
        grid_of((3, 4)).classes(np.array([position]))


@pytest.mark.parametrize("classes", [[[0, 4]], [[3, 0]], [[-1, 0]], [[0, 0, 0]]])
def test_a_class_outside_its_factor_is_refused(classes: list[list[int]]):
    with pytest.raises(ValueError, match=r"needs 2 classes, from 0 to below \(3, 4\)"):
        grid_of((3, 4)).index(np.array(classes))


@pytest.mark.parametrize(("names", "sizes"), [(("a",), (2, 3)), ((), ()), (("a",), (0,))])
def test_a_grid_without_a_size_for_each_name_is_refused(names: tuple, sizes: tuple):
    with pytest.raises(ValueError, match="one name and one size"):
        FactorGrid(names, sizes)
