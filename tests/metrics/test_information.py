"""Information of codes about factors: limits, symmetries, and the sampling estimator."""

import numpy as np
import pytest
from scipy.stats import entropy as discrete_entropy

from mrtc.metrics.information import factor_entropy, information_matrix
from tests.references.mixture_entropy import mixture_entropy


def codes_of(
    factors: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three codes: a sharp one of factor 0, a blurred one of factor 1, a collapsed one."""
    mean = np.stack([factors[:, 0], 0.5 * factors[:, 1], np.zeros(len(factors))], 1).astype(float)
    log_sigma = np.log([0.02, 0.4, 1.0]) + np.array([0.1, 0.1, 0]) * rng.normal(size=mean.shape)
    log_sigma[:, 1] -= factors[:, 1]  # so that classes differ in entropy
    return mean, log_sigma, factors


@pytest.fixture
def example() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return codes_of(
        np.stack([rng.integers(0, 4, 300), rng.choice(3, 300, p=[0.6, 0.3, 0.1])], 1), rng
    )


def test_factor_entropy_is_that_of_the_frequencies() -> None:
    """Against scipy, with a class that does not occur; log K if uniform, 0 if constant."""
    classes = np.repeat([0, 1, 3], [5, 2, 9])
    assert factor_entropy(classes) == pytest.approx(discrete_entropy([5, 2, 9]))
    assert factor_entropy(np.arange(40)) == pytest.approx(np.log(40))
    assert factor_entropy(np.full(7, 3)) == 0


def test_information_is_the_difference_of_reference_entropies(
    example: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """H(z) - sum p(c) H(z | c), each by the plain reference, to the 1e-5 nats that we state."""
    mean, log_sigma, factors = example
    got = information_matrix(mean, log_sigma, factors)
    for j in range(2):
        whole = mixture_entropy(mean[:, j], np.exp(log_sigma[:, j]))
        assert got.code_entropy[j] == pytest.approx(whole, abs=3e-5)
        for k in range(2):
            conditional = 0.0
            for c in np.unique(factors[:, k]):
                part = factors[:, k] == c
                conditional += part.mean() * mixture_entropy(
                    mean[part, j], np.exp(log_sigma[part, j])
                )
            assert got.information[j, k] == pytest.approx(whole - conditional, abs=3e-5)


def test_a_code_that_tells_classes_apart_has_the_factor_entropy(
    example: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Positions 50 sigmas apart: I = H(v), the empirical one, and no more."""
    got = information_matrix(*example)
    assert got.information[0, 0] == pytest.approx(got.entropy[0], abs=1e-5)


@pytest.mark.parametrize("log_sigma", [0.0, -3.0])
def test_a_code_of_equal_posteriors_tells_nothing(log_sigma: float) -> None:
    classes = np.arange(1000)[:, None] % np.array([2, 7])
    moments = np.full((1000, 2), 0.3), np.full((1000, 2), log_sigma)
    assert np.abs(information_matrix(*moments, classes).information).max() < 1e-9


def test_permuting_codes_permutes_rows(
    example: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Also the order of examples and the number of threads change nothing."""
    mean, log_sigma, factors = example
    order, rows = np.array([2, 0, 1]), np.random.default_rng(3).permutation(len(mean))
    got = information_matrix(mean[rows][:, order], log_sigma[rows][:, order], factors[rows])
    expected = information_matrix(mean, log_sigma, factors, threads=1)
    np.testing.assert_allclose(got.information, expected.information[order], atol=1e-10)
    np.testing.assert_allclose(got.code_entropy, expected.code_entropy[order], atol=1e-10)


def test_shifting_a_code_and_renaming_classes_change_nothing(
    example: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Mutual information is invariant under both; tolerance is the quadrature's own."""
    mean, log_sigma, factors = example
    got = information_matrix(mean + 3.14159, log_sigma, 5 - factors)
    expected = information_matrix(mean, log_sigma, factors)
    np.testing.assert_allclose(got.information, expected.information, atol=1e-5)


def test_float32_and_small_integers_are_taken(
    example: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    mean, log_sigma, factors = example
    single = information_matrix(
        mean.astype(np.float32), log_sigma.astype(np.float32), factors.astype(np.uint8)
    )
    assert single.information.dtype == np.float64
    np.testing.assert_allclose(
        single.information, information_matrix(*example).information, atol=1e-5
    )


def test_sampling_agrees_within_three_standard_errors(
    example: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """Chen's estimator and the quadrature aim at one integral; the draws repeat by seed."""
    exact = information_matrix(*example)
    first, again = (
        information_matrix(
            *example,
            estimator="sampling",
            samples=2000,
            generator=np.random.default_rng(7),
            threads=threads,
        )
        for threads in (1, 2)
    )
    assert (np.abs(first.information - exact.information) < 3 * first.information_error).all()
    assert (np.abs(first.code_entropy - exact.code_entropy) < 3 * first.code_entropy_error).all()
    assert (first.information_error < 0.05).all()
    np.testing.assert_array_equal(first.information, again.information)
    assert exact.information_error is None


def test_standard_errors_cover_the_spread_over_seeds() -> None:
    """The stated error is the standard deviation of repeated estimates."""
    factors = np.arange(12)[:, None]
    mean, log_sigma = factors.astype(float), np.zeros((12, 1))
    runs = [
        information_matrix(
            mean,
            log_sigma,
            factors,
            estimator="sampling",
            samples=200,
            generator=np.random.default_rng(seed),
        )
        for seed in range(200)
    ]
    spread = np.std([run.information[0, 0] for run in runs], ddof=1)
    stated = np.mean([run.information_error[0, 0] for run in runs])
    assert spread == pytest.approx(stated, rel=0.2)  # of 200 runs, known to 5 %


def test_wrong_arguments_are_refused(
    example: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    mean, log_sigma, factors = example
    with pytest.raises(ValueError, match="give it a generator"):
        information_matrix(mean, log_sigma, factors, estimator="sampling")
    bad = mean.copy()
    bad[[3, 5, 7, 9], 1] = np.nan
    with pytest.raises(ValueError, match=r"mean holds 4 values of 900 .* \(3, 1\), \(5, 1\)"):
        information_matrix(bad, log_sigma, factors)
