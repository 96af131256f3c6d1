"""The rate's three parts against closed forms, a plain reference and exact integrals."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrtc.metrics import aggregate as module
from mrtc.metrics.aggregate import aggregate_terms, log_aggregate_density
from mrtc.metrics.rate_distortion import rate_per_code
from tests.references import aggregate_terms as plain


def log_uniform(rng: np.random.Generator, low: float, high: float, shape: tuple) -> np.ndarray:
    return np.exp(rng.uniform(np.log(low), np.log(high), shape))


def moments(name: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    shape = (150, 4)
    match name:
        case "encoder":
            return rng.normal(size=shape), log_uniform(rng, 0.03, 1, shape)
        case "five decades":
            return rng.uniform(-5, 5, shape), log_uniform(rng, 1e-4, 10, shape)
        case "all narrow":
            return rng.uniform(-5, 5, shape), np.full(shape, 1e-4)
        case "narrow and far away":  # would lose 1e-2 nats in the expanded square
            return 1e6 + rng.uniform(-5, 5, shape), log_uniform(rng, 1e-6, 1, shape)
        case "one far code":  # that one directly, the others by the product
            scale = np.array([1, 1, 1e4, 1])
            return scale * rng.normal(size=shape), log_uniform(rng, 1e-4, 10, shape)
    raise KeyError(name)


SETS = ("encoder", "five decades", "all narrow", "narrow and far away", "one far code")


@pytest.mark.oracle("aggregate_terms")
@pytest.mark.parametrize("name", SETS)
def test_density_is_the_plain_one(name: str) -> None:
    """From sigma 1e-6 to 10. At a draw's own place, and where only the tails reach."""
    mean, sigma = moments(name)
    rng = np.random.default_rng(1)
    z = mean[:40] + sigma[:40] * rng.normal(size=(40, 4)) * np.repeat([1, 4], 20)[:, None]
    expected = plain.log_aggregate_density(z, mean, sigma)
    # What a code may lose, four codes, and the rounding of z itself in units of sigma.
    rounding = np.abs(mean).max() / sigma.min() * 1e-15
    got = log_aggregate_density(z, mean, np.log(sigma))
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=2e-5 + 30 * rounding)


def test_the_sets_take_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the plain differences the hard sets come out wrong, so the test above sees them."""
    monkeypatch.setattr(module, "CANCELLATION", np.inf)
    mean, sigma = moments("narrow and far away")
    z = mean[:40] + sigma[:40] * np.random.default_rng(1).normal(size=(40, 4))
    expected = plain.log_aggregate_density(z, mean, sigma)
    assert np.abs(log_aggregate_density(z, mean, np.log(sigma)) - expected).max() > 1e-4


def test_tiles_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    mean, sigma = moments("five decades")
    z = mean + sigma
    whole = log_aggregate_density(z, mean, np.log(sigma))
    for draws, examples in ((1, 7), (64, 1), (7, 64)):
        monkeypatch.setattr(module, "TILE_DRAWS", draws)
        monkeypatch.setattr(module, "TILE_EXAMPLES", examples)
        np.testing.assert_allclose(log_aggregate_density(z, mean, np.log(sigma)), whole, atol=1e-6)


def test_threads_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    mean, log_sigma = rng.normal(size=(300, 3)), np.full((300, 3), -1.0)
    before = torch.get_num_threads()
    one, two = (aggregate_terms(mean, log_sigma, draws=500, threads=t) for t in (1, 2))
    assert two.index_code_mi == one.index_code_mi
    assert torch.get_num_threads() == before


def gaussian_reference(population: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means with exactly the covariance S, sigmas 0.7, and S plus their variance."""
    shape = np.array([[0.5, 0.35, 0.0], [0.35, 0.6, -0.2], [0.0, -0.2, 0.4]])
    mean = np.random.default_rng(0).normal(size=(population, 3))
    mean -= mean.mean(0)
    mean = mean @ np.linalg.inv(np.linalg.cholesky(np.cov(mean.T, ddof=0))).T
    mean = mean @ np.linalg.cholesky(shape).T
    return mean, np.full(mean.shape, np.log(0.7)), shape + 0.49 * np.eye(3)


@pytest.mark.oracle("aggregate_terms")
@pytest.mark.parametrize(
    ("population", "draws"), [(5_000, 4_000), pytest.param(500_000, 2_000, marks=pytest.mark.slow)]
)
def test_correlated_gaussians(population: int, draws: int) -> None:
    """The aggregate is N(0, S + sigma² I) but for a divergence of the finite set from it."""
    mean, log_sigma, covariance = gaussian_reference(population)
    got = aggregate_terms(mean, log_sigma, draws=draws)
    log_variances = np.log(np.diag(covariance))
    tc = 0.5 * (log_variances.sum() - np.linalg.slogdet(covariance)[1])
    mi = 0.5 * (np.linalg.slogdet(covariance)[1] - 3 * np.log(0.49))
    dimensionwise = 0.5 * (np.diag(covariance) - 1 - log_variances)
    # E KL(q_N ‖ q) <= chi² / N, and 1 + chi² = E_n ∫ q(z|x_n)² / q(z) = exp(2 MI) for Gaussians.
    finite_set = np.exp(2 * mi) / population
    assert got.index_code_mi == pytest.approx(mi, abs=3 * got.error + finite_set)
    assert got.total_correlation == pytest.approx(tc, abs=3 * got.error + finite_set)
    np.testing.assert_allclose(got.dimensionwise_kl_per_code, dimensionwise, atol=finite_set)
    assert got.error < 0.005
    assert got.warning is None


def binary_tree(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two codes far from Gaussian and dependent: clusters on a diagonal, of unequal width."""
    mean = np.repeat([[-2.0, -2.0], [0.0, 0.5], [2.0, 2.0]], [4, 3, 5], axis=0)
    return mean + 0.3 * rng.normal(size=mean.shape), log_uniform(rng, 0.2, 0.8, mean.shape)


@pytest.mark.oracle("aggregate_terms")
def test_entropy_of_two_codes_and_its_error() -> None:
    """Against the integral over the plane: unbiased, and the stated error is the true spread."""
    mean, sigma = binary_tree(np.random.default_rng(0))
    expected = plain.joint_entropy_of_two_codes(mean, sigma)
    got = [aggregate_terms(mean, np.log(sigma), draws=1_000, seed=s) for s in range(200)]
    deviations = np.array([(g.joint_entropy - expected) / g.error for g in got])
    assert abs(deviations.mean()) < 4 / np.sqrt(200)
    assert 0.8 < deviations.std() < 1.2  # its own error is 5 %
    plain_error = np.sqrt(1 / 1_000)  # of an entropy of two codes without controls
    assert np.mean([g.error for g in got]) < 0.6 * plain_error


@pytest.mark.oracle("aggregate_terms")
def test_one_code_has_no_total_correlation() -> None:
    """Draws and quadrature agree on its entropy. The controls nearly hide draws that are slightly
    wrong, so there are many draws, and unequal components, which the controls explain badly."""
    mean, sigma = np.array([[-2.0], [0.0], [2.0]]), np.array([[1.0], [0.3], [0.1]])
    got = aggregate_terms(mean, np.log(sigma), draws=400_000)
    assert got.error < 1e-3
    assert got.total_correlation == pytest.approx(0, abs=4 * got.error)


@pytest.mark.oracle("aggregate_terms")
def test_the_parts_add_up_to_the_rate() -> None:
    for name in ("encoder", "five decades"):
        mean, sigma = moments(name)
        got = aggregate_terms(mean, np.log(sigma), draws=200)
        parts = got.index_code_mi + got.total_correlation + got.dimensionwise_kl
        assert parts == pytest.approx(got.rate, rel=1e-12)
        assert got.rate == pytest.approx(rate_per_code(mean, np.log(sigma)).sum(), rel=1e-12)
        assert got.dimensionwise_kl_per_code.sum() == pytest.approx(got.dimensionwise_kl)


@pytest.mark.oracle("aggregate_terms")
def test_collapsed_posteriors_have_none_of_it() -> None:
    got = aggregate_terms(np.zeros((100, 5)), np.zeros((100, 5)), draws=100)
    parts = (got.index_code_mi, got.total_correlation, got.dimensionwise_kl, got.error, got.rate)
    assert parts == pytest.approx((0, 0, 0, 0, 0), abs=1e-6)
    assert got.warning is None


@pytest.mark.oracle("aggregate_terms")
def test_a_grid_has_no_total_correlation() -> None:
    """Means on the full grid of two codes: q(z) is the product, and the MI is log 12 when sharp."""
    grid = np.stack(np.unravel_index(np.arange(12), (3, 4)), 1).astype(float)
    got = aggregate_terms(grid, np.full((12, 2), np.log(0.05)), draws=200)
    assert got.total_correlation == pytest.approx(0, abs=1e-4)
    assert got.index_code_mi == pytest.approx(np.log(12), abs=1e-4)
    assert got.ceiling == np.log(12)
    assert got.warning is not None
    assert "close to log 12 = 2.48" in got.warning


@pytest.mark.oracle("aggregate_terms")
def test_a_duplicated_code() -> None:
    """Sharp copies of one code share all it tells: TC is log 8; a third, collapsed one adds 0."""
    mean = np.arange(8.0)[:, None] * np.array([1, 1, 0])
    log_sigma = np.log(np.array([0.02, 0.02, 1])) * np.ones((8, 1))
    got = aggregate_terms(mean, log_sigma, draws=200)
    assert got.total_correlation == pytest.approx(np.log(8), abs=1e-4)
    assert got.index_code_mi == pytest.approx(np.log(8), abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5))
@pytest.mark.oracle("aggregate_terms")
def test_order_and_sign_of_codes_do_not_matter(seed: int, codes: int) -> None:
    """Up to the noise; and the parts are bounded up to it."""
    rng = np.random.default_rng(seed)
    mean, sigma = rng.normal(size=(60, codes)), log_uniform(rng, 0.05, 2, (60, codes))
    order, sign = rng.permutation(codes), rng.choice([-1, 1], codes)
    one = aggregate_terms(mean, np.log(sigma), draws=400)
    other = aggregate_terms((sign * mean)[:, order], np.log(sigma)[:, order], draws=400)
    tolerance = 6 * np.hypot(one.error, other.error) + 1e-4
    assert other.index_code_mi == pytest.approx(one.index_code_mi, abs=tolerance)
    assert other.total_correlation == pytest.approx(one.total_correlation, abs=tolerance)
    assert -6 * one.error - 1e-4 <= one.index_code_mi <= one.ceiling + 6 * one.error + 1e-4
    assert one.total_correlation >= -6 * one.error - 1e-4
    if codes == 1:
        assert one.total_correlation == pytest.approx(0, abs=6 * one.error + 1e-4)


def test_the_seed_decides() -> None:
    mean, sigma = moments("encoder")
    one, same = (aggregate_terms(mean, np.log(sigma), draws=50, seed=3) for _ in range(2))
    other = aggregate_terms(torch.tensor(mean), torch.tensor(sigma).log(), draws=50, seed=4)
    assert one.joint_entropy == same.joint_entropy
    assert one.joint_entropy != other.joint_entropy
    assert (one.draws, one.seed, one.population) == (50, 3, 150)


def test_a_thousand_codes_and_one_example() -> None:
    rng = np.random.default_rng(0)
    many = aggregate_terms(rng.normal(size=(20, 1_000)), np.full((20, 1_000), -1.0), draws=50)
    assert many.index_code_mi == pytest.approx(np.log(20), abs=1e-3)
    one = aggregate_terms(np.ones((1, 2)), np.zeros((1, 2)), draws=50)
    assert (one.index_code_mi, one.total_correlation) == pytest.approx((0, 0), abs=1e-6)


@pytest.mark.parametrize(
    ("mean", "log_sigma", "draws", "message"),
    [
        (np.zeros((3, 2)), np.zeros((4, 2)), 50, r"one shape .* got \(3, 2\) and \(4, 2\)"),
        (np.array([[np.nan, 0.0]]), np.zeros((1, 2)), 50, "mean holds 1 values"),
        (np.zeros((0, 2)), np.zeros((0, 2)), 50, "at least one of each"),
        (np.zeros((3, 2)), np.zeros((3, 2)), 9, "at least 10 draws, got 9"),
        (np.arange(6.0).reshape(3, 2), np.full((3, 2), -20.0), 50, "code 0 is too narrow"),
    ],
)
def test_bad_input(mean: np.ndarray, log_sigma: np.ndarray, draws: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        aggregate_terms(mean, log_sigma, draws=draws)
