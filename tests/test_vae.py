"""The VAE: which beta reaches which example, and what is refused."""

import math

import pytest
import torch
from torch import nn

from mrtc.errors import BetaError, MrtcError
from mrtc.logistic_mixture import DiscretisedLogisticMixture
from mrtc.rates import BetaRange
from mrtc.vae import VAE
from tests.toys import Crosses, small_vae


def images(count: int) -> torch.Tensor:
    return Crosses().images(torch.arange(count))


def test_every_example_has_its_own_beta() -> None:
    vae, x = small_vae(), images(4)
    betas = torch.tensor([0.1, 1.0, 3.0, 10.0])
    together = vae.encode(x, betas)
    for i, beta in enumerate(betas.tolist()):
        alone = vae.encode(x[i : i + 1], beta)
        torch.testing.assert_close(together.mean[i : i + 1], alone.mean)
        decoded = vae.decode(together.mean, betas).logits[i : i + 1]
        torch.testing.assert_close(decoded, vae.decode(alone.mean, beta).logits)


def test_the_stem_serves_every_beta() -> None:
    vae, x = small_vae(), images(3)
    stem = vae.encoder.stem(x)
    for beta in (0.1, 2.0):
        assert torch.equal(vae.posterior(stem, beta).mean, vae.encode(x, beta).mean)


def test_a_baseline_does_not_read_beta() -> None:
    vae, x = small_vae(BetaRange(4.0, 4.0), plain=True), images(3)
    assert torch.equal(vae.encode(x, 4.0).mean, vae.encode(x, torch.tensor([9.0])).mean)


def test_a_beta_outside_the_range_is_refused() -> None:
    vae = small_vae()
    with pytest.raises(BetaError, match="--extrapolate"):
        vae.encode(images(1), 11.0)
    vae.encode(images(1), torch.tensor([11.0]))  # who gives a tensor insists


def test_samples_repeat_with_their_generator() -> None:
    vae = small_vae()
    one, two = (vae.sample(5, 1.0, torch.manual_seed(3)) for _ in range(2))
    assert one.shape == (5, 1, 8, 8)
    assert torch.equal(one, two)
    assert 0 <= one.min() <= one.max() <= 1


@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_a_temperature_is_the_standard_deviation_of_the_codes(temperature: float) -> None:
    """In samples too, which decode those codes; at 1 they are the draws as they are."""
    vae = small_vae().eval()
    noise = torch.randn(4000, 3, generator=torch.manual_seed(3))
    z = vae.draw_prior(4000, torch.manual_seed(3), temperature)
    assert z.std().item() == pytest.approx(temperature, rel=0.03)
    torch.testing.assert_close(z, noise * temperature, rtol=1e-6, atol=0)
    samples = vae.sample(4000, 1.0, torch.manual_seed(3), temperature)
    assert torch.equal(samples, vae.decode(z, 1.0).mean)


@pytest.mark.parametrize("temperature", [0.0, -0.5, math.inf, math.nan])
def test_a_temperature_that_is_none_is_refused(temperature: float) -> None:
    with pytest.raises(MrtcError, match=f"temperature of {temperature} cannot be used; give a pos"):
        small_vae().sample(2, 1.0, torch.manual_seed(0), temperature)


def test_a_pass_holds_the_distortion_at_its_draw() -> None:
    vae, x = small_vae(), images(6)
    beta = torch.tensor([0.5, 5.0])
    noise = torch.randn(6, 3, generator=torch.manual_seed(0))
    out = vae(x, beta, noise)
    torch.testing.assert_close(out.z, out.mean + noise * out.log_sigma.exp())
    p = vae.decode(out.z, beta).mean
    expected = -(x * p.log() + (1 - x) * (1 - p).log()).flatten(1).sum(1)
    torch.testing.assert_close(out.distortion, expected, rtol=1e-4, atol=1e-4)


class PixelMixture(nn.Module):
    """Puts out what codes say, alike for all pixels, for images of one channel."""

    image_channels = 1

    def forward(self, z: torch.Tensor, rate_code: torch.Tensor) -> torch.Tensor:
        return z[:, :, None, None].expand(-1, -1, 8, 8) + 0 * rate_code[:, None, None, None]


def test_a_logistic_mixture_is_for_the_channels_of_its_decoder() -> None:
    """30 parameters are of ten components for one channel, or three for three."""
    vae = VAE(small_vae().encoder, PixelMixture(), 30, BetaRange(0.1, 10.0), "logistic_mixture")
    z = torch.randn(2, 30, generator=torch.manual_seed(0))
    likelihood = vae.decode(z, 1.0)
    assert likelihood.mean.shape == (2, 1, 8, 8)
    expected = DiscretisedLogisticMixture(z[:, :, None, None].expand(-1, -1, 8, 8), channels=1)
    assert torch.equal(likelihood.log_prob(images(2)), expected.log_prob(images(2)))
