"""Weight normalisation, against torch's own parametrisation."""

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from mrtc.layers.convolution import apply_layer
from mrtc.layers.normalised import NormalisedConv2d
from mrtc.randomness import torch_stream

KINDS = [
    {"kernel": 3},
    {"kernel": 3, "stride": 2},
    {"kernel": 1, "groups": 4},
    {"kernel": 5, "groups": 8},
]


def plain(layer: NormalisedConv2d) -> nn.Conv2d:
    """Torch's convolution of the same sizes with the weights before normalisation."""
    copy = nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        groups=layer.groups,
    )
    with torch.no_grad():
        copy.weight.copy_(layer.weight)
        copy.bias.copy_(layer.bias)
    return copy


@pytest.mark.parametrize("sizes", KINDS)
def test_it_starts_as_the_plain_convolution(sizes: dict[str, int]) -> None:
    layer = NormalisedConv2d(8, 8, **sizes)
    x = torch.randn(2, 8, 6, 6, generator=torch_stream(0, "x"))
    torch.testing.assert_close(layer(x), plain(layer)(x))


@pytest.mark.parametrize("sizes", KINDS)
def test_it_is_torchs_weight_normalisation(sizes: dict[str, int]) -> None:
    layer = NormalisedConv2d(8, 8, **sizes)
    with torch.no_grad():
        layer.log_scale.copy_(torch.linspace(-2, 2, 8))
    theirs = weight_norm(plain(layer), dim=0)
    with torch.no_grad():
        theirs.parametrizations.weight.original0.copy_(layer.log_scale.exp().view(-1, 1, 1, 1))
    x = torch.randn(2, 8, 6, 6, generator=torch_stream(0, "x"))
    torch.testing.assert_close(layer(x), theirs(x))
    torch.testing.assert_close(layer.normalised_weight, theirs.weight)


def test_convolutions_as_products_leave_it_alone() -> None:
    """They read the weights themselves, which here are not those that are applied."""
    layer = NormalisedConv2d(32, 32, 3)
    with torch.no_grad():
        layer.log_scale += 1
    x = torch.randn(64, 32, 4, 4, generator=torch_stream(0, "x"))
    torch.testing.assert_close(apply_layer(layer, x), layer(x))
