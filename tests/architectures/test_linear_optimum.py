"""The closed forms of the linear VAE against optimisation, simulation and independent theory."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize, minimize_scalar
from scipy.stats import multivariate_normal, norm
from sklearn.decomposition import PCA

from mrtc.architectures import LinearOptimum, LinearParameters, linear_rate_distortion
from mrtc.randomness import numpy_stream

SPECTRA = {
    "decreasing": np.geomspace(5, 0.02, 9),
    "repeated": np.repeat([4.0, 1.5, 0.3, 0.1], [2, 3, 2, 1]),
    "low rank": np.array([3.0, 2.0, 0.7, 0.2, *[0.0] * 8]),
}


def covariance_of(eigenvalues: np.ndarray, seed: int = 0) -> np.ndarray:
    """With random directions."""
    normal = numpy_stream(seed, "directions").standard_normal((len(eigenvalues),) * 2)
    rotation = np.linalg.qr(normal)[0]
    return (rotation * eigenvalues) @ rotation.T


def optimised(covariance: np.ndarray, codes: int, beta: float, variance: float, seed: int) -> float:
    """The objective that L-BFGS reaches from a random start, without what the theory says."""
    d = len(covariance)
    s = torch.from_numpy(covariance)

    def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
        x = torch.tensor(flat, requires_grad=True)
        e, log_c, dec = x[: codes * d], x[codes * d : codes * d + codes], x[codes * (d + 1) :]
        e, dec, c = e.reshape(codes, d), dec.reshape(d, codes), torch.diag(log_c.exp())
        left = torch.eye(d, dtype=torch.float64) - dec @ e
        error = torch.trace(left @ s @ left.T) + torch.trace(dec @ c @ dec.T)
        distortion = error / (2 * variance) + d / 2 * math.log(2 * math.pi * variance)
        rate = (torch.trace(e @ s @ e.T) + torch.trace(c) - log_c.sum() - codes) / 2
        loss = distortion + beta * rate
        loss.backward()
        assert x.grad is not None
        return loss.item(), x.grad.numpy()

    start = 0.3 * numpy_stream(seed, "start").standard_normal(codes * (2 * d + 1))
    options = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-15, "gtol": 1e-9}
    return float(minimize(value, start, jac=True, method="L-BFGS-B", options=options).fun)


@pytest.mark.parametrize(
    ("name", "codes", "variance", "beta"),
    [
        (name, codes, variance, beta)
        for (name, codes), (variance, beta) in product(
            [("decreasing", 4), ("repeated", 3), ("repeated", 6), ("low rank", 5)],
            [(1.0, 0.2), (0.5, 1.0), (0.25, 5.0)],
        )
    ],
)
def test_no_optimiser_gets_below_the_optimum_and_one_reaches_it(
    name: str, codes: int, variance: float, beta: float
) -> None:
    covariance = covariance_of(SPECTRA[name])
    optimum = LinearOptimum.of(covariance, codes, likelihood="gaussian", variance=variance)
    exact = float(optimum.objective(np.array([beta]))[0])
    reached = optimised(covariance, codes, beta, variance, seed=0)
    assert -1e-9 < reached - exact < 1e-6


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("codes", [3, 6, 14])
def test_the_parameters_have_the_rate_and_distortion_of_the_curve(name: str, codes: int) -> None:
    """By the trace formulas, which hold for all parameters; also with more codes than features."""
    covariance = covariance_of(SPECTRA[name])
    betas = np.geomspace(0.01, 30, 9)
    for variance in (None, 0.3):
        likelihood = "squared_error" if variance is None else "gaussian"
        optimum = LinearOptimum.of(covariance, codes, likelihood=likelihood, variance=variance)
        traced = [
            linear_rate_distortion(
                covariance, optimum.parameters(float(b)), likelihood=likelihood, variance=variance
            )
            for b in betas
        ]
        expected = np.stack([optimum.rate(betas), optimum.distortion(betas)], axis=1)
        np.testing.assert_allclose(np.array(traced), expected, rtol=1e-9, atol=1e-9)


def test_the_trace_formulas_are_the_means_over_gaussian_data() -> None:
    """Both terms by drawing examples and codes, biases wrong on purpose; within 5 deviations."""
    rng = numpy_stream(1, "simulation")
    covariance, mean, variance, draws = covariance_of(np.array([2.0, 0.8, 0.3])), 0.7, 0.4, 200_000
    encoder, decoder = rng.standard_normal((2, 3)), rng.standard_normal((3, 2))
    sigma = np.array([0.5, 1.3])
    code_bias, output_bias = np.array([0.4, -0.2]), np.array([0.1, 0.5, -0.3])

    x = rng.multivariate_normal(np.full(3, mean), covariance, draws)
    posterior_mean = x @ encoder.T + code_bias
    z = posterior_mean + sigma * rng.standard_normal((draws, 2))
    residual = x - (z @ decoder.T + output_bias)
    distortion = -multivariate_normal(np.zeros(3), variance * np.eye(3)).logpdf(residual)
    rate = (norm.logpdf(z, posterior_mean, sigma) - norm.logpdf(z)).sum(1)

    code_mean = encoder @ np.full(3, mean) + code_bias
    residual_mean = np.full(3, mean) - decoder @ code_mean - output_bias
    parameters = LinearParameters(encoder, sigma**2, decoder, code_mean, residual_mean)
    exact = linear_rate_distortion(covariance, parameters, likelihood="gaussian", variance=variance)
    squared = linear_rate_distortion(covariance, parameters)
    for simulated, value in (
        (rate, exact.rate),
        (distortion, exact.distortion),
        ((residual**2).sum(1), squared.distortion),
    ):
        assert abs(simulated.mean() - value) < 5 * simulated.std() / math.sqrt(draws)


@given(st.integers(0, 2**32), st.floats(0.02, 8.0))
@settings(max_examples=20, deadline=None)
def test_no_parameters_are_better_than_the_optimum(seed: int, beta: float) -> None:
    """Neither far from it nor near."""
    rng = numpy_stream(seed, "parameters")
    covariance = covariance_of(np.sort(rng.exponential(size=7))[::-1], seed)
    optimum = LinearOptimum.of(covariance, 3)
    best = optimum.parameters(beta)
    for size in (1e-3, 1e-1, 1.0):
        other = LinearParameters(
            best.encoder + size * rng.standard_normal(best.encoder.shape),
            best.posterior_variance * np.exp(size * rng.standard_normal(3)),
            best.decoder + size * rng.standard_normal(best.decoder.shape),
        )
        rate, distortion = linear_rate_distortion(covariance, other)
        assert distortion + beta * rate > optimum.objective(np.array([beta]))[0] - 1e-12


@pytest.mark.parametrize("likelihood", ["gaussian", "squared_error"])
def test_the_slope_of_the_curve_is_minus_beta(likelihood: str) -> None:
    """By finite differences, also beside the betas where codes collapse."""
    variance = 0.7 if likelihood == "gaussian" else None
    optimum = LinearOptimum(SPECTRA["decreasing"], 5, None, likelihood, variance)
    betas = np.array(
        [0.05, 0.3, 1.1, 3.0, optimum.collapse[2] * 0.999, optimum.collapse[2] * 1.001]
    )
    low, high = betas * (1 - 1e-5), betas * (1 + 1e-5)
    run = optimum.rate(high) - optimum.rate(low)
    slope = (optimum.distortion(high) - optimum.distortion(low)) / run
    np.testing.assert_allclose(slope, -betas, rtol=1e-6)


@pytest.mark.parametrize("name", SPECTRA)
def test_with_all_codes_it_is_reverse_water_filling(name: str) -> None:
    """The rate-distortion function of a Gaussian source: the water level that gives the error."""
    eigenvalues = SPECTRA[name]
    optimum = LinearOptimum(eigenvalues, len(eigenvalues))
    for error in np.linspace(0.05, 0.95, 7) * eigenvalues.sum():
        level = brentq(lambda w, e=error: np.minimum(w, eigenvalues).sum() - e, 0, eigenvalues[0])
        above = eigenvalues[eigenvalues > level]
        rate = np.array([np.log(above / level).sum() / 2])
        np.testing.assert_allclose(optimum.distortion_at_rate(rate), error, rtol=1e-9)


@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("codes", [1, 4, 20])
def test_the_inverse_of_the_rate_is_that_of_a_root_finder(name: str, codes: int) -> None:
    optimum = LinearOptimum(SPECTRA[name], codes)
    for rate in (1e-6, 0.3, 2.0, 17.0):
        log_beta = brentq(lambda b, r=rate: optimum.rate(np.exp([b]))[0] - r, -60, 5, xtol=1e-13)
        found = optimum.beta_at_rate(np.array([rate]))
        np.testing.assert_allclose(found, math.exp(log_beta), rtol=1e-9)
    nothing = optimum.beta_at_rate(np.zeros(1))
    np.testing.assert_allclose(nothing, SPECTRA[name][0] / 0.5)


@pytest.mark.parametrize("beta", [0.1, 1.0, 1.9, 4.0, 30.0])
@pytest.mark.parametrize(("name", "codes"), [("decreasing", 4), ("repeated", 3), ("low rank", 3)])
def test_the_best_variance_is_the_best_of_a_search(name: str, codes: int, beta: float) -> None:
    """Over the whole objective: nine eigenvalues and four codes have no room for beta 4 and 30."""

    def objective(log_variance: float) -> float:
        optimum = LinearOptimum(SPECTRA[name], codes, None, "gaussian", math.exp(log_variance))
        return float(optimum.objective(np.array([beta]))[0])

    grid = np.linspace(-7, 4, 400)
    near = grid[np.argmin([objective(float(g)) for g in grid])]
    found = minimize_scalar(objective, bounds=(near - 0.1, near + 0.1), options={"xatol": 1e-10})
    best = LinearOptimum(SPECTRA[name], codes).best_variance(beta)
    assert best == pytest.approx(math.exp(found.x), rel=1e-5)  # half the digits: a flat minimum


def test_at_beta_one_and_the_best_variance_it_is_probabilistic_pca() -> None:
    """That of scikit-learn, which divides by n - 1."""
    x = numpy_stream(0, "pca").standard_normal((400, 6)) @ np.diag([3, 2, 1.5, 0.5, 0.4, 0.3])
    pca = PCA(2).fit(x)
    covariance = np.cov(x.T)
    variance = LinearOptimum.of(covariance, 2).best_variance(1.0)
    decoder = (
        LinearOptimum.of(covariance, 2, likelihood="gaussian", variance=variance)
        .parameters(1.0)
        .decoder
    )
    assert variance == pytest.approx(pca.noise_variance_)
    np.testing.assert_allclose(decoder @ decoder.T + variance * np.eye(6), pca.get_covariance())


def test_codes_collapse_one_by_one_at_their_eigenvalue_over_the_variance() -> None:
    optimum = LinearOptimum(np.array([4.0, 1.0, 0.25]), 5, None, "gaussian", 0.5)
    betas = np.array([0.49, 0.51, 1.99, 2.01, 7.99, 8.01])
    np.testing.assert_array_equal(optimum.active_codes(betas), [3, 2, 2, 1, 1, 0])
    assert optimum.rate(np.array([8.0, 100.0])).tolist() == [0, 0]
    all_variance = 5.25 / (2 * 0.5) + 1.5 * math.log(2 * math.pi * 0.5)
    assert optimum.distortion(np.array([8.0]))[0] == pytest.approx(all_variance)


def test_squared_error_is_a_gaussian_of_variance_one_half_without_its_constant() -> None:
    betas = np.geomspace(0.01, 10, 5)
    plain = LinearOptimum(SPECTRA["decreasing"], 4)
    gaussian = LinearOptimum(SPECTRA["decreasing"], 4, None, "gaussian", 0.5)
    np.testing.assert_array_equal(plain.rate(betas), gaussian.rate(betas))
    constant = gaussian.distortion(betas) - plain.distortion(betas)
    np.testing.assert_allclose(constant, 9 / 2 * math.log(math.pi))


def test_what_cannot_be_is_refused() -> None:
    ones = np.ones(3)
    with pytest.raises(ValueError, match="at least one code, got 0"):
        LinearOptimum(ones, 0)
    with pytest.raises(ValueError, match="must decrease"):
        LinearOptimum(np.array([1.0, 2.0]), 1)
    with pytest.raises(ValueError, match="must decrease"):
        LinearOptimum(np.array([1.0, -2.0]), 1)
    with pytest.raises(ValueError, match="have no variance, got 1"):
        LinearOptimum(ones, 1, variance=1.0)
    with pytest.raises(ValueError, match="needs a variance above 0, got None"):
        LinearOptimum(ones, 1, likelihood="gaussian")
    with pytest.raises(ValueError, match="needs a variance above 0, got 0"):
        linear_rate_distortion(
            np.eye(3),
            LinearOptimum.of(np.eye(3), 1).parameters(1.0),
            likelihood="gaussian",
            variance=0.0,
        )
    with pytest.raises(ValueError, match="need the directions"):
        LinearOptimum(ones, 1).parameters(1.0)
    with pytest.raises(ValueError, match="not negative, got -1"):
        LinearOptimum(ones, 1).beta_at_rate(np.array([1.0, -1.0]))
    with pytest.raises(ValueError, match="without variance"):
        LinearOptimum(np.zeros(3), 1).beta_at_rate(np.array([1.0]))
    with pytest.raises(ValueError, match="no variance is best"):
        LinearOptimum.of(covariance_of(SPECTRA["low rank"]), 5).best_variance(0.5)
