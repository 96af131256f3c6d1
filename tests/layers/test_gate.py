"""Gates: their formulas, their starts, and gradients where they close."""

import pytest
import torch

from mrtc.layers import GateKind, RateGate
from mrtc.layers.gate import sqrt_gate

EDGES = torch.linspace(-(3**0.5), 3**0.5, 21)
"""Rate codes over the whole range."""


@pytest.mark.parametrize("kind", ["sigmoid", "sqrt"])
def test_a_gate_is_the_papers_formula(kind: GateKind) -> None:
    gate = RateGate(7, kind, "paper").double()
    x = EDGES.double()[:, None] * gate.slope + gate.offset
    expected = {
        "sigmoid": 1 / (1 + torch.exp(-x)),
        "sqrt": (1 - torch.exp(x)).clamp(min=0).sqrt(),
    }[kind]
    torch.testing.assert_close(gate(EDGES.double()), expected)


def test_a_gate_has_two_numbers_a_channel() -> None:
    assert sum(p.numel() for p in RateGate(7, "sqrt").parameters()) == 2 * 7


def test_gradients_are_finite_at_closed_gates() -> None:
    """Also where the root's own slope is infinite or undefined."""
    x = torch.tensor([-100.0, -1.0, -1e-9, 0.0, 1e-9, 1.0, 200.0], requires_grad=True)
    sqrt_gate(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert (x.grad[2:] == 0).all()
    torch.testing.assert_close(
        x.grad[1], -torch.exp(torch.tensor(-1.0)) / 2 / (1 - 1 / torch.e) ** 0.5
    )


def test_the_square_root_gate_has_the_gradient_of_finite_differences() -> None:
    x = torch.linspace(-4, -0.1, 9, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(sqrt_gate, (x,))


@pytest.mark.parametrize("kind", ["sigmoid", "sqrt"])
def test_open_gates_are_open_at_every_beta(kind: GateKind) -> None:
    """By sqrt(1 - exp(-2 + sqrt 3)) = 0.485 for the square root, by more for the sigmoid."""
    gate = RateGate(10_000, kind, "open")
    assert gate(EDGES).min() > 0.484
    assert (gate(EDGES).std(0) > 0).all()


def test_the_published_start_leaves_half_of_the_square_root_gates_closed() -> None:
    """The shares that simulation of the published code gave: 50 % closed, 14.8 % at every beta."""
    torch.manual_seed(0)
    gate = RateGate(100_000, "sqrt", "paper")(EDGES)
    assert ((gate == 0).float().mean() - 0.5).abs() < 0.01
    assert ((gate == 0).all(0).float().mean() - 0.148).abs() < 0.01
