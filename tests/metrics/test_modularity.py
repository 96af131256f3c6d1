"""Modularity against plain loops and disentanglement_lib's recipe, and what inactive codes do."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from mrtc.metrics.modularity import modularity
from tests.references import histogram_scores as plain

GRID = np.stack(np.unravel_index(np.arange(120), (3, 5, 8)), 1)


def noisy() -> tuple[np.ndarray, np.ndarray]:
    """Two codes that mix the factors, one of noise, and a constant one."""
    rng = np.random.default_rng(0)
    factors = np.stack(
        [rng.choice([0, 1, 3], 400), rng.integers(0, 12, 400), GRID[:, 1].repeat(4)[:400]], 1
    )
    mixed = factors @ np.array([[1, 0.2, 0, 0], [0.1, 0.4, 0, 0], [0, 0.3, 0, 0]])
    return mixed + rng.normal(size=mixed.shape) * [0.3, 1, 1, 0], factors


@pytest.mark.oracle("modularity")
def test_inactive_as_zero_is_the_recipe() -> None:
    """Squares over the largest square, NaN of 0 / 0 set to zero, mean over all codes; and loops."""
    codes, factors = noisy()
    binned = [np.digitize(c, np.histogram(c, 20)[1][:-1]) for c in codes.T]
    squares = np.array([[mutual_info_score(v, c) ** 2 for v in factors.T] for c in binned])
    with np.errstate(invalid="ignore"):
        parts = 1 - (squares.sum(1) - squares.max(1)) / (squares.max(1) * 2)
    got = modularity(codes, factors, inactive="zero")
    assert got.value == pytest.approx(np.nan_to_num(parts).mean(), abs=1e-12)
    expected = plain.modularity(codes, factors, 20)
    assert expected[3] == 0
    np.testing.assert_allclose(got.per_code, [*expected[:3], np.nan], atol=1e-12)
    assert modularity(codes, factors).value == pytest.approx(np.mean(expected[:3]))


@pytest.mark.oracle("modularity")
def test_limits() -> None:
    """One for a code of one factor, in any order, sign and scale, and for a duplicated one."""
    assert modularity(GRID, GRID).value == pytest.approx(1)
    assert modularity(GRID[:, [2, 0, 1]] * [-1, 1e-4, 1e4] + 7, GRID).value == pytest.approx(1)
    assert modularity(GRID[:, [0, 0, 1]], GRID).value == pytest.approx(1)


@pytest.mark.oracle("modularity")
def test_a_code_of_two_factors_by_hand() -> None:
    """It knows log 3 and log 5, nothing of the third: 1 - (log 3 / log 5)^2 / 2."""
    code = (GRID[:, 1] + 5 * GRID[:, 0])[:, None]
    expected = 1 - (np.log(3) / np.log(5)) ** 2 / 2
    assert modularity(code, GRID).value == pytest.approx(expected)
    assert modularity(code, GRID[:, [2, 0, 1]], binning="quantile").value == pytest.approx(expected)


@pytest.mark.oracle("modularity")
def test_one_code_of_all_factors_equally_is_zero() -> None:
    cube = np.stack(np.unravel_index(np.arange(27), (3, 3, 3)), 1)
    assert modularity(np.arange(27.0)[:, None], cube, bins=27).value == pytest.approx(0)


@pytest.mark.oracle("modularity")
def test_weighted_by_the_best_information() -> None:
    """A code of log 8 nats and modularity one, another of log 5 and as in the test by hand."""
    codes = np.stack([GRID[:, 2], GRID[:, 1] + 5 * GRID[:, 0], np.zeros(120)], 1)
    mixed = 1 - (np.log(3) / np.log(5)) ** 2 / 2
    expected = (np.log(8) + np.log(5) * mixed) / (np.log(8) + np.log(5))
    for inactive in ("left out", "zero"):
        got = modularity(codes, GRID, weighted=True, inactive=inactive)
        assert got.value == pytest.approx(expected)


def test_collapse_does_not_lower_the_score_unless_asked() -> None:
    codes = np.concatenate([GRID, np.zeros((120, 2))], 1)
    assert modularity(codes, GRID).value == pytest.approx(1)
    assert modularity(codes, GRID, inactive="zero").value == pytest.approx(3 / 5)


def test_codes_of_little_variance_are_inactive() -> None:
    rng = np.random.default_rng(0)
    codes = np.concatenate([GRID, 1e-3 * rng.normal(size=(120, 1))], 1)
    assert modularity(codes, GRID).value < 0.999
    got = modularity(codes, GRID, active_variance=0.01)
    assert got.value == pytest.approx(1)
    np.testing.assert_allclose(got.per_code, [1, 1, 1, np.nan])


def test_a_constant_factor_is_not_counted() -> None:
    codes, factors = noisy()
    got = modularity(codes, np.insert(factors, 1, 4, axis=1))
    assert got.value == pytest.approx(modularity(codes, factors).value)


def test_why_there_is_no_score() -> None:
    one = "modularity needs at least two factors that vary, there are 1"
    assert modularity(GRID, GRID[:, :1]).reason == one
    assert modularity(np.ones((120, 2)), GRID).reason == "no code is active"
