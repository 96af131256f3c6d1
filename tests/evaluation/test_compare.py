"""The comparison, against numbers worked out by hand and by scipy."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mrtc.errors import MrtcError, ResultsError
from mrtc.evaluation.compare import compare, cost_of, slopes_of
from mrtc.results import VARIABLES, RunSet
from mrtc.results.runs import COST

BETAS = np.array([0.5, 1.0, 2.0, 4.0])


def runs(
    kind: str,
    seeds: tuple[int, ...] = (0, 1, 2),
    *,
    beta: np.ndarray = BETAS,
    seconds: float = 10.0,
    noise: int = 0,
    shift: float = 0.0,
    config: Mapping[str, object] | None = None,
) -> RunSet:
    """Rate and distortion of a linear VAE with two codes, and a noisy MIG."""
    rng = np.random.default_rng(noise)
    shape = (len(seeds), len(beta))
    values = {
        "rate": np.tile(5 - np.log(beta), (len(seeds), 1)),
        "distortion": np.tile(beta + 50 + shift, (len(seeds), 1)),
        "mig_chen": 0.3 + 0.05 * rng.standard_normal(shape),
    }
    cost = {
        name: np.full((len(seeds), 1 if kind == "multi-rate" else len(beta)), 7.0) for name in COST
    }
    cost["seconds"][:] = seconds
    return RunSet(
        kind,
        beta,
        np.array(seeds),
        dict(config or {"objective.name": "beta"}),
        {},
        "toys",
        2,
        (),
        values,
        {name: VARIABLES[name] for name in values},
        cost,
    )


def test_differences_are_those_of_paired_t_tests() -> None:
    ours, theirs = runs("multi-rate", noise=1), runs("baselines", noise=2)
    compared = compare(ours, theirs)
    assert compared.pairing.is_paired
    metric = compared.metrics["mig_chen"]
    a, b = ours.values["mig_chen"], theirs.values["mig_chen"]
    for at, test in enumerate(metric.at_beta):
        expected = stats.ttest_rel(a[:, at], b[:, at]).confidence_interval(0.9)
        assert test.difference.value == pytest.approx((a - b)[:, at].mean())
        assert (test.difference.low, test.difference.high) == pytest.approx(tuple(expected))
    expected = stats.ttest_rel(a.mean(1), b.mean(1)).confidence_interval(0.9)
    assert metric.overall.difference.low == pytest.approx(expected.low)
    order = np.argsort([test.p_value for test in metric.at_beta])
    smallest = metric.at_beta[order[0]].p_value
    assert metric.adjusted[order[0]] == pytest.approx(min(1.0, 4 * smallest))


def test_seeds_pair_by_their_numbers_and_not_by_their_order() -> None:
    ours, theirs = runs("multi-rate", (2, 0, 1), noise=1), runs("baselines", (1, 2, 0), noise=2)
    metric = compare(ours, theirs).metrics["mig_chen"]
    a, b = ours.values["mig_chen"][[1, 2, 0]], theirs.values["mig_chen"][[2, 0, 1]]
    expected = stats.ttest_rel(a[:, 0], b[:, 0]).confidence_interval(0.9)
    assert metric.at_beta[0].difference.low == pytest.approx(expected.low)


def test_other_seeds_are_compared_by_welch() -> None:
    ours, theirs = runs("multi-rate", (0, 1, 2), noise=1), runs("baselines", (5, 6), noise=2)
    compared = compare(ours, theirs)
    assert not compared.pairing.is_paired
    a, b = ours.values["mig_chen"][:, 0], theirs.values["mig_chen"][:, 0]
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
    assert compared.metrics["mig_chen"].at_beta[0].difference.low == pytest.approx(expected.low)


def test_one_seed_has_differences_and_no_intervals() -> None:
    compared = compare(runs("multi-rate", (0,), noise=1), runs("baselines", (0,), noise=2))
    for metric in compared.metrics.values():
        for test in (*metric.at_beta, metric.overall):
            assert np.isfinite(test.difference.value)
            assert np.isnan([test.difference.low, test.difference.high, test.p_value]).all()
    assert np.isnan(compared.curves.mean_difference.low)


def test_a_failed_run_is_left_out_with_its_partner() -> None:
    ours, theirs = runs("multi-rate", noise=1), runs("baselines", noise=2)
    for values in theirs.values.values():
        values[1, 2] = np.nan
    metric = compare(ours, theirs).metrics["mig_chen"]
    a, b = ours.values["mig_chen"], theirs.values["mig_chen"]
    assert metric.at_beta[2].difference.value == pytest.approx((a - b)[[0, 2], 2].mean())
    assert metric.at_beta[2].difference.degrees == 1
    assert metric.overall.difference.value == pytest.approx((a - b)[[0, 2]].mean())


def test_a_shift_of_the_curve_is_the_distance_at_equal_rate() -> None:
    compared = compare(runs("multi-rate", shift=2.5), runs("baselines"))
    assert compared.curves.mean_difference.value == pytest.approx(2.5)
    assert compared.curves.reference == pytest.approx((5 - np.log(0.5), 56.5))
    volumes = compared.curves.hypervolume
    assert (volumes["multi-rate"] < volumes["baselines"]).all()


def test_a_seed_that_lacks_a_run_has_no_hypervolume() -> None:
    theirs = runs("baselines")
    for values in theirs.values.values():
        values[1, 0] = np.nan
    volume = compare(runs("multi-rate"), theirs).curves.hypervolume["baselines"]
    assert np.isnan(volume).tolist() == [False, True, False]


def test_dense_multirate_runs_are_compared_at_the_betas_of_the_baselines() -> None:
    dense = runs("multi-rate", beta=np.geomspace(0.5, 4, 7))
    assert compare(dense, runs("baselines")).multirate.beta.tolist() == pytest.approx(BETAS)
    with pytest.raises(ResultsError, match="have no beta 1, 2"):
        compare(runs("multi-rate", beta=np.array([0.5, 4.0])), runs("baselines"))


def test_the_ledger_counts_a_curve_and_its_break_even() -> None:
    compared = compare(runs("multi-rate", seconds=13.0), runs("baselines", seconds=10.0))
    ours, theirs = compared.costs["multi-rate"], compared.costs["baselines"]
    assert (ours.runs, theirs.runs) == (1, 4)
    assert (ours.curve_seconds, theirs.curve_seconds) == (13.0, 40.0)
    assert compared.break_even == {"seconds": 2.0, "examples": 1.0}
    unknown = runs("multi-rate")
    unknown.cost["seconds"][:] = np.nan
    assert np.isnan(cost_of(unknown).seconds)


def test_the_slope_of_an_optimum_is_beta() -> None:
    for slopes in slopes_of(runs("baselines")):
        np.testing.assert_allclose(slopes.ratio, 1)


def test_under_tcvae_the_rest_of_the_rate_counts_as_distortion() -> None:
    """A total correlation T with dD + dR - dT = -beta dT has the slope beta, whatever R does."""
    tc = runs("baselines", config={"objective.name": "tcvae"})
    total = np.tile(3 - np.log(BETAS), (3, 1))
    rest = np.tile([5.0, 1.0, 4.0, 2.0], (3, 1))  # of the rate, beside the total correlation
    values = {"rate": total + rest, "total_correlation": total, "distortion": BETAS + 50 - rest}
    changed = replace(tc, values=dict(tc.values) | values)
    for slopes in slopes_of(changed):
        np.testing.assert_allclose(slopes.ratio, 1)


def test_under_tcvae_the_slope_is_over_the_total_correlation() -> None:
    tc = runs("baselines", config={"objective.name": "tcvae"})
    with pytest.raises(ResultsError, match="no total_correlation"):
        slopes_of(tc)
    weighed = tc.values["rate"] - 3  # what is not weighed counts with the distortion
    tc.values["total_correlation"] = weighed
    for slopes in slopes_of(tc):
        np.testing.assert_allclose(slopes.ratio, 1)


def test_a_metric_without_margin_is_refused() -> None:
    ours, theirs = runs("multi-rate"), runs("baselines")
    for one in (ours, theirs):
        one.values["sap_discrete"] = one.values["mig_chen"]
    with pytest.raises(MrtcError, match="--margins sap_discrete=NUMBER"):
        compare(ours, theirs, metrics=["sap_discrete"])
    with pytest.raises(ResultsError, match="hold no dci"):
        compare(ours, theirs, metrics=["dci"], margins={"dci": 0.1})
