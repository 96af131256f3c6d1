"""What the tests of all image networks have in common."""

import torch
from torch import nn

from mrtc.architectures import ConvConfig, ResNetConfig, build_networks
from mrtc.randomness import torch_stream
from tests.references.image_networks import fold, shake

Networks = tuple[nn.Module, nn.Module]


def count(image_shape: tuple[int, ...], config: ConvConfig | ResNetConfig) -> int:
    """Parameters, without making them."""
    with torch.device("meta"):
        networks = build_networks(image_shape, config)
    return sum(p.numel() for network in networks for p in network.parameters())


def networks(image_shape: tuple[int, ...], config: ConvConfig | ResNetConfig) -> Networks:
    """In evaluation mode, in which batch normalisation treats each example by itself."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder, decoder = build_networks(image_shape, config)
    return encoder.eval(), decoder.eval()


def images(image_shape: tuple[int, ...], batch: int = 4) -> torch.Tensor:
    return torch.rand(batch, *image_shape, generator=torch_stream(0, "images"))


def codes(config: ConvConfig | ResNetConfig, batch: int = 4) -> torch.Tensor:
    return torch.randn(batch, config.codes, generator=torch_stream(0, "codes"))


def require_groups_are_calls(
    image_shape: tuple[int, ...], config: ConvConfig | ResNetConfig
) -> None:
    """One beta for each of two groups is what two calls give, and the two differ."""
    encoder, decoder = networks(image_shape, config)
    x, z, both = images(image_shape), codes(config), torch.tensor([-1.0, 1.4])

    def outputs(rows: slice, rate_codes: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return *encoder(x[rows], rate_codes), decoder(z[rows], rate_codes)

    first, second, others = slice(0, 2), slice(2, 4), slice(0, 4)
    parts = zip(outputs(first, both[:1]), outputs(second, both[1:]), strict=True)
    together = outputs(others, both)
    torch.testing.assert_close(together, tuple(map(torch.cat, parts)))
    for whole, wrong in zip(together, outputs(others, both[:1]), strict=True):
        assert not torch.allclose(whole[2:], wrong[2:], rtol=1e-3)


def require_no_effect_of_beta(
    image_shape: tuple[int, ...], config: ConvConfig | ResNetConfig
) -> None:
    encoder, decoder = networks(image_shape, config)
    x, z, low, high = images(image_shape), codes(config), torch.tensor([-1.7]), torch.tensor([1.7])
    for a, b in zip(encoder(x, low), encoder(x, high), strict=True):
        assert torch.equal(a, b)
    assert torch.equal(decoder(z, low), decoder(z, high))


def require_stem_is_first_part(
    image_shape: tuple[int, ...], config: ConvConfig | ResNetConfig
) -> None:
    encoder, _ = networks(image_shape, config)
    x = images(image_shape)
    stem = encoder.stem(x)
    for rate_code in (torch.tensor([-1.7]), torch.tensor([0.3])):
        parts, whole = encoder.from_stem(stem, rate_code), encoder(x, rate_code)
        assert all(torch.equal(a, b) for a, b in zip(parts, whole, strict=True))


def require_gradients(image_shape: tuple[int, ...], config: ConvConfig | ResNetConfig) -> None:
    """In evaluation mode: in training, batch normalisation subtracts biases again."""
    encoder, decoder = networks(image_shape, config)
    rate_code = torch.tensor([0.7])
    mean, log_sigma = encoder(images(image_shape), rate_code)
    decoder(mean + log_sigma.exp(), rate_code).square().sum().backward()
    for network in (encoder, decoder):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert (parameter.grad != 0).any(), name


def require_float32_moments(
    image_shape: tuple[int, ...], config: ConvConfig | ResNetConfig
) -> None:
    encoder, _ = networks(image_shape, config)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mean, log_sigma = encoder(images(image_shape), torch.zeros(1))
    assert mean.dtype == log_sigma.dtype == torch.float32


def require_gates_fold_into_weights(
    image_shape: tuple[int, ...], config: ConvConfig | ResNetConfig
) -> None:
    """At one beta, the gated networks are plain ones with scaled rows of weights and biases."""
    gated, plain = networks(image_shape, config), networks(image_shape, config.plain())
    x, z, rate_code = images(image_shape), codes(config), torch.tensor([-1.1])
    for theirs, mine in zip(gated, plain, strict=True):
        shake(theirs, torch_stream(0, "moments"))
        fold(theirs, mine, rate_code)
    torch.testing.assert_close(gated[0](x, rate_code), plain[0](x, torch.zeros(1)))
    torch.testing.assert_close(gated[1](z, rate_code), plain[1](z, torch.zeros(1)))
