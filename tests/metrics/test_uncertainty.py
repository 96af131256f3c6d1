"""Intervals and nulls against scipy's, exact enumeration and known biases."""

from functools import partial
from itertools import permutations

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import mutual_info_score

from mrtc.metrics.score import Score, undefined
from mrtc.metrics.uncertainty import bootstrap_interval, permutation_null


def mean_of_code(codes: np.ndarray, factors: np.ndarray) -> Score:  # noqa: ARG001
    return Score(float(codes[:, 0].mean()))


def covariance(codes: np.ndarray, factors: np.ndarray) -> Score:
    return Score(float((codes[:, 0] * factors[:, 0]).mean()))


def plug_in(codes: np.ndarray, factors: np.ndarray) -> Score:
    return Score(float(mutual_info_score(codes[:, 0].astype(int), factors[:, 0])))


def few_classes(codes: np.ndarray, factors: np.ndarray, *, least: int) -> Score:
    classes = len(np.unique(factors))
    return Score(float(codes.mean())) if classes >= least else undefined(f"{classes} classes")


def sample(size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.exponential(size=(size, 1)), rng.integers(0, 4, (size, 1))


@pytest.mark.oracle("bootstrap_interval")
def test_interval_of_a_mean_is_that_of_scipy() -> None:
    codes, factors = sample(80)
    got = bootstrap_interval(mean_of_code, codes, factors, resamples=4_000, level=0.9)
    expected = stats.bootstrap(
        (codes[:, 0],),
        np.mean,
        n_resamples=4_000,
        confidence_level=0.9,
        method="percentile",
        rng=np.random.default_rng(1),
    )
    tolerance = 0.1 * expected.standard_error  # of a quantile of 4,000 draws, four times over
    assert got.low == pytest.approx(expected.confidence_interval.low, abs=tolerance)
    assert got.high == pytest.approx(expected.confidence_interval.high, abs=tolerance)
    assert got.value == codes.mean()
    assert got.mean == pytest.approx(got.value, abs=tolerance)
    assert got.resampled.std() == pytest.approx(codes.std() / np.sqrt(80), rel=0.05)


@pytest.mark.oracle("bootstrap_interval")
def test_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        codes, factors = rng.normal(size=(50, 1)), np.zeros((50, 1), int)
        got = bootstrap_interval(mean_of_code, codes, factors, resamples=100, level=0.8)
        hits += got.low <= 0 <= got.high
    assert hits / 200 == pytest.approx(0.79, abs=0.09)  # three standard errors; slightly liberal


@pytest.mark.oracle("bootstrap_interval")
def test_rows_stay_together() -> None:
    """A score of the difference of the two is zero in every resample."""

    def difference(codes: np.ndarray, factors: np.ndarray) -> Score:
        return Score(float(np.abs(codes - factors).sum()))

    factors = np.arange(30)[:, None]
    got = bootstrap_interval(difference, factors.astype(float), factors)
    assert (got.low, got.mean, got.high) == (0, 0, 0)
    assert len(got.resampled) == 200


@pytest.mark.oracle("permutation_null")
def test_p_value_by_enumeration() -> None:
    """All 720 orders of six rows give the p-value that random ones tend to."""
    codes = np.array([[0.1], [0.4], [0.2], [0.9], [0.6], [0.8]])
    factors = np.array([[0], [1], [2], [3], [4], [5]])
    value = covariance(codes, factors).value
    orders = [covariance(codes, factors[list(p)]).value for p in permutations(range(6))]
    expected = np.mean(np.array(orders) >= value - 1e-12)
    got = permutation_null(covariance, codes, factors, permutations=4_000)
    spread = np.sqrt(expected * (1 - expected) / 4_000)
    assert got.p_value == pytest.approx(expected, abs=4 * spread + 1 / 4_000)
    assert got.mean == pytest.approx(np.mean(orders), abs=0.01)
    np.testing.assert_allclose([got.low, got.high], np.quantile(orders, [0.025, 0.975]), atol=0.02)


@pytest.mark.oracle("permutation_null")
def test_the_null_of_a_plug_in_information_is_its_bias() -> None:
    """(B - 1)(K - 1) / 2N, where nothing is to be found; a bootstrap adds it once more."""
    rng = np.random.default_rng(0)
    codes, factors = rng.integers(0, 5, (1_000, 1)), rng.integers(0, 4, (1_000, 1))
    bias = 4 * 3 / 2_000
    null = permutation_null(plug_in, codes, factors)
    assert null.mean == pytest.approx(bias, rel=0.15)  # 100 draws of a chi² with 12 degrees
    assert null.p_value > 0.05
    boot = bootstrap_interval(plug_in, codes, factors)
    assert boot.mean - boot.value == pytest.approx(bias, rel=0.3)


@pytest.mark.oracle("permutation_null")
def test_p_values_of_chance_are_uniform() -> None:
    rng = np.random.default_rng(0)
    p_values = [
        permutation_null(
            covariance, rng.normal(size=(20, 1)), rng.integers(0, 3, (20, 1)), permutations=19
        ).p_value
        for _ in range(200)
    ]
    assert min(p_values) >= 1 / 20
    assert np.mean(np.array(p_values) <= 0.1) == pytest.approx(0.1, abs=0.065)
    assert np.mean(np.array(p_values) <= 0.5) == pytest.approx(0.5, abs=0.11)


def test_a_score_that_order_cannot_change_has_p_one() -> None:
    """Ties count, also where rounding splits them."""

    def in_any_order(codes: np.ndarray, factors: np.ndarray) -> Score:
        return Score(float((codes[:, 0] * 0.1 + factors[:, 0] / 3).sum()))

    codes, factors = sample(50)
    assert permutation_null(in_any_order, codes, factors).p_value == 1


def test_a_perfect_score_has_the_smallest_p() -> None:
    factors = np.repeat(np.arange(4), 10)[:, None]
    got = permutation_null(plug_in, factors.astype(float), factors, permutations=50)
    assert got.value == pytest.approx(np.log(4))
    assert got.p_value == 1 / 51


@pytest.mark.parametrize("repeat", [bootstrap_interval, permutation_null])
def test_neither_workers_nor_the_global_generator_matter(repeat) -> None:
    codes, factors = sample(40)

    def of_both(codes: np.ndarray, factors: np.ndarray) -> Score:
        return Score(float((codes * factors).mean()))  # local, for workers know no test modules

    def values(seed: int, workers: int) -> np.ndarray:
        np.random.seed(seed + workers)  # noqa: NPY002 -- what must not matter
        got = repeat(of_both, codes, factors, seed=seed, workers=workers)
        return got.resampled if repeat is bootstrap_interval else got.permuted

    one = values(seed=3, workers=1)
    np.testing.assert_array_equal(values(seed=3, workers=2), one)
    assert (values(seed=4, workers=1) != one).any()
    assert len(np.unique(one)) > 50


def test_no_score_no_interval() -> None:
    codes, factors = sample(10)
    never = partial(few_classes, least=9)
    for got in (bootstrap_interval(never, codes, factors), permutation_null(never, codes, factors)):
        assert np.isnan([got.value, got.low, got.high, got.mean]).all()
        assert got.reason is not None
        assert got.reason.endswith(" classes")


def test_resamples_without_a_score() -> None:
    """Two rows of classes of their own are both drawn in half of the resamples."""
    codes, factors = np.arange(2.0)[:, None], np.arange(2)[:, None]
    got = bootstrap_interval(partial(few_classes, least=2), codes, factors, resamples=40, seed=1)
    undefined_share = np.isnan(got.resampled).mean()
    assert 0.2 < undefined_share < 0.8
    assert (got.reason is None) == (undefined_share <= 0.5)
    six = np.arange(6)[:, None]
    got = bootstrap_interval(partial(few_classes, least=6), six.astype(float), six)
    assert got.value == 2.5
    assert np.isnan(got.low)
    assert got.reason is not None
    assert got.reason.endswith("of 200 repetitions have a score")


def test_a_thousand_codes_and_tensors() -> None:
    codes = torch.zeros(5, 1_000)
    got = bootstrap_interval(mean_of_code, codes, torch.zeros(5, 1, dtype=torch.int64))
    assert (got.low, got.high) == (0, 0)


@pytest.mark.parametrize("repeat", [bootstrap_interval, permutation_null])
def test_bad_input(repeat) -> None:
    codes, factors = sample(5)
    with pytest.raises(ValueError, match="got 5 and 4"):
        repeat(covariance, codes, factors[:4])
    with pytest.raises(ValueError, match="codes holds 5 values"):
        repeat(covariance, codes * np.nan, factors)
    count = "resamples" if repeat is bootstrap_interval else "permutations"
    with pytest.raises(ValueError, match=r"are at least 2, got 1"):
        repeat(covariance, codes, factors, **{count: 1})


def test_bad_level() -> None:
    codes, factors = sample(5)
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.5"):
        bootstrap_interval(covariance, codes, factors, level=1.5)
