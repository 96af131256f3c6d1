"""Splits are disjoint and follow the seed; companions have the same class."""

import numpy as np
import pytest

from mrtc.metrics.splits import LARGEST_GATHER, RowsByClass, pieces, shared_factors, split_rows


@pytest.mark.parametrize(
    ("train", "test", "sizes"),
    [(None, None, (20, 10)), (12, None, (12, 18)), (None, 3, (27, 3)), (5, 6, (5, 6))],
)
def test_split_has_the_sizes_asked_for(
    train: int | None, test: int | None, sizes: tuple[int, int]
) -> None:
    rows = split_rows(30, train, test)
    assert tuple(map(len, rows)) == sizes
    assert len(np.unique(np.concatenate(rows))) == sum(sizes)


def test_split_follows_the_seed_alone() -> None:
    assert (split_rows(50, seed=3)[0] == split_rows(50, seed=3)[0]).all()
    assert (split_rows(50, seed=3)[0] != split_rows(50, seed=4)[0]).any()
    assert [*map(len, split_rows(2))] == [1, 1]


@pytest.mark.parametrize(("examples", "train", "test"), [(1, None, None), (9, 5, 5), (9, 0, 5)])
def test_split_needs_enough_rows(examples: int, train: int | None, test: int | None) -> None:
    with pytest.raises(ValueError, match=f"and {examples} together at most; got train="):
        split_rows(examples, train, test)


def test_companions_are_all_rows_of_the_class_alike() -> None:
    """Drawn often enough, each row of the class turns up equally often, and no other does."""
    group = RowsByClass.of(np.array([7, 2, 7, 7, 5, 2]))
    drawn = group.companions(np.full((30_000, 1), 2), np.random.default_rng(0))
    share = np.bincount(drawn.ravel(), minlength=6) / 30_000
    np.testing.assert_allclose(share, np.array([1, 0, 1, 1, 0, 0]) / 3, atol=0.01)
    assert group.in_company.tolist() == [0, 1, 2, 3, 5]


def test_factors_without_company_are_no_shared_factors() -> None:
    factors = np.array([[0, 1, 4], [1, 1, 4], [2, 1, 3]])
    assert [*shared_factors(factors)] == [2]


def test_pieces_hold_all_rows_in_order() -> None:
    rows = np.arange(600).reshape(200, 3)
    parts = pieces(rows, np.zeros((1, LARGEST_GATHER // 60)))
    assert len(parts) > 5
    assert (np.concatenate(parts) == rows).all()
