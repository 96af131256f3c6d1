"""Frozen hierarchies against gated ones: along draws, in ONNX, in files, and what is refused."""

from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mrtc.architectures import build_networks
from mrtc.distributions import Bernoulli
from mrtc.errors import MrtcError
from mrtc.experiments import preset
from mrtc.experiments.freeze import freeze
from mrtc.experiments.run import build_vae
from mrtc.frozen import FrozenHierarchy, load
from mrtc.frozen.frozen_vae import LAYERS, LEVELS, Group, LogisticMixture
from mrtc.hierarchical_vae import HierarchicalVAE
from mrtc.layers.normalised import NormalisedConv2d
from mrtc.logistic_mixture import DiscretisedLogisticMixture, parameters_of
from mrtc.randomness import torch_stream
from mrtc.rates import BetaRange
from mrtc.training import Checkpoint, TrainingState
from mrtc.vae import VAE
from tests.frozen.models import BETAS, HIERARCHIES, NVAE, difference, make

model = cache(make)
"""For tests that leave it as it is."""


def betas(vae: VAE) -> list[float]:
    return [vae.betas.low] if vae.betas.is_single else [BETAS.low, 0.3, BETAS.high]


def frozen_of(vae: VAE, beta: float) -> FrozenHierarchy:
    frozen = vae.freeze(beta)
    assert isinstance(frozen, FrozenHierarchy)
    return frozen


def inputs(name: str, vae: VAE, count: int = 5) -> tuple[Tensor, Tensor]:
    """Images of whole levels, and noise."""
    stream = torch_stream(count, name)
    x = torch.randint(LEVELS, (count, *HIERARCHIES[name][0]), generator=stream) / (LEVELS - 1)
    return x, torch.randn(count, vae.codes, generator=stream)


@torch.no_grad()
def differences(vae: VAE, beta: float, x: Tensor, noise: Tensor) -> dict[str, float]:
    """Of all that a frozen model gives, relative to the largest value of each."""
    frozen = frozen_of(vae, beta)
    drawn, along_means = vae.infer(vae.encoder.stem(x), beta, noise), vae.encode(x, beta)
    likelihood = vae.decode(noise, beta)
    mean, log_sigma = frozen.encode(x)
    drawn_mean, drawn_log_sigma, z = frozen.infer(x, noise)
    pairs = {
        "mean": (mean, along_means.mean),
        "log_sigma": (log_sigma, along_means.log_sigma),
        "drawn mean": (drawn_mean, drawn.posterior.mean),
        "drawn log_sigma": (drawn_log_sigma, drawn.posterior.log_sigma),
        "z": (z, drawn.z),
        "images": (frozen.mean(noise), likelihood.mean),
        "log_prob": (frozen.log_prob(x, noise), likelihood.log_prob(x)),
        "decoded": (frozen.decode(noise), vae.decoder(noise, vae._rate_code(beta, x.device))),
    }
    return {name: difference(*pair) for name, pair in pairs.items()}


@pytest.mark.parametrize("name", HIERARCHIES)
def test_it_computes_what_the_gated_model_computes(name: str) -> None:
    vae = model(name)
    x, noise = inputs(name, vae)
    for beta in betas(vae):
        found = differences(vae, beta, x, noise)
        assert max(found.values()) < 1e-5, found


@pytest.mark.parametrize("name", ["nvae", "nvae-colours"])
def test_in_double_precision_nothing_but_rounding_is_left(name: str) -> None:
    vae = deepcopy(model(name)).double()
    x, noise = (part.double() for part in inputs(name, vae))
    x = (x * (LEVELS - 1)).round() / (LEVELS - 1)
    for beta in betas(vae):
        found = differences(vae, beta, x, noise)
        assert max(found.values()) < 1e-12, found


@pytest.mark.parametrize("name", ["nvae", "nvae-three-scales"])
def test_every_weight_shows_in_what_is_compared(name: str) -> None:
    """Else a weight that is folded wrongly could pass."""
    vae = model(name)
    x, noise = inputs(name, vae)
    frozen = frozen_of(vae, 0.3).requires_grad_()
    moments = frozen.infer(x, noise)
    (sum(part.square().sum() for part in moments) + frozen.decode(noise).sum()).backward()
    assert not [key for key, weight in frozen.named_parameters() if not weight.grad.any()]


def test_nothing_of_the_training_is_left() -> None:
    """One scale and shift remains where normalisation stands before an activation; else none."""
    vae, frozen = model("nvae"), model("nvae").freeze(1.0)
    leaves = {type(module) for module in frozen.modules() if not list(module.children())}
    assert leaves <= {*LAYERS.values(), nn.Sequential}  # without layers: a skip connection
    assert not any(isinstance(module, nn.BatchNorm2d) for module in frozen.modules())

    def count(modules: list[nn.Module]) -> int:
        return sum(weight.numel() for module in modules for weight in module.parameters())

    gates = [module for key, module in vae.named_modules() if key.endswith(".gate")]
    norms = [module for module in vae.modules() if isinstance(module, nn.BatchNorm2d)]
    scales = [module.log_scale for module in vae.modules() if isinstance(module, NormalisedConv2d)]
    before = [
        module for key, module in vae.encoder.named_modules() if key.endswith(".norms.0")
    ]  # of encoders' cells
    unbiased = [
        module
        for module in vae.decoder.modules()
        if isinstance(module, nn.Conv2d) and module.bias is None
    ]
    expected = count([vae]) - count(gates) - count(norms) - sum(scale.numel() for scale in scales)
    expected += count(before) + sum(module.out_channels for module in unbiased)
    expected += 2  # images come in [0, 1], and go in as [-1, 1]
    assert count([frozen]) == expected


@pytest.mark.parametrize("name", ["nvae", "nvae-colours"])
def test_samples_are_those_of_the_gated_model(name: str) -> None:
    vae = model(name)
    frozen = frozen_of(vae, 0.3)
    ours = frozen.sample(3, torch_stream(0, "sample"), temperature=0.7)
    theirs = vae.sample(3, 0.3, torch_stream(0, "sample"), temperature=0.7)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    other = frozen.sample(3, torch_stream(0, "sample"))
    assert not torch.allclose(ours, other, atol=1e-3)


def test_what_it_says_of_itself() -> None:
    for name, (shape, _) in HIERARCHIES.items():
        vae = model(name)
        about = vae.freeze(vae.betas.low).about
        assert about["shape"] == list(shape)
        assert about["groups"] == [list(group.shape) for group in vae.groups]
        assert about["architecture"] == "nvae"


@pytest.mark.parametrize("channels", [1, 3])
def test_mixtures_are_those_of_the_package(channels: int) -> None:
    """Far out too: narrow and wide components, levels at the ends, pixels far from every centre."""
    stream = torch_stream(channels, "mixture")
    size = 8, parameters_of(channels, 4), 5, 5
    parameters = 6 * torch.randn(size, generator=stream, dtype=torch.float64)
    x = torch.randint(LEVELS, (8, channels, 5, 5), generator=stream).double() / (LEVELS - 1)
    x[:2], x[2:4] = 0, 1
    ours, theirs = (
        LogisticMixture(parameters, channels),
        DiscretisedLogisticMixture(parameters, channels),
    )
    torch.testing.assert_close(ours.log_prob(x), theirs.log_prob(x), rtol=1e-10, atol=1e-8)
    torch.testing.assert_close(ours.mean(), theirs.mean, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["nvae", "nvae-three-scales", "nvae-colours"])
def test_onnx(name: str) -> None:
    """Along a draw and along the means, for two sizes of batch."""
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from mrtc.frozen.onnx_graphs import graphs

    vae = model(name)
    beta = vae.betas.low
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    sessions = {
        part: onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        for part, graph in graphs(vae.freeze(beta)).items()
    }

    def run(part: str, **given: Tensor) -> dict[str, Tensor]:
        names = [output.name for output in sessions[part].get_outputs()]
        found = sessions[part].run(names, {key: array.numpy() for key, array in given.items()})
        return dict(zip(names, map(torch.from_numpy, found), strict=True))

    for count in (1, 4):
        x, noise = inputs(name, vae, count)
        with torch.no_grad():
            drawn, along_means = vae.infer(vae.encoder.stem(x), beta, noise), vae.encode(x, beta)
            decoded = vae.decoder(noise, vae._rate_code(beta, x.device))
        found = run("encoder", x=x, noise=noise)
        assert difference(found["mean"], drawn.posterior.mean) < 1e-5
        assert difference(found["log_sigma"], drawn.posterior.log_sigma) < 1e-5
        assert difference(found["z"], drawn.z) < 1e-5
        found = run("encoder", x=x, noise=torch.zeros_like(noise))
        assert difference(found["mean"], along_means.mean) < 1e-5
        assert torch.equal(found["z"], found["mean"])
        output = "logits" if isinstance(vae.decode(noise, beta), Bernoulli) else "parameters"
        assert difference(run("decoder", z=noise)[output], decoded) < 1e-5


def test_a_checkpoint_is_frozen_by_the_command(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    run = preset("binarized-mnist", "quick", arch="nvae")
    run = replace(run, model=replace(NVAE, image_side=28))
    vae = build_vae(run).eval()
    Checkpoint(run.to_json(), vae.state_dict(), TrainingState()).save(tmp_path / "c.pt")
    done = freeze(tmp_path / "c.pt", 0.5, onnx=True)
    assert done.difference < 1e-5
    assert done.onnx_difference is not None
    assert done.onnx_difference < 1e-5
    names = [
        "c-beta0.5.safetensors",
        "frozen_vae.py",
        *(f"c-beta0.5-{part}.onnx" for part in ("encoder", "decoder")),
    ]
    assert [path.name for path in done.paths] == names
    frozen = load(done.paths[0])
    assert isinstance(frozen, FrozenHierarchy)
    x = torch.rand(2, 1, 28, 28, generator=torch_stream(0, "x")).round()
    torch.testing.assert_close(frozen.encode(x)[0], vae.encode(x, 0.5).mean, rtol=1e-4, atol=1e-5)


def test_a_wrong_way_down_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command compares draws too: here only they differ."""
    run = preset("binarized-mnist", "quick", arch="nvae")
    run = replace(run, model=replace(NVAE, image_side=28))
    weights = build_vae(run).state_dict()
    Checkpoint(run.to_json(), weights, TrainingState()).save(tmp_path / "c.pt")
    infer = FrozenHierarchy.infer

    def shrunk(self: FrozenHierarchy, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return infer(self, x, 0.99 * noise)

    monkeypatch.setattr(FrozenHierarchy, "infer", shrunk)
    with pytest.raises(MrtcError, match="cannot be frozen exactly"):
        freeze(tmp_path / "c.pt", 0.5)


def test_what_cannot_be_frozen() -> None:
    vae = deepcopy(model("nvae"))
    with pytest.raises(ValueError, match="training mode"):
        vae.train().freeze(1.0)
    vae.eval()
    norm = next(module for module in vae.decoder.modules() if isinstance(module, nn.BatchNorm2d))
    norm.running_var = None
    with pytest.raises(ValueError, match="no running statistics"):
        vae.freeze(1.0)
    networks = build_networks((1, 12, 12), replace(NVAE, flows=2))
    flowing = HierarchicalVAE(*networks, BetaRange(0.1, 10.0)).eval()
    with pytest.raises(MrtcError, match=r"with flows cannot be frozen, .* have 2 a group; use"):
        flowing.freeze(1.0)


def test_the_top_group_has_no_prior_of_its_own() -> None:
    groups = [module for module in model("nvae").freeze(1.0).modules() if isinstance(module, Group)]
    assert [group.prior is None for group in groups] == [True, False, False]
