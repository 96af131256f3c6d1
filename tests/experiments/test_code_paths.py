"""Ways between codes, by what geometry says of them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mrtc.experiments.code_paths import along_circle, along_line
from mrtc.randomness import torch_stream

STEPS = torch.linspace(0, 1, 9)


def ends(seed: int, codes: int) -> tuple[torch.Tensor, torch.Tensor]:
    start, end = torch.randn(2, codes, generator=torch_stream(seed, "ends"), dtype=torch.float64)
    return start, end


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), codes=st.integers(2, 32), norm=st.floats(0.1, 10))
def test_a_circle_keeps_the_norm_and_turns_evenly(seed: int, codes: int, norm: float) -> None:
    """With ends of one norm; the angles between neighbours are an eighth of that of the ends."""
    start, end = (norm * one / one.norm() for one in ends(seed, codes))
    path = along_circle(start, end, STEPS)

    np.testing.assert_allclose(path.norm(dim=1), norm, rtol=1e-6)
    turned = torch.stack([path[:-1], path[1:]]).prod(0).sum(1) / norm**2
    whole = float(torch.acos((start @ end) / norm**2))
    np.testing.assert_allclose(torch.acos(turned), whole / 8, rtol=1e-4)


def test_a_quarter_of_the_unit_circle() -> None:
    """Cosine and sine, in the plane of the ends."""
    path = along_circle(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), STEPS)

    angle = np.linspace(0, np.pi / 2, 9)
    np.testing.assert_allclose(path, np.stack([np.cos(angle), np.sin(angle)], 1), atol=1e-6)


@pytest.mark.parametrize("way", [along_line, along_circle])
@pytest.mark.parametrize("factor", [None, 1.0, 2.5, -1.0, 0.0])
def test_both_ends_are_reached(way: object, factor: float | None) -> None:
    """Also where the ends have one direction, opposite ones, or one is zero."""
    assert callable(way)
    start, end = ends(0, 5)
    end = end if factor is None else factor * start
    path = way(start, end, STEPS)

    torch.testing.assert_close(path[0], start)
    torch.testing.assert_close(path[-1], end)
    assert path.isfinite().all()
    if factor is not None:  # no circle says which way to turn
        torch.testing.assert_close(path, along_line(start, end, STEPS))


def test_a_line_is_halved_in_its_middle() -> None:
    start, end = ends(1, 5)

    torch.testing.assert_close(along_line(start, end, STEPS)[4], (start + end) / 2)
