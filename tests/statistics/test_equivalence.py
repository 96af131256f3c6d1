"""Two one-sided tests against scipy's one-sided ones; Holm's rule against closed testing."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mrtc.statistics.equivalence import equivalence, holm
from mrtc.statistics.intervals import difference

seeds = st.integers(0, 10_000)
margins = st.floats(0.1, 10)


def draw(seed: int, shift: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(shift, 1, 4), rng.normal(0, 2, 4)


@settings(max_examples=20, deadline=None)
@given(seeds, margins, st.booleans())
def test_p_is_the_larger_of_two_one_sided_ones(seed: int, margin: float, paired: bool) -> None:
    a, b = draw(seed)
    if paired:
        below = stats.ttest_rel(a - margin, b, alternative="less")
        above = stats.ttest_rel(a + margin, b, alternative="greater")
    else:
        below = stats.ttest_ind(a - margin, b, equal_var=False, alternative="less")
        above = stats.ttest_ind(a + margin, b, equal_var=False, alternative="greater")
    got = equivalence(a, b, margin, paired=paired)
    assert got.p_value == pytest.approx(max(below.pvalue, above.pvalue))
    assert got.margin == margin
    assert got.difference == difference(a, b, paired=paired, level=0.9)


@settings(max_examples=40, deadline=None)
@given(seeds, margins, st.booleans(), st.floats(0.01, 0.49))
def test_agrees_with_the_interval(seed: int, margin: float, paired: bool, alpha: float) -> None:
    """p is at most alpha just where the interval of level 1 - 2 alpha lies within the margin."""
    got = equivalence(*draw(seed), margin, paired=paired, alpha=alpha)
    assert got.difference.level == pytest.approx(1 - 2 * alpha)
    within = -margin <= got.difference.low and got.difference.high <= margin
    assert (got.p_value <= alpha) == within


def test_the_interval_at_the_margin_has_p_alpha() -> None:
    a, b = draw(0)
    for paired in (False, True):
        end = max(map(abs, (lambda d: (d.low, d.high))(difference(a, b, paired=paired, level=0.9))))
        assert equivalence(a, b, end, paired=paired).p_value == pytest.approx(0.05)


@pytest.mark.parametrize(("shift", "p_value"), [(0.0, 0), (1.5, 0), (2.0, 0.5), (3.0, 1)])
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("paired", [False, True])
def test_without_variance(shift: float, p_value: float, sign: int, paired: bool) -> None:
    """Also the limit of a small variance, on either side."""
    equal, spread = np.zeros(3), np.array([-1e-6, 0, 1e-6])
    got = equivalence(equal + sign * shift, equal, 2.0, paired=paired)
    near = equivalence(spread + sign * shift, equal, 2.0, paired=paired)
    assert got.p_value == p_value
    assert near.p_value == pytest.approx(p_value, abs=1e-9)


def test_too_few_runs_have_no_p() -> None:
    one, none = np.ones(1), np.full(2, np.nan)
    assert np.isnan(equivalence(one, one, 5.0, paired=True).p_value)
    assert np.isnan(equivalence(one, np.zeros(3), 5.0, paired=False).p_value)
    assert np.isnan(equivalence(none, np.zeros(2), 5.0, paired=True).p_value)


def closed_testing(p_values: np.ndarray) -> list[float]:
    """By enumeration: a hypothesis falls if every set that holds it falls by Bonferroni's rule."""
    indices = range(len(p_values))
    sets = [s for size in indices for s in combinations(indices, size + 1)]
    return [max(min(1, len(s) * p_values[list(s)].min()) for s in sets if i in s) for i in indices]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.01, 0.02, 0.2, 1.0]) | st.floats(0, 1), max_size=6))
def test_holm_is_closed_testing_by_bonferroni(p_values: list[float]) -> None:
    p = np.array(p_values, dtype=np.float64)
    np.testing.assert_allclose(holm(p), closed_testing(p), rtol=1e-12)


def test_holm_does_not_count_what_is_not_there() -> None:
    p = np.array([np.nan, 0.04, 0.01, np.nan, 0.03])
    got = holm(p)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(p))
    np.testing.assert_array_equal(got[[1, 2, 4]], holm(p[[1, 2, 4]]))
    assert np.isnan(holm(p[:1])).all()


@pytest.mark.parametrize("margin", [0.0, -1.0, float("nan"), float("inf")])
def test_bad_margin(margin: float) -> None:
    with pytest.raises(ValueError, match=f"positive and finite, got {margin}"):
        equivalence(*draw(0), margin, paired=True)


@pytest.mark.parametrize("alpha", [0.0, 0.5, float("nan")])
def test_bad_alpha(alpha: float) -> None:
    with pytest.raises(ValueError, match=f"between 0 and 0.5, got {alpha}"):
        equivalence(*draw(0), 1.0, paired=True, alpha=alpha)


@pytest.mark.parametrize("bad", [-0.01, 1.01, np.inf])
def test_bad_p_values(bad: float) -> None:
    with pytest.raises(ValueError, match=r"between 0 and 1, got \["):
        holm(np.array([0.5, bad, np.nan]))
