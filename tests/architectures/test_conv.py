"""Convolutional networks: those of the literature, layer by layer, and their gates."""

import json

import pytest
import torch

from mrtc.architectures import ConvConfig, MLPConfig
from mrtc.errors import MrtcError
from mrtc.experiments import RunConfig, preset
from mrtc.experiments.run import build_vae, load_vae
from mrtc.layers import Unit
from mrtc.layers.unit import GatePlace
from mrtc.objectives import ObjectiveConfig
from mrtc.randomness import torch_stream
from mrtc.training import Checkpoint, TrainingConfig, train
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
from tests.references.image_networks import fill, reference, shake

ALL = [
    ("chadebec", (1, 28, 28)),
    ("chadebec", (3, 32, 32)),
    ("chadebec", (3, 64, 64)),
    ("burgess", (1, 64, 64)),
    ("locatello", (1, 64, 64)),
    ("chen", (1, 64, 64)),
]
SMALL = ALL[-2:]
"""One without batch normalisation, one with it; both quick."""


@pytest.mark.parametrize(
    ("shape", "size", "plain", "gated"),
    [
        ((1, 28, 28), 32, 17_526_977, 17_565_249),
        ((3, 32, 32), 256, 40_462_723, 40_600_195),
        ((3, 32, 32), 32, 23_947_203, None),
        ((3, 64, 64), 64, 34_594_563, 34_731_523),
    ],
)
def test_the_cnn_has_exactly_the_parameters_of_the_published_code(
    shape: tuple[int, ...], size: int, plain: int, gated: int | None
) -> None:
    """MNIST, CIFAR-10, SVHN and CelebA; gated on all pre-activations."""
    config = ConvConfig(codes=size)
    assert count(shape, config.plain()) == plain
    assert gated is None or count(shape, config) == gated


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("name", "shape"), ALL)
def test_without_gates_it_is_the_network_written_out(
    name: str, shape: tuple[int, ...], training: bool
) -> None:
    config = ConvConfig(codes=5, design=name, gated="none")
    ours, theirs = networks(shape, config), reference(name, shape[1], shape[0], 5)
    x, z, rate_code = images(shape), codes(config), torch.zeros(1)
    for mine, written in zip(ours, theirs, strict=True):
        shake(mine, torch_stream(0, "moments"))
        fill(written, mine)
        mine.train(training)
        written.train(training)
    actual = torch.cat(ours[0](x, rate_code), dim=1), ours[1](z, rate_code)
    assert actual[1].shape == x.shape
    torch.testing.assert_close(actual, (theirs[0](x), theirs[1](z)))


@pytest.mark.parametrize("place", ["before_norm", "after_norm"])
@pytest.mark.parametrize(("name", "shape"), [ALL[0], *SMALL])
def test_gates_scale_rows_of_the_weights(
    name: str, shape: tuple[int, ...], place: GatePlace
) -> None:
    """Those of batch normalisation, where they are behind it."""
    require_gates_fold_into_weights(shape, ConvConfig(codes=5, design=name, gate_place=place))


@pytest.mark.parametrize("place", ["before_norm", "after_norm"])
def test_gates_are_where_the_configuration_has_them(place: GatePlace) -> None:
    """What the places mean, the tests of the unit say."""
    for network in networks((1, 64, 64), ConvConfig(codes=5, design="chen", gate_place=place)):
        units = [module for module in network.modules() if isinstance(module, Unit)]
        assert len(units) == 5
        assert {unit.place for unit in units} == {place}


def test_which_layers_have_gates() -> None:
    """Two numbers a channel: 32-32-64-64 and 256 in the encoder; 256, 1024 and 64-32-32 beyond."""
    shape, sizes = (1, 64, 64), {}
    for gated in ("none", "inner", "hidden", "all"):
        sizes[gated] = count(shape, ConvConfig(codes=10, design="locatello", gated=gated))
    inner = 32 + 32 + 64 + 64 + 256 + 1024 + 64 + 32 + 32
    extra = {name: (size - sizes["none"]) / 2 for name, size in sizes.items()}
    assert extra == {"none": 0, "inner": inner, "hidden": inner + 256, "all": inner + 256 + 20}


@pytest.mark.parametrize(("name", "shape"), SMALL)
def test_one_beta_a_group_is_a_call_for_each(name: str, shape: tuple[int, ...]) -> None:
    require_groups_are_calls(shape, ConvConfig(codes=5, design=name))


@pytest.mark.parametrize(("name", "shape"), SMALL)
def test_a_plain_network_ignores_beta(name: str, shape: tuple[int, ...]) -> None:
    require_no_effect_of_beta(shape, ConvConfig(codes=5, design=name, gated="none"))


@pytest.mark.parametrize("place", ["before_norm", "after_norm"])
@pytest.mark.parametrize(("name", "shape"), SMALL)
def test_the_stem_serves_every_beta(name: str, shape: tuple[int, ...], place: GatePlace) -> None:
    require_stem_is_first_part(shape, ConvConfig(codes=5, design=name, gate_place=place))


@pytest.mark.parametrize("place", ["before_norm", "after_norm"])
@pytest.mark.parametrize(("name", "shape"), [ALL[0], *ALL[-3:]])
def test_a_gradient_reaches_every_parameter(
    name: str, shape: tuple[int, ...], place: GatePlace
) -> None:
    require_gradients(shape, ConvConfig(codes=5, design=name, gate_place=place))


@pytest.mark.parametrize(("name", "shape"), SMALL)
def test_moments_are_float32_under_autocast(name: str, shape: tuple[int, ...]) -> None:
    require_float32_moments(shape, ConvConfig(codes=5, design=name))


def test_a_sigmoid_at_the_output_gives_means() -> None:
    """The same logits, as means; not rounded to 1 by bfloat16."""
    logits = networks((1, 64, 64), ConvConfig(codes=5, design="burgess"))[1]
    means = networks((1, 64, 64), ConvConfig(codes=5, design="burgess", output="sigmoid"))[1]
    z, code = codes(ConvConfig(codes=5)), torch.zeros(1)
    torch.testing.assert_close(means(z, code), torch.sigmoid(logits(z, code)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert logits(z, code).dtype == torch.bfloat16
        assert means(z, code).dtype == torch.float32


@pytest.mark.parametrize("shape", [(1, 16, 16), (1, 28, 32), (64, 64), (4096,)])
def test_images_of_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(MrtcError, match=r"'chadebec' needs .* side of 28 or 32 or 64 pixels") as e:
        count(shape, ConvConfig())
    assert str(shape) in str(e.value)
    with pytest.raises(MrtcError, match="with a side of 64 pixels"):
        count(shape if shape[-1] != 64 else (1, 28, 28), ConvConfig(design="chen"))


class Noise:
    """Eight binary images of 64 x 64."""

    source = "noise"
    x = (images((1, 64, 64), 8) > 0.5).float()

    def __len__(self) -> int:
        return len(self.x)

    def images(self, index: torch.Tensor) -> torch.Tensor:
        return self.x[index]


def test_it_trains_and_its_checkpoint_brings_it_back(tmp_path) -> None:
    """With the running means of batch normalisation, in evaluation mode."""
    base = json.loads(preset("dsprites", "quick", "beta").to_json())
    model = {"kind": "conv", "design": "chen", "codes": 4, "gate_place": "after_norm"}
    config = RunConfig.from_json(json.dumps(base | {"model": model}))
    assert config.model == ConvConfig(codes=4, design="chen", gate_place="after_norm")
    assert RunConfig.from_json(config.to_json()) == config
    assert config.model != MLPConfig(codes=4)
    vae = build_vae(config)
    state = train(
        vae,
        Noise(),
        ObjectiveConfig("beta", groups=2),
        TrainingConfig(steps=2, batch=4),
        seed=0,
        device=torch.device("cpu"),
        quiet=True,
    )
    Checkpoint(config.to_json(), vae.state_dict(), state).save(tmp_path / "conv.pt")

    loaded, read, _ = load_vae(tmp_path / "conv.pt")

    assert read == config
    assert loaded.encoder.first.norm.running_mean.abs().sum() > 0
    x = Noise().x
    wanted = vae.eval().encode(x, 1.0)
    assert torch.equal(loaded.encode(x, 1.0).mean, wanted.mean)
    assert torch.equal(loaded.decode(wanted.mean, 1.0).mean, vae.decode(wanted.mean, 1.0).mean)
