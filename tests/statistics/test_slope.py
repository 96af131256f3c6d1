"""Slopes against the closed form of the linear VAE, and what holds of every exact optimum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrtc.errors import BetaError
from mrtc.statistics.slope import off_slope, slopes

EIGENVALUES = np.array([40.0, 9.0, 2.5, 0.3, 0.3])


def water_filling(beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rate and distortion of a linear VAE, in nats: directions above beta are active."""
    share = np.maximum(EIGENVALUES / beta[:, None], 1)
    return np.log(share).sum(1) / 2, np.minimum(EIGENVALUES, beta[:, None]).sum(1) / 2


@pytest.mark.parametrize(("low", "high"), [(0.01, 0.3), (0.3, 2.5), (2.5, 9.0), (9.0, 40.0)])
@pytest.mark.parametrize("count", [2, 7])
def test_the_linear_vae_is_calibrated_exactly(low: float, high: float, count: int) -> None:
    """Between thresholds, so that the neighbours have the same active codes; however far apart."""
    beta = np.geomspace(low, high, count)
    got = slopes(beta, *water_filling(beta))
    np.testing.assert_allclose(got.ratio, 1, rtol=1e-10)
    np.testing.assert_allclose(got.realised, got.beta, rtol=1e-10)
    assert not off_slope(got.ratio).any()


def test_close_neighbours() -> None:
    """The logarithmic mean of neighbours within 1e-9 is their middle, to the last digits."""
    got = slopes(np.array([3.0, 3.0 + 3e-9]), np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    assert got.beta[0] == pytest.approx(3 + 1.5e-9, rel=1e-14)


def test_logarithmic_mean_is_between_geometric_and_arithmetic() -> None:
    beta = np.array([1.0, np.e, 10.0])
    got = slopes(beta, -beta, beta).beta
    assert got[0] == pytest.approx(np.e - 1)
    assert (got > np.sqrt(beta[1:] * beta[:-1])).all()
    assert (got < (beta[1:] + beta[:-1]) / 2).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(1.05, 2.1))
def test_exact_optima_are_never_marked(seed: int, factor: float) -> None:
    """The best of any models at each beta: its slopes lie between the neighbours."""
    rng = np.random.default_rng(seed)
    models = rng.exponential((30, 60), (4_000, 2)) ** rng.uniform(0.3, 2)
    beta = 0.05 * factor ** np.arange(12)
    best = (models[:, 1] + beta[:, None] * models[:, 0]).argmin(1)
    got = slopes(beta, *models[best].T)
    changed = best[1:] != best[:-1]
    np.testing.assert_array_equal(np.isnan(got.ratio), ~changed)
    realised = got.realised[changed]
    assert (realised >= beta[:-1][changed] * (1 - 1e-9)).all()
    assert (realised <= beta[1:][changed] * (1 + 1e-9)).all()
    lowest, highest = np.log(factor) / (factor - 1), factor * np.log(factor) / (factor - 1)
    ratio = got.ratio[changed]
    assert (ratio > lowest * (1 - 1e-9)).all()
    assert (ratio < highest * (1 + 1e-9)).all()
    np.testing.assert_array_equal(off_slope(got.ratio), ~changed)


def test_a_model_that_is_not_optimal_is_marked() -> None:
    """Rates that answer to half of log beta: the slope is that of sqrt(beta)."""
    beta = np.geomspace(0.4, 2.3, 6)
    got = slopes(beta**2, *water_filling(beta))
    np.testing.assert_allclose(got.realised, np.diff(beta) / np.diff(np.log(beta)))
    np.testing.assert_array_equal(off_slope(got.ratio), (got.ratio > 1.5) | (got.ratio < 2 / 3))
    assert off_slope(got.ratio).tolist() == [True, False, False, False, True]


def test_betas_in_any_order() -> None:
    beta = np.array([4.0, 1.0, 2.0])
    rate, distortion = np.array([1.0, 6.0, 3.0]), np.array([12.0, 2.0, 5.0])
    got = slopes(beta, rate, distortion)
    np.testing.assert_allclose(got.realised, [1, 3.5])
    np.testing.assert_allclose(got.beta, [1 / np.log(2), 2 / np.log(2)])
    np.testing.assert_allclose(got.ratio, [np.log(2), 3.5 * np.log(2) / 2])


def test_where_there_is_no_slope() -> None:
    """The rate rises, stays, or is missing; a distortion that falls as well is off, not missing."""
    beta = np.arange(1.0, 8.0)
    rate = np.array([3.0, 4.0, 4.0, 3.0, np.inf, 2.0, 1.0])
    distortion = np.array([1.0, 2.0, 3.0, 2.5, 4.0, np.nan, 5.0])
    got = slopes(beta, rate, distortion)
    np.testing.assert_allclose(got.realised, [np.nan, np.nan, -0.5, np.nan, np.nan, np.nan])
    assert off_slope(got.ratio).all()
    for count in (0, 1):
        assert slopes(beta[:count], rate[:count], distortion[:count]).ratio.shape == (0,)


def test_marks_are_those_of_the_factor() -> None:
    ratio = np.array([0.5, 0.49, 2.0, 2.01, 1.0, -1.0, np.nan, np.inf])
    expected = [False, True, False, True, False, True, True, True]
    assert off_slope(ratio, 2.0).tolist() == expected


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf, 2.0])
def test_bad_betas(bad: float) -> None:
    with pytest.raises(BetaError, match=r"positive, finite and different, got \["):
        slopes(np.array([2.0, bad]), np.ones(2), np.ones(2))


@pytest.mark.parametrize("factor", [1.0, 0.5, float("nan"), float("inf")])
def test_bad_factor(factor: float) -> None:
    with pytest.raises(ValueError, match=f"above 1, got {factor}"):
        off_slope(np.ones(2), factor)
