"""Counted information against two libraries and a plain count, and its limits."""

import infomeasure
import numpy as np
import pytest
from scipy.stats import entropy as discrete_entropy
from sklearn.metrics import mutual_info_score

from mrtc.metrics.histogram import histogram_information
from tests.references import histogram_scores as plain


@pytest.fixture
def sample() -> tuple[np.ndarray, np.ndarray]:
    """Bins and classes with gaps, one of each constant; the first code tells of one factor."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.choice([0, 2, 7], 300), rng.integers(0, 40, 300), np.full(300, 4)], 1)
    other = [rng.integers(0, 20, 300), np.full(300, 9)]
    return np.stack([factors[:, 0] + rng.integers(0, 2, 300), *other], 1), factors


def test_information_is_that_of_other_implementations(
    sample: tuple[np.ndarray, np.ndarray],
) -> None:
    bins, factors = sample
    got = histogram_information(bins, factors)
    for j, code in enumerate(bins.T):
        for k, factor in enumerate(factors.T):
            expected = mutual_info_score(code, factor)
            assert got.information[j, k] == pytest.approx(expected, abs=1e-12)
            by_count = plain.information(code.tolist(), factor.tolist())
            assert got.information[j, k] == pytest.approx(by_count, abs=1e-12)
            by_measure = infomeasure.mutual_information(code, factor, approach="discrete")
            assert got.information[j, k] == pytest.approx(by_measure, abs=1e-12)


def test_entropies_are_those_of_scipy(sample: tuple[np.ndarray, np.ndarray]) -> None:
    bins, factors = sample
    got = histogram_information(bins, factors)
    for columns, entropies in ((bins, got.code_entropy), (factors, got.factor_entropy)):
        expected = [discrete_entropy(np.unique(c, return_counts=True)[1]) for c in columns.T]
        np.testing.assert_allclose(entropies, expected, atol=1e-15)


def test_independent_counts_have_exactly_no_information() -> None:
    """A whole grid in 7 x 11, where the logarithms do not cancel by themselves."""
    code, factor = np.divmod(np.arange(77), 11)
    assert histogram_information(code[:, None], factor[:, None]).information == 0


def test_a_copy_has_the_entropy() -> None:
    factor = np.random.default_rng(0).integers(0, 40, (500, 1))
    got = histogram_information(factor[:, [0, 0]], factor)
    np.testing.assert_allclose(got.information, np.full((2, 1), got.factor_entropy[0]))


def test_bias_is_as_stated() -> None:
    """(bins - 1)(classes - 1) / 2N for a code that tells nothing, within four standard errors."""
    rng = np.random.default_rng(0)
    bins, factors = rng.integers(0, 20, (10_000, 40)), rng.integers(0, 40, (10_000, 1))
    got = histogram_information(bins, factors).information[:, 0]
    expected = 19 * 39 / 20_000
    # 2N I is chi-squared with 741 degrees of freedom
    assert got.mean() == pytest.approx(expected, abs=4 * np.sqrt(2 * 741 / 40) / 20_000)
