"""The residual block against its formula."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 -- the name everybody knows

from mrtc.layers import GateKind, ResidualBlock


@pytest.mark.parametrize("kind", [None, "sigmoid", "sqrt"])
def test_it_is_its_formula(kind: GateKind | None) -> None:
    """Two convolutions beside a skip, another beta for each example."""
    block = ResidualBlock(6, kind, "paper")
    x, rate_codes = torch.randn(3, 6, 5, 4), torch.tensor([-1.5, 0.1, 1.2])

    hidden = x
    for gated in (block.first, block.second):
        convolved = F.conv2d(hidden, gated.layer.weight, gated.layer.bias, padding=1)
        if gated.gate is not None:
            convolved = convolved * gated.gate(rate_codes)[:, :, None, None]
        hidden = (x + convolved if gated is block.second else convolved).clamp(min=0)

    torch.testing.assert_close(block(x, rate_codes), hidden)


def test_closed_gates_leave_the_skip() -> None:
    block = ResidualBlock(6, "sqrt")
    nn.init.constant_(block.second.gate.offset, 10.0)
    x = torch.randn(3, 6, 5, 4)
    assert torch.equal(block(x, torch.zeros(1)), x.relu())


def test_it_has_two_convolutions_and_four_numbers_a_channel() -> None:
    sizes = {
        kind: sum(p.numel() for p in ResidualBlock(6, kind).parameters()) for kind in (None, "sqrt")
    }
    assert sizes == {None: 2 * (6 * 6 * 9 + 6), "sqrt": 2 * (6 * 6 * 9 + 6) + 4 * 6}
