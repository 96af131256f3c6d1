"""Intervals and tests on simulated runs whose truth is known: how often they are wrong.

Expected rates come from integrals over the distribution of the variances that few runs show.
"""

import numpy as np
import pytest
from scipy import stats

from mrtc.statistics.equivalence import equivalence, holm
from mrtc.statistics.intervals import difference, mean_interval

pytestmark = pytest.mark.slow

REPEATS = 2_000
NODES, WEIGHTS = np.polynomial.legendre.leggauss(300)
UNIFORM, WEIGHTS = (NODES + 1) / 2, WEIGHTS / 2


def within_chance(count: int, probability: float, repeats: int = REPEATS) -> bool:
    """Whether a count is within 3.5 binomial standard deviations: 1 in 2,000 is not."""
    spread = np.sqrt(repeats * probability * (1 - probability))
    return bool(abs(count - repeats * probability) <= 3.5 * spread)


def variances(runs: int) -> np.ndarray:
    """Quantiles of the variance seen in runs of variance one, at the nodes."""
    return stats.chi2.ppf(UNIFORM, runs - 1) / (runs - 1)


def coverage_of_welch(runs: int, sigma_a: float, sigma_b: float, level: float) -> float:
    """Probability that the interval holds: given both variances, the difference is normal."""
    seen_a, seen_b = sigma_a**2 * variances(runs)[:, None], sigma_b**2 * variances(runs)
    degrees = (runs - 1) * (seen_a + seen_b) ** 2 / (seen_a**2 + seen_b**2)
    half = stats.t.ppf((1 + level) / 2, degrees) * np.sqrt(seen_a + seen_b)
    holds = 1 - 2 * stats.norm.sf(half / np.hypot(sigma_a, sigma_b))
    return float(WEIGHTS @ holds @ WEIGHTS)


def power_of_paired_tests(
    runs: int, shift: float, sigma: float, margin: float, alpha: float
) -> float:
    """Probability that both one-sided tests reject, for pairs whose differences have ``sigma``."""
    error = sigma / np.sqrt(runs)
    reach = margin - stats.t.ppf(1 - alpha, runs - 1) * error * np.sqrt(variances(runs))
    high, low = stats.norm.cdf((reach - shift) / error), stats.norm.cdf((-reach - shift) / error)
    return float(WEIGHTS @ np.maximum(high - low, 0))


@pytest.mark.parametrize("runs", [3, 5])
def test_the_interval_of_a_mean_holds_at_its_level(runs: int) -> None:
    rng = np.random.default_rng(runs)
    intervals = [mean_interval(rng.normal(90, 4, runs), 0.9) for _ in range(REPEATS)]
    assert within_chance(sum(got.low < 90 < got.high for got in intervals), 0.9)


@pytest.mark.parametrize("runs", [3, 5])
def test_the_paired_interval_holds_at_its_level(runs: int) -> None:
    """Whatever the seeds do to both, and with unequal variances."""
    rng = np.random.default_rng(runs)
    held = 0
    for _ in range(REPEATS):
        of_seed = rng.normal(0, 10, runs)
        a, b = of_seed + rng.normal(92, 1, runs), 0.8 * of_seed + rng.normal(90, 3, runs)
        got = difference(a, b, paired=True)
        held += got.low < 2 < got.high
    assert within_chance(held, 0.95)


@pytest.mark.parametrize("runs", [3, 5])
@pytest.mark.parametrize("sigma_a", [1.0, 5.0])
def test_welchs_interval_holds_as_often_as_it_should(runs: int, sigma_a: float) -> None:
    """Which is not at its level: the integral says how often."""
    rng = np.random.default_rng(runs)
    intervals = [
        difference(rng.normal(92, sigma_a, runs), rng.normal(90, 1, runs), paired=False)
        for _ in range(REPEATS)
    ]
    held = sum(got.low < 2 < got.high for got in intervals)
    assert within_chance(held, coverage_of_welch(runs, sigma_a, 1, 0.95))


def test_welchs_interval_is_not_far_from_its_level() -> None:
    """The extremes for three runs that the docstring states, by the integral; five do better."""
    ratios = np.geomspace(1, 1_000, 40)
    three, five = ([coverage_of_welch(n, r, 1, 0.95) for r in ratios] for n in (3, 5))
    assert (min(three), max(three)) == pytest.approx((0.941, 0.965), abs=1e-3)
    assert min(five) > 0.946
    assert max(five) < 0.956


@pytest.mark.parametrize("runs", [3, 5])
@pytest.mark.parametrize("sigma", [0.1, 0.6])
def test_equivalence_errs_at_the_margin_as_often_as_it_may(runs: int, sigma: float) -> None:
    """With alpha where the spread is small, and less where it is large: runs 1.0 apart differ."""
    expected = power_of_paired_tests(runs, 1.0, sigma, 1.0, 0.05)
    assert expected <= 0.05 + 1e-6
    if sigma == 0.1:
        assert expected == pytest.approx(0.05, abs=1e-3)
    assert within_chance(accepted(runs, 1.0, sigma), expected)


@pytest.mark.parametrize(("runs", "least"), [(3, 0.7), (5, 0.99)])
def test_equivalence_is_found_where_there_is_no_difference(runs: int, least: float) -> None:
    expected = power_of_paired_tests(runs, 0.0, 0.4, 1.0, 0.05)
    assert expected > least
    assert within_chance(accepted(runs, 0.0, 0.4), expected)


def accepted(runs: int, shift: float, sigma: float) -> int:
    """How often pairs of runs are called equivalent within 1.0."""
    rng = np.random.default_rng(runs)
    count = 0
    for _ in range(REPEATS):
        of_seed = rng.normal(90, 5, runs)
        changed = of_seed + rng.normal(shift, sigma, runs)
        count += equivalence(changed, of_seed, 1.0, paired=True).p_value <= 0.05
    return count


@pytest.mark.parametrize("paired", [False, True])
def test_equivalence_errs_at_the_margin_as_its_interval_does(paired: bool) -> None:
    """Unequal variances, and a margin far beyond the spread: one end of the interval decides."""
    rng = np.random.default_rng(0)
    tests = [
        equivalence(rng.normal(91, 0.09, 3), rng.normal(90, 0.03, 3), 1.0, paired=paired)
        for _ in range(REPEATS)
    ]
    errors = sum(got.p_value <= 0.05 for got in tests)
    coverage = 0.9 if paired else coverage_of_welch(3, 0.09, 0.03, 0.9)
    assert within_chance(errors, (1 - coverage) / 2)


def test_holm_keeps_the_error_rate_of_seven_betas() -> None:
    """Three runs whose noise is shared by neighbouring betas; at four betas they differ by 1.0.

    Unadjusted, one of the four is called equivalent far too often.
    """
    repeats, betas = 1_000, 7
    truth = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0])
    distance = np.abs(np.subtract.outer(np.arange(betas), np.arange(betas)))
    root = np.linalg.cholesky(0.6**distance)
    rng = np.random.default_rng(0)
    wrong = wrong_unadjusted = 0
    for _ in range(repeats):
        change = truth + 0.05 * rng.normal(size=(3, betas)) @ root.T
        p_values = np.array(
            [equivalence(of_beta, np.zeros(3), 1.0, paired=True).p_value for of_beta in change.T]
        )
        wrong += bool((holm(p_values)[truth == 1] <= 0.05).any())
        wrong_unadjusted += bool((p_values[truth == 1] <= 0.05).any())
    assert wrong <= repeats * 0.05 + 3.5 * np.sqrt(repeats * 0.05 * 0.95)
    assert wrong >= 0.01 * repeats  # it is a test, and not one that never rejects
    assert wrong_unadjusted > 0.1 * repeats
