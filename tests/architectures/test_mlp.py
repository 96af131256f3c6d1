"""The MLP of Chen et al., plain and gated."""

from itertools import pairwise

import pytest
import torch

from mrtc.architectures import MLPConfig, MLPDecoder, MLPEncoder
from mrtc.architectures.mlp import GatedLayers

SHAPE = (1, 64, 64)


def count(config: MLPConfig) -> int:
    modules = MLPEncoder(SHAPE, config), MLPDecoder(SHAPE, config)
    return sum(p.numel() for module in modules for p in module.parameters())


def test_the_baseline_has_exactly_the_parameters_of_the_published_mlp() -> None:
    """4096-1200-1200-20 and 10-1200-1200-1200-4096, weights and biases."""
    widths = ((4096, 1200, 1200, 20), (10, 1200, 1200, 1200, 4096))
    expected = sum((a + 1) * b for w in widths for a, b in pairwise(w))
    assert count(MLPConfig(gated="none")) == expected


@pytest.mark.parametrize(("gated", "channels"), [("inner", 4), ("hidden", 5)])
def test_gates_add_two_numbers_a_channel(gated: GatedLayers, channels: int) -> None:
    """And so less than 0.1 % of the parameters."""
    plain = count(MLPConfig(gated="none"))
    extra = count(MLPConfig(gated=gated)) - plain
    assert extra == 2 * channels * 1200
    assert extra / plain < 0.001


def test_all_gates_the_encoders_output_too() -> None:
    assert count(MLPConfig(gated="all")) - count(MLPConfig(gated="hidden")) == 2 * 20


def test_the_parts_of_the_encoder_are_the_whole() -> None:
    """What is computed once for all betas, and the rest, make the encoder, gates applied once."""
    encoder = MLPEncoder((1, 8, 8), MLPConfig(hidden=16, codes=3))
    x, code = torch.rand(5, 1, 8, 8), torch.tensor([0.4])
    layers = encoder.first.layer, encoder.second.layer, encoder.head.layer
    gates = encoder.first.gate, encoder.second.gate
    assert gates[0] is not None
    assert gates[1] is not None

    hidden = (layers[0](x.flatten(1)) * gates[0](code)).relu()
    hidden = (layers[1](hidden) * gates[1](code)).relu()
    expected = layers[2](hidden).chunk(2, dim=1)

    for actual, wanted in zip(encoder(x, code), expected, strict=True):
        torch.testing.assert_close(actual, wanted)


def test_moments_are_float32_under_autocast() -> None:
    encoder = MLPEncoder((1, 8, 8), MLPConfig(hidden=16, codes=3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mean, log_sigma = encoder(torch.rand(5, 1, 8, 8), torch.zeros(1))
    assert mean.dtype == log_sigma.dtype == torch.float32


def test_the_decoder_gives_logits_of_images() -> None:
    decoder = MLPDecoder((1, 8, 8), MLPConfig(hidden=16, codes=3))
    logits = decoder(torch.randn(5, 3), torch.tensor([-1.0, 0, 1, 0, 0]))
    assert logits.shape == (5, 1, 8, 8)
    other = decoder(torch.zeros(5, 3), torch.tensor([1.0]))
    assert not torch.equal(other, decoder(torch.zeros(5, 3), torch.tensor([-1.0])))
