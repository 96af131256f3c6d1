"""DCI: formulas by hand, trees against those of scikit-learn, and one kind against the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy, spearmanr
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier

from mrtc.metrics.dci import Dci, dci_fast, dci_gbt, importance_scores
from mrtc.metrics.splits import split_rows
from tests.references.dci import dci_scores

BOTH = pytest.mark.parametrize("score", [dci_gbt, dci_fast])


def draw(
    seed: int = 0, examples: int = 300, mixing: float = 0.3, noise: float = 0.3
) -> tuple[np.ndarray, np.ndarray]:
    """Four noisy codes of unbalanced factors of 2 and 3 classes, with a gap; two are mixed."""
    rng = np.random.default_rng(seed)
    v = np.stack([rng.binomial(k - 1, 0.4, size=examples) for k in (2, 3)], 1)
    z = noise * rng.standard_normal((examples, 4))
    z[:, :2] += v @ np.array([[1 - mixing, mixing], [-mixing, 1 - mixing]])
    return z, v * np.array([1, 4])


def values(dci: Dci) -> list[float]:
    return [dci.disentanglement.value, dci.completeness.value, dci.informativeness.value]


@pytest.mark.oracle("dci_gbt", "dci_fast")
def test_one_code_for_each_factor_has_both_scores_one() -> None:
    for matrix in (np.eye(3), np.eye(3)[::-1] * 7, np.vstack([np.eye(3), np.zeros((2, 3))])):
        scores = importance_scores(matrix)
        assert [s.value for s in scores] == pytest.approx([1, 1], abs=1e-8)


@pytest.mark.oracle("dci_gbt", "dci_fast")
def test_even_importance_has_both_scores_zero() -> None:
    assert [s.value for s in importance_scores(np.ones((4, 3)))] == pytest.approx([0, 0], abs=1e-12)


@pytest.mark.oracle("dci_gbt", "dci_fast")
def test_a_duplicated_code_costs_completeness() -> None:
    """Of four codes two share each factor: 1 - log 2 / log 4. Of three codes, one of them for
    both factors of equal mass: D = 1/2 · 0 + 1/2 · 1."""
    got = importance_scores(np.repeat(np.eye(2), 2, axis=0))
    assert [s.value for s in got] == pytest.approx([1, 1 / 2], abs=1e-8)
    got = importance_scores(np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]))
    np.testing.assert_allclose(got[0].per_code, [0, 1, 1], atol=1e-8)
    assert got[0].value == pytest.approx(1 / 2, abs=1e-8)
    np.testing.assert_allclose(got[1].per_factor, 1 - np.log(2) / np.log(3), atol=1e-8)


@pytest.mark.oracle("dci_gbt", "dci_fast")
def test_active_codes_alone_may_be_the_base() -> None:
    """Two codes share two factors evenly; two dead codes make it 1 - log 2 / log 4, or 0."""
    matrix = np.vstack([np.ones((2, 2)), np.zeros((2, 2))])
    assert importance_scores(matrix)[1].value == pytest.approx(1 / 2, abs=1e-8)
    active = importance_scores(matrix, active_only=True)
    assert active[1].value == pytest.approx(0, abs=1e-8)
    assert active[0].per_code is not None
    assert np.isnan(active[0].per_code).tolist() == [False, False, True, True]
    alone = importance_scores(np.array([[1.0, 1.0], [0.0, 0.0]]), active_only=True)[1]
    rounding = np.where(matrix > 0, matrix, 1e-16)
    assert importance_scores(rounding, active_only=True)[1].value == pytest.approx(0, abs=1e-8)
    assert alone.reason == "an entropy needs two codes of some importance, there is 1"


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
@pytest.mark.oracle("dci_gbt", "dci_fast")
def test_any_matrix_by_plain_sums_and_by_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.gamma(0.3, size=(rng.integers(2, 7), rng.integers(2, 5)))
    got = importance_scores(matrix)
    assert [s.value for s in got] == pytest.approx(dci_scores(matrix))
    rows = 1 - entropy(matrix + 1e-11, base=matrix.shape[1], axis=1)
    np.testing.assert_allclose(got[0].per_code, rows, atol=1e-12)
    order = rng.permutation(len(matrix))
    assert [s.value for s in importance_scores(matrix[order])] == pytest.approx(dci_scores(matrix))


def test_importances_without_a_score() -> None:
    for score in importance_scores(np.zeros((3, 2))):
        assert (np.isnan(score.value), score.reason) == (True, "no code has any importance")
    disentanglement, completeness = importance_scores(np.array([[1.0], [0.0]]))
    assert disentanglement.reason == "an entropy needs two factors that vary, there is 1"
    assert completeness.value == pytest.approx(1, abs=1e-8)
    completeness = importance_scores(np.ones((1, 2)))[1]
    assert completeness.reason == "an entropy needs two codes, there is 1"
    with_missing = importance_scores(np.insert(np.eye(3), 1, np.nan, axis=1))
    assert [s.value for s in with_missing] == pytest.approx([1, 1], abs=1e-8)
    for bad in (-np.eye(2), np.array([[np.nan, 1], [1, 1]]) * np.inf):
        with pytest.raises(ValueError, match="finite and not negative"):
            importance_scores(bad)
    with pytest.raises(ValueError, match=r"got \(3,\)"):
        importance_scores(np.ones(3))


@pytest.mark.oracle("dci_gbt", "dci_fast")
@pytest.mark.parametrize(
    ("score", "model"),
    [
        (dci_gbt, GradientBoostingClassifier(random_state=5)),
        (
            dci_fast,
            RandomForestClassifier(
                50, max_depth=8, min_samples_leaf=5, max_features=None, random_state=5
            ),
        ),
    ],
)
def test_importance_and_accuracy_of_scikit_learn(score, model) -> None:
    z, v = draw()
    got = score(z, v, seed=5)
    rows, rows_test = split_rows(300, seed=5)
    accuracy = []
    for k in range(2):
        model.fit(z[rows], v[rows, k])
        np.testing.assert_allclose(got.importance[:, k], model.feature_importances_)
        accuracy.append(model.score(z[rows_test], v[rows_test, k]))
    expected = [*dci_scores(got.importance), np.mean(accuracy)]
    assert values(got) == pytest.approx(expected)
    np.testing.assert_allclose(got.informativeness.per_factor, accuracy)
    assert got.completeness.parameters["train"] == 200
    assert type(model).__name__ in str(got.disentanglement.parameters["booster"])


@BOTH
@pytest.mark.oracle("dci_gbt", "dci_fast")
def test_a_code_for_each_factor_scores_one(score) -> None:
    """And one code that holds both factors serves neither alone, but each is complete."""
    v = np.stack(np.unravel_index(np.tile(np.arange(6), 50), (2, 3)), 1)
    noise = np.zeros((300, 2))
    got = score(np.hstack([-v[:, ::-1], noise]), v)
    assert values(got) == pytest.approx([1, 1, 1], abs=1e-6)
    got = score(np.hstack([v @ [[3], [1]], noise]), v)
    assert values(got) == pytest.approx([0, 1, 1], abs=1e-6)


@pytest.mark.oracle("dci_gbt", "dci_fast")
def test_the_fast_trees_rank_models_like_the_boosted_ones() -> None:
    models = [draw(k, mixing=0.1 * k, noise=0.1 + 0.1 * k) for k in range(6)]
    slow = [values(dci_gbt(*model)) for model in models]
    fast = [values(dci_fast(*model)) for model in models]
    for a, b in zip(np.transpose(slow), np.transpose(fast), strict=True):
        assert spearmanr(a, b).statistic > 0.85


@BOTH
@pytest.mark.oracle("dci_gbt", "dci_fast")
def test_order_and_sign_of_codes_hardly_count(score) -> None:
    """Trees break ties by the order of codes and draw by it, so not to the last digit."""
    z, v = draw()
    other = 3 * z[:, [2, 0, 3, 1]] * np.array([1, -1, 1, -1])
    assert values(score(other, v)) == pytest.approx(values(score(z, v)), abs=0.05)


def test_importance_below_zero_by_rounding_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boosted trees return about -1e-17 for some useless codes."""
    rounded = property(lambda _: np.array([1.0, -1e-17, 0.0, 0.0]))
    monkeypatch.setattr(GradientBoostingClassifier, "feature_importances_", rounded)
    got = dci_gbt(*draw(examples=30))
    assert got.completeness.value == pytest.approx(1, abs=1e-8)
    assert np.isnan(got.disentanglement.per_code).tolist() == [False, True, True, True]


@BOTH
def test_the_seed_alone_decides(score) -> None:
    z, v = draw()
    assert values(score(z, v, seed=1)) == values(score(z, v, seed=1))
    assert values(score(z, v, seed=1)) != values(score(z, v, seed=2))


@BOTH
def test_no_value_has_a_reason(score) -> None:
    z, v = draw()
    for few in (score(z[:1], v[:1]), score(z[:2], v[:2]), score(z, 0 * v)):
        assert np.isnan(values(few)).all()
        assert few.disentanglement.reason == few.informativeness.reason
    dead = score(np.full(z.shape, 0.1), v)
    assert dead.disentanglement.reason == dead.completeness.reason == "no code has any importance"
    assert 0.3 < dead.informativeness.value < 0.9
    part = score(z, np.insert(v, 1, 9, axis=1))
    assert values(part) == pytest.approx(values(score(z, v)))
    assert part.informativeness.per_factor is not None
    assert np.isnan(part.informativeness.per_factor).tolist() == [False, True, False]
    one = score(z[:, :1], v)
    assert one.completeness.reason == "an entropy needs two codes, there is 1"


@BOTH
def test_a_thousand_codes_and_a_class_of_one(score) -> None:
    z = np.random.default_rng(0).standard_normal((12, 1000))
    v = np.stack([np.arange(12) % 2, np.minimum(np.arange(12), 8)], 1)
    got = score(z, v)
    assert 0 <= got.informativeness.value <= 1


@BOTH
def test_bad_input_is_refused(score) -> None:
    z, v = draw()
    with pytest.raises(ValueError, match="one row for each example"):
        score(z, v[1:])
    with pytest.raises(ValueError, match="not finite"):
        score(np.where(z > 1, np.nan, z), v)
    with pytest.raises(ValueError, match="train=250 and test=100"):
        score(z, v, train=250, test=100)
