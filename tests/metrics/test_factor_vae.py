"""The FactorVAE score against the protocol drawn one at a time, and cases known by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrtc.metrics.factor_vae import factor_vae
from tests.references.fixed_factor import factor_vae_accuracy

GRID = np.stack(np.unravel_index(np.arange(3 * 4 * 5), (3, 4, 5)), 1)
FEW = {"train_votes": 600, "test_votes": 300}


def draw(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy mixtures of unbalanced factors, some combinations of which never occur."""
    rng = np.random.default_rng(seed)
    v = np.stack([rng.binomial(k - 1, 0.4, size=400) for k in (2, 3, 4)], 1)
    v = v[v.sum(1) < 5]
    return v @ rng.standard_normal((3, 4)) + 0.5 * rng.standard_normal((len(v), 4)), v


@pytest.mark.oracle("factor_vae")
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_protocol_one_draw_at_a_time(seed: int) -> None:
    """Other draws, so equal up to three standard errors of 3,000 votes, twice, or 0.04."""
    z, v = draw(seed)
    got = factor_vae(z, v, train_votes=3000, test_votes=3000, batch=8)
    assert 0.4 < got.value < 0.99
    assert got.value == pytest.approx(factor_vae_accuracy(z, v, 3000, 8, seed), abs=0.04)


@pytest.mark.oracle("factor_vae")
def test_a_code_for_each_factor_is_named_rightly() -> None:
    got = factor_vae(GRID[:, [2, 0, 1]] * np.array([-1, 5, 2]), GRID, **FEW)
    assert got.value == 1
    np.testing.assert_array_equal(got.per_factor, 1)
    assert factor_vae(np.repeat(GRID, 2, axis=1), GRID, **FEW).value == 1


@pytest.mark.oracle("factor_vae")
def test_one_code_names_one_factor() -> None:
    """With a single code all votes are alike: the share of its factor, 1/3 of those drawn."""
    got = factor_vae(GRID[:, :1], GRID, train_votes=600, test_votes=3000)
    assert got.value == pytest.approx(1 / 3, abs=0.03)
    assert sorted(got.per_factor) == [0, 0, 1]


@pytest.mark.oracle("factor_vae")
def test_noise_is_named_by_chance() -> None:
    z = np.random.default_rng(0).standard_normal((3000, 4))
    v = np.random.default_rng(1).integers(4, size=(3000, 4))
    assert factor_vae(z, v, batch=16).value == pytest.approx(1 / 4, abs=0.05)


def test_codes_below_the_threshold_get_no_votes() -> None:
    z = np.column_stack([GRID, 0.001 * GRID, np.full(60, 0.1)])
    got = factor_vae(z, GRID, **FEW)
    assert (got.value, got.parameters["active_codes"]) == (1, 3)
    assert factor_vae(z, GRID, threshold=0.0, **FEW).parameters["active_codes"] == 6
    deviation = float(GRID[:, 0].std(ddof=1))  # one that equals the threshold is active
    assert factor_vae(GRID, GRID, threshold=deviation, **FEW).parameters["active_codes"] == 3


def test_factors_that_never_vary_or_never_repeat_are_left_out() -> None:
    v = np.column_stack([np.zeros(60, int), GRID, np.arange(60)])
    got = factor_vae(GRID, v, **FEW)
    assert np.isnan(got.per_factor).tolist() == [True, False, False, False, True]
    assert got.value == 1


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
@pytest.mark.oracle("factor_vae")
def test_order_sign_and_scale_of_codes_do_not_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    z, v = draw(seed)
    value = factor_vae(z, v, **FEW).value
    assert 0 <= value <= 1
    other = z[:, rng.permutation(4)] * rng.choice([-1, 1], 4) * rng.uniform(1, 3, 4)
    assert factor_vae(other, v, threshold=0.0, **FEW).value == pytest.approx(value)


def test_the_seed_alone_decides() -> None:
    z, v = draw()
    assert factor_vae(z, v, seed=1).value == factor_vae(z, v, seed=1).value
    assert factor_vae(z, v, seed=1).value != factor_vae(z, v, seed=2).value


def test_no_value_has_a_reason() -> None:
    z, v = draw()
    dead = factor_vae(np.full(z.shape, 0.1), v)
    assert dead.reason == "no code has a standard deviation of 0.05 or more"
    assert dead.parameters["active_codes"] == 0
    assert factor_vae(0 * z, v, threshold=0.0).reason is not None
    for few in (factor_vae(z[:1], v[:1]), factor_vae(z, v[:, :1]), factor_vae(z, 0 * v)):
        assert np.isnan(few.value)
        assert few.reason == "fewer than two factors vary and have a class of two examples"


def test_a_thousand_codes_and_few_votes() -> None:
    z = np.random.default_rng(0).standard_normal((12, 1000))
    assert 0 <= factor_vae(z, GRID[:12], train_votes=30, test_votes=20).value <= 1
    assert 0 <= factor_vae(z, GRID[:12], train_votes=1, test_votes=1).value <= 1


def test_bad_input_is_refused() -> None:
    z, v = draw()
    with pytest.raises(ValueError, match="one row for each example"):
        factor_vae(z, v[1:])
    with pytest.raises(ValueError, match="not finite"):
        factor_vae(np.where(z > 1, np.nan, z), v)
    with pytest.raises(ValueError, match="batch=1"):
        factor_vae(z, v, batch=1)
