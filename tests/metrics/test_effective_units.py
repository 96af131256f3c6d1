"""Counts of codes that carry rate, against closed forms and the active units of Burda et al."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy

from mrtc.metrics.active_units import active_units
from mrtc.metrics.effective_units import effective_dimension, soft_active_units
from mrtc.metrics.rate_distortion import rate_per_code


@pytest.mark.oracle("soft_active_units", "effective_dimension")
@pytest.mark.parametrize("alive", [1, 3, 10])
def test_equal_codes_among_collapsed_ones(alive: int) -> None:
    rates = np.where(np.arange(10) < alive, 1.7, 0.0)
    count, dimension = soft_active_units(rates), effective_dimension(rates)
    assert count.value == alive
    assert dimension.value == pytest.approx(alive)
    assert count.per_code is not None
    assert dimension.per_code is not None
    np.testing.assert_array_equal(count.per_code, np.where(rates > 0, 1.7, np.nan))
    np.testing.assert_allclose(dimension.per_code, np.where(rates > 0, 1 / alive, 0))


@pytest.mark.oracle("soft_active_units")
def test_from_posteriors_beside_active_units() -> None:
    """A collapsed code, a narrow one, one that is off the prior for all images, one below 0.01."""
    rng = np.random.default_rng(0)
    mean = rng.normal(size=(5_000, 4)) * np.array([0, 1, 0, 0.1]) + np.array([0, 0, 1, 0])
    log_sigma = np.log([1, 0.1, 1, 1 - 0.005]) * np.ones((5_000, 1))
    rates = rate_per_code(mean, log_sigma)
    # Means of mean square 1, and sigma 0.1: (1 + 0.01 - 1) / 2 - log 0.1.
    expected = [0, 0.005 + np.log(10), 0.5, 0.005]
    np.testing.assert_allclose(rates, expected, atol=0.05, rtol=0.02)
    assert soft_active_units(rates).value == 2
    assert soft_active_units(rates, threshold=0.001).value == 3
    assert active_units(mean, 0.005) == 2  # the narrow one and the last, whose mean moves


def test_at_the_threshold_a_code_is_not_active() -> None:
    got = soft_active_units([0.5, 0.25], threshold=0.25)
    assert got.value == 1
    assert got.parameters == {"threshold": 0.25}


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 1_000), st.floats(0.01, 100))
@pytest.mark.oracle("effective_dimension", "soft_active_units")
def test_dimension_is_the_exponential_of_an_entropy(seed: int, codes: int, unit: float) -> None:
    """By scipy; whatever the unit and the order; between the participation ratio and the count."""
    rng = np.random.default_rng(seed)
    rates = rng.gamma(0.3, size=codes) + 1e-9
    got = effective_dimension(rates).value
    assert got == pytest.approx(np.exp(entropy(rates)))
    assert effective_dimension(unit * rng.permutation(rates)).value == pytest.approx(got)
    ratio = rates.sum() ** 2 / (rates**2).sum()
    assert ratio * (1 - 1e-9) <= got <= codes * (1 + 1e-9)
    assert soft_active_units(rates).value == sum(rate > 0.01 for rate in rates.tolist())


def test_no_rate_has_no_dimension() -> None:
    got = effective_dimension(np.zeros(3))
    assert np.isnan(got.value)
    assert got.reason == "no code has any rate"
    assert soft_active_units(np.zeros(3)).value == 0


def test_rounding_below_zero_is_zero() -> None:
    assert effective_dimension(torch.tensor([2.0, -1e-8])).value == pytest.approx(1)


@pytest.mark.parametrize("score", [soft_active_units, effective_dimension])
@pytest.mark.parametrize(
    ("rates", "message"),
    [
        (np.zeros((2, 2)), r"a real number for each code; got the shape \(2, 2\)"),
        (np.zeros(0), r"got the shape \(0,\)"),
        (np.array([0.0, np.nan]), "rate_per_code holds 1 values"),
        (np.array([0.1, -0.2]), "never negative, got -0.2 for code 1"),
    ],
)
def test_bad_input(score, rates: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        score(rates)


def test_bad_threshold() -> None:
    with pytest.raises(ValueError, match=r"at least 0; got -0\.1"):
        soft_active_units([1.0], threshold=-0.1)
