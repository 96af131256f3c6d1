"""How far a model's samples are from data, at each beta of a results file."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32

from mrtc.datasets.examples import Examples
from mrtc.evaluation.feature_networks import FeatureNetwork
from mrtc.evaluation.realism_config import RealismConfig
from mrtc.evaluation.realism_data import DataFeatures, features_of_data, require_images
from mrtc.evaluation.realism_samples import Sampler
from mrtc.metrics.catalogue import Distance, distance_metric
from mrtc.metrics.frechet import FeatureMoments, frechet_score
from mrtc.metrics.kernel_distance import kernel_score
from mrtc.metrics.score import Score, undefined
from mrtc.progress import Progress
from mrtc.results import Results, ScoreRecord, Variable, read, reopen
from mrtc.vae import VAE


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
        shape = require_images(reference, config, device)
        needs_kernel = any("kernel" in missing for missing in pending.values())
        real = features_of_data(network, reference, config, device, keep=needs_kernel, quiet=quiet)
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


def _score(
    distance: Distance,
    real: DataFeatures,
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
