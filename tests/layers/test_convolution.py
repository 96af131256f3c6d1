"""Convolutions by matrix products against torch's, in double precision."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from mrtc.layers import convolution
from mrtc.layers.convolution import apply_layer, convolve

LAYERS = {
    "residual": (nn.Conv2d(3, 5, 3, padding=1), (7, 4)),
    "tiled": (nn.Conv2d(3, 5, 3, padding=1), (14, 8)),
    "strided": (nn.Conv2d(3, 5, 4, 2, 1), (14, 7)),
    "without bias": (nn.Conv2d(3, 5, 3, 2, 1, bias=False), (7, 8)),
    "uneven": (nn.Conv2d(3, 5, (3, 2), (1, 2), (1, 0)), (5, 6)),
    "transposed": (nn.ConvTranspose2d(3, 5, 3, 2, 1), (4, 7)),
    "with output padding": (nn.ConvTranspose2d(3, 5, 5, 2, 1, 1), (7, 14)),
    "transposed, stride 1": (nn.ConvTranspose2d(3, 5, 4, 1, 2), (8, 4)),
}
"""Layer, and height and width of what it gets."""


def gradients(out: Tensor, layer: nn.Module, x: Tensor) -> list[Tensor]:
    """Of a product with a fixed random direction, for input, weight and bias."""
    direction = torch.randn(out.shape, generator=torch.Generator().manual_seed(1)).to(out)
    return list(torch.autograd.grad((out * direction).sum(), [x, *layer.parameters()]))


@pytest.mark.parametrize("name", LAYERS)
def test_values_and_gradients_are_torchs(name: str) -> None:
    layer, size = LAYERS[name]
    layer = layer.double()
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    expected, out = layer(x), convolve(layer, x)
    torch.testing.assert_close(out, expected, rtol=1e-9, atol=1e-10)
    torch.testing.assert_close(
        gradients(out, layer, x), gradients(expected, layer, x), rtol=1e-9, atol=1e-10
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(4, 18), st.integers(1, 5), st.integers(1, 3), st.integers(0, 2), st.booleans())
def test_sizes(side: int, kernel: int, stride: int, padding: int, is_transposed: bool) -> None:
    kind = nn.ConvTranspose2d if is_transposed else nn.Conv2d
    layer = kind(2, 3, max(kernel, padding), stride, padding).double()
    x = torch.randn(2, 2, side, side, dtype=torch.float64)
    if min(layer(x).shape[2:]) > 0:
        torch.testing.assert_close(convolve(layer, x), layer(x), rtol=1e-9, atol=1e-10)


def test_second_derivatives() -> None:
    layer = nn.Conv2d(1, 2, 3, padding=1).double()
    x = torch.randn(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda x: convolve(layer, x).square(), (x,))


def test_training_after_an_evaluation() -> None:
    """Matrices are kept: those that inference made first must serve gradients too."""
    convolution._matrices.cache_clear()
    layer, x = nn.Conv2d(2, 3, 3, padding=1), torch.randn(1, 2, 6, 6)
    with torch.inference_mode():
        convolve(layer, x)
    convolve(layer, x).sum().backward()
    assert layer.weight.grad is not None


@pytest.mark.parametrize("name", ["strided", "transposed"])
def test_gradients_of_a_stack(name: str) -> None:
    """Under torch.func, with other weights for each input, also after inference mode."""
    layer, size = LAYERS[name]
    layer = layer.double()
    weights = {k: torch.randn(2, *p.shape).double() for k, p in layer.named_parameters()}
    x = torch.randn(2, 3, 3, *size, dtype=torch.float64)
    with torch.inference_mode():
        convolve(layer, x[0])

    class Ours(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            return convolve(self.layer, x)

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        named = {f"layer.{name}": value for name, value in weights.items()}
        return functional_call(Ours(), named, (x,)).square().sum()

    def plain(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(layer, weights, (x,)).square().sum()

    stacked = vmap(grad(loss))(weights, x)
    for i in range(2):
        one = grad(plain)({name: value[i] for name, value in weights.items()}, x[i])
        for name in one:
            torch.testing.assert_close(stacked[name][i], one[name], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(
    ("layer", "batch", "is_taken"),
    [
        (nn.Conv2d(32, 32, 3), 64, True),
        (nn.ConvTranspose2d(32, 32, 4), 64, True),
        (nn.Conv2d(32, 32, 3), 63, False),
        (nn.Conv2d(31, 32, 3), 64, False),
        (nn.ConvTranspose2d(32, 31, 3), 64, False),
        (nn.Conv2d(32, 32, 1, padding=2), 64, False),  # 10 pixels a side
        (nn.Conv2d(32, 32, 3, dilation=2), 64, False),
        (nn.Conv2d(32, 32, 3, groups=2), 64, False),
        (nn.Conv2d(32, 32, 3).double(), 64, False),
        (nn.Conv1d(32, 32, 3), 64, False),
    ],
)
def test_where_it_is_taken(
    layer: nn.Module, batch: int, is_taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is given is the layer's in any case."""
    taken: list[nn.Module] = []
    monkeypatch.setattr(
        convolution, "convolve", lambda layer, x: taken.append(layer) or convolve(layer, x)
    )
    space = [6] * (layer.weight.ndim - 2)
    x = torch.randn(batch, layer.in_channels, *space, dtype=layer.weight.dtype)
    # Of numbers near one half, the largest of 1e5 errors whose root mean square is 1e-5 of them.
    torch.testing.assert_close(apply_layer(layer, x), layer(x), rtol=0, atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        apply_layer(layer, x)
    assert taken == [layer] * is_taken


def test_others_are_refused() -> None:
    x = torch.zeros(1, 2, 6, 6)
    with pytest.raises(ValueError, match="dilated"):
        convolve(nn.Conv2d(2, 2, 3, dilation=2), x)
