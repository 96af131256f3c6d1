"""The residual networks of the image experiments: their layers, counts and gates."""

import json
from typing import Literal

import pytest
import torch
from torch import nn

from mrtc.architectures import ResNetConfig, build_networks
from mrtc.errors import MrtcError
from mrtc.experiments import RunConfig, preset
from mrtc.experiments.run import build_vae, load_vae
from mrtc.layers import RateGate
from mrtc.training import Checkpoint, TrainingState
from tests.architectures.image_checks import (
    codes,
    count,
    images,
    networks,
    require_float32_moments,
    require_gates_fold_into_weights,
    require_gradients,
    require_groups_are_calls,
    require_no_effect_of_beta,
    require_stem_is_first_part,
)
from tests.references.image_networks import fill, reference

SHAPES = [(1, 28, 28), (3, 32, 32), (3, 64, 64)]


@pytest.mark.parametrize(
    ("shape", "size", "gated", "expected"),
    [
        ((1, 28, 28), 32, "none", 1_881_217),
        ((1, 28, 28), 32, "all", 1_888_513),
        ((1, 28, 28), 32, "inner", 1_884_289),
        ((3, 32, 32), 256, "none", 7_896_963),
        ((3, 32, 32), 32, "none", 2_391_491),
        ((3, 64, 64), 64, "none", 2_770_819),
        ((3, 64, 64), 64, "all", 2_778_755),
        ((3, 64, 64), 64, "inner", 2_774_403),
    ],
)
def test_it_has_exactly_the_parameters_of_the_published_code(
    shape: tuple[int, ...], size: int, gated: str, expected: int
) -> None:
    """MNIST, CIFAR-10, SVHN, CelebA; ``all`` is its form on pre-activations, ``inner`` the other.

    The latter has the gates behind the ReLUs, and its counts are those of the paper's table 1.
    """
    assert count(shape, ResNetConfig(codes=size, gated=gated)) == expected


@pytest.mark.parametrize(("gated", "published"), [("all", 7_915_843), ("inner", 7_898_435)])
def test_for_32_pixels_the_published_gated_networks_have_other_kernels(
    gated: Literal["all", "inner"], published: int
) -> None:
    """Both are 1,344 = 64 x 3 x (16 - 9) parameters smaller than the published baseline with gates.

    That is one layer between 64 and 3 channels with kernels of 3 where the baseline has 4. Here a
    baseline and its gated network have the same layers.
    """
    with torch.device("meta"):
        encoder, decoder = build_networks((3, 32, 32), ResNetConfig(codes=256, gated=gated))
        decoder.output = nn.ConvTranspose2d(64, 3, 3, 2, 1, 1)
    assert sum(p.numel() for net in (encoder, decoder) for p in net.parameters()) == published


@pytest.mark.parametrize("shape", SHAPES)
def test_without_gates_it_is_the_network_written_out(shape: tuple[int, ...]) -> None:
    config = ResNetConfig(codes=5, gated="none")
    ours, theirs = networks(shape, config), reference("resnet", shape[1], shape[0], 5)
    for mine, written in zip(ours, theirs, strict=True):
        fill(written, mine)
    x, z, rate_code = images(shape), codes(config), torch.zeros(1)
    actual = torch.cat(ours[0](x, rate_code), dim=1), ours[1](z, rate_code)
    assert actual[1].shape == x.shape
    torch.testing.assert_close(actual, (theirs[0](x), theirs[1](z)))


@pytest.mark.parametrize("shape", SHAPES)
def test_gates_scale_rows_of_the_weights(shape: tuple[int, ...]) -> None:
    """With half of the decoder's gates closed."""
    require_gates_fold_into_weights(shape, ResNetConfig(codes=5, gate_init="paper"))


@pytest.mark.parametrize("shape", SHAPES)
def test_one_beta_a_group_is_a_call_for_each(shape: tuple[int, ...]) -> None:
    require_groups_are_calls(shape, ResNetConfig(codes=5))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_gradient_reaches_every_parameter(shape: tuple[int, ...]) -> None:
    require_gradients(shape, ResNetConfig(codes=5))


def test_sigmoids_encode_and_square_roots_decode() -> None:
    """Equation 7, its networks the right way round."""
    kinds = [
        {module.kind for module in network.modules() if isinstance(module, RateGate)}
        for network in networks(SHAPES[0], ResNetConfig(codes=5))
    ]
    assert kinds == [{"sigmoid"}, {"sqrt"}]


def test_a_plain_network_ignores_beta() -> None:
    require_no_effect_of_beta(SHAPES[0], ResNetConfig(codes=5, gated="none"))


def test_the_stem_serves_every_beta() -> None:
    require_stem_is_first_part(SHAPES[0], ResNetConfig(codes=5))


def test_moments_are_float32_under_autocast() -> None:
    require_float32_moments(SHAPES[0], ResNetConfig(codes=5))


@pytest.mark.parametrize("shape", [(3, 48, 48), (1, 28, 64), (784,)])
def test_images_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(MrtcError, match=r"network needs .* 28 or 32 or 64 pixels") as error:
        count(shape, ResNetConfig())
    assert str(shape) in str(error.value)


def test_a_checkpoint_brings_it_back(tmp_path) -> None:
    base = json.loads(preset("dsprites", "quick", "beta").to_json())
    written = base | {"dataset": "binarized-mnist", "model": {"kind": "resnet", "codes": 4}}
    config = RunConfig.from_json(json.dumps(written))
    assert config.model == ResNetConfig(codes=4)
    assert RunConfig.from_json(config.to_json()) == config
    vae = build_vae(config)
    Checkpoint(config.to_json(), vae.state_dict(), TrainingState()).save(tmp_path / "resnet.pt")

    loaded, read, _ = load_vae(tmp_path / "resnet.pt")

    assert read == config
    x = images((1, 28, 28))
    assert torch.equal(loaded.encode(x, 1.0).mean, vae.encode(x, 1.0).mean)
