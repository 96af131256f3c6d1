"""A gated layer equals the plain layer with scaled rows of weight and bias."""

import pytest
import torch
from torch import nn
from torch.func import functional_call

from mrtc.layers import Gated, GateKind
from mrtc.layers.normalised import NormalisedConv2d

LAYERS = {
    "linear": (nn.Linear(6, 4), (6,), 0),
    "conv2d": (nn.Conv2d(3, 4, 3), (3, 5, 5), 0),
    "conv1d": (nn.Conv1d(3, 4, 2), (3, 5), 0),
    "transposed": (nn.ConvTranspose2d(3, 4, 3), (3, 5, 5), 1),
    "pixels": (nn.Conv2d(3, 4, 1), (3, 5, 5), 0),
    "pixels, no bias": (nn.Conv2d(3, 4, 1, bias=False), (3, 5, 5), 0),
}
"""Layer, shape of an example, and which axis of its weight is that of the outputs."""


@pytest.mark.parametrize("kind", ["sigmoid", "sqrt"])
@pytest.mark.parametrize("name", LAYERS)
def test_gating_scales_rows_of_weight_and_bias(name: str, kind: GateKind) -> None:
    """Equations 6 and 9 of the paper, with another beta for each example."""
    layer, shape, output_axis = LAYERS[name]
    gated = Gated(layer, kind)
    x, codes = torch.randn(3, *shape), torch.tensor([-1.5, 0.0, 1.2])

    out = gated(x, codes)

    assert gated.gate is not None
    for i, scale in enumerate(gated.gate(codes)):
        rows = scale.reshape(
            [-1 if axis == output_axis else 1 for axis in range(layer.weight.ndim)]
        )
        scaled = {"weight": layer.weight * rows}
        if layer.bias is not None:
            scaled["bias"] = layer.bias * scale
        expected = functional_call(layer, scaled, (x[i : i + 1],))
        torch.testing.assert_close(out[i : i + 1], expected, rtol=1e-5, atol=1e-6)


def test_one_code_serves_a_group_of_consecutive_examples() -> None:
    gated = Gated(nn.Linear(6, 4), "sqrt")
    x, codes = torch.randn(6, 6), torch.tensor([-1.0, 0.5])
    torch.testing.assert_close(gated(x, codes), gated(x, codes.repeat_interleave(3)))
    torch.testing.assert_close(gated(x, codes[:1]), gated(x, codes[:1].expand(6)))


@pytest.mark.parametrize("layer", [nn.Conv2d(3, 4, 1), NormalisedConv2d(3, 4)])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("side", [1, 5])
def test_windows_of_one_pixel_have_gates_in_their_weights_where_many_pixels_share_them(
    layer: nn.Conv2d, order: torch.memory_format, side: int
) -> None:
    """The same up to rounding as gates on what torch's convolution gives; gradients too.

    With 2 pixels of each beta the gates are on what comes out, with 50 in the weights.
    """
    gated = Gated(layer, "sigmoid", "paper")
    x = torch.randn(4, 3, side, side).contiguous(memory_format=order)
    codes = torch.tensor([-1.0, 0.5])
    plain = gated.scale(layer(x), codes)
    weights = torch.linspace(-1, 1, plain.numel()).reshape(plain.shape)
    parameters = list(gated.parameters())
    expected = torch.autograd.grad((plain * weights).sum(), parameters)
    out = gated(x, codes)
    torch.testing.assert_close(out, plain)
    found = torch.autograd.grad((out * weights).sum(), parameters)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    bare = Gated(layer, None)
    torch.testing.assert_close(bare(x, codes), layer(x))


def test_factors_are_the_gate_of_each_example() -> None:
    gated, codes = Gated(nn.Conv2d(3, 4, 1), "sigmoid"), torch.tensor([-1.0, 0.5])
    factors, pre_activation = gated.factors(codes, 6), torch.randn(6, 4, 2, 2)
    assert factors is not None
    torch.testing.assert_close(
        factors[..., None, None] * pre_activation, gated.scale(pre_activation, codes)
    )
    assert Gated(nn.Conv2d(3, 4, 1), None).factors(codes, 6) is None


def test_linear_layers_keep_inner_axes() -> None:
    """Channels are last in a linear layer, whatever stands between."""
    gated = Gated(nn.Linear(6, 4), "sigmoid")
    x, code = torch.randn(2, 5, 6), torch.tensor([0.3])
    assert gated.gate is not None
    torch.testing.assert_close(gated(x, code), gated.layer(x) * gated.gate(code)[0])


def test_without_a_gate_it_is_the_plain_layer() -> None:
    layer = nn.Linear(6, 4)
    plain = Gated(layer, None)
    x = torch.randn(3, 6)
    assert torch.equal(plain(x, torch.tensor([0.7])), layer(x))
    assert {p.data_ptr() for p in plain.parameters()} == {p.data_ptr() for p in layer.parameters()}


def test_other_layers_are_refused() -> None:
    with pytest.raises(TypeError, match="linear or convolutional"):
        Gated(nn.ReLU(), "sigmoid")
