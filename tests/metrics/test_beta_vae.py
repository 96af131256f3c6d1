"""The beta-VAE score against the protocol drawn one at a time, and cases known by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrtc.metrics.beta_vae import beta_vae
from tests.references.fixed_factor import beta_vae_accuracy

GRID = np.stack(np.unravel_index(np.arange(3 * 4 * 5), (3, 4, 5)), 1)
FEW = {"train": 400, "test": 200, "batch": 16}


def draw(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy mixtures of unbalanced factors, some combinations of which never occur."""
    rng = np.random.default_rng(seed)
    v = np.stack([rng.binomial(k - 1, 0.4, size=400) for k in (2, 3, 4)], 1)
    v = v[v.sum(1) < 5]
    return v @ rng.standard_normal((3, 4)) + 0.5 * rng.standard_normal((len(v), 4)), v


@pytest.mark.oracle("beta_vae")
@pytest.mark.parametrize("seed", [0, 1])
def test_the_protocol_one_draw_at_a_time(seed: int) -> None:
    """Other draws, so equal up to three standard errors of 1,000 points, twice, or 0.07."""
    z, v = draw(seed)
    got = beta_vae(z, v, train=1000, test=1000, batch=4)
    assert 0.4 < got.value < 0.95
    assert got.value == pytest.approx(beta_vae_accuracy(z, v, 1000, 4, seed), abs=0.07)


@pytest.mark.oracle("beta_vae")
def test_a_code_for_each_factor_tells_all() -> None:
    for z in (GRID, -GRID[:, [1, 2, 0]], np.repeat(GRID, 2, axis=1)):
        got = beta_vae(z, GRID, **FEW)
        assert got.value == 1
        np.testing.assert_array_equal(got.per_factor, 1)


@pytest.mark.oracle("beta_vae")
def test_one_factor_without_a_code_is_told_by_exclusion() -> None:
    """As Kim and Mnih point out: two codes suffice to name three factors."""
    assert beta_vae(GRID[:, :2], GRID, **(FEW | {"batch": 64})).value > 0.97


@pytest.mark.oracle("beta_vae")
def test_noise_is_named_by_chance() -> None:
    z = np.random.default_rng(0).standard_normal((3000, 4))
    v = np.random.default_rng(1).integers(4, size=(3000, 4))
    assert beta_vae(z, v).value == pytest.approx(1 / 4, abs=0.04)


def test_standardised_points_do_not_depend_on_the_scale() -> None:
    """The penalty leaves nothing of codes of small scale, unless they are standardised."""
    z, v = draw()
    assert beta_vae(1e-4 * z, v, **FEW).value < 0.5 < beta_vae(z, v, **FEW).value
    small, usual = (beta_vae(s * z, v, standardise=True, **FEW) for s in (1e-4, 1))
    assert small.value == pytest.approx(usual.value)


def test_unlike_scales_converge() -> None:
    assert beta_vae(GRID * np.array([1e-3, 1.0, 1e3]), GRID, **FEW).value > 0.5


def test_factors_that_never_vary_or_never_repeat_are_left_out() -> None:
    v = np.column_stack([np.zeros(60, int), GRID, np.arange(60)])
    got = beta_vae(GRID, v, **FEW)
    assert np.isnan(got.per_factor).tolist() == [True, False, False, False, True]
    assert got.value == 1


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
@pytest.mark.oracle("beta_vae")
def test_order_and_sign_of_codes_do_not_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    z, v = draw(seed)
    value = beta_vae(z, v, **FEW).value
    assert 0 <= value <= 1
    other = z[:, rng.permutation(4)] * rng.choice([-1, 1], 4) + 2
    # the fit stops at a tolerance, so that single points may turn
    assert beta_vae(other, v, **FEW).value == pytest.approx(value, abs=0.02)


def test_the_seed_alone_decides() -> None:
    z, v = draw()
    assert beta_vae(z, v, seed=1, **FEW).value == beta_vae(z, v, seed=1, **FEW).value
    assert beta_vae(z, v, seed=1, **FEW).value != beta_vae(z, v, seed=2, **FEW).value


def test_no_value_has_a_reason() -> None:
    z, v = draw()
    assert beta_vae(np.full(z.shape, 0.1), v).reason == "no code varies"
    for few in (beta_vae(z[:1], v[:1]), beta_vae(z, v[:, :1]), beta_vae(z, 0 * v)):
        assert np.isnan(few.value)
        assert few.reason == "fewer than two factors vary and have a class of two examples"
    assert beta_vae(z, v, train=1).reason == "all training points have the same factor fixed"


def test_a_thousand_codes_and_one() -> None:
    z = np.random.default_rng(0).standard_normal((12, 1000))
    assert 0 <= beta_vae(z, GRID[:12], train=30, test=20, batch=4).value <= 1
    assert 0 <= beta_vae(z[:, :1], GRID[:12], **FEW).value <= 1


def test_bad_input_is_refused() -> None:
    z, v = draw()
    with pytest.raises(ValueError, match="one row for each example"):
        beta_vae(z, v[1:])
    with pytest.raises(ValueError, match="not finite"):
        beta_vae(np.where(z > 1, np.nan, z), v)
    with pytest.raises(ValueError, match="batch=0"):
        beta_vae(z, v, batch=0)
