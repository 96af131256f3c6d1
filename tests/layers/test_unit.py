"""Layer, gate, batch normalisation and activation: their order."""

import pytest
import torch
from torch import nn

from mrtc.layers import Gated, Unit
from mrtc.layers.unit import GatePlace

LAYERS = {
    "linear": (lambda: nn.Linear(5, 4), (5,)),
    "convolution": (lambda: nn.Conv2d(3, 4, 3), (3, 6, 6)),
    "transposed": (lambda: nn.ConvTranspose2d(3, 4, 3), (3, 6, 6)),
}


@pytest.mark.parametrize("place", ["before_norm", "after_norm"])
@pytest.mark.parametrize("name", LAYERS)
def test_the_order_of_its_parts(name: str, place: GatePlace) -> None:
    """Means and variances over the batch and over space, by their definition."""
    make, shape = LAYERS[name]
    unit = Unit(Gated(make(), "sigmoid"), norm=True, place=place)
    nn.init.normal_(unit.norm.weight)
    nn.init.normal_(unit.norm.bias)
    x, rate_codes = torch.randn(6, *shape), torch.tensor([-1.5, 0.2, 1.2])
    space = [1] * (len(shape) - 1)

    gate = unit.gated.gate(rate_codes).repeat_interleave(2, 0).reshape(6, 4, *space)
    hidden = unit.gated.layer(x)
    if place == "before_norm":
        hidden = hidden * gate
    axes = [axis for axis in range(hidden.ndim) if axis != 1]
    variance, mean = torch.var_mean(hidden, axes, correction=0, keepdim=True)
    weight, bias = (p.reshape(1, 4, *space) for p in (unit.norm.weight, unit.norm.bias))
    hidden = (hidden - mean) / (variance + unit.norm.eps).sqrt() * weight + bias
    if place == "after_norm":
        hidden = hidden * gate

    torch.testing.assert_close(unit(x, rate_codes), hidden.clamp(min=0), rtol=1e-4, atol=1e-5)


def test_before_the_norm_a_gate_of_the_whole_batch_is_divided_out_in_training() -> None:
    """And is not in evaluation, nor behind the norm."""
    low, high = torch.tensor([-1.5]), torch.tensor([1.5])
    x = 100 * torch.randn(8, 5)  # far above the small number that is added to variances
    gated = Gated(nn.Linear(5, 4), "sigmoid")
    before, after = (Unit(gated, norm=True, place=p) for p in ("before_norm", "after_norm"))
    torch.testing.assert_close(before(x, low), before(x, high))
    assert not torch.allclose(after(x, low), after(x, high), rtol=0.05)
    before.eval()
    assert not torch.allclose(before(x, low), before(x, high), rtol=0.05)


@pytest.mark.parametrize("kind", ["sigmoid", "sqrt"])
def test_before_and_after_a_relu_are_one_place(kind: str) -> None:
    gated = Gated(nn.Linear(5, 4), kind, "paper")
    x, code = torch.randn(6, 5), torch.tensor([0.4])
    torch.testing.assert_close(Unit(gated)(x, code), gated.scale(gated.layer(x).relu(), code))


def test_the_last_step_is_the_activation() -> None:
    gated = Gated(nn.Linear(5, 4), None)
    x, code = torch.randn(6, 5), torch.zeros(1)
    assert torch.equal(Unit(gated, activation="none")(x, code), gated.layer(x))
    assert torch.equal(Unit(gated, activation="sigmoid")(x, code), gated.layer(x).sigmoid())
