"""Residual cells of hierarchies, against the published order of their steps."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mrtc.layers import Gating
from mrtc.layers.cells import DecoderCell, DownSkip, EncoderCell, SqueezeExcite, UpSkip
from mrtc.randomness import torch_stream
from tests.references import hierarchy as reference
from tests.references.image_networks import shake

GATED, PLAIN = Gating("sigmoid", "paper"), Gating(None)
RATE_CODE = torch.tensor([-1.2, 0.3])
CASES: list[tuple[nn.Module, Callable[..., Tensor], tuple[int, ...]]] = [
    (UpSkip(8, GATED), reference.up_skip, (4, 12, 12)),
    (DownSkip(8, GATED), reference.down_skip, (16, 3, 3)),
    (EncoderCell(8, GATED), reference.encoder_cell, (8, 6, 6)),
    (EncoderCell(8, PLAIN), reference.encoder_cell, (8, 6, 6)),
    (EncoderCell(8, GATED, down=True), reference.encoder_cell, (16, 3, 3)),
    (DecoderCell(8, GATED), reference.decoder_cell, (8, 6, 6)),
    (DecoderCell(8, PLAIN), reference.decoder_cell, (8, 6, 6)),
    (DecoderCell(8, GATED, expansion=3, up=True), reference.decoder_cell, (4, 12, 12)),
]


@pytest.mark.parametrize("is_training", [False, True])
@pytest.mark.parametrize(("module", "published", "shape"), CASES)
def test_they_compute_what_is_published(
    module: nn.Module,
    published: Callable[..., Tensor],
    shape: tuple[int, ...],
    is_training: bool,
) -> None:
    shake(module, torch_stream(0, "moments"))
    module.train(is_training)
    x = torch.randn(2, 8, 6, 6, generator=torch_stream(0, "x"))
    out = module(x, RATE_CODE)
    assert out.shape == (2, *shape)
    torch.testing.assert_close(out, published(module, x, RATE_CODE), rtol=1e-4, atol=1e-5)


def test_a_gate_scales_by_what_beta_asks() -> None:
    cell = EncoderCell(8, GATED).eval()
    x = torch.randn(2, 8, 6, 6, generator=torch_stream(0, "x"))
    low, high = cell(x, torch.tensor([-1.7])), cell(x, torch.tensor([1.7]))
    assert not torch.allclose(low, high, rtol=1e-3)


@pytest.mark.parametrize(("channels", "squeezed"), [(16, 4), (64, 4), (128, 8)])
def test_squeeze_and_excitation_has_a_sixteenth_of_the_channels(
    channels: int, squeezed: int
) -> None:
    module = SqueezeExcite(channels)
    assert module.squeeze.out_features == squeezed
    x = torch.randn(2, channels, 3, 3, generator=torch_stream(0, "x"))
    ratios = module(x) / x
    torch.testing.assert_close(ratios, ratios[..., :1, :1].expand_as(ratios))
    assert ((ratios > 0) & (ratios < 1)).all()
