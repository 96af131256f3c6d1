"""Adaptive grids on curves that are known everywhere."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrtc.errors import BetaError
from mrtc.evaluation.adaptive import AdaptiveGrid, curves, doubts, next_beta
from mrtc.rates import BetaRange

Curve = Callable[[np.ndarray], np.ndarray]
CANDIDATES = np.geomspace(0.01, 10, 65)
X = np.linspace(0, 1, 65)  # log beta, as a share of the range


def searched(curve: Curve, tolerance: float = 0.02, most: int = 65) -> list[int]:
    """Positions in the order in which they are evaluated; what is pending is NaN."""
    evaluated, order = np.zeros(65, bool), []
    while len(order) < most:
        values = np.where(evaluated, curve(X), np.nan)[None]
        position = next_beta(CANDIDATES, values, evaluated, tolerance)
        if position is None:
            break
        assert not evaluated[position]
        evaluated[position] = True
        order.append(position)
    return order


def largest_error(curve: Curve, x: np.ndarray) -> float:
    """Of straight lines between the points ``x``, over a grid that is finer by far."""
    fine = np.linspace(0, 1, 20_001)
    return float(np.abs(np.interp(fine, x, curve(x)) - curve(fine)).max())


def step(x: np.ndarray) -> np.ndarray:
    return (x > 0.37).astype(float)


def hinge(x: np.ndarray) -> np.ndarray:
    return np.maximum(x - 0.71, 0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-40 * (x - 0.5)))


def peak(x: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * ((x - 0.4) / 0.08) ** 2)


@pytest.mark.parametrize("slope", [0.0, 1.0, -300.0])
def test_a_straight_line_needs_the_first_five_betas(slope: float) -> None:
    assert searched(lambda x: 7 + slope * x) == [0, 16, 32, 48, 64]


def test_rounding_is_no_bend() -> None:
    noise = np.random.default_rng(0).normal(size=65) * 1e-8
    assert len(searched(lambda _: 200 * (1 + noise))) == 5


def test_a_step_is_located_with_few_betas() -> None:
    """To the finest interval, for which an even grid needs all 65 betas."""
    order = searched(step)
    assert {23, 24} <= set(order)  # 23/64 < 0.37 < 24/64
    assert len(order) == 13


@pytest.mark.parametrize("curve", [step, hinge, sigmoid, peak])
def test_lines_are_better_than_over_an_even_grid(curve: Curve) -> None:
    """With as many betas; a step stays one, only nearer."""
    order = searched(curve, most=25)
    x = X[np.sort(order)]
    even = np.linspace(0, 1, len(x))
    if curve is step:
        assert np.diff(x).min() < np.diff(even).min() / 3
        return
    assert largest_error(curve, x) < 0.7 * largest_error(curve, even)


@pytest.mark.parametrize("curve", [hinge, sigmoid, peak])
@pytest.mark.parametrize("tolerance", [0.1, 0.02])
def test_lines_are_within_the_tolerance_where_the_search_ends(
    curve: Curve, tolerance: float
) -> None:
    order = searched(curve, tolerance)
    assert len(order) < 65
    span = np.ptp(curve(np.linspace(0, 1, 20_001)))
    assert largest_error(curve, X[np.sort(order)]) < tolerance * span


def test_a_turning_point_at_a_beta_is_no_reason_to_stop() -> None:
    """A symmetric sigmoid is at 0, 0, 1/2, 1, 1: as if straight lines met there."""
    steep = searched(lambda x: 1 / (1 + np.exp(-100 * (x - 0.5))))
    assert {30, 31, 32, 33, 34} <= set(steep)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.floats(0.05, 0.95), min_size=1, max_size=4, unique=True),
    st.sets(st.integers(1, 63), min_size=3, max_size=12),
    st.floats(-1, 1),
)
def test_convex_curves_lie_within_the_doubt(
    kinks: list[float], inner: set[int], slope: float
) -> None:
    """A bound, however uneven the points; the widest triangle is the one of a kink."""

    def curve(x: np.ndarray) -> np.ndarray:
        return slope * x + sum(np.abs(x - kink) for kink in kinks)

    x = X[np.sort([0, *inner, 64])]
    span = np.ptp(curve(x))
    if span < 1e-3:
        return
    for low, high, doubt in zip(x[:-1], x[1:], doubts(x, curve(x)[None])[0], strict=True):
        fine = np.linspace(low, high, 501)
        line = np.interp(fine, [low, high], curve(np.array([low, high])))
        assert (line - curve(fine)).max() <= (doubt + 1e-9) * span


def test_the_doubts_of_a_kink_and_of_a_jump_are_those_of_a_drawing() -> None:
    """A kink by 0.4 halfway between 2 and 3, a line is off by 0.1; a jump from 2 to 3 by 1."""
    x = np.arange(6.0)
    kink = np.maximum(x - 2.5, 0) / 2.5
    assert doubts(x, kink[None])[0, 2] == pytest.approx(0.1)
    jump = (x > 2).astype(float)
    found = doubts(x, jump[None])[0]
    assert found[2] == pytest.approx(0.5)
    # The flat neighbours: twice h^2 |f''| / 8, with a change of slope of 1 over a width of 1.
    np.testing.assert_allclose(found[[1, 3]], 1 / 4)
    np.testing.assert_allclose(found[[0, 4]], 0)


def test_the_worst_of_several_curves_decides() -> None:
    evaluated = np.zeros(65, bool)
    evaluated[[0, 16, 32, 48, 64]] = True
    values = np.stack([X, 1e6 * step(X), 1e-6 * X])
    alone = next_beta(CANDIDATES, values[1:2], evaluated, 0.02)
    assert alone is not None
    assert next_beta(CANDIDATES, values, evaluated, 0.02) == alone
    assert next_beta(CANDIDATES, values[[0, 2]], evaluated, 0.02) is None


def test_values_that_are_not_finite_are_in_no_doubt() -> None:
    x = np.arange(5.0)
    found = doubts(x, np.array([[0, 1, np.nan, np.inf, 0], [0.0, 1, 2, 3, 4]]))
    np.testing.assert_array_equal(found[:, 1:], 0)
    assert np.isfinite(found).all()


def test_the_order_is_that_of_what_is_evaluated_alone() -> None:
    """Begun anew after any beta, the search goes on as it did."""
    order = searched(peak)
    for done in range(len(order)):
        evaluated = np.zeros(65, bool)
        evaluated[order[:done]] = True
        values = np.where(evaluated, peak(X), np.nan)[None]
        assert next_beta(CANDIDATES, values, evaluated, 0.02) == order[done]


def test_both_ends_of_an_interval_are_curves() -> None:
    flat = np.zeros(5)
    found = curves({"rate": flat, "rate_error": np.array([0.0, 0, 1, 0, 0])}, ["rate"], 5)
    bends = found[np.isfinite(found).all(1)]
    np.testing.assert_allclose(bends[:, 2], [-1.96, 1.96])
    assert np.isnan(curves({}, ["rate"], 5)).all()


def test_the_budget_ends_the_search() -> None:
    grid = AdaptiveGrid(most_betas=7, refined=("rate",))
    evaluated = np.zeros(65, bool)
    for _ in range(7):
        position = grid.next(CANDIDATES, {"rate": np.where(evaluated, step(X), np.nan)}, evaluated)
        assert position is not None
        evaluated[position] = True
    assert grid.next(CANDIDATES, {"rate": step(X)}, evaluated) is None


def test_unless_named_rate_and_distortion_and_the_mig_decide() -> None:
    """As far as they are measured; a step in any of them is found, and one in another is not."""
    evaluated = np.zeros(65, bool)
    evaluated[[0, 16, 32, 48, 64]] = True
    flat = np.zeros(65)
    for name in ("rate", "distortion", "mig_chen"):
        found = AdaptiveGrid().next(CANDIDATES, {"elbo": flat, name: step(X)}, evaluated)
        assert found == 8  # at an end no line comes in, and there the doubt is largest
    others = {"rate": flat, "active_units": step(X)}
    assert AdaptiveGrid().next(CANDIDATES, others, evaluated) is None


def test_a_named_curve_that_is_not_measured_is_refused() -> None:
    grid = AdaptiveGrid(refined=("rate", "beauty"))
    nothing = np.zeros(65, bool)
    assert grid.next(CANDIDATES, {}, nothing) == 0  # nothing is measured before the first beta
    nothing[0] = True
    with pytest.raises(BetaError, match="go by beauty, which is not measured: there are rate; nam"):
        grid.next(CANDIDATES, {"rate": X}, nothing)


def test_a_gap_and_a_curve_of_nan_do_not_hide_a_step_elsewhere() -> None:
    evaluated = np.zeros(65, bool)
    evaluated[[0, 16, 32, 48, 64]] = True
    gap = step(X)
    gap[64] = np.nan
    values = np.stack([np.full(65, np.nan), gap])
    assert next_beta(CANDIDATES, values, evaluated, 0.02) == 8
    assert next_beta(CANDIDATES, values[:1], evaluated, 0.02) is None


@pytest.mark.parametrize(("most", "count"), [(5, 65), (65, 65), (66, 129), (200, 257)])
def test_candidates_suffice_for_the_budget(most: int, count: int) -> None:
    found = AdaptiveGrid(most_betas=most).candidates(BetaRange(0.1, 10.0))
    np.testing.assert_allclose(found, np.logspace(-1, 1, count))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": 0.0}, r"tolerance .* is 0\.0; choose one between 0 and 1"),
        ({"tolerance": float("nan")}, "tolerance .* is nan"),
        ({"most_betas": 4}, "begins with 5 betas, and at most 4 were allowed; allow at least 5"),
        ({"refined": ()}, "needs a curve"),
    ],
)
def test_what_cannot_be_asked_for(options: dict[str, object], message: str) -> None:
    with pytest.raises(BetaError, match=message):
        AdaptiveGrid(**options)  # type: ignore[arg-type]


def test_too_few_candidates_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 5 candidates, got 4"):
        next_beta(np.geomspace(1, 2, 4), np.zeros((1, 4)), np.zeros(4, bool), 0.1)
