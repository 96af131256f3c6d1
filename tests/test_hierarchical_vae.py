"""The VAE of latent groups: what it shares with every other, and what draws change."""

import torch

from mrtc.architectures import build_networks
from mrtc.distributions import Bernoulli
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


def test_the_same_networks_learn_alone() -> None:
    """A few steps lower the objective at both ends of the range, batch normalisation on."""
    encoder, decoder = build_networks(SHAPE, SMALL)
    model = HierarchicalVAE(encoder, decoder, BetaRange(0.01, 10.0)).train()
    optimizer = torch.optim.Adamax(model.parameters(), 1e-2)
    generator = torch_stream(0, "training")
    x = (torch.arange(16.0) % 2)[:, None, None, None].expand(16, *SHAPE)
    losses = []
    for _ in range(30):
        eps = torch.randn(16, SMALL.codes, generator=generator)
        out = model(x, torch.tensor([0.01, 10.0]), eps)
        rate = (0.5 * (out.mean**2 + (2 * out.log_sigma).exp() - 1) - out.log_sigma).sum(1)
        beta = torch.tensor([0.01, 10.0]).repeat_interleave(8)
        loss = out.distortion + beta * rate
        losses.append(loss.detach().reshape(2, 8).mean(1))
        loss.mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    assert (losses[-1] < 0.9 * losses[0]).all()
