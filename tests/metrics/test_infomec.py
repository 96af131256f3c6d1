"""InfoMEC against its formulas, and its estimators against each other and against closed forms."""

import numpy as np
import pytest
from sklearn.feature_selection import mutual_info_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import mutual_info_score
from sklearn.preprocessing import label_binarize

from mrtc.metrics.infomec import info_c, info_e, info_m
from mrtc.metrics.splits import stratified_split
from tests.references import histogram_scores
from tests.references.probe_scores import cross_entropy, mean_share

GRID = np.stack(np.unravel_index(np.arange(120), (3, 5, 8)), 1)


def noisy(examples: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Unbalanced classes with a gap; three codes that mix the factors, each with noise."""
    rng = np.random.default_rng(0)
    factors = np.stack(
        [rng.choice([0, 1, 3], examples, p=[0.6, 0.3, 0.1]), rng.integers(0, 6, examples)], 1
    )
    mixed = factors @ np.array([[1, 0.2, 0.5], [0, 0.8, 0.2]])
    return mixed + rng.normal(size=mixed.shape) * [0.3, 1, 0.5], factors


@pytest.mark.oracle("info_m", "info_c")
def test_neighbours_are_the_published_recipe() -> None:
    """Standardise, scikit-learn's estimate of each pair over the entropy, then the formulas."""
    codes, factors = noisy()
    standard = (codes - codes.mean(0)) / codes.std(0)
    rows = []
    for code in standard.T:
        row = []
        for v in factors.T:
            estimate = mutual_info_classif(code[:, None], v, n_neighbors=10, random_state=0)[0]
            row.append(estimate / mutual_info_score(v, v))
        rows.append(row)
    columns = [list(column) for column in zip(*rows, strict=True)]
    assert info_m(codes, factors).value == pytest.approx(mean_share(rows), abs=1e-9)
    assert info_c(codes, factors).value == pytest.approx(mean_share(columns), abs=1e-9)


@pytest.mark.oracle("info_m", "info_c")
def test_histograms_are_the_plain_formula() -> None:
    codes, factors = noisy()
    entropies = [histogram_scores.entropy(v.tolist()) for v in factors.T]
    rows = [
        [i / h for i, h in zip(row, entropies, strict=True)]
        for row in histogram_scores.table(codes, factors, 10)
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    got = info_m(codes, factors, estimator="histogram", bins=10).value
    assert got == pytest.approx(mean_share(rows), abs=1e-12)
    got = info_c(codes, factors, estimator="histogram", bins=10).value
    assert got == pytest.approx(mean_share(columns), abs=1e-12)


@pytest.mark.oracle("info_m", "info_c")
def test_two_estimators_agree() -> None:
    """Within what ten neighbours and bins for 4,000 examples miss, some hundredths."""
    codes, factors = noisy(4000)
    for score in (info_m, info_c):
        near = score(codes, factors).value
        assert near == pytest.approx(score(codes, factors, neighbours=3).value, abs=0.05)
        assert near == pytest.approx(score(codes, factors, estimator="histogram").value, abs=0.05)


@pytest.mark.oracle("info_m", "info_c")
def test_limits_by_counting() -> None:
    """One code a factor; a factor twice; one code of two factors, by hand."""

    def both(codes: np.ndarray, factors: np.ndarray = GRID) -> tuple[float, float]:
        return tuple(s(codes, factors, estimator="histogram").value for s in (info_m, info_c))

    assert both(GRID) == pytest.approx((1, 1))
    assert both(GRID[:, [2, 0, 1]] * [-1, 1, 2] + 7) == pytest.approx((1, 1))
    # the share of two equal codes of four is a half: (1/2 - 1/4) / (3/4) = 1/3
    assert both(GRID[:, [0, 0, 1, 2]]) == pytest.approx((1, (1 / 3 + 1 + 1) / 3))
    # the code knows all of two factors of three: (1/2 - 1/3) / (2/3) = 1/4
    two = np.stack([GRID[:, 1] + 5 * GRID[:, 0], GRID[:, 2]], 1)
    assert both(two) == pytest.approx(((1 / 4 + 1) / 2, 1))


@pytest.mark.oracle("info_m", "info_c")
def test_one_code_a_factor_by_neighbours() -> None:
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 5, (2000, 3))
    codes = factors + 0.05 * rng.normal(size=factors.shape)
    # up to 0.01 of bias in each of the other shares
    assert info_m(codes, factors).value == pytest.approx(1, abs=0.03)
    assert info_c(codes, factors).value == pytest.approx(1, abs=0.03)


def test_pruning_is_relative_and_absolute() -> None:
    """A range of 1/20 of the largest is not active, a little more is; the rest by its own value."""
    ranges = np.array([20, 1, 1.1, 0])
    codes = np.linspace(0, 1, 120)[:, None] * ranges
    for score in (info_m, info_c):
        got = score(codes, GRID, estimator="histogram")
        assert got.parameters["active_codes"] == [0, 2]
        got = score(codes, GRID, estimator="histogram", min_relative_range=0.0)
        assert got.parameters["active_codes"] == [0, 1, 2]
        got = score(codes, GRID, estimator="histogram", min_range=2.0)
        assert got.parameters["active_codes"] == [0]
    got = info_m(codes, GRID, estimator="histogram")
    assert np.isnan(got.per_code).tolist() == [False, True, False, True]


def test_what_tells_nothing_is_left_out() -> None:
    """Code 1 and factor 2 are of no use to the others: NaN, and not part of the mean."""
    codes, factors = GRID[:, [0, 2]], GRID[:, [0, 1]]
    got = info_m(codes, factors, estimator="histogram")
    np.testing.assert_allclose(got.per_code, [1, np.nan])
    assert got.value == pytest.approx(1)
    got = info_c(codes, factors, estimator="histogram")
    np.testing.assert_allclose(got.per_factor, [1, np.nan])
    none = info_c(GRID[:, [2, 2]], factors, estimator="histogram")
    assert none.reason == "no active code tells anything of a factor"


def test_why_there_is_no_share() -> None:
    assert info_m(np.ones((120, 2)), GRID).reason == "no code is active"
    assert info_m(GRID, GRID[:, :1]).reason == (
        "a share needs at least two factors that vary, there is 1"
    )
    assert info_c(GRID[:, :1], GRID).reason == (
        "a share needs at least two active codes, there is 1"
    )
    alone = np.arange(20)[:, None].repeat(2, 1)
    assert (
        info_m(alone, alone).reason == "no class of a factor occurs twice, so it has no neighbours"
    )


def test_a_constant_factor_changes_no_score() -> None:
    codes, factors = noisy()
    for score in (info_m, info_c, info_e):
        got = score(codes, np.insert(factors, 1, 4, axis=1))
        assert got.value == pytest.approx(score(codes, factors).value)


@pytest.mark.oracle("info_e")
@pytest.mark.parametrize("in_sample", [False, True])
def test_predicted_share_is_that_of_another_optimiser(in_sample: bool) -> None:
    """Newton's steps on raw codes, cross-entropies by loops; both are at the optimum to 1e-4."""
    codes, factors = noisy()
    codes = codes + np.random.default_rng(1).normal(size=codes.shape)  # nothing is separable
    got = info_e(codes, factors, in_sample=in_sample, seed=2)
    for k, factor in enumerate(factors.T):
        classes = np.unique(factor, return_inverse=True)[1]
        test = stratified_split(classes, 1 / 3, 2)
        train = np.ones_like(test) if in_sample else ~test
        test = train if in_sample else test
        model = LogisticRegression(C=np.inf, solver="newton-cg", tol=1e-8, max_iter=1000)
        predicted = model.fit(codes[train], classes[train]).predict_proba(codes[test])
        null = [np.bincount(classes[train]) / train.sum()] * int(test.sum())
        truth = classes[test].tolist()
        expected = 1 - cross_entropy(predicted.tolist(), truth) / cross_entropy(null, truth)
        assert got.per_factor[k] == pytest.approx(expected, abs=1e-3)
    assert got.value == pytest.approx(np.mean(got.per_factor))


@pytest.mark.oracle("info_e")
def test_info_e_is_one_for_one_code_a_class_and_zero_for_none() -> None:
    rng = np.random.default_rng(0)
    factor = rng.integers(0, 4, 400)
    codes = label_binarize(factor, classes=range(4)) + 0.0
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    for variant in (codes, -1e-4 * codes @ rotation, np.repeat(codes, 2, axis=1)):
        assert info_e(variant, factor[:, None]).value == pytest.approx(1, abs=1e-3)
    assert info_e(np.full((400, 3), 0.3), factor[:, None]).value == pytest.approx(0, abs=1e-6)


@pytest.mark.oracle("info_e")
def test_info_e_is_the_information_of_a_linear_channel() -> None:
    """Two normals two apart are a logistic model: H(v | z) by quadrature, over log 2."""
    rng = np.random.default_rng(0)
    factor = np.arange(20_000) % 2
    codes = rng.normal(size=20_000) + 2 * factor
    z = np.linspace(-8, 10, 20_001)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)  # of class 0; the other is its mirror
    surprise = np.logaddexp(0, 2 * (z - 1))  # -log p(class 0 | z)
    expected = 1 - np.trapezoid(density * surprise, z) / np.log(2)
    # spread of the surprise 0.6 over 6,667 held-out examples: 0.01 of log 2
    for in_sample in (False, True):
        got = info_e(codes[:, None], factor[:, None], in_sample=in_sample).value
        assert got == pytest.approx(expected, abs=0.03)


@pytest.mark.oracle("info_e")
def test_many_codes_of_noise_look_informative_in_sample_only() -> None:
    rng = np.random.default_rng(0)
    codes, factor = rng.normal(size=(60, 100)), rng.integers(0, 3, (60, 1))
    assert info_e(codes, factor, in_sample=True).value > 0.99
    assert info_e(codes, factor).value == 0


def test_info_e_reaches_the_optimum_where_codes_are_correlated() -> None:
    """Without a penalty no invertible map of the codes matters, however ill-conditioned."""
    codes, factors = noisy()
    skewed = codes @ np.array([[1, 1, 1], [0, 1e-3, 1e-3], [0, 0, 1e-5]])
    for in_sample in (False, True):
        expected = info_e(codes, factors, in_sample=in_sample).value
        # 1e-4 is where the optimiser stops
        assert info_e(skewed, factors, in_sample=in_sample).value == pytest.approx(
            expected, abs=1e-3
        )


def test_too_rare_a_class_is_refused_unless_in_sample() -> None:
    codes, factors = noisy(30)
    factors[0, 1] = 9
    expected = "class 9 of factor 1 occurs once; a split needs two examples of each"
    assert info_e(codes, factors).reason == expected
    assert info_e(codes, factors, in_sample=True).reason is None


@pytest.mark.parametrize("score", [info_m, info_c])
def test_wrong_settings_are_refused(score) -> None:
    with pytest.raises(ValueError, match="bins=1"):
        score(*noisy(), estimator="histogram", bins=1)
    with pytest.raises(ValueError, match="n_neighbors"):
        score(*noisy(), neighbours=0)
