"""Checkpoints that are shown together, each at its betas."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from mrtc.experiments.config import RunConfig
from mrtc.experiments.run import load_vae
from mrtc.training import Checkpoint
from mrtc.vae import VAE


class ShownModel(NamedTuple):
    """A checkpoint, and the betas it is shown at."""

    path: Path
    name: str
    """That tells it apart from the others."""
    vae: VAE
    config: RunConfig
    checkpoint: Checkpoint
    beta: Float[np.ndarray, " beta"]
    """Of a baseline, its own."""


def load_shown(
    checkpoints: Sequence[Path | str], betas: Float[np.ndarray, " beta"], *, extrapolate: bool
) -> list[ShownModel]:
    """The models, multi-rate ones at ``betas``.

    Raises:
        BetaError: If a beta lies outside a model's range and ``extrapolate`` is not set.
        CheckpointError: If a checkpoint cannot be used.
    """
    paths = [Path(path) for path in checkpoints]
    stems = {path.stem for path in paths}
    models = []
    for path in paths:
        vae, config, checkpoint = load_vae(path)
        if not config.is_baseline or len(paths) == 1:
            config.betas.require(betas.tolist(), extrapolate=extrapolate)
        beta = np.array([config.betas.low]) if config.is_baseline else betas
        name = path.stem if len(stems) == len(paths) else str(path)
        models.append(ShownModel(path, name, vae, config, checkpoint, beta))
    return models
