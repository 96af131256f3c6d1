"""Whole image networks by matrix products against the same by torch's convolutions."""

import pytest
import torch
from torch import Tensor, nn

from mrtc.architectures.conv import ConvConfig, ConvDecoder, ConvEncoder
from mrtc.architectures.resnet import ResNetConfig, ResNetDecoder, ResNetEncoder
from mrtc.layers import convolution

BATCH = 16
NETWORKS = [("resnet", 28), ("resnet", 64), ("conv", 28), ("conv", 64)]
SHAPES = {28: (1, 28, 28), 64: (3, 64, 64)}


def networks(name: str, side: int) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    shape = SHAPES[side]
    if name == "resnet":
        config = ResNetConfig(codes=4)
        return ResNetEncoder(shape, config), ResNetDecoder(shape, config)
    conv = ConvConfig(codes=4, design="chadebec" if side == 28 else "burgess")
    return ConvEncoder(shape, conv), ConvDecoder(shape, conv)


def inputs(side: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(BATCH, *SHAPES[side], generator=generator)
    return x, torch.randn(BATCH, 4, generator=generator)


def outputs(encoder: nn.Module, decoder: nn.Module, x: Tensor, z: Tensor) -> list[Tensor]:
    """What both give, and gradients of the sum of its squares."""
    codes = torch.linspace(-1.5, 1.5, BATCH // 2).to(x)
    out = [*encoder(x, codes), decoder(z, codes)]
    parameters = [*encoder.parameters(), *decoder.parameters()]
    loss = sum(part.square().sum() for part in out)
    return [*(part.detach() for part in out), *torch.autograd.grad(loss, parameters)]


@pytest.mark.parametrize(("name", "side"), NETWORKS)
def test_a_network_and_its_gradients(name: str, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In double precision: rounding in single moves units over the edge of their ReLU."""
    encoder, decoder = (network.double() for network in networks(name, side))
    x, z = inputs(side)
    expected = outputs(encoder, decoder, x.double(), z.double())
    taken = set()

    def is_ours(layer: nn.Module, _: Tensor) -> bool:
        taken.add(type(layer))
        return True

    monkeypatch.setattr(convolution, "_is_ours", is_ours)
    ours = outputs(encoder, decoder, x.double(), z.double())

    assert taken == {nn.Conv2d, nn.ConvTranspose2d}
    scale = max(float(a.norm()) for a in expected)
    for a, b in zip(ours, expected, strict=True):
        assert float((a - b).norm()) < 1e-9 * float(b.norm()) + 1e-11 * scale


@pytest.mark.parametrize(("name", "side"), NETWORKS)
def test_rounding_of_a_network(name: str, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what it gives in single precision, by root mean squares: a few times 1e-6."""
    encoder, decoder = networks(name, side)
    x, z = inputs(side)
    monkeypatch.setattr(convolution, "LEAST_BATCH", BATCH)
    ours = outputs(encoder, decoder, x, z)[:3]
    monkeypatch.setattr(convolution, "LEAST_BATCH", BATCH + 1)
    plain = outputs(encoder, decoder, x, z)[:3]
    for a, b in zip(ours, plain, strict=True):
        assert not torch.equal(a, b)
        assert float((a - b).norm()) < 3e-5 * float(b.norm())
