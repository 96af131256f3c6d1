"""Entropies by quadrature against closed forms, a plain reference and the sampling estimator."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from mrtc.metrics import entropy as entropy_module
from mrtc.metrics import mixture_grid
from mrtc.metrics.entropy import CodeEntropies
from mrtc.metrics.sampling import sampled_entropy
from tests.references.mixture_entropy import mixture_entropy

UNIT_GAUSSIAN = 0.5 * np.log(2 * np.pi * np.e)


def moments(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Means and sigmas of sets that are hard in different ways."""
    rng = np.random.default_rng(0)

    def widths(low: float, high: float, count: int) -> np.ndarray:
        return np.exp(rng.uniform(np.log(low), np.log(high), count))

    match name:
        case "encoder":  # one position a class, as an encoder has them
            noise = 0.02 * rng.normal(size=192)
            return np.repeat(np.linspace(-2, 2, 32), 6) + noise, widths(0.03, 0.1, 192)
        case "few":
            return rng.normal(size=5), widths(0.05, 1, 5)
        case "one mean":
            return np.zeros(200), widths(0.1, 1, 200)
        case "hundredfold":
            return rng.normal(size=300), widths(0.01, 1, 300)
        case "five decades":
            return rng.uniform(-5, 5, 300), widths(1e-4, 10, 300)
        case "five decades, clustered":
            centres = np.repeat([-5.0, 0.0, 5.0], 100)
            return centres + 0.01 * rng.normal(size=300), widths(1e-4, 10, 300)
        case "needles in hay":
            return np.array([-5.0, 5.0, 0.5]), np.array([1e-4, 1e-4, 10])
    raise KeyError(name)


@cache
def expected_entropy(name: str) -> float:
    return mixture_entropy(*moments(name))


SETS = (
    "encoder",
    "few",
    "one mean",
    "hundredfold",
    "five decades",
    "five decades, clustered",
    "needles in hay",
)


@pytest.mark.parametrize("sigma", [1e-3, 0.7, 1.0, 30.0])
def test_one_gaussian_has_its_closed_form(sigma: float) -> None:
    """H = log(sigma sqrt(2 pi e)), also of many equal components, wherever they lie."""
    mean, log_sigma = np.full(50, 0.1234), np.full(50, np.log(sigma))
    assert CodeEntropies(mean, log_sigma).aggregate() == pytest.approx(
        UNIT_GAUSSIAN + np.log(sigma), abs=1e-9
    )


def test_normal_means_and_equal_sigma_make_a_gaussian() -> None:
    """Means that are N(0, 2²) to a Gauss rule, sigma 0.8: the whole is N(0, 2² + 0.8²)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    mean = np.repeat(2 * nodes, np.round(1e5 * weights / weights.sum()).astype(int))
    got = CodeEntropies(mean, np.full(len(mean), np.log(0.8))).aggregate()
    variance = mean.var() + 0.64
    assert got == pytest.approx(UNIT_GAUSSIAN + 0.5 * np.log(variance), abs=2e-5)


@pytest.mark.parametrize(("sigmas", "gap"), [((1.0,) * 5, 50), ((1e-3, 1.0, 5.0), 200)])
def test_components_far_apart_add_the_entropy_of_choosing(
    sigmas: tuple[float, ...], gap: float
) -> None:
    """H = log K + mean entropy, of K components that do not touch; also of unequal widths."""
    mean = gap * np.arange(len(sigmas)) + 0.37
    expected = np.log(len(sigmas)) + UNIT_GAUSSIAN + np.log(sigmas).mean()
    assert CodeEntropies(mean, np.log(sigmas)).aggregate() == pytest.approx(expected, abs=2e-5)


def test_reference_equals_adaptive_quadrature() -> None:
    """The plain reference itself, against scipy's adaptive rule on two overlapping components."""
    mean, sigma = np.array([0.0, 1.5]), np.array([1.0, 0.3])

    def integrand(z: float) -> float:
        p = (np.exp(-0.5 * ((z - mean) / sigma) ** 2) / sigma).mean() / np.sqrt(2 * np.pi)
        return -p * np.log(p)

    expected, _ = quad(integrand, -8, 9, points=[0, 1.5], limit=200, epsabs=1e-12)
    assert mixture_entropy(mean, sigma) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("transform_gain", [0, 4, 1e9], ids=["added up", "mixed", "transformed"])
def test_equals_the_plain_reference(
    name: str, transform_gain: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways to a grid, and their mixture, give -∫ p log p to 1e-4 nats."""
    monkeypatch.setattr(mixture_grid, "TRANSFORM_GAIN", transform_gain)
    mean, sigma = moments(name)
    got = CodeEntropies(mean, np.log(sigma)).aggregate()
    assert got == pytest.approx(expected_entropy(name), abs=1e-4)


@pytest.mark.parametrize("name", ["encoder", "hundredfold"])
def test_ordinary_sets_are_good_to_1e_5_nats(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The accuracy that the documentation states: deposits keep mean and variance."""
    monkeypatch.setattr(mixture_grid, "TRANSFORM_GAIN", 1e9)
    mean, sigma = moments(name)
    got = CodeEntropies(mean, np.log(sigma)).aggregate()
    assert got == pytest.approx(expected_entropy(name), abs=1e-5)


@pytest.mark.parametrize("chunk", [1, 2**22])
def test_classes_have_the_entropies_of_their_own_mixtures(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By class equals one class at a time; the whole equals the whole; an empty class is NaN."""
    monkeypatch.setattr(entropy_module, "CHUNK_POINTS", chunk)
    for name in ("hundredfold", "five decades"):
        mean, sigma = moments(name)
        classes = np.arange(300, dtype=np.uint8) % 3
        classes[classes == 2] = 3
        got = CodeEntropies(mean, np.log(sigma)).by_class(classes)
        expected = [mixture_entropy(mean[classes == c], sigma[classes == c]) for c in (0, 1, 3)]
        np.testing.assert_allclose(got.by_class[[0, 1, 3]], expected, atol=1e-4)
        assert np.isnan(got.by_class[2])
        assert got.aggregate == pytest.approx(mixture_entropy(mean, sigma), abs=1e-4)


@pytest.mark.parametrize("name", ["encoder", "five decades"])
def test_sampling_agrees_within_three_standard_errors(name: str) -> None:
    mean, sigma = moments(name)
    estimate = sampled_entropy(mean, np.log(sigma), np.random.default_rng(1), samples=20_000)
    exact = CodeEntropies(mean, np.log(sigma)).aggregate()
    assert 0 < estimate.error < 0.03
    assert abs(estimate.value - exact) < 3 * estimate.error


def test_sampling_error_is_that_of_the_mean_of_surprises() -> None:
    """For one Gaussian the surprise has variance 1/2, so the standard error is sqrt(1 / 2S)."""
    estimate = sampled_entropy(np.zeros(1), np.zeros(1), np.random.default_rng(0), samples=40_000)
    assert estimate.error == pytest.approx(np.sqrt(0.5 / 40_000), rel=0.02)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.floats(-5, 5), st.floats(-7, 2), st.integers(0, 3)), min_size=1, max_size=30
    )
)
def test_information_is_never_negative(examples: list[tuple[float, float, int]]) -> None:
    """Jensen's inequality in every cell, whatever the posteriors."""
    mean, log_sigma, classes = (np.array(column) for column in zip(*examples, strict=True))
    got = CodeEntropies(mean, log_sigma).by_class(classes)
    weight = np.bincount(classes) / len(classes)
    assert got.aggregate - np.nansum(weight * got.by_class) >= -1e-12


@settings(deadline=None, max_examples=30)
@given(shift=st.floats(-100, 100), scale=st.floats(0.01, 100))
def test_affine_maps_shift_the_entropy(shift: float, scale: float) -> None:
    """H(a z + b) = H(z) + log a, which moves the posteriors about on their cells."""
    mean, sigma = moments("encoder")
    moved = CodeEntropies(scale * mean + shift, np.log(scale * sigma)).aggregate()
    expected = CodeEntropies(mean, np.log(sigma)).aggregate() + np.log(scale)
    assert moved == pytest.approx(expected, abs=1e-5)


def test_too_small_a_sigma_is_refused_with_advice() -> None:
    mean, log_sigma = np.array([-5.0, 5.0]), np.log([1e-9, 1e-9])
    with pytest.raises(ValueError, match=r"sigma of 1e-09 .* estimator='sampling'"):
        CodeEntropies(mean, log_sigma).aggregate()


@pytest.mark.parametrize("argument", ["mean", "log_sigma"])
def test_moments_that_are_not_finite_are_refused_with_their_place(argument: str) -> None:
    arrays = {"mean": np.zeros(6), "log_sigma": np.zeros(6)}
    arrays[argument][[1, 4]] = np.nan, np.inf
    with pytest.raises(ValueError, match=rf"{argument} holds 2 values of 6 .* at \(1,\), \(4,\);"):
        CodeEntropies(**arrays)


def test_no_example_and_negative_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one example"):
        CodeEntropies(np.zeros(0), np.zeros(0))
    with pytest.raises(ValueError, match="lowest index of -1"):
        CodeEntropies(np.zeros(2), np.zeros(2)).by_class(np.array([0, -1]))
