"""Targets and bounds on curves whose answer is known in closed form."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mrtc.architectures import LinearOptimum
from mrtc.errors import MrtcError
from mrtc.evaluation.search import Found, find_at_most, find_target
from mrtc.evaluation.search_curve import LEVEL, REFINE
from mrtc.evaluation.search_roots import MORE, SCAN
from tests.evaluation.search_toys import MOST, WITHIN, Toy


def linear(eigenvalues: list[float]) -> tuple[Toy, LinearOptimum]:
    optimum = LinearOptimum(np.array(sorted(eigenvalues, reverse=True)), len(eigenvalues))
    return Toy(lambda x: optimum.rate(np.array([math.exp(x)]))[0]), optimum


@settings(max_examples=20, deadline=None)
@given(
    eigenvalues=st.lists(st.floats(0.1, 50), min_size=1, max_size=12),
    part=st.floats(0.02, 0.98),
)
def test_the_beta_of_a_rate_is_that_of_the_linear_optimum(
    eigenvalues: list[float], part: float
) -> None:
    """Piecewise linear in log beta, with a kink where a code collapses: in 12 evaluations."""
    toy, optimum = linear(eigenvalues)
    low, high = optimum.rate(np.array([WITHIN.high, WITHIN.low]))
    target = float(low + part * (high - low))
    found = find_target(toy, target, WITHIN)
    assert found.place.value == pytest.approx(target, rel=0.02)
    slope = 0.5  # of one active code at least, in nats for each unit of log beta
    (beta,) = optimum.beta_at_rate(np.array([target]))
    assert abs(math.log(found.place.beta / beta)) <= 0.02 * target / slope + 1e-9
    assert found.others == ()
    assert len(toy.asked) == len(set(toy.asked)) == len(found.evaluations) <= MOST


CURVES: dict[str, Callable[[float], float]] = {
    "logistic": lambda x: 30 / (1 + math.exp(4 * (x + 1))),
    "steep": lambda x: 30 / (1 + math.exp(25 * (x + 1.3))),
    "collapsing": lambda x: 40 * math.exp(-1.5 * (x + 4.6)),
    "with a foot": lambda x: 30 / (1 + math.exp(1.2 * x)) ** 3,
    "rising": lambda x: 80 + 100 / (1 + math.exp(-2 * x)),
    "negative": lambda x: -2000 + 400 / (1 + math.exp(-2 * x)),
}


@pytest.mark.parametrize("shape", CURVES)
@pytest.mark.parametrize("part", [0.03, 0.2, 0.5, 0.8, 0.97])
def test_a_target_is_met_within_two_percent_in_twelve_evaluations(shape: str, part: float) -> None:
    toy = Toy(CURVES[shape])
    ends = CURVES[shape](math.log(WITHIN.low)), CURVES[shape](math.log(WITHIN.high))
    target = ends[0] + part * (ends[1] - ends[0])
    found = find_target(toy, target, WITHIN)
    assert found.place.value == pytest.approx(target, rel=0.02)
    assert len(toy.asked) <= MOST


def test_the_interval_is_error_over_slope() -> None:
    toy = Toy(lambda x: 10 - 2 * x, spread=0.3)
    found = find_target(toy, 9.0, WITHIN)
    half = stats.norm.ppf((1 + LEVEL) / 2) * 0.3 / 2
    assert found.place.error == 0.3
    np.testing.assert_allclose(np.log(found.place.interval), [0.5 - half, 0.5 + half], atol=0.02)
    wide = find_target(Toy(toy.curve, spread=1e9), 9.0, WITHIN)
    assert wide.place.interval == (WITHIN.low, WITHIN.high)


def test_the_interval_covers_the_true_beta_as_often_as_it_says() -> None:
    """300 curves, each shifted by noise of the stated error; three standard errors of the share."""
    rng, truth, hits = np.random.default_rng(0), -0.7, 0
    for shift in rng.normal(0, 0.5, 300):
        noisy = Toy(lambda x, shift=shift: 20 - 3 * x + 0.2 * x**2 + shift, spread=0.5)
        found = find_target(noisy, 20 - 3 * truth + 0.2 * truth**2, WITHIN)
        low, high = np.log(found.place.interval)
        hits += int(low <= truth <= high)
    assert abs(hits / 300 - LEVEL) <= 3 * math.sqrt(LEVEL * (1 - LEVEL) / 300)


def test_a_jump_over_the_target_gives_the_nearest_value_and_ends() -> None:
    found = find_target(Toy(lambda x: 9.0 if x < -0.3 else 1.0), 6.0, WITHIN)
    assert found.place.value == 9.0
    assert found.place.beta == pytest.approx(math.exp(-0.3), rel=2e-4)
    assert len(found.evaluations) <= SCAN + REFINE + MORE


def test_both_places_of_a_target_that_is_met_twice_are_found() -> None:
    def valley(x: float) -> float:
        return 5 + (x + 1) ** 2

    found = find_target(Toy(valley), 7.0, WITHIN)
    betas = [place.beta for place in (found.place, *found.others)]
    np.testing.assert_allclose(np.log(betas), [-1 - math.sqrt(2), -1 + math.sqrt(2)], atol=0.01)
    np.testing.assert_allclose([p.value for p in (found.place, *found.others)], 7, rtol=0.005)
    assert len(found.evaluations) <= 2 * MOST - SCAN


def test_a_target_below_all_that_was_scanned_is_looked_for_where_the_curve_turns() -> None:
    """The least scanned value is 5.16, at -1.15 for the grid of five; the target lies below."""
    found = find_target(Toy(lambda x: 5 + 4 * (x + 0.95) ** 2), 5.03, WITHIN)
    betas = [place.beta for place in (found.place, *found.others)]
    half = math.sqrt(0.03 / 4)
    np.testing.assert_allclose(np.log(betas), [-0.95 - half, -0.95 + half], atol=0.05)


@pytest.mark.parametrize("target", [4.0, 60.0])
def test_a_target_out_of_reach_is_said_with_what_the_range_reaches(target: float) -> None:
    valley = Toy(lambda x: 5 + (x + 1) ** 2)
    with pytest.raises(MrtcError, match=rf"0\.01:10 was found with rate {target:g}: .* from 5"):
        find_target(valley, target, WITHIN)


def test_a_level_curve_has_its_target_everywhere() -> None:
    found = find_target(Toy(lambda _: 3.0, spread=0.1), 3.0, WITHIN)
    assert found.place.interval == (WITHIN.low, WITHIN.high)


@pytest.mark.parametrize("bound", [90.0, 130.0, 179.0])
def test_the_largest_beta_within_a_bound_keeps_it(bound: float) -> None:
    toy = Toy(CURVES["rising"], spread=0.5)
    found = find_at_most(toy, bound, WITHIN)
    exact = -math.log(100 / (bound - 80) - 1) / 2
    assert found.place.value <= bound
    assert found.place.value == pytest.approx(bound, rel=0.003)
    assert math.log(found.place.beta) == pytest.approx(exact, abs=0.02)
    assert len(toy.asked) <= MOST


def test_the_high_end_is_the_answer_where_all_are_within_the_bound() -> None:
    free = find_at_most(Toy(lambda x: x, spread=0.1), 50.0, WITHIN)
    assert (free.place.beta, free.place.interval) == (WITHIN.high, (WITHIN.high, WITHIN.high))
    assert len(free.evaluations) == SCAN
    top = math.log(WITHIN.high)
    close = find_at_most(Toy(lambda x: x, spread=0.1), top + 0.05, WITHIN)
    assert close.place.beta == WITHIN.high
    low = top + 0.05 - stats.norm.ppf(0.975) * 0.1
    np.testing.assert_allclose(np.log(close.place.interval), [low, top])


def test_a_bound_that_is_passed_twice_gives_the_larger_beta_and_both_places() -> None:
    """Within the bound below -3, and again between 0 and 1.5."""

    def curve(x: float) -> float:
        return 10 + (x + 3) * x * (x - 1.5)

    found = find_at_most(Toy(curve), 10.0, WITHIN)
    betas = [*(place.beta for place in found.others), found.place.beta]
    np.testing.assert_allclose(np.log(betas), [-3, 0, 1.5], atol=0.02)


def test_a_bound_below_the_curve_is_refused() -> None:
    with pytest.raises(MrtcError, match=r"rate of at most 70: .* choose a bound above"):
        find_at_most(Toy(CURVES["rising"]), 70.0, WITHIN)


def test_a_value_that_is_none_is_said_with_its_beta() -> None:
    with pytest.raises(MrtcError, match=r"rate is nan at beta 0\.01; leave .* --within"):
        find_target(Toy(lambda _: math.nan), 1.0, WITHIN)

    def refuse(_: float) -> float:
        raise ValueError("there are no codes")

    with pytest.raises(MrtcError, match=r"at beta 0\.01: there are no codes; leave .* --within"):
        find_target(Toy(refuse), 1.0, WITHIN)


def test_each_evaluation_is_told_once() -> None:
    told: list[tuple[float, float]] = []
    found: Found = find_target(
        Toy(CURVES["logistic"]), 12.0, WITHIN, watch=lambda beta, value: told.append((beta, value))
    )
    assert sorted(told) == list(found.evaluations)
