"""A hierarchy with autoregressive cells is a hierarchy: its posterior is known along a draw."""

from dataclasses import replace

import pytest
import torch

from mrtc.architectures import NVAEConfig, build_networks
from mrtc.architectures.nvae import NVAEDecoder, NVAEEncoder
from mrtc.distributions import DiagonalGaussian
from mrtc.hierarchical_vae import HierarchicalVAE
from mrtc.hierarchy import slices
from mrtc.layers import RateGate
from mrtc.randomness import torch_stream
from mrtc.rates import BetaRange
from tests.hierarchies import SMALL

CONFIG = replace(SMALL, flows=2)
BETAS = BetaRange(0.1, 10.0)


def make(config: NVAEConfig) -> HierarchicalVAE:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder, decoder = build_networks((1, 8, 8), config)
    assert isinstance(encoder, NVAEEncoder)
    assert isinstance(decoder, NVAEDecoder)
    for stage in decoder.stages:
        for flow in stage.flows:
            with torch.no_grad():
                flow.to_moves.layer.log_scale += 2  # far from no moves
    betas = BetaRange(1.0, 1.0) if config.is_plain else BETAS
    return HierarchicalVAE(encoder, decoder, betas).double().eval()


def examples(batch: int) -> torch.Tensor:
    return torch.rand(batch, 1, 8, 8, generator=torch_stream(0, "x")).round().double()


@pytest.mark.parametrize("config", [CONFIG, CONFIG.plain()], ids=["multi-rate", "plain"])
def test_the_density_along_a_draw_is_that_of_all_noise(config: NVAEConfig) -> None:
    """By the determinant of the whole map from noise to codes, through groups and flows."""
    vae = make(config)
    x, beta = examples(1), torch.tensor([1.0], dtype=torch.float64)
    stem = vae.encoder.stem(x)
    noise = torch.randn(1, vae.codes, generator=torch_stream(0, "noise"), dtype=torch.float64)
    posterior, z, _ = vae.infer(stem, beta, noise)

    def codes(noise: torch.Tensor) -> torch.Tensor:
        return vae.infer(stem, beta, noise[None]).z[0]

    jacobian = torch.autograd.functional.jacobian(codes, noise[0])
    log_density = torch.distributions.Normal(0, 1).log_prob(noise).sum()
    log_density = log_density - torch.linalg.slogdet(jacobian).logabsdet
    torch.testing.assert_close(posterior.log_density(z).sum(), log_density)
    torch.testing.assert_close(posterior.draw(noise), z)
    # Codes of a group depend on each other's noise, as they do not without flows.
    for group in slices(vae.groups):
        block = jacobian[group, group]
        assert (block - block.diag().diag()).abs().max() > 1e-3


def test_means_are_finite_and_decoded() -> None:
    vae = make(CONFIG)
    x = examples(3)
    beta = torch.tensor([0.1, 1.0, 10.0], dtype=torch.float64)
    encoded = vae.encode(x, beta)
    inferred = vae.infer(vae.encoder.stem(x), beta, torch.zeros(3, vae.codes).double())
    assert encoded.mean.isfinite().all()
    assert encoded.log_sigma.isfinite().all()
    torch.testing.assert_close(encoded.mean, inferred.z)
    torch.testing.assert_close(vae.decode(encoded.mean, beta).mean, inferred.likelihood.mean)


def test_training_reaches_every_weight_of_the_flows() -> None:
    vae = make(CONFIG).train()
    noise = torch.randn(4, vae.codes, generator=torch_stream(0, "noise")).double()
    passed = vae(examples(4), torch.tensor([0.1, 1.0, 2.0, 10.0]).double(), noise)
    rate = DiagonalGaussian(passed.mean, passed.log_sigma).rate().sum(1)
    (passed.distortion + rate).sum().backward()
    weights = dict(vae.decoder.stages.named_parameters())
    flows = {name: weight for name, weight in weights.items() if "flows" in name}
    assert flows
    assert [name for name, weight in flows.items() if not weight.grad.any()] == []


def test_without_flows_there_are_none() -> None:
    """And with them every convolution has its gate."""
    without = make(replace(CONFIG, flows=0))
    assert not [name for name, _ in without.named_parameters() if "flows" in name]
    for config in (CONFIG, CONFIG.plain()):
        vae = make(config)
        convolutions = [m for m in vae.modules() if isinstance(m, torch.nn.Conv2d)]
        gates = [m for m in vae.modules() if isinstance(m, RateGate)]
        assert len(gates) == (0 if config.is_plain else len(convolutions))
