"""The bound on a linear Gaussian model, whose log p(x) and ELBO are known."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from mrtc.metrics.importance_weighted import ImportanceWeights, importance_weighted_bound
from tests.references.importance_weighted import bound, effective_samples

NOISE = 0.8


def linear_gaussian(
    examples: int, samples: int, *, shift: float = 0.0, seed: int = 0
) -> tuple[np.ndarray, float, float]:
    """Log weights, the mean of log p(x), and that of the ELBO.

    x = W z + noise with two codes and three pixels. The posterior N(m, V) is known; samples come
    from one whose mean is off by ``shift`` of its sigmas in each direction.
    """
    rng = np.random.default_rng(seed)
    weight = np.array([[1.0, 0.3], [-0.5, 0.8], [0.2, -1.0]])
    x = rng.normal(size=(examples, 2)) @ weight.T + NOISE * rng.normal(size=(examples, 3))
    variance = np.linalg.inv(np.eye(2) + weight.T @ weight / NOISE**2)
    root = np.linalg.cholesky(variance)
    mean = x @ weight @ variance / NOISE**2 + root @ np.full(2, shift)
    noise = rng.normal(size=(examples, samples, 2))
    z = mean[:, None] + noise @ root.T
    log_q = norm.logpdf(noise).sum(-1) - np.log(np.diag(root)).sum()
    log_p = norm.logpdf(x[:, None], z @ weight.T, NOISE).sum(-1) + norm.logpdf(z).sum(-1)
    marginal = multivariate_normal(np.zeros(3), weight @ weight.T + NOISE**2 * np.eye(3))
    log_evidence = float(marginal.logpdf(x).mean())
    return log_p - log_q, log_evidence, log_evidence - shift**2  # KL(q ‖ posterior) = 2 shift² / 2


@pytest.mark.oracle("importance_weighted_bound")
def test_under_the_true_posterior_every_sample_tells_log_p() -> None:
    log_weights, log_evidence, _ = linear_gaussian(50, 7)
    got = importance_weighted_bound(log_weights)
    assert got.value == pytest.approx(log_evidence, abs=1e-10)
    np.testing.assert_allclose(got.effective_samples, 7)
    assert got.samples == 7


@pytest.mark.oracle("importance_weighted_bound")
def test_one_sample_is_the_elbo() -> None:
    log_weights, _, elbo = linear_gaussian(20_000, 1, shift=0.5)
    got = importance_weighted_bound(log_weights)
    assert got.value == pytest.approx(log_weights.mean(), rel=1e-12)
    # The ELBO's mean over the same x: the spread of x is not part of the difference.
    assert got.value == pytest.approx(elbo, abs=4 * np.sqrt(0.5 / 20_000))
    np.testing.assert_allclose(got.effective_samples, 1)
    assert got.error == pytest.approx(log_weights.std(ddof=1) / np.sqrt(20_000))


@pytest.mark.oracle("importance_weighted_bound")
def test_the_bound_grows_with_samples_to_log_p() -> None:
    log_weights, log_evidence, elbo = linear_gaussian(2_000, 512, shift=0.5)
    values = [importance_weighted_bound(log_weights[:, :s]).value for s in (1, 8, 64, 512)]
    assert values == sorted(values)
    assert values[0] < elbo + 0.1
    assert values[-1] == pytest.approx(log_evidence, abs=5e-3)
    # Weights are log-normal of log variance 2 · 0.25, so E[w]² / E[w²] = exp(-1/2).
    got = importance_weighted_bound(log_weights)
    assert got.mean_effective_samples / 512 == pytest.approx(math.exp(-0.5), rel=0.03)
    assert got.least_effective_samples == got.effective_samples.min()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.floats(-1_000, 1_000), st.integers(1, 7))
@pytest.mark.oracle("importance_weighted_bound")
def test_blocks_and_offsets_change_nothing(
    seed: int, samples: int, offset: float, cut: int
) -> None:
    """Far beyond the range of exp; against the plain formula without the offset."""
    log_weights = np.random.default_rng(seed).normal(0, 3, (4, samples))
    weights = ImportanceWeights()
    for first in range(0, samples, cut):
        weights.add(log_weights[:, first : first + cut] + offset)
    got = weights.bound()
    assert got.samples == samples
    assert got.value == pytest.approx(bound(log_weights) + offset, abs=1e-9)
    expected = [effective_samples(row) for row in log_weights]
    np.testing.assert_allclose(got.effective_samples, expected, rtol=1e-9)
    assert got.value <= (log_weights.max(1) + offset).mean() + 1e-9
    assert got.value >= (log_weights + offset).mean() - 1e-9  # Jensen


def test_tensors_a_single_example_and_many_samples() -> None:
    one = importance_weighted_bound(torch.zeros(1, 1_000, dtype=torch.float32, requires_grad=True))
    assert one.value == pytest.approx(0, abs=1e-12)
    assert math.isnan(one.error)


@pytest.mark.parametrize(
    ("log_weights", "message"),
    [
        (np.zeros(3), r"shape \(example, sample\).*got \(3,\)"),
        (np.zeros((3, 0)), r"got \(3, 0\)"),
        (np.zeros((3, 2), dtype=int), "the type int64"),
        (np.array([[0.0, np.nan]]), "log_weights holds 1 values"),
    ],
)
def test_bad_input(log_weights: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        importance_weighted_bound(log_weights)


def test_blocks_that_do_not_belong_together() -> None:
    weights = ImportanceWeights()
    with pytest.raises(ValueError, match="no samples yet"):
        weights.bound()
    weights.add(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="got 4 examples after 3"):
        weights.add(np.zeros((4, 2)))
