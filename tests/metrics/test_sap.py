"""SAP against plain machines, scikit-learn's regression, and cases known by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_selection import r_regression
from sklearn.svm import LinearSVC

from mrtc.metrics.sap import sap_continuous, sap_discrete
from tests.references.sap_machine import sap_accuracy

GRID = np.stack(np.unravel_index(np.arange(3 * 4 * 5 * 6), (3, 4, 5, 6)), 1)
BOTH = pytest.mark.parametrize("score", [sap_discrete, sap_continuous])


def draw(seed: int = 0, examples: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Noisy codes of unbalanced factors of 2, 3 and 4 classes, one of them with gaps."""
    rng = np.random.default_rng(seed)
    v = np.stack([rng.binomial(k - 1, 0.4, size=examples) for k in (2, 3, 4)], 1)
    z = v @ rng.standard_normal((3, 4)) + 0.5 * rng.standard_normal((examples, 4))
    return z, v * np.array([1, 1, 3])


@pytest.mark.oracle("sap_discrete")
def test_gap_by_plain_machines() -> None:
    z, v = draw()
    got = sap_discrete(z[:250], v[:250], test_codes=z[250:], test_factors=v[250:])
    accuracy = [
        [sap_accuracy(code[:250], factor[:250], code[250:], factor[250:]) for factor in v.T]
        for code in z.T
    ]
    second, best = np.sort(accuracy, axis=0)[-2:]
    np.testing.assert_allclose(got.per_factor, best - second, atol=1e-12)
    assert got.value == pytest.approx((best - second).mean())
    assert got.parameters["train"] == 250


@pytest.mark.oracle("sap_discrete")
def test_the_dual_problem_gives_the_same_machines() -> None:
    """The published code solves the dual problem."""
    z, v = draw(1)
    got = sap_discrete(z, v, test_codes=z, test_factors=v).per_factor
    machines = [
        [
            LinearSVC(C=0.01, class_weight="balanced", dual=True, tol=1e-8, max_iter=200_000)
            .fit(code[:, None], factor)
            .score(code[:, None], factor)
            for factor in v.T
        ]
        for code in z.T
    ]
    second, best = np.sort(machines, axis=0)[-2:]
    np.testing.assert_allclose(got, best - second, atol=1 / 400)  # an example on the border


@pytest.mark.oracle("sap_discrete")
def test_a_binary_factor_and_dead_codes_have_gap_a_half() -> None:
    """One code knows all, the others guess; so do three classes of which a line knows all."""
    z = np.zeros((360, 3))
    z[:, 1] = 4 * (GRID[:, 3] % 2) - 2
    got = sap_discrete(z, GRID[:, 3:] % 2)
    assert got.value == pytest.approx(0.5)
    assert (got.parameters["train"], got.parameters["test"]) == (240, 120)


def test_a_dead_code_changes_nothing() -> None:
    z, v = draw(2)
    with_dead = np.insert(z, 1, 3.0, axis=1)
    assert sap_discrete(with_dead, v).value == pytest.approx(sap_discrete(z, v).value)


def test_the_scale_of_large_codes_is_solved_for() -> None:
    """Beyond a scale where the penalty counts, the score is the same at every scale."""
    z, v = draw(3)
    assert sap_discrete(1e4 * z, v).value == pytest.approx(sap_discrete(1e2 * z, v).value, abs=0.01)


@pytest.mark.oracle("sap_continuous")
def test_gap_by_correlations_of_scikit_learn() -> None:
    z, v = draw()
    squares = [r_regression(z, factor) ** 2 for factor in v.T]
    second, best = np.sort(squares, axis=1)[:, -2:].T
    np.testing.assert_allclose(sap_continuous(z, v).per_factor, best - second, atol=1e-12)


@pytest.mark.oracle("sap_continuous")
def test_codes_of_one_factor_each() -> None:
    """On a grid: 1 for the factors themselves; 3/5 for a rotation with cosine² 4/5."""
    assert sap_continuous(GRID, GRID).value == pytest.approx(1)
    v = np.stack(np.unravel_index(np.arange(49), (7, 7)), 1)
    z = v @ np.array([[2, -1], [1, 2]])
    assert sap_continuous(z, v).value == pytest.approx(3 / 5)


@BOTH
@pytest.mark.oracle("sap_discrete", "sap_continuous")
def test_a_duplicated_code_has_gap_zero(score) -> None:
    z, v = draw()
    assert score(np.repeat(z, 2, axis=1), v).value == pytest.approx(0, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
@pytest.mark.oracle("sap_discrete", "sap_continuous")
def test_order_and_sign_of_codes_do_not_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    z, v = draw(seed, 120)
    other = z[:, rng.permutation(4)] * rng.choice([-1, 1], 4)
    for score in (sap_discrete, sap_continuous):
        value = score(z, v).value
        assert 0 <= value <= 1
        # a decision of exactly zero may fall either way when its sign turns
        assert score(other, v).value == pytest.approx(value, abs=1 / 40)
    scaled = z * rng.uniform(0.1, 10, 4) + rng.standard_normal(4)
    assert sap_continuous(scaled, v).value == pytest.approx(sap_continuous(z, v).value)


@BOTH
def test_noise_has_a_small_gap(score) -> None:
    z = np.random.default_rng(0).standard_normal((3000, 4))
    v = np.random.default_rng(1).integers(3, size=(3000, 2))
    assert score(z, v).value < 0.05


@BOTH
def test_no_value_has_a_reason(score) -> None:
    z, v = draw()
    one = score(z[:, :1], v)
    assert (np.isnan(one.value), one.reason) == (True, "a gap needs at least two codes, there is 1")
    assert np.isnan(score(z, 0 * v).value)
    assert "no factor varies" in score(z, 0 * v).reason
    assert np.isnan(score(z[:1], v[:1]).value)
    assert np.isnan(score(z[:1, :1], v[:1]).value)
    part = score(z, np.insert(v, 1, 9, axis=1))
    assert np.isnan(part.per_factor).tolist() == [False, True, False, False]
    assert part.value == pytest.approx(score(z, v).value)


@BOTH
def test_dead_codes_have_gap_zero(score) -> None:
    """In floating point too, where the mean of equal numbers need not be that number."""
    _, v = draw()
    assert score(np.full((400, 3), 0.1), v).value == 0


@BOTH
def test_a_thousand_codes(score) -> None:
    z = np.random.default_rng(0).standard_normal((12, 1000))
    assert 0 <= score(z, GRID[:12, 3:] % 3).value <= 1


@BOTH
def test_bad_arrays_are_refused(score) -> None:
    z, v = draw()
    with pytest.raises(ValueError, match="one row for each example; got 400 and 399"):
        score(z, v[1:])
    with pytest.raises(ValueError, match="not finite"):
        score(np.where(z > 1, np.nan, z), v)
    with pytest.raises(ValueError, match="at least one of each"):
        score(z[:0], v[:0])


def test_test_arrays_go_together_and_fit() -> None:
    z, v = draw()
    with pytest.raises(ValueError, match="give both or neither"):
        sap_discrete(z, v, test_codes=z)
    with pytest.raises(ValueError, match=r"need 4 codes and 3 factors, .* got 3 and 3"):
        sap_discrete(z, v, test_codes=z[:, 1:], test_factors=v)
    with pytest.raises(ValueError, match="train=300 and test=200"):
        sap_discrete(z, v, train=300, test=200)
