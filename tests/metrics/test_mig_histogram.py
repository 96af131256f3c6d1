"""The histogram gap against disentanglement_lib's recipe, in its limits, and with outliers."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from mrtc.metrics.mig import mig_chen
from mrtc.metrics.mig_histogram import mig_locatello, mig_quantile
from tests.references import histogram_scores as plain

GRID = np.stack(np.unravel_index(np.arange(3 * 5 * 8), (3, 5, 8)), 1)


def noisy(examples: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Factors with a class that is rare and one that is missing; codes that mix them."""
    rng = np.random.default_rng(0)
    columns = [rng.choice([0, 1, 3], examples, p=[0.6, 0.38, 0.02]), rng.integers(0, 12, examples)]
    factors = np.stack(columns, 1)
    mixed = factors @ np.array([[1, 0.2, 0.5], [0, 0.4, 0.1]])
    return mixed + rng.normal(size=mixed.shape) * [0.3, 1, 0.2], factors


@pytest.mark.oracle("mig_locatello")
def test_equal_width_gap_is_that_of_the_recipe() -> None:
    """numpy's histogram, scikit-learn's information, sort, subtract, divide; and by loops."""
    codes, factors = noisy()
    binned = [np.digitize(c, np.histogram(c, 20)[1][:-1]) for c in codes.T]
    table = np.array([[mutual_info_score(v, c) for v in factors.T] for c in binned])
    ordered = np.sort(table, axis=0)[::-1]
    entropy = np.array([mutual_info_score(v, v) for v in factors.T])
    got = mig_locatello(codes, factors)
    assert got.value == pytest.approx(np.mean((ordered[0] - ordered[1]) / entropy), abs=1e-12)
    np.testing.assert_allclose(got.per_factor, plain.mig(codes, factors, 20), atol=1e-12)


@pytest.mark.oracle("mig_quantile")
def test_quantile_gap_is_that_of_ranks_in_equal_bins() -> None:
    """Without ties, equal counts are equal widths of the rank: 400 ranks in 20 bins of 20."""
    codes, factors = noisy(400)
    ranks = codes.argsort(axis=0).argsort(axis=0)
    got = mig_quantile(codes, factors)
    np.testing.assert_allclose(got.per_factor, plain.mig(ranks // 20, factors, 20), atol=1e-12)


@pytest.mark.oracle("mig_locatello", "mig_quantile")
@pytest.mark.parametrize("score", [mig_locatello, mig_quantile])
def test_limits(score) -> None:
    """One for a code a factor, in any order, sign and scale; zero for duplicated or lost ones."""
    assert score(GRID, GRID).value == pytest.approx(1)
    assert score(GRID[:, [2, 0, 1]] * [-1, 1e-4, 1e4] + 7, GRID).value == pytest.approx(1)
    assert score(np.repeat(GRID, 2, axis=1), GRID).value == pytest.approx(0)
    np.testing.assert_allclose(score(GRID * [1, 1, 0], GRID).per_factor, [1, 1, 0], atol=1e-12)
    assert score(np.zeros((120, 3)), GRID).value == 0


@pytest.mark.oracle("mig_locatello")
def test_pairs_of_classes_by_hand() -> None:
    """A code of 8 classes in 4 pairs knows log 4 of log 8."""
    codes = np.stack([GRID[:, 2] // 2, np.zeros(120)], 1)
    assert mig_locatello(codes, GRID[:, [2]]).value == pytest.approx(2 / 3)


@pytest.mark.oracle("mig_quantile")
def test_one_code_that_holds_all_factors() -> None:
    """All of every factor, so a gap of one each: the blind spot that the docstring names."""
    everything = np.arange(120.0)
    codes = np.stack([everything, np.zeros(120)], 1)
    assert mig_quantile(codes, GRID, bins=120).value == pytest.approx(1)


def test_outliers_break_bins_of_equal_width() -> None:
    """Three of 10,000 examples: two thirds of one score are lost, nothing of the other."""
    rng = np.random.default_rng(0)
    factor = rng.integers(0, 40, (10_000, 1))
    codes = np.concatenate(
        [factor + rng.normal(size=factor.shape) * 4, rng.normal(size=(10_000, 1))], 1
    )
    clean = mig_locatello(codes, factor).value, mig_quantile(codes, factor).value
    codes[:3, 0] = 1000
    broken = mig_locatello(codes, factor).value, mig_quantile(codes, factor).value
    assert broken[0] < clean[0] / 3
    assert broken[1] == pytest.approx(clean[1], abs=0.003)


@pytest.mark.oracle("mig_locatello", "mig_quantile")
def test_agrees_with_the_integral_where_noise_is_wide() -> None:
    """Means alone, against q(z|x) of small sigma: two estimators of nearly one quantity."""
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 4, (4000, 2))
    codes = factors + 0.4 * rng.normal(size=factors.shape)
    exact = mig_chen(codes, np.full(codes.shape, np.log(0.05)), factors, ("a", "b")).score
    # 20 bins over about six units of code blur it, and counts are biased by 0.01 nats
    assert mig_locatello(codes, factors).value == pytest.approx(exact, abs=0.03)
    assert mig_quantile(codes, factors).value == pytest.approx(exact, abs=0.03)


def test_a_constant_factor_is_left_out() -> None:
    factors = np.insert(GRID, 1, 4, axis=1)
    got = mig_locatello(GRID, factors)
    assert got.value == pytest.approx(1)
    np.testing.assert_allclose(got.per_factor, [1, np.nan, 1, 1])


def test_parameters_say_what_was_done() -> None:
    expected = {"bins": 7, "binning": "equal_width", "examples": 120}
    assert mig_locatello(GRID, GRID, bins=7).parameters == expected
    assert mig_quantile(GRID, GRID, bins=7).parameters == expected | {"binning": "quantile"}
