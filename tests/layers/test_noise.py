"""The sigma of a Gaussian likelihood, inside a VAE."""

import pytest
import torch

from mrtc.layers import NoiseScale
from mrtc.rates import BetaRange
from mrtc.vae import VAE
from tests.toys import Crosses, small_vae


def gaussian(noise: NoiseScale) -> VAE:
    toy = small_vae()
    return VAE(toy.encoder, toy.decoder, 3, BetaRange(0.1, 10.0), "gaussian", noise).double()


def mean_squares(vae: VAE, z: torch.Tensor, x: torch.Tensor, beta: float) -> torch.Tensor:
    return (vae.decode(z, beta).mean - x).square().mean()


def test_the_best_sigma_at_each_beta_is_the_root_mean_square_error() -> None:
    """In closed form for given networks; two numbers fit the best sigmas at two betas exactly."""
    vae = gaussian(NoiseScale(1.0, is_learned=True, is_gated=True))
    assert vae.noise is not None
    x = Crosses().images(torch.arange(64)).double()
    z = torch.randn(64, 3, generator=torch.manual_seed(0), dtype=torch.float64)
    optimizer = torch.optim.LBFGS(vae.noise.parameters(), max_iter=100, tolerance_change=1e-14)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = -sum(vae.decode(z, beta).log_prob(x).mean() for beta in (0.1, 10.0))
        loss.backward()
        return loss

    optimizer.step(closure)
    with torch.no_grad():
        for beta in (0.1, 10.0):
            code = vae.betas.standardise(torch.tensor([beta], dtype=torch.float64))
            torch.testing.assert_close(
                vae.noise(code).exp().square()[0], mean_squares(vae, z, x, beta), rtol=1e-6, atol=0
            )


def test_a_fixed_sigma_has_no_parameters() -> None:
    noise = NoiseScale(0.3, is_learned=False, is_gated=True)
    assert list(noise.parameters()) == []
    torch.testing.assert_close(noise(torch.zeros(2)).exp(), torch.tensor([0.3, 0.3]))


def test_a_learned_sigma_of_a_baseline_does_not_depend_on_beta() -> None:
    noise = NoiseScale(0.3, is_learned=True, is_gated=False)
    assert [name for name, _ in noise.named_parameters()] == ["offset"]
    assert noise(torch.tensor([-1.0, 1.0])).unique().numel() == 1


def test_every_group_of_examples_has_the_sigma_of_its_beta() -> None:
    noise = NoiseScale(1.0, is_learned=True, is_gated=True)
    with torch.no_grad():
        noise.slope.fill_(1.0)
    vae, betas = gaussian(noise), torch.tensor([0.1, 10.0], dtype=torch.float64)
    z = torch.randn(4, 3, dtype=torch.float64)
    log_sigma = vae.decode(z, betas).log_sigma
    codes = vae.betas.standardise(betas)
    torch.testing.assert_close(log_sigma, codes.repeat_interleave(2))


def test_likelihood_and_noise_go_together() -> None:
    toy = small_vae()
    with pytest.raises(ValueError, match="needs noise"):
        VAE(toy.encoder, toy.decoder, 3, BetaRange(0.1, 10.0), "gaussian")
