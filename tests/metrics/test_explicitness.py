"""Explicitness against scikit-learn's meta-classifier and a count of pairs, and in its limits."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, label_binarize

from mrtc.metrics.explicitness import explicitness
from mrtc.metrics.splits import no_split, stratified_split
from tests.references.probe_scores import area_under_roc


def noisy(examples: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Classes with a gap, and binary ones that are rare; codes that mix them."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.choice([0, 1, 5, 6], examples), rng.random(examples) < 0.1], 1).astype(
        int
    )
    mixed = factors @ np.array([[1, 0.2, 0], [1, 2, 0]])
    return mixed + rng.normal(size=mixed.shape), factors


@pytest.mark.oracle("explicitness")
def test_areas_are_those_of_scikit_learn_and_of_pairs() -> None:
    codes, factors = noisy()
    got = explicitness(codes, factors, seed=3)
    for k, factor in enumerate(factors.T):
        classes, index = np.unique(factor, return_inverse=True)
        test = stratified_split(index, 1 / 3, 3)
        model = make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression(tol=1e-8)))
        model.fit(codes[~test], factor[~test])
        ranks = model.decision_function(codes[test])
        if len(classes) == 2:
            ranks = np.stack([-ranks, ranks], 1)
        truth = np.stack([factor[test] == c for c in classes], 1)
        # the optimisers stop 1e-4 from the optimum, where a pair or two may swap
        expected = roc_auc_score(truth, ranks, average="macro")
        assert got.per_factor[k] == pytest.approx(expected, abs=1e-3)
        pairs = [
            area_under_roc(r.tolist(), t.tolist()) for r, t in zip(ranks.T, truth.T, strict=True)
        ]
        assert got.per_factor[k] == pytest.approx(np.mean(pairs), abs=1e-3)
    assert got.value == pytest.approx(np.mean(got.per_factor))


@pytest.mark.oracle("explicitness")
def test_one_code_a_class_is_perfect_under_rotation_and_scale() -> None:
    rng = np.random.default_rng(0)
    factor = rng.integers(0, 5, 300)
    codes = label_binarize(factor, classes=range(5)) + 0.0
    rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    for variant in (codes, codes @ rotation, -1e-4 * codes, 1e4 * codes[:, ::-1]):
        assert explicitness(variant, factor[:, None]).value == pytest.approx(1)
        assert explicitness(variant, factor[:, None], normalised=True).value == pytest.approx(1)


def test_the_scale_of_a_code_does_not_matter() -> None:
    """The penalty is on standardised codes; raw, it would shut out the small one."""
    codes, factors = noisy()
    got = explicitness(codes * [1e3, 1e-4, 1] - 2, factors).value
    assert got == pytest.approx(explicitness(codes, factors).value, abs=1e-3)


@pytest.mark.oracle("explicitness")
def test_chance_is_one_half() -> None:
    """Constant codes exactly; noise within four standard errors of an area of 300 x 300 pairs."""
    rng = np.random.default_rng(0)
    factor = rng.integers(0, 2, (1800, 1))
    assert explicitness(np.full((1800, 2), 0.3), factor).value == 0.5
    assert explicitness(np.full((1800, 2), 0.3), factor, normalised=True).value == 0
    error = np.sqrt(601 / 12 / 300**2)
    got = explicitness(rng.normal(size=(1800, 3)), factor).value
    assert got == pytest.approx(0.5, abs=4 * error)


@pytest.mark.oracle("explicitness")
def test_the_middle_class_of_one_ordered_code_is_at_chance() -> None:
    """One code of three classes: the ends rank perfectly, the middle one ties half of the pairs."""
    factor = np.repeat([0, 1, 2], 100)[:, None]
    assert explicitness(factor, factor).value == pytest.approx((1 + 0.5 + 1) / 3)


@pytest.mark.oracle("explicitness")
def test_the_area_of_a_shifted_normal() -> None:
    """Phi(d / sqrt 2) for two normals d apart: here 0.856 for 1.5, by 3,000 of each held out."""
    rng = np.random.default_rng(0)
    factor = np.arange(18_000)[:, None] % 2
    codes = rng.normal(size=(18_000, 1)) + 1.5 * factor
    # standard error of an area near 0.85 with 3,000 of each: about 0.005
    assert explicitness(codes, factor).value == pytest.approx(0.8556, abs=0.02)
    assert explicitness(codes, factor, normalised=True).value == pytest.approx(0.7112, abs=0.04)


def test_split_holds_out_each_class() -> None:
    """A third of each, at least one on either side; another seed, another split."""
    classes = np.repeat([0, 1, 2, 3], [30, 9, 2, 3])
    test = stratified_split(classes, 1 / 3, 0)
    np.testing.assert_array_equal(np.bincount(classes[test]), [10, 3, 1, 1])
    np.testing.assert_array_equal(
        np.bincount(classes[stratified_split(classes, 0.99, 0)]), [29, 8, 1, 2]
    )
    np.testing.assert_array_equal(test, stratified_split(classes, 1 / 3, 0))
    assert (test != stratified_split(classes, 1 / 3, 1)).any()


def test_split_draws_every_example_alike() -> None:
    """Over 400 seeds each of twelve examples is held out a third of the time."""
    classes = np.array([0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0])
    share = np.mean([stratified_split(classes, 1 / 3, seed) for seed in range(400)], axis=0)
    np.testing.assert_allclose(share, 1 / 3, atol=4 * np.sqrt(2 / 9 / 400))


def test_why_there_is_no_score() -> None:
    codes, factors = noisy(20)
    factors[0, 0] = 9
    expected = "class 9 of factor 0 occurs once; a split needs two examples of each"
    assert no_split(factors) == expected
    got = explicitness(codes, factors)
    assert np.isnan(got.value)
    assert got.reason == expected


def test_a_constant_factor_is_left_out() -> None:
    codes, factors = noisy()
    got = explicitness(codes, np.insert(factors, 1, 4, axis=1))
    assert got.value == explicitness(codes, factors).value
    assert np.isnan(got.per_factor).tolist() == [False, True, False]


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_a_fraction_holds_something_out_and_something_in(fraction: float) -> None:
    with pytest.raises(ValueError, match="above 0 and below 1"):
        explicitness(*noisy(), test_fraction=fraction)
