"""How far a model's samples are from data, at each beta of a results file."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from jaxtyping import Float32, Int64
from pydantic import Field, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass as checked_dataclass
from torch import Tensor

from mrtc.datasets.examples import Examples
from mrtc.errors import MrtcError
from mrtc.evaluation.feature_networks import FeatureNetwork
from mrtc.metrics.catalogue import Distance, distance_metric
from mrtc.metrics.frechet import FeatureMoments, frechet_score
from mrtc.metrics.kernel_distance import SUBSET_SIZE, SUBSETS, kernel_score
from mrtc.metrics.score import Score, undefined
from mrtc.progress import Progress
from mrtc.randomness import numpy_stream, torch_stream
from mrtc.results import Results, ScoreRecord, Variable, read, reopen
from mrtc.vae import VAE

BATCH = 64
"""Images at a time: at 224 x 224 the widest layer of EfficientNet-Lite0 takes 0.3 GB for them."""

BLOCK = 32 * BATCH
"""Features that moments take in at once: an update costs the covariance, whatever it adds."""

Count = Annotated[int, Field(ge=2)]


@checked_dataclass(frozen=True)
class RealismConfig:
    """What distances depend on beside model, data and feature network."""

    samples: Count = 10_000
    """Draws from the prior at each beta, of the same noise at all of them."""
    reference_examples: Count | None = None
    """Examples of the data, a random subset; ``None`` for all."""
    subsets: PositiveInt = SUBSETS
    """Of the kernel distance."""
    subset_size: Count = SUBSET_SIZE
    """Of the kernel distance."""
    seed: NonNegativeInt = 0
    """Of noise and subsets."""


@dataclass(frozen=True, eq=False)
class _Real:
    """What is kept of the data: the moments of all, and the features of some."""

    moments: FeatureMoments
    features: Float32[np.ndarray, "kept feature"]


def score_realism(
    path: Path,
    vae: VAE,
    network: FeatureNetwork,
    reference: Examples,
    config: RealismConfig | None = None,
    *,
    source: str,
    distances: Sequence[Distance] = ("frechet", "kernel"),
    device: torch.device,
    force: bool = False,
    quiet: bool = False,
) -> Results:
    """Adds the distances of samples from data at every evaluated beta of a results file.

    Samples are means of the likelihood at draws from the prior. Distances that are there already,
    from the same configuration, are kept: what was interrupted goes on, beta by beta. Features of
    the data are computed once a call.

    Args:
        path: The results file.
        vae: The model whose results they are.
        network: In whose features; its name is part of the names of the scores.
        reference: The data, on ``device``.
        config: Numbers of samples and examples, and the seed.
        source: The data in words; stored, and compared when work goes on.
        distances: Which.
        device: Where to compute.
        force: Compute again what is there.
        quiet: Show no progress.

    Raises:
        MrtcError: If the data are no images, or there are fewer than asked for.
        ResultsError: If the file cannot be used.
        OutputError: If it cannot be written.
    """
    config = config or RealismConfig()
    setting = json.loads(
        json.dumps(
            asdict(config)
            | {"network": network.name, "network_parameters": dict(network.parameters)}
            | {"reference": source}
        )
    )
    with reopen(path) as writer:
        pending = dict(_pending(read(path), network.name, distances, setting, force=force))
        if not pending:
            return read(path)
        shape = _require_images(reference, config, device)
        needs_kernel = any("kernel" in missing for missing in pending.values())
        real = _real(network, reference, config, device, keep=needs_kernel, quiet=quiet)
        sampler = Sampler(vae, config, device)
        images = {
            "images": "means of the likelihood, clipped to [0, 1], rounded to 8 bits",
            "channels": "1, repeated to 3" if shape[0] == 1 else str(shape[0]),
        }
        title, total = f"samples, {network.name}", len(pending) * config.samples
        with Progress(title, total, unit="image", quiet=quiet) as progress:
            for at, missing in pending.items():
                beta = float(writer.header.beta[at])
                try:
                    samples = sampler.features(network, beta, progress)
                    scores = {d: _score(d, real, samples, config) for d in missing}
                except ValueError as error:  # a decoder that diverged at this beta, say
                    scores = dict.fromkeys(missing, undefined(str(error)))
                writer.write_scores(
                    at, [_record(d, score, setting, images) for d, score in scores.items()]
                )
    return read(path)


def _pending(
    results: Results,
    network: str,
    distances: Sequence[Distance],
    setting: dict[str, object],
    *,
    force: bool,
) -> Iterator[tuple[int, list[Distance]]]:
    """What is not there yet: positions of betas, and the distances that each lacks."""
    for at in np.flatnonzero(results.evaluated).tolist():
        missing = []
        for distance in distances:
            series = results.scores.get(distance_metric(distance, network).name)
            details = None if series is None else series.details[at]
            if force or (details or {}).get("config") != setting:
                missing.append(distance)
        if missing:
            yield at, missing


def _require_images(
    reference: Examples, config: RealismConfig, device: torch.device
) -> tuple[int, ...]:
    """The shape of one image of the data."""
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


def _real(
    network: FeatureNetwork,
    reference: Examples,
    config: RealismConfig,
    device: torch.device,
    *,
    keep: bool,
    quiet: bool,
) -> _Real:
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

    def images(chunk: Int64[np.ndarray, " chunk"]) -> Tensor:
        return reference.images(torch.from_numpy(index[chunk]).to(device))

    moments, features = FeatureMoments(), []
    with Progress(f"data, {network.name}", len(index), unit="image", quiet=quiet) as progress:
        for block, chunk in _blocks(network, images, len(index), progress):
            moments.add(block)
            features.append(block[kept[chunk]])
    return _Real(moments, np.concatenate(features))


def moments_of_data(
    network: FeatureNetwork,
    reference: Examples,
    config: RealismConfig,
    device: torch.device,
    *,
    quiet: bool = False,
) -> FeatureMoments:
    """What a Frechet distance reads of the data, as :func:`score_realism` does.

    Args:
        network: In whose features; it is moved to ``device``.
        reference: The data, on ``device``.
        config: The number of examples, and the seed of their choice.
        device: Where to compute.
        quiet: Show no progress.

    Raises:
        MrtcError: If the data are no images, or there are fewer than asked for.
    """
    _require_images(reference, config, device)
    return _real(network, reference, config, device, keep=False, quiet=quiet).moments


class Sampler:
    """Decodes the same draws from the prior at one beta after another.

    Args:
        vae: The model; it is moved to ``device``.
        config: The number of draws, and the seed.
        device: Where to compute.
    """

    def __init__(self, vae: VAE, config: RealismConfig, device: torch.device) -> None:
        self._vae = vae.to(device).eval()
        noise = torch_stream(config.seed, "realism", "noise")  # the same on every device
        self._noise = torch.randn(config.samples, vae.codes, generator=noise).to(device)

    @torch.inference_mode()
    def features(
        self, network: FeatureNetwork, beta: float, progress: Progress | None = None
    ) -> Float32[np.ndarray, "sample feature"]:
        """Of all samples.

        Raises:
            ValueError: If some are not finite.
        """
        rate = torch.tensor([beta], device=self._noise.device, dtype=torch.float32)

        def images(chunk: Int64[np.ndarray, " chunk"]) -> Tensor:
            z = self._noise[torch.from_numpy(chunk).to(self._noise.device)]
            return self._vae.mean(z, rate)

        blocks = _blocks(network, images, len(self._noise), progress, {"beta": beta})
        return np.concatenate([block for block, _ in blocks])


def _blocks(
    network: FeatureNetwork,
    images: Callable[[Int64[np.ndarray, " chunk"]], Tensor],
    count: int,
    progress: Progress | None,
    numbers: dict[str, float] | None = None,
) -> Iterator[tuple[Float32[np.ndarray, "block feature"], Int64[np.ndarray, " block"]]]:
    """Features of images, block by block, with their positions."""
    for start in range(0, count, BLOCK):
        block = np.arange(start, min(start + BLOCK, count))
        features = []
        for first in range(0, len(block), BATCH):
            chunk = block[first : first + BATCH]
            features.append(network(images(chunk)))
            if progress is not None:
                progress.advance(len(chunk), numbers)
        yield np.concatenate(features), block


def _score(
    distance: Distance,
    real: _Real,
    samples: Float32[np.ndarray, "sample feature"],
    config: RealismConfig,
) -> Score:
    if distance == "frechet":
        moments = FeatureMoments()
        moments.add(samples)
        return frechet_score(real.moments, moments)
    return kernel_score(
        real.features,
        samples,
        subsets=config.subsets,
        subset_size=config.subset_size,
        seed=config.seed,
    )


def _record(
    distance: Distance, score: Score, setting: dict[str, object], images: dict[str, str]
) -> ScoreRecord:
    metric = distance_metric(distance, str(setting["network"]))
    variable = Variable(
        metric.name, ("beta",), metric.unit, metric.title, metric.source, metric.direction
    )
    remarks = {"reason": score.reason, "caution": score.caution}
    kept_remarks = {key: remark for key, remark in remarks.items() if remark is not None}
    details = {
        "examples": setting["samples"],
        "parameters": setting | images | dict(score.parameters),
        "config": setting,
        **kept_remarks,
    }
    return ScoreRecord(variable, score.value, details=details)
