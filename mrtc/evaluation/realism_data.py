"""What the data are in the features of a network, for samples to be compared with."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Int64

from mrtc.datasets.examples import Examples
from mrtc.errors import MrtcError
from mrtc.evaluation.feature_networks import FeatureNetwork
from mrtc.evaluation.realism_config import BATCH, RealismConfig
from mrtc.metrics.frechet import FeatureMoments
from mrtc.progress import Progress
from mrtc.randomness import numpy_stream

BLOCK = 32 * BATCH
"""Features that moments take in at once: an update costs the covariance, whatever it adds."""


@dataclass(frozen=True, eq=False)
class DataFeatures:
    """What is kept of the data: the moments of all, and the features of some."""

    moments: FeatureMoments
    features: Float32[np.ndarray, "kept feature"]


def moments_of_data(
    network: FeatureNetwork,
    reference: Examples,
    config: RealismConfig,
    device: torch.device,
    *,
    quiet: bool = False,
) -> FeatureMoments:
    """What a Frechet distance reads of the data, as :func:`mrtc.evaluation.realism.score_realism`.

    Args:
        network: In whose features; it is moved to ``device``.
        reference: The data, on ``device``.
        config: The number of examples, and the seed of their choice.
        device: Where to compute.
        quiet: Show no progress.

    Raises:
        MrtcError: If the data are no images, or there are fewer than asked for.
    """
    require_images(reference, config, device)
    return features_of_data(network, reference, config, device, keep=False, quiet=quiet).moments


def require_images(
    reference: Examples, config: RealismConfig, device: torch.device
) -> tuple[int, ...]:
    """The shape of one image of the data.

    Args:
        reference: The data, on ``device``.
        config: The number of examples.
        device: Where they are.

    Raises:
        MrtcError: If the data are no images, or there are fewer than asked for.
    """
    asked = config.reference_examples or 2
    if len(reference) < asked:
        raise MrtcError(
            f"there are {len(reference)} examples of the data, and {asked} were asked for; ask for "
            "fewer"
        )
    shape = tuple(reference.images(torch.tensor([0], device=device)).shape[1:])
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise MrtcError(
            f"distances from data are of images with 1 channel or 3, and these examples have shape "
            f"{shape}; choose other scores"
        )
    return shape


def features_of_data(
    network: FeatureNetwork,
    reference: Examples,
    config: RealismConfig,
    device: torch.device,
    *,
    keep: bool,
    quiet: bool = False,
) -> DataFeatures:
    """Moments of the features of the data, and the features that a kernel distance reads.

    Args:
        network: In whose features; it is moved to ``device``.
        reference: The data, on ``device``; images, see :func:`require_images`.
        config: The numbers of examples and samples, and the seed of their choice.
        device: Where to compute.
        keep: Keep features of as many examples as there are samples, if there are so many.
        quiet: Show no progress.
    """
    network.module.to(device)
    index = np.arange(len(reference))
    if config.reference_examples is not None and config.reference_examples < len(index):
        rng = numpy_stream(config.seed, "realism", "reference")
        index = np.sort(rng.choice(index, config.reference_examples, replace=False))
    # The kernel distance reads subsets: features of as many examples as there are samples do.
    rng = numpy_stream(config.seed, "realism", "kept")
    kept = np.zeros(len(index), bool)
    if keep:
        kept[rng.choice(len(index), min(config.samples, len(index)), replace=False)] = True
    moments, features = FeatureMoments(), []
    with Progress(f"data, {network.name}", len(index), unit="image", quiet=quiet) as progress:
        for start in range(0, len(index), BLOCK):
            within = slice(start, start + BLOCK)
            chunks = _features(network, reference, index[within], device, progress)
            block = np.concatenate(list(chunks))
            moments.add(block)
            features.append(block[kept[within]])
    return DataFeatures(moments, np.concatenate(features))


def _features(
    network: FeatureNetwork,
    reference: Examples,
    index: Int64[np.ndarray, " block"],
    device: torch.device,
    progress: Progress,
) -> Iterator[Float32[np.ndarray, "chunk feature"]]:
    """Of these examples, chunk by chunk."""
    for chunk in torch.split(torch.from_numpy(index), BATCH):
        yield network(reference.images(chunk.to(device)))
        progress.advance(len(chunk))
