"""Discretised mixtures of logistics against enumeration, scipy, differences and simulation."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, logsumexp
from scipy.stats import logistic
from torch import Tensor

from mrtc.distributions import Likelihood
from mrtc.errors import MrtcError
from mrtc.logistic_mixture import DiscretisedLogisticMixture, parameters_of
from mrtc.randomness import torch_stream


def parameters(
    *shape: int, channels: int = 3, components: int = 2, log_scale: float = -2.0
) -> Tensor:
    """Random ones in float64, of (batch, height, width); scales around ``exp(log_scale)``."""
    batch, height, width = shape
    count = parameters_of(channels, components)
    generator = torch_stream(0, "parameters", channels, components)
    found = torch.randn(batch, count, height, width, generator=generator, dtype=torch.float64)
    scales = slice((1 + channels) * components, (1 + 2 * channels) * components)
    found[:, scales] = log_scale + 0.5 * found[:, scales]
    return found


def images(*shape: int, levels: int = 256) -> Tensor:
    """Random levels, the first and the last among them."""
    level = torch.randint(levels, shape, generator=torch_stream(0, "images"))
    level.flatten()[:2] = torch.tensor([0, levels - 1])
    return level.double() / (levels - 1)


def every(levels: int, channels: int) -> Tensor:
    """All colours of one pixel, as images of shape (colour, channel, 1, 1)."""
    colours = list(product(range(levels), repeat=channels))
    return torch.tensor(colours, dtype=torch.float64)[:, :, None, None] / (levels - 1)


def of_every(pixel: Tensor, levels: int, channels: int) -> Tensor:
    """Masses of all colours of a pixel, whose parameters are given."""
    x = every(levels, channels)
    mixture = DiscretisedLogisticMixture(pixel.expand(len(x), -1, 1, 1), channels, levels)
    return mixture.log_prob(x).exp()


def plain_log_prob(parameters: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Of colour images, straight from the definition, entry by entry."""
    total = np.zeros(len(x))
    components = parameters.shape[1] // 10
    for n, row, column in np.ndindex(len(x), *x.shape[2:]):
        p = parameters[n, :, row, column].reshape(10, components)
        red, green, blue = 2 * x[n, :, row, column] - 1
        a, b, c = np.tanh(p[7:])
        centres = (p[1], p[2] + a * red, p[3] + b * red + c * green)
        joint = log_softmax(p[0])
        for value, centre, log_scale in zip((red, green, blue), centres, p[4:7], strict=True):
            # Turned so that the level lies in the left tail, where scipy keeps the digits.
            turn = np.where(value > centre, -1, 1)
            d = logistic(turn * centre, np.exp(log_scale))
            low, high = d.cdf(turn * value - 1 / 255), d.cdf(turn * value + 1 / 255)
            low = np.where(turn * value == -1, 0, low)
            high = np.where(turn * value == 1, 1, high)
            joint = joint + np.log(high - low)
        total[n] += logsumexp(joint)
    return total


@pytest.mark.oracle("distortion")
@pytest.mark.parametrize("log_scale", [-6.5, -2.0, 2.0])
def test_the_masses_of_256_levels_sum_to_one(log_scale: float) -> None:
    pixel = parameters(1, 1, 1, channels=1, components=3, log_scale=log_scale)
    assert of_every(pixel, 256, 1).sum().item() == pytest.approx(1, abs=1e-10)


@pytest.mark.oracle("distortion")
@pytest.mark.parametrize(("levels", "channels"), [(2, 3), (7, 3), (16, 2)])
def test_the_masses_of_all_colours_sum_to_one(levels: int, channels: int) -> None:
    pixel = parameters(1, 1, 1, channels=channels, log_scale=-1.0)
    masses = of_every(pixel, levels, channels)
    assert masses.sum().item() == pytest.approx(1, abs=1e-10)
    assert masses.min() > 0


@pytest.mark.oracle("distortion")
def test_log_probabilities_are_those_of_scipy() -> None:
    p, x = parameters(3, 4, 5), images(3, 3, 4, 5)
    found = DiscretisedLogisticMixture(p).log_prob(x)
    np.testing.assert_allclose(found, plain_log_prob(p.numpy(), x.numpy()), rtol=1e-10)


def test_blocks_of_images_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of two images, the last one shorter; any order in memory."""
    p, x = parameters(5, 4, 5), images(5, 3, 4, 5)
    whole = gradient(p, x)
    monkeypatch.setattr("mrtc.logistic_masses.BLOCK_CELLS", {"cpu": 2 * 3 * 2 * 20, "cuda": 1})
    blocks = gradient(p.permute(2, 3, 0, 1).contiguous().permute(2, 3, 0, 1), x)
    for one, other in zip(whole, blocks, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def gradient(p: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """The log probabilities of colour images, and their weighted gradient."""
    p = p.detach().requires_grad_()
    log_prob = DiscretisedLogisticMixture(p).log_prob(x)
    weights = torch.linspace(-1, 2, len(x), dtype=log_prob.dtype)
    return log_prob, *torch.autograd.grad(log_prob @ weights, p)


@pytest.mark.parametrize(("channels", "levels"), [(1, 256), (3, 256), (3, 4)])
def test_gradients_are_those_of_finite_differences(channels: int, levels: int) -> None:
    p = parameters(2, 2, 1, channels=channels).requires_grad_()
    x = images(2, channels, 2, 1, levels=levels)

    def log_prob(p: Tensor) -> Tensor:
        return DiscretisedLogisticMixture(p, channels, levels).log_prob(x)

    assert torch.autograd.gradcheck(log_prob, [p])


def test_a_stack_of_models_is_one_after_another() -> None:
    p, x = torch.stack([parameters(3, 2, 2), -parameters(3, 2, 2)]), images(3, 3, 2, 2)
    p.requires_grad_()

    def log_prob(p: Tensor) -> Tensor:
        return DiscretisedLogisticMixture(p).log_prob(x)

    stacked = torch.func.vmap(log_prob)(p)
    loop = torch.stack([log_prob(p[0]), log_prob(p[1])])
    torch.testing.assert_close(stacked, loop)
    upstream = torch.linspace(-1, 2, 6, dtype=torch.float64).reshape(2, 3)
    for one, other in zip(
        *(torch.autograd.grad((out * upstream).sum(), p) for out in (stacked, loop)), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_the_mean_of_one_channel_is_that_of_its_levels() -> None:
    """Where scales are above a level, to its square, however much the ends cut off."""
    for log_scale in (-3.0, -1.0, 1.0):
        pixel = parameters(1, 1, 1, channels=1, components=3, log_scale=log_scale)
        expected = (of_every(pixel, 256, 1) * every(256, 1).flatten()).sum()
        found = DiscretisedLogisticMixture(pixel, channels=1).mean
        torch.testing.assert_close(found.flatten()[0], expected, rtol=1e-6, atol=0)


def test_means_of_a_sharp_component_lie_within_half_a_level() -> None:
    pixel = parameters(1, 1, 1, channels=1, components=1)
    for centre in np.linspace(-1.2, 1.2, 50):
        pixel.flatten()[1:] = torch.tensor([centre, -9.0])
        expected = (of_every(pixel, 256, 1) * every(256, 1).flatten()).sum()
        found = DiscretisedLogisticMixture(pixel, channels=1).mean.flatten()[0]
        assert abs(found - expected) <= 0.5 / 255 + 1e-9


def test_means_of_colours_are_those_of_all_colours_away_from_the_ends() -> None:
    """31 levels, a component's scales a twentieth of the range: the ends cut off exp(-12)."""
    pixel = parameters(1, 1, 1, log_scale=-3.0)
    pixel[:, 2:8] *= 0.1  # means
    pixel[:, 8:14] = -3.0
    masses, x = of_every(pixel, 31, 3), every(31, 3)[..., 0, 0]
    found = DiscretisedLogisticMixture(pixel, levels=31).mean.flatten()
    torch.testing.assert_close(found, masses @ x, rtol=0, atol=1e-4)


def test_draws_have_the_frequencies_of_the_masses() -> None:
    """100,000 draws of one pixel with 4 levels: all 64 colours within five standard errors."""
    n = 100_000
    pixel = parameters(1, 1, 1, log_scale=-1.0)
    mixture = DiscretisedLogisticMixture(pixel.expand(-1, -1, 1, n), levels=4)
    drawn = mixture.sample(torch_stream(1, "draws"))
    colour = (drawn[0, :, 0] * 3).round().long()
    counts = torch.bincount(colour[0] * 16 + colour[1] * 4 + colour[2], minlength=64)
    masses = of_every(pixel, 4, 3)
    error = (masses * (1 - masses) / n).sqrt()
    assert ((counts / n - masses).abs() < 5 * error).all()


def test_draws_can_be_scored_and_repeat_with_their_generator() -> None:
    mixture = DiscretisedLogisticMixture(parameters(3, 4, 5).float())
    one, other = (mixture.sample(torch_stream(0, "draws")) for _ in range(2))
    assert one.shape == (3, 3, 4, 5)
    assert torch.equal(one, other)
    assert mixture.log_prob(one).isfinite().all()
    assert (one == 0).any()
    assert (one == 1).any()


@pytest.mark.parametrize("size", [30.0, 1e4, 1e8])
def test_extreme_parameters_give_finite_values_and_gradients(size: float) -> None:
    """Of either sign, at all levels, in float32."""
    x = torch.arange(256.0)[:, None, None, None].expand(-1, 3, 1, 3) / 255
    p = size * torch.randn(256, 20, 1, 3, generator=torch_stream(0, "extreme"))
    for found in (*gradient(p, x), DiscretisedLogisticMixture(p).mean):
        assert found.isfinite().all()
    assert DiscretisedLogisticMixture(p).sample(torch_stream(0, "draws")).isfinite().all()


def test_a_far_and_sharp_component_has_the_tail_of_an_exponential() -> None:
    """Where the mass is far below the smallest float: log p falls by 1 for each scale."""
    log_scale = torch.tensor(-7.0)
    p = torch.tensor([0.0, -1.0, log_scale]).reshape(1, 3, 1, 1)
    x = torch.full((1, 1, 1, 1), 200 / 255)
    # The level spans 2 / 255: its mass is that beyond its lower edge less that beyond its upper.
    lower, upper = ((2 * level / 255) / log_scale.double().exp() for level in (199.5, 200.5))
    expected = -lower + torch.log1p(-(lower - upper).exp())
    found = DiscretisedLogisticMixture(p, channels=1).log_prob(x)
    torch.testing.assert_close(found.double()[0], expected, rtol=1e-6, atol=0)
    assert expected < -1000


def test_scales_are_cut_at_both_ends() -> None:
    x = images(1, 3, 2, 2)
    for beyond, end in ((-20.0, -7.0), (20.0, 7.0)):
        p, cut = (parameters(1, 2, 2) for _ in range(2))
        p[:, 8:14], cut[:, 8:14] = beyond, end
        assert torch.equal(gradient(p, x)[0], gradient(cut, x)[0])
        assert not gradient(p, x)[1][:, 8:14].any()


def test_bfloat16_is_computed_in_float32() -> None:
    p, x = parameters(2, 16, 16).bfloat16(), images(2, 3, 16, 16).float()
    log_prob, found = gradient(p, x)
    expected, exact = gradient(p.double(), x.double())
    assert (log_prob.dtype, found.dtype) == (torch.float32, torch.bfloat16)
    torch.testing.assert_close(log_prob.double(), expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(found.double(), exact, rtol=2**-6, atol=1e-3)
    assert DiscretisedLogisticMixture(p).mean.dtype == torch.float32


def test_values_between_levels_are_refused() -> None:
    mixture = DiscretisedLogisticMixture(parameters(2, 2, 2).float())
    x = torch.zeros(2, 3, 2, 2)
    mixture.log_prob(x)  # black and white are levels
    for bad in (0.5, -1 / 255, 256 / 255, float("nan")):
        x[1, 2, 1, 0] = bad
        with pytest.raises(MrtcError, match=rf"whole multiples of 1/255 .* got {bad:g}; round"):
            mixture.log_prob(x)


def test_numbers_of_parameters_and_shapes_are_checked() -> None:
    assert (parameters_of(1, 10), parameters_of(3, 10)) == (30, 100)
    with pytest.raises(ValueError, match="got 3 and 0; give at least one"):
        parameters_of(3, 0)
    with pytest.raises(ValueError, match="10 parameters a component, got 15 in all"):
        DiscretisedLogisticMixture(torch.zeros(1, 15, 2, 2))
    with pytest.raises(ValueError, match=r"of shape \(1, 3, 2, 2\), got \(1, 1, 2, 2\); give"):
        DiscretisedLogisticMixture(torch.zeros(1, 20, 2, 2)).log_prob(torch.zeros(1, 1, 2, 2))


def test_it_is_a_likelihood() -> None:
    assert isinstance(DiscretisedLogisticMixture(torch.zeros(1, 10, 2, 2)), Likelihood)
