"""Beta as a quantity: parsing, grids, draws, standardisation."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mrtc.errors import BetaError
from mrtc.randomness import torch_stream
from mrtc.rates import BetaRange, parse_grid

betas = st.floats(1e-3, 1e3)


def test_a_grid_is_log_spaced_with_both_ends() -> None:
    """Neighbours have one ratio, and the ends are those that were written."""
    grid = parse_grid("0.1:10:50")

    assert len(grid) == 50
    assert (grid[0], grid[-1]) == (0.1, 10.0)
    np.testing.assert_allclose(grid[1:] / grid[:-1], 100 ** (1 / 49), rtol=1e-12)


def test_lists_and_single_numbers_are_grids() -> None:
    np.testing.assert_array_equal(parse_grid("0.5,1,4"), [0.5, 1, 4])
    np.testing.assert_array_equal(parse_grid("4"), [4])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.1:10", "is not a grid of betas; write a grid as low:high:count"),
        ("0.1:10:5:5", "is not a grid of betas"),
        ("a:10:5", "'a' in 'a:10:5' is not a number"),
        ("", "'' in '' is not a number"),
        ("0:10:5", "beta 0 in '0:10:5' is not positive and finite"),
        ("-1", "beta -1 in '-1' is not positive"),
        ("0.1:inf:5", "beta inf in '0.1:inf:5' is not positive and finite"),
        ("nan", "beta nan in 'nan' is not positive and finite"),
        ("10:0.1:5", "is reversed; write 0.1:10:5"),
        ("0.1:10:1", "at least two points; for one beta write 0.1"),
        ("1:1:5", "at least two points; for one beta write 1"),
        ("0.1:10:2.5", "the count in '0.1:10:2.5' is not a whole number"),
        ("0.1:10:-3", "the count in '0.1:10:-3' is not a whole number"),
        ("4,1", "do not increase"),
    ],
)
def test_a_bad_grid_is_refused(text: str, message: str) -> None:
    with pytest.raises(BetaError) as caught:
        parse_grid(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.1:10:5", "is not a range of betas; write a range as low:high"),
        ("10:0.1", "is reversed; write it as 0.1:10"),
        ("0:1", "is not positive"),
        ("x:1", "'x' in 'x:1' is not a number"),
        ("2:2", "holds one beta; give two different ones"),
    ],
)
def test_a_bad_range_is_refused(text: str, message: str) -> None:
    with pytest.raises(BetaError) as caught:
        BetaRange.parse(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("low", "high", "at_one"),
    # Published values of the standardised log beta at beta = 1, to four digits.
    [(0.01, 10.0, 0.5774), (0.1, 10.0, 0.0), (0.001, 10.0, 0.8660)],
)
def test_standardisation_has_the_published_values(low: float, high: float, at_one: float) -> None:
    """The code is uniform on +-sqrt 3 over the range."""
    code = BetaRange(low, high).standardise(torch.tensor([low, 1.0, high], dtype=torch.float64))

    expected = torch.tensor([-math.sqrt(3), at_one, math.sqrt(3)], dtype=torch.float64)
    torch.testing.assert_close(code, expected, atol=5e-5, rtol=0)


@given(low=betas, ratio=st.floats(1.01, 1e4))
def test_drawn_betas_have_standardised_codes(low: float, ratio: float) -> None:
    """Over 4,000 draws: mean 0 and deviation 1 within five standard errors, inside the range."""
    span = BetaRange(low, low * ratio)
    drawn = span.draw(4000, torch_stream(0, "test")).double()
    code = span.standardise(drawn)

    assert abs(code.mean()) < 5 / math.sqrt(4000)
    assert abs(code.std() - 1) < 5 * math.sqrt((1.8 - 1) / 4 / 4000)  # uniform: kurtosis 1.8
    span.require(drawn.tolist())


def test_a_baselines_code_is_zero() -> None:
    assert BetaRange(4.0, 4.0).standardise(torch.tensor([4.0])).item() == 0
    assert str(BetaRange(4.0, 4.0)) == "4"


def test_a_beta_outside_the_range_is_refused_unless_one_insists() -> None:
    span = BetaRange(0.1, 10.0)
    span.require([0.1, 10.0])
    span.require([20.0], extrapolate=True)
    with pytest.raises(BetaError) as caught:
        span.require([0.05, 1.0, 20.0])
    message = str(caught.value)
    assert "beta 0.05, 20 lies outside" in message
    assert "trained for beta in 0.1:10" in message
    assert "--extrapolate" in message
