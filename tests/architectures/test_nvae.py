"""The hierarchy of NVAE: sizes, counts, and its way down against the published one."""

from dataclasses import replace

import pytest
import torch

from mrtc.architectures import NVAEConfig, build_networks
from mrtc.architectures.nvae import NVAEDecoder, NVAEEncoder
from mrtc.errors import MrtcError
from mrtc.hierarchy import LatentGroup
from mrtc.layers import RateGate
from mrtc.randomness import torch_stream
from tests import hierarchies
from tests.architectures.image_checks import images
from tests.references.hierarchy import way_down
from tests.references.image_networks import shake

SMALL = replace(hierarchies.SMALL, block_cells=2)
SHAPE = (1, 8, 8)
CELEBA = NVAEConfig(
    image_side=64, padding=0, scales=3, groups=20, channels=64, blocks=1, block_cells=2
)


def networks(
    config: NVAEConfig, image_shape: tuple[int, ...] = SHAPE
) -> tuple[NVAEEncoder, NVAEDecoder]:
    """In evaluation mode, with running statistics as after some training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder, decoder = build_networks(image_shape, config)
    assert isinstance(encoder, NVAEEncoder)
    assert isinstance(decoder, NVAEDecoder)
    for network in (encoder, decoder):
        shake(network.eval(), torch_stream(0, "moments"))
    return encoder, decoder


def noise(config: NVAEConfig, batch: int = 4) -> torch.Tensor:
    return torch.randn(batch, config.codes, generator=torch_stream(0, "noise"))


def published_parameters(image_channels: int, config: NVAEConfig) -> int:
    """Counted from the published description, without a network."""

    def normalised(a: int, b: int, kernel: int = 1) -> int:
        return a * b * kernel**2 + 2 * b  # weights, norms, biases

    def squeeze_excite(c: int) -> int:
        squeezed = max(c // 16, 4)
        return c * squeezed + squeezed + squeezed * c + c

    def residual(a: int, b: int) -> int:
        skip = 0 if a == b else 4 * normalised(a, b // 4)
        return 2 * a + normalised(a, b, 3) + 2 * b + normalised(b, b, 3) + squeeze_excite(b) + skip

    def inverted(a: int, b: int, expansion: int) -> int:
        skip = 0 if a == b else normalised(a, b)
        wide = expansion * a
        body = 2 * a + a * wide + 2 * wide + 25 * wide + 2 * wide + wide * b + 2 * b
        return body + squeeze_excite(b) + skip

    c, latent = config.channels, config.group_channels
    total = normalised(image_channels, c, 3)
    for _ in range(config.blocks):
        total += (config.block_cells - 1) * residual(c, c) + residual(c, 2 * c)
        total += inverted(2 * c, c, 3) + (config.block_cells - 1) * inverted(c, c, 3)
        c *= 2
    for scale, groups in enumerate(reversed(config.groups_per_scale)):
        total += groups * config.group_cells * (residual(c, c) + inverted(c, c, 6))
        total += groups * (normalised(c, 2 * latent, 3) + normalised(c + latent, c))
        total += groups * (normalised(c, 2 * latent) + normalised(c, c))
        if scale < config.scales - 1:
            total += residual(c, 2 * c) + inverted(2 * c, c, 6)
            c *= 2
    # The top group has no cells on the way down, no prior and no state to look at; but the
    # encoder's last convolution is before it, and the constant from which the way down starts.
    total -= config.group_cells * inverted(c, c, 6) + normalised(c, 2 * latent) + normalised(c, c)
    side = config.latent_groups[0].side
    return total + normalised(c, c) + c * side**2 + normalised(config.channels, image_channels, 3)


@pytest.mark.parametrize(
    ("config", "image_channels", "groups", "sides", "codes"),
    [
        (NVAEConfig(), 1, (5, 10), (4, 8), 14_400),
        (CELEBA, 3, (5, 10, 20), (8, 16, 32), 467_200),
        (replace(NVAEConfig(), adaptive_groups=False), 1, (10, 10), (4, 8), 16_000),
    ],
    ids=["binary", "celeba64", "binary, as many groups at each scale"],
)
def test_it_has_the_groups_and_parameters_of_the_published_hierarchy(
    config: NVAEConfig,
    image_channels: int,
    groups: tuple[int, ...],
    sides: tuple[int, ...],
    codes: int,
) -> None:
    assert config.groups_per_scale == groups
    expected = [
        LatentGroup(20, side)
        for side, count in zip(sides, groups, strict=True)
        for _ in range(count)
    ]
    assert list(config.latent_groups) == expected
    assert config.codes == codes
    shape = (image_channels, config.image_side, config.image_side)
    with torch.device("meta"):
        plain = build_networks(shape, config.plain())
    count = sum(weight.numel() for network in plain for weight in network.parameters())
    assert count == published_parameters(image_channels, config)


def test_the_binary_hierarchy_is_near_the_published_counts() -> None:
    """8.868 M plain, of which 0.17 % are not accounted for, and 82,000 of gates."""
    with torch.device("meta"):
        modules = [m for n in build_networks((1, 28, 28), NVAEConfig()) for m in n.modules()]
    gates = sum(2 * len(m.slope) for m in modules if isinstance(m, RateGate))
    assert published_parameters(1, NVAEConfig()) == 8_853_358
    assert gates == 85_362


@pytest.mark.parametrize("config", [SMALL, SMALL.plain()], ids=["gated", "plain"])
def test_the_way_down_is_the_published_one(config: NVAEConfig) -> None:
    """Whitened codes or not: the same images, and rates by torch's KL of two normals."""
    encoder, decoder = networks(config)
    x, rate_code, eps = images(SHAPE), torch.tensor([-1.0, 1.4]), noise(config)
    features = encoder(x, rate_code)
    found = decoder.infer(features, eps, rate_code)
    output, rates, _ = way_down(decoder, features, eps, rate_code.repeat_interleave(2))
    torch.testing.assert_close(found.output, output, rtol=1e-4, atol=1e-5)
    whitened = 0.5 * (found.mean**2 + (2 * found.log_sigma).exp() - 1) - found.log_sigma
    ends = torch.tensor([g.codes for g in config.latent_groups]).cumsum(0)[:-1]
    by_group = torch.stack([p.sum(1) for p in torch.tensor_split(whitened, ends, dim=1)], 1)
    torch.testing.assert_close(by_group, rates, rtol=1e-4, atol=1e-4)


def test_decoding_a_draw_gives_what_the_draw_gave() -> None:
    encoder, decoder = networks(SMALL)
    rate_code = torch.tensor([0.4])
    found = decoder.infer(encoder(images(SHAPE), rate_code), noise(SMALL), rate_code)
    assert torch.equal(decoder(found.z, rate_code), found.output)
    torch.testing.assert_close(found.z, found.mean + noise(SMALL) * found.log_sigma.exp())


def test_one_beta_for_each_group_of_examples_is_what_two_calls_give() -> None:
    encoder, decoder = networks(SMALL)
    x, eps, both = images(SHAPE), noise(SMALL), torch.tensor([-1.0, 1.4])

    def outputs(rows: slice, rate_code: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return decoder.infer(encoder(x[rows], rate_code), eps[rows], rate_code)

    parts = zip(outputs(slice(2), both[:1]), outputs(slice(2, 4), both[1:]), strict=True)
    together = outputs(slice(4), both)
    torch.testing.assert_close(tuple(together), tuple(map(torch.cat, parts)))
    for whole, wrong in zip(together, outputs(slice(4), both[:1]), strict=True):
        assert not torch.allclose(whole[2:], wrong[2:], rtol=1e-3)


def test_a_baseline_does_not_see_beta_and_has_no_gates() -> None:
    encoder, decoder = networks(SMALL.plain())
    low, high = torch.tensor([-1.7]), torch.tensor([1.7])
    assert not any(isinstance(m, RateGate) for n in (encoder, decoder) for m in n.modules())
    for a, b in zip(encoder(images(SHAPE), low), encoder(images(SHAPE), high), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(decoder(noise(SMALL), low), decoder(noise(SMALL), high))


def test_the_stem_serves_every_beta() -> None:
    encoder, _ = networks(SMALL)
    x = images(SHAPE)
    stem = encoder.stem(x)
    for rate_code in (torch.tensor([-1.7]), torch.tensor([0.3])):
        parts, whole = encoder.from_stem(stem, rate_code), encoder(x, rate_code)
        assert all(torch.equal(a, b) for a, b in zip(parts, whole, strict=True))


def test_every_parameter_is_learned() -> None:
    encoder, decoder = networks(SMALL)
    rate_code = torch.tensor([0.7])
    found = decoder.infer(encoder(images(SHAPE), rate_code), noise(SMALL), rate_code)
    (found.output.square().sum() + found.mean.square().sum() + found.log_sigma.sum()).backward()
    for network in (encoder, decoder):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert (parameter.grad != 0).any(), name


def test_moments_are_float32_under_autocast_and_bounded() -> None:
    encoder, decoder = networks(SMALL)
    rate_code = torch.zeros(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = encoder(images(SHAPE), rate_code)
        found = decoder.infer(features, noise(SMALL), rate_code)
    assert features[0].dtype == torch.bfloat16
    assert found.mean.dtype == found.log_sigma.dtype == found.z.dtype == torch.float32
    huge = decoder.infer(tuple(1e6 * f.float() for f in features), noise(SMALL), rate_code)
    assert huge.log_sigma.abs().max() <= 5
    assert huge.output.isfinite().all()


def test_colour_images_have_the_parameters_of_a_mixture() -> None:
    config = replace(SMALL, output="logistic_mixture", likelihood_components=3)
    _, decoder = networks(config, (3, 8, 8))
    assert decoder(noise(config), torch.zeros(1)).shape == (4, 30, 8, 8)


@pytest.mark.parametrize(("side", "padding"), [(28, 2), (32, 0), (64, 0), (30, 1)])
def test_another_side_gets_the_least_padding_that_scales_divide(side: int, padding: int) -> None:
    config = NVAEConfig().for_side(side)
    assert (config.image_side, config.padding) == (side, padding)
    assert config.finest_side == (side + 2 * padding) // 4


@pytest.mark.parametrize(
    ("config", "shape", "message"),
    [
        (replace(SMALL, image_side=10), (1, 10, 10), "10 pixels .* no multiple of 4; choose"),
        (SMALL.for_side(9), (1, 9, 9), "no multiple of 4; choose another size or padding"),
        (replace(SMALL, scales=4), SHAPE, "halve the side of an image 4 times, and 8 pixels"),
        (SMALL, (1, 12, 12), r"images of 8 x 8 pixels, got images of shape \(1, 12, 12\)"),
        (SMALL, (1, 8, 12), "got images of shape"),
    ],
)
def test_it_says_which_images_it_is_for(
    config: NVAEConfig, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(MrtcError, match=message):
        build_networks(shape, config)
