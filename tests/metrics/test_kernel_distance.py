"""The kernel distance against loops over pairs, torchmetrics, and its own unbiasedness."""

import numpy as np
import pytest
import torch
from torchmetrics.image.kid import poly_mmd

from mrtc.metrics.kernel_distance import kernel_distance, kernel_score


def loops(a: np.ndarray, b: np.ndarray) -> float:
    def k(x: np.ndarray, y: np.ndarray) -> float:
        return (float(x @ y) / len(x) + 1) ** 3

    within = [
        np.mean([k(x[i], x[j]) for i in range(len(x)) for j in range(len(x)) if i != j])
        for x in (a, b)
    ]
    return float(sum(within) - 2 * np.mean([k(x, y) for x in a for y in b]))


@pytest.mark.oracle("kid", "kernel_efficientnet_lite0")
def test_it_is_a_mean_over_pairs():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((6, 3)), rng.standard_normal((9, 3)) + 0.5
    assert kernel_distance(a, b) == pytest.approx(loops(a, b), rel=1e-12)
    assert kernel_distance(b, a) == pytest.approx(loops(a, b), rel=1e-12)


@pytest.mark.oracle("kid", "kernel_efficientnet_lite0")
def test_it_is_that_of_torchmetrics_at_equal_numbers():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 40, 5))
    expected = poly_mmd(torch.from_numpy(a), torch.from_numpy(b))
    assert kernel_distance(a, b) == pytest.approx(float(expected), rel=1e-10)


@pytest.mark.oracle("kid", "kernel_efficientnet_lite0")
def test_it_has_no_bias_at_any_number_of_examples():
    """One dimension, N(0, 1) against N(1, 1): moments by hand, then 4,000 sets of five.

    E k(x, y) = sum_j binom(3, j) E[x^j] E[y^j], with moments 1, 0, 1, 0 and 1, 1, 2, 4.
    """
    exact = (1 + 3) + (1 + 3 + 3 * 4 + 16) - 2 * (1 + 3 * 2)
    rng = np.random.default_rng(0)
    values = [
        kernel_distance(rng.standard_normal((5, 1)), rng.standard_normal((5, 1)) + 1)
        for _ in range(4000)
    ]
    assert np.mean(values) == pytest.approx(exact, abs=4 * np.std(values) / 4000**0.5)


def test_a_score_is_the_mean_over_subsets_and_repeats():
    rng = np.random.default_rng(0)
    real, samples = rng.standard_normal((60, 3)), rng.standard_normal((50, 3)) + 1
    score = kernel_score(real, samples, subsets=400, subset_size=10, seed=3)
    deviation = score.parameters["standard_deviation_over_subsets"]
    assert isinstance(deviation, float)
    assert score.value == pytest.approx(kernel_distance(real, samples), abs=4 * deviation / 20)
    assert kernel_score(real, samples, subsets=400, subset_size=10, seed=3).value == score.value
    assert kernel_score(real, samples, subsets=400, subset_size=10, seed=4).value != score.value
    assert score.parameters["subset_size"] == 10


def test_small_sets_are_taken_whole():
    rng = np.random.default_rng(0)
    real, samples = rng.standard_normal((2, 8, 3))
    score = kernel_score(real, samples, subsets=3)
    assert score.value == pytest.approx(kernel_distance(real, samples))
    assert score.parameters["subset_size"] == 8


def test_misuse_is_said():
    with pytest.raises(ValueError, match="needs two examples of each; got 1, 3"):
        kernel_distance(np.zeros((1, 2)), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="features holds 1 values"):
        kernel_distance(np.array([[np.inf, 0], [0, 0]]), np.zeros((3, 2)))
    assert "two examples" in str(kernel_score(np.zeros((5, 2)), np.zeros((1, 2))).reason)
