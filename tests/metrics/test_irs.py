"""IRS against its definition, and cases known by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mrtc.metrics.irs import irs
from tests.references.irs import irs_value

GRID = np.stack(np.unravel_index(np.arange(3 * 4 * 5), (3, 4, 5)), 1)


def draw(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    v = np.stack([rng.permutation(np.arange(150) % k) for k in (2, 3, 5)], 1) * np.array([1, 1, 3])
    z = v @ rng.standard_normal((3, 4)) + 0.3 * rng.standard_normal((150, 4))
    return z * np.array([1, 2, 0.1, 5]), v


@pytest.mark.oracle("irs")
@pytest.mark.parametrize("quantile", [0.5, 0.99, 1.0])
def test_the_definition(quantile: float) -> None:
    z, v = draw()
    assert irs(z, v, quantile=quantile).value == pytest.approx(irs_value(z, v, quantile))


@pytest.mark.oracle("irs")
def test_codes_of_one_factor_each_are_robust() -> None:
    got = irs(np.repeat(GRID, 2, axis=1), GRID)
    assert got.value == pytest.approx(1)
    np.testing.assert_allclose(got.per_code, 1)


@pytest.mark.oracle("irs")
def test_a_sum_of_two_signs_is_half_robust() -> None:
    """Held at either sign, the sum still moves by 1 of the 2 it moves at most; its weight is 2/3,
    the other third is that of a sign alone: 2/3 · 1/2 + 1/3 · 1."""
    v = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 2)
    signs = 2 * v - 1
    got = irs(np.stack([signs.sum(1), signs[:, 0], np.full(8, 0.3)], 1), v)
    np.testing.assert_allclose(got.per_code, [1 / 2, 1, np.nan])
    assert got.value == pytest.approx(2 / 3)


def test_classes_of_one_example_say_nothing() -> None:
    """With a row of a class of its own in every factor, the other rows decide the deviations."""
    z, v = draw()
    extra = irs(np.vstack([z, z.mean(0)]), np.vstack([v, [9, 9, 99]])).value
    assert extra == pytest.approx(irs(z, v).value)
    everyone = irs(z, np.arange(150)[:, None])
    assert everyone.reason == "no factor varies and has a class of two examples"


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
@pytest.mark.oracle("irs")
def test_order_and_sign_of_codes_do_not_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    z, v = draw(seed)
    value = irs(z, v).value
    assert value <= 1
    other = z[:, rng.permutation(4)] * rng.choice([-1, 1], 4)
    assert irs(3 * other + 1, v[:, ::-1]).value == pytest.approx(value)


def test_noise_is_hardly_robust() -> None:
    z = np.random.default_rng(0).uniform(-1, 1, (6000, 3))
    assert irs(z, np.arange(6000)[:, None] % 3).value == pytest.approx(0, abs=0.03)


def test_no_value_has_a_reason() -> None:
    z, v = draw()
    assert irs(np.full((150, 2), 0.1), v).reason == "no code varies"
    for few in (irs(z[:1], v[:1]), irs(z, 0 * v)):
        assert np.isnan(few.value)
        assert few.reason == "no factor varies and has a class of two examples"


def test_a_thousand_codes_and_one() -> None:
    z = np.random.default_rng(0).standard_normal((12, 1000))
    assert irs(z, GRID[:12]).value <= 1
    assert irs(z[:, :1], GRID[:12]).value <= 1


def test_bad_input_is_refused() -> None:
    z, v = draw()
    with pytest.raises(ValueError, match="one row for each example"):
        irs(z, v[1:])
    with pytest.raises(ValueError, match="not finite"):
        irs(np.where(z > 1, np.nan, z), v)
    with pytest.raises(ValueError, match=r"quantile lies in \(0, 1\]; got 0"):
        irs(z, v, quantile=0.0)
