"""How far the samples of a checkpoint are from its data: FID and its kin, into a results file."""

from collections.abc import Iterable
from pathlib import Path

import torch

from mrtc.devices import resolve_device
from mrtc.errors import ResultsError
from mrtc.evaluation.feature_networks import FeatureNetwork
from mrtc.evaluation.realism import score_realism
from mrtc.evaluation.realism_config import RealismConfig
from mrtc.experiments.data import load_images
from mrtc.experiments.run import load_vae
from mrtc.metrics.catalogue import DISTANCES, Distance, distance_metric
from mrtc.results import Results, read

DistancesByNetwork = dict[str, tuple[Distance, ...]]


def distances_asked(names: Iterable[str], network: str | None = None) -> DistancesByNetwork:
    """Which distances in the features of which network these scores are.

    Args:
        names: Of the catalogue; other scores than distances from data are passed over.
        network: In whose features all of them are wanted instead; what they are called then is
            ``distance_metric(...).name``, and only Inception's are FID and KID.
    """
    asked: dict[str, dict[Distance, None]] = {}
    for name in names:
        if name in DISTANCES:
            distance, own_network = DISTANCES[name]
            asked.setdefault(network or own_network, {})[distance] = None
    return {chosen: tuple(distances) for chosen, distances in asked.items()}


def renamed(names: Iterable[str], network: str | None) -> dict[str, str]:
    """Scores that are stored under another name in the features of ``network``, and that name.

    Where the other name is asked for too, as a family does, there is nothing to say.
    """
    if network is None:
        return {}
    asked = list(names)
    other = {n: distance_metric(DISTANCES[n][0], network).name for n in asked if n in DISTANCES}
    return {name: new for name, new in other.items() if new not in asked}


def evaluate_realism(
    checkpoint: Path | str,
    out: Path | str,
    network: FeatureNetwork,
    *,
    distances: tuple[Distance, ...] = ("frechet", "kernel"),
    config: RealismConfig | None = None,
    data: Path | str | None = None,
    part: str | None = None,
    device: torch.device | str = "auto",
    force: bool = False,
    quiet: bool = False,
) -> Results:
    """Distances of samples from data at every beta of a results file, written beta by beta.

    Args:
        checkpoint: As ``mrtc train`` wrote it.
        out: Results file of an evaluation of this checkpoint, which scores are added to.
        network: In whose features; see :mod:`mrtc.evaluation.feature_networks`.
        distances: Which.
        config: Numbers of samples and examples, and the seed.
        data: The dataset's official file, where it is at hand.
        part: Of the dataset's split that samples are compared with; the training part, or the whole
            where there is no split. Published values of likelihood models compare with that part;
            it has the most examples, and what a model has learnt is its distribution.
        device: Where to compute; the GPU, by default, where there is one.
        force: Compute again what is there.
        quiet: Show no progress.

    Raises:
        CheckpointError: If the checkpoint cannot be used.
        ResultsError: If ``out`` is of another checkpoint, or cannot be used.
        DataError: If the data cannot be had.
        OutputError: If ``out`` cannot be written.
    """
    device, out = resolve_device(device), Path(out)
    vae, run, loaded = load_vae(checkpoint)
    if read(out).header.fingerprint != loaded.fingerprint():
        raise ResultsError(
            f"{out} is of other weights than {checkpoint}; choose another --out, or begin anew "
            "with --force"
        )
    reference = load_images(run, data, device, part=part, quiet=quiet)
    return score_realism(
        *(out, vae, network, reference, config),
        source=reference.source,
        distances=distances,
        device=device,
        force=force,
        quiet=quiet,
    )
