"""The VAE of latent groups: what it shares with every other, and what draws change."""

import math

import torch

from mrtc.distributions import Bernoulli, DiagonalGaussian
from mrtc.hierarchical_vae import HierarchicalVAE
from mrtc.hierarchy import LatentGroup, slices, split, total_codes
from mrtc.randomness import torch_stream
from mrtc.rates import BetaRange
from tests.architectures.image_checks import images
from tests.architectures.test_nvae import SHAPE, SMALL, networks, noise


def vae() -> HierarchicalVAE:
    encoder, decoder = networks(SMALL)
    return HierarchicalVAE(encoder, decoder, BetaRange(0.01, 10.0)).eval()


def test_groups_follow_one_another_in_the_codes() -> None:
    groups = [LatentGroup(2, 1), LatentGroup(1, 2)]
    codes = torch.arange(12.0).reshape(2, 6)
    assert total_codes(groups) == 6
    assert slices(groups) == [slice(0, 2), slice(2, 6)]
    first, second = split(codes, groups)
    assert first.shape == (2, 2, 1, 1)
    assert second.tolist()[1] == [[[8.0, 9.0], [10.0, 11.0]]]


def test_a_pass_is_one_draw_with_the_moments_along_its_way() -> None:
    model, x, eps, beta = vae(), images(SHAPE), noise(SMALL), torch.tensor([0.1])
    out = model(x, beta, eps)
    likelihood = model.decode(out.z, 0.1)
    assert isinstance(likelihood, Bernoulli)
    torch.testing.assert_close(out.distortion, -likelihood.log_prob(x))
    torch.testing.assert_close(out.z, out.mean + eps * out.log_sigma.exp())
    other = model(x, beta, -eps)
    top, below = slices(model.groups)[0], slices(model.groups)[1]
    assert torch.equal(out.mean[:, top], other.mean[:, top])
    assert not torch.allclose(out.mean[:, below], other.mean[:, below], rtol=1e-3)


def test_encoding_follows_the_posterior_means() -> None:
    model, x = vae(), images(SHAPE)
    posterior = model.encode(x, 0.5)
    still = model.infer(model.encoder.stem(x), 0.5, torch.zeros(4, SMALL.codes))
    assert torch.equal(posterior.mean, still.posterior.mean)
    assert torch.equal(posterior.mean, still.z)


def test_samples_are_decoded_standard_normals() -> None:
    model = vae()
    z = torch.randn(3, SMALL.codes, generator=torch_stream(0, "z"))
    samples = model.sample(3, 0.5, torch_stream(0, "z"))
    assert torch.equal(samples, model.mean(z, 0.5))
    assert samples.shape == (3, *SHAPE)


def test_it_learns_at_both_ends_of_the_range() -> None:
    """Thirty steps on black and white squares: at 0.01 codes say which, at 10 none says anything.

    Without codes, the distortion is that of a coin for each of 64 pixels.
    """
    encoder, decoder = networks(SMALL)
    model = HierarchicalVAE(encoder, decoder, BetaRange(0.01, 10.0)).train()
    optimizer = torch.optim.Adamax(model.parameters(), 1e-2)
    generator, beta = torch_stream(0, "training"), torch.tensor([0.01, 10.0])
    x = (torch.arange(16.0) % 2)[:, None, None, None].expand(16, *SHAPE)
    for _ in range(30):
        eps = torch.randn(16, SMALL.codes, generator=generator)
        out = model(x, beta, eps)
        rate = DiagonalGaussian(out.mean, out.log_sigma).rate().sum(1)
        (out.distortion + beta.repeat_interleave(8) * rate).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert out.distortion[:8].mean() < 64 * math.log(2) - 2
    assert rate[:8].mean() > 10 * rate[8:].mean()
