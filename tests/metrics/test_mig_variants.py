"""MIG-sup, DCIMIG and JEMMIG against plain loops, and in limits that tell them apart."""

from inspect import unwrap

import numpy as np
import pytest

from mrtc.metrics.discretise import quantile
from mrtc.metrics.mig_variants import dcimig, jemmig, mean_over_codes, mig_sup
from tests.references import histogram_scores as plain

SIZES = (3, 5, 8)
GRID = np.stack(np.unravel_index(np.arange(120), SIZES), 1)
ENTROPY = np.log(SIZES)


def noisy(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    factors = np.stack(
        [rng.choice([0, 1, 3], 400, p=[0.6, 0.38, 0.02]), rng.integers(0, 12, 400)], 1
    )
    mixed = factors @ np.array([[1, 0.2, 0.5, 0], [0, 0.4, 0.1, 0]])
    return mixed + rng.normal(size=mixed.shape) * [0.3, 1, 0.2, 1], factors


@pytest.mark.oracle("mig_sup", "dcimig", "jemmig")
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("bins", [5, 20])
def test_plain_loops_agree(bins: int, seed: int) -> None:
    codes, factors = noisy(seed)
    expected = plain.mig_sup(codes, factors, bins)
    np.testing.assert_allclose(mig_sup(codes, factors, bins=bins).per_code, expected, atol=1e-12)
    assert mig_sup(codes, factors, bins=bins).value == pytest.approx(np.mean(expected))
    expected = plain.dcimig(codes, factors, bins)
    assert dcimig(codes, factors, bins=bins).value == pytest.approx(expected, abs=1e-12)
    expected = plain.jemmig(codes, factors, bins)
    np.testing.assert_allclose(jemmig(codes, factors, bins=bins).per_factor, expected, atol=1e-12)
    assert jemmig(codes, factors, bins=bins).value == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("score", [mig_sup, dcimig, jemmig])
def test_the_binning_is_the_one_asked_for(score) -> None:
    """Indices of filled bins are codes whose bins of equal width are the same."""
    codes, factors = noisy()
    got = score(codes, factors, binning="quantile").value
    assert got == pytest.approx(score(quantile(codes), factors).value)
    assert got != pytest.approx(score(codes, factors).value, abs=1e-3)


@pytest.mark.oracle("mig_sup", "dcimig")
def test_one_code_a_factor_is_perfect() -> None:
    codes = GRID[:, [2, 0, 1]] * [-1, 3, 2] + 7
    for score in (mig_sup, dcimig):
        assert score(codes, GRID).value == pytest.approx(1)


@pytest.mark.oracle("mig_sup", "dcimig", "jemmig")
def test_a_duplicated_code() -> None:
    """No gap between codes is needed for MIG-sup and DCIMIG; JEMMIG loses I = H of each factor."""
    codes = np.repeat(GRID, 2, axis=1)
    assert mig_sup(codes, GRID).value == pytest.approx(1)
    assert dcimig(codes, GRID).value == pytest.approx(1)
    expected = 1 - ENTROPY / (ENTROPY + np.log(20))
    np.testing.assert_allclose(jemmig(codes, GRID).per_factor, expected)


@pytest.mark.oracle("jemmig")
def test_jemmig_is_one_only_for_the_factor_itself() -> None:
    """H(z, v) - I = 0 for the factor; a code of two factors adds the entropy of the other."""
    assert jemmig(GRID, GRID).value == pytest.approx(1)
    both = np.stack([GRID[:, 1] + 5 * GRID[:, 0], np.zeros(120)], 1)
    expected = 1 - ENTROPY[[1, 0]] / (ENTROPY[:2] + np.log(20))
    np.testing.assert_allclose(jemmig(both, GRID[:, :2]).per_factor, expected)


@pytest.mark.oracle("jemmig")
def test_jemmig_of_uniform_noise_is_zero() -> None:
    """H(z, v) = H(v) + log B, and no gap: the value by which the score is normalised."""
    codes = np.stack(np.unravel_index(np.arange(800), (20, 20, 2)), 1)
    assert jemmig(codes[:, :2], codes[:, 2:]).value == pytest.approx(0, abs=1e-12)


@pytest.mark.oracle("mig_sup", "dcimig")
def test_one_code_of_two_factors() -> None:
    """It knows log 3 and log 5 of them; the third factor has its own code."""
    both = np.stack([GRID[:, 1] + 5 * GRID[:, 0], GRID[:, 2]], 1)
    np.testing.assert_allclose(mig_sup(both, GRID).per_code, [0, 1], atol=1e-12)
    got = dcimig(both, GRID)
    share = (ENTROPY[1] - ENTROPY[0]) / ENTROPY[1]
    np.testing.assert_allclose(got.per_factor, [0, share, 1], atol=1e-12)
    assert got.value == pytest.approx((share * ENTROPY[1] + ENTROPY[2]) / ENTROPY.sum())


@pytest.mark.oracle("dcimig")
def test_a_factor_without_a_code_counts_by_its_entropy() -> None:
    assert dcimig(GRID[:, :2], GRID).value == pytest.approx(ENTROPY[:2].sum() / ENTROPY.sum())


@pytest.mark.oracle("mig_sup")
def test_inactive_codes_are_left_out_or_zero() -> None:
    """A collapsed code that still orders the classes of a factor would have a gap of one."""
    codes = np.concatenate([GRID, 1e-3 * GRID[:, :1], np.zeros((120, 1))], 1)
    got = mig_sup(codes, GRID)
    assert got.value == pytest.approx(1)
    np.testing.assert_allclose(got.per_code, [1, 1, 1, np.nan, np.nan])
    assert mig_sup(codes, GRID, inactive="zero").value == pytest.approx(3 / 5)
    assert mig_sup(codes, GRID, inactive="zero", active_variance=0.0).value == pytest.approx(4 / 5)
    assert mig_sup(1e-3 * GRID, GRID).reason == "no code is active"


@pytest.mark.parametrize("score", [mig_sup, dcimig, jemmig])
def test_a_constant_factor_changes_nothing(score) -> None:
    codes, factors = noisy()
    got = score(codes, np.insert(factors, 1, 4, axis=1))
    assert got.value == pytest.approx(score(codes, factors).value)
    if got.per_factor is not None:
        assert np.isnan(got.per_factor).tolist() == [False, True, False]


def test_why_there_is_no_score() -> None:
    one = "a gap over factors needs at least two that vary, there are 1"
    assert mig_sup(GRID, GRID[:, :1]).reason == one
    assert dcimig(GRID, GRID[:, :1]).reason == one
    assert jemmig(GRID[:, :1], GRID).reason == "a gap needs at least two codes, there is 1"
    assert jemmig(np.ones((120, 2)), GRID).reason == "no code varies in these examples"


def test_wrong_words_are_refused() -> None:
    """Past the type checks of the tests, which users do not have."""
    ones = np.ones(3)
    with pytest.raises(ValueError, match="inactive is 'left out' or 'zero', got 'out'"):
        unwrap(mean_over_codes)(ones, ones > 0, "out", {})
