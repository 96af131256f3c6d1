"""Births, deaths and hand-overs against curves of which they are known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence

from mrtc.errors import ResultsError
from mrtc.evaluation import EvaluationConfig, sweep
from mrtc.results import Header, Results, open_writer, read
from mrtc.results.lifelines import MARGIN, NOTHING, hand_overs, life_lines, lives
from tests.toys import Crosses, small_vae

FACTORS = ("shape", "x")
BETA = np.geomspace(0.1, 10, 9)


def results_of(
    rate: np.ndarray,
    variance: np.ndarray | None = None,
    information: np.ndarray | None = None,
    beta: np.ndarray = BETA,
) -> Results:
    metrics = {"rate_code": rate, "code_variance": rate if variance is None else variance}
    if information is not None:
        metrics["information"] = information
    return Results(
        path=Path("r.h5"),
        header=Header(beta, rate.shape[1], FACTORS, {}, "f", 0, "crosses", {}),
        evaluated=np.ones(len(beta), bool),
        metrics=metrics,
        parameters={"active_units": {"threshold": 0.01}},
        versions={},
        created="",
    )


def test_codes_of_the_linear_vae_die_where_theory_says() -> None:
    """The rate is -log(beta s² / l) / 2 below beta = l / s²; it is t at l / s² exp(-2 t)."""
    beta = np.geomspace(0.1, 10, 201)
    eigenvalue, noise, threshold = np.array([0.5, 2.0, 6.0, 80.0]), 0.7, 0.3
    rate = np.maximum(0, -0.5 * np.log(beta[:, None] * noise / eigenvalue))
    found = life_lines(results_of(rate, beta=beta), "rate_code", threshold)
    deaths = [(event.code, event.beta) for event in found.events]
    assert [code for code, _ in deaths] == [0, 1, 2]
    expected = (eigenvalue / noise * np.exp(-2 * threshold))[:3]
    np.testing.assert_allclose([at for _, at in deaths], expected, rtol=1e-9)
    for event in found.events:
        assert event.low <= event.beta <= event.high
        assert beta[np.searchsorted(beta, event.low) + 1] == event.high
    assert found.order() == [3, 2, 1, 0]
    assert found.end(3) == np.inf


def test_births_deaths_and_the_table_of_known_lives() -> None:
    """Four codes: all along; born, dead and born again; dead from the start; dead at the end."""
    variance = np.array(
        [[0.5] * 9, [0, 0, 0.02, 0.02, 0, 0, 0, 0.02, 0.03], [0] * 9, [0.02] + [0] * 8]
    )
    found = life_lines(results_of(np.linspace(1, 2, 9)[:, None] * [1, 2, 0, 3.0], variance.T))
    root = 10**0.25  # of betas a factor apart
    halfway = BETA[:-1] * root**0.5
    events = [(event.kind, event.code, event.beta) for event in found.events]
    assert [event[:2] for event in events] == [
        ("death", 3), ("birth", 1), ("death", 1), ("birth", 1),
    ]  # fmt: skip
    np.testing.assert_allclose([event[2] for event in events], halfway[[0, 1, 3, 6]])
    table = found.table().set_index("code")
    assert table.index.tolist() == [1, 0, 3, 2]  # code 1 has the higher rate
    assert table["active_betas"].to_dict() == {1: 4, 0: 9, 3: 1, 2: 0}
    np.testing.assert_allclose(table["birth"], [halfway[1], np.nan, np.nan, np.nan])
    np.testing.assert_allclose(table["death"], [np.nan, np.nan, halfway[0], np.nan])
    np.testing.assert_allclose(table["greatest_rate"], [4, 2, 6, 0])
    assert "factor" not in table


def test_a_hand_over_is_where_two_codes_tell_the_same() -> None:
    """Code 0 loses nats linearly in log beta and code 1 wins them: equal at beta 2."""
    share = np.log(BETA / 0.1) / np.log(100)
    equal = np.log(2 / 0.1) / np.log(100)
    information = np.zeros((9, 3, 2))
    information[:, 0, 1], information[:, 1, 1] = 1 + equal - share, 1 - equal + share
    (event,) = hand_overs(BETA, information)
    assert (event.kind, event.factor, event.giver, event.code) == ("hand-over", 1, 0, 1)
    assert event.beta == pytest.approx(2)
    assert event.low < 2 < event.high

    rate = np.ones((9, 3))
    found = life_lines(results_of(rate, information=information))
    assert found.told[:, 0].tolist() == [1] * 9
    assert (found.told[:, 2] == NOTHING).all()
    (row,) = found.event_table().to_dict("records")
    assert (row["event"], row["factor"], row["giver"]) == ("hand-over", "x", 0)
    table = found.table().set_index("code")
    assert table["factor"].to_dict() == {0: "x", 1: "x", 2: ""}
    assert table["information"][0] == pytest.approx(1 + equal)


def test_ties_do_not_flicker() -> None:
    """Two codes that take turns by less than the margin; and by more, where every turn counts."""
    turns = np.array([1.0, -1, 1, -1, 1, -1, 1, -1, 1])
    information = np.ones((9, 2, 1))
    information[:, 0, 0] += 0.49 * MARGIN * turns
    information[:, 1, 0] -= 0.49 * MARGIN * turns
    assert hand_overs(BETA, information) == []
    assert len(hand_overs(BETA, information, 0.97 * MARGIN)) == 8


def test_a_factor_that_nobody_tells_of_has_no_holder() -> None:
    information = np.zeros((9, 2, 1))
    information[:4, 0] = 0.9 * MARGIN
    information[4:, 1] = 1
    assert hand_overs(BETA, information) == []


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_births_less_deaths_are_the_change_in_active_units(seed: int) -> None:
    measure = np.random.default_rng(seed).uniform(0, 0.02, (9, 5))
    events = lives(BETA, measure, 0.01)
    for at, beta in enumerate(BETA):
        signs = [1 if event.kind == "birth" else -1 for event in events if event.beta <= beta]
        assert (measure[0] >= 0.01).sum() + sum(signs) == (measure[at] >= 0.01).sum()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_hand_overs_are_a_chain_from_first_holder_to_last(seed: int) -> None:
    """Each giver is the taker before it, and at the next beta that counts no one tells more."""
    information = np.random.default_rng(seed).uniform(0.2, 1, (9, 4, 2))
    for factor in range(2):
        events = [e for e in hand_overs(BETA, information) if e.factor == factor]
        codes = [int(information[0, :, factor].argmax())] + [event.code for event in events]
        assert [event.giver for event in events] == codes[:-1]
        last = information[-1, :, factor]
        assert last.max() - last[codes[-1]] <= MARGIN
        for event in events:
            at = int(np.searchsorted(BETA, event.low))
            lead = information[:, event.code, factor] - information[:, event.giver, factor]
            assert lead[at] <= 0 < lead[at + 1]


def informations(results: Results, at: int) -> np.ndarray:
    """H(z) - H(z|f) of each code and factor, in nats, by sums over a fine grid of z."""
    moments = results.moments(at)
    assert moments.classes is not None
    assert moments.log_sigma is not None
    found = np.zeros((3, moments.classes.shape[1]))
    for code in range(3):
        mean = moments.mean[:, code].astype(float)
        sigma = np.exp(moments.log_sigma[:, code].astype(float))
        z = np.linspace((mean - 8 * sigma).min(), (mean + 8 * sigma).max(), 4001)
        density = np.exp(-0.5 * ((z - mean[:, None]) / sigma[:, None]) ** 2)
        density /= sigma[:, None] * np.sqrt(2 * np.pi)
        for factor, classes in enumerate(moments.classes.T):
            of_class = [density[classes == one].mean(0) for one in np.unique(classes)]
            shares = [(classes == one).mean() for one in np.unique(classes)]
            given = sum(s * entropy(p, z) for s, p in zip(shares, of_class, strict=True))
            found[code, factor] = entropy(density.mean(0), z) - given
    return found


def entropy(density: np.ndarray, z: np.ndarray) -> float:
    return float(-(density * np.log(np.maximum(density, 1e-300))).sum() * (z[1] - z[0]))


def test_life_lines_agree_with_the_stored_moments(tmp_path: Path) -> None:
    """Rates and variances anew, by torch and numpy, from the posteriors that the file keeps."""
    vae, grid = small_vae(), Crosses().grid
    with torch.no_grad():
        vae.encoder.head.layer.weight[0] *= 8  # so that code 0 is active
        vae.encoder.head.layer.bias[3] -= 2  # and tells of factors
    config = EvaluationConfig(("x", "y"))
    index = np.arange(64)
    header = Header(BETA, 3, grid.names, {}, "toy", 0, "crosses", {}, index, grid.classes(index))
    with open_writer(tmp_path / "r.h5", header) as writer:
        sweep(vae, Crosses(), config, writer, device=torch.device("cpu"), quiet=True)
    results = read(tmp_path / "r.h5")
    variance, rate = np.zeros((9, 3)), np.zeros((9, 3))
    for at in range(9):
        moments = results.moments(at)
        mean, log_sigma = (torch.tensor(a).double() for a in (moments.mean, moments.log_sigma))
        rate[at] = kl_divergence(Normal(mean, log_sigma.exp()), Normal(0.0, 1.0)).mean(0)
        variance[at] = moments.mean.astype(float).var(0, ddof=1)

    found = life_lines(results)
    information = np.stack([informations(results, at) for at in range(9)])
    np.testing.assert_allclose(found.information, information, rtol=1e-3, atol=1e-6)
    tells = (variance >= 0.01) & (information.max(2) > MARGIN)
    np.testing.assert_array_equal(found.told, np.where(tells, information.argmax(2), NOTHING))
    assert tells.any()
    np.testing.assert_allclose(found.rate, rate, rtol=1e-4)
    np.testing.assert_array_equal(found.is_active, variance >= 0.01)
    np.testing.assert_array_equal(found.is_active.sum(1), results.metric("active_units"))
    middle = float(np.median(rate))
    by_rate = life_lines(results, "rate_code", middle)
    np.testing.assert_array_equal(by_rate.is_active, rate >= middle)
    assert by_rate.events
    for event in by_rate.events:
        low, high = (
            rate[np.flatnonzero(event_beta == BETA)[0], event.code]
            for event_beta in (event.low, event.high)
        )
        assert (low < middle <= high) if event.kind == "birth" else (high < middle <= low)


def test_betas_without_values_are_left_out() -> None:
    rate = np.linspace(1, 0, 9)[:, None].copy()
    rate[3] = np.nan
    found = life_lines(results_of(rate))
    np.testing.assert_array_equal(found.beta, np.delete(BETA, 3))


def test_a_baseline_has_no_life_lines() -> None:
    with pytest.raises(ResultsError, match=r"values at 1 beta,.*\(a baseline has"):
        life_lines(results_of(np.ones((1, 2)), beta=np.array([4.0])))
