"""The runs that figures 5 to 7, 8 (left), 9 and table 2 have in common.

All figures of one dataset that are given one folder train in its same subfolders, by architecture;
what one of them trained, the others use. The two results files there are of the seeds that were
asked for last.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mrtc.experiments.config import RunConfig
from mrtc.experiments.figures.options import FigureOptions
from mrtc.experiments.figures.sets import MakeTasks, Trained, train_sets
from mrtc.experiments.grid import baseline_tasks, multirate_tasks
from mrtc.experiments.presets import ArchName, preset
from mrtc.rates import BetaRange

DATASETS: Mapping[str, str] = {
    "mnist": "binarized-mnist",
    "omniglot": "omniglot",
    "omniglot-28": "omniglot-28",
    "cifar": "cifar10",
    "svhn": "svhn",
    "celeba": "celeba",
}
"""By the ending of a figure's name."""

ARCHITECTURES: Mapping[str, tuple[ArchName, ...]] = {
    "quick": ("resnet",),
    "paper": ("resnet", "conv"),
}
"""The convolutional networks have ten times the parameters of the residual ones."""

BETAS = {"quick": 4, "paper": 10}
"""Baselines of each seed and architecture, log-spaced, both ends included."""

HIERARCHY_BETAS = 4
"""The same of hierarchies, which cost ten times as much."""

DENSE = 10
"""Betas at which a multi-rate run is evaluated, those of the baselines among them."""


class ImageRuns(NamedTuple):
    """Both kinds of runs of one dataset and architecture."""

    config: RunConfig
    folder: Path
    multirate: Trained
    baselines: Trained


def image_config(dataset: str, arch: ArchName, options: FigureOptions) -> RunConfig:
    """The multi-rate run of a figure's budget; with other steps, warm-up keeps its share."""
    config = preset(dataset, options.preset, "beta", arch)
    if options.steps is None:
        return config
    return replace(config, training=config.training.with_steps(options.steps))


def spaced(betas: BetaRange, count: int) -> list[float]:
    """Betas over a range, log-spaced, both ends included."""
    return [float(beta) for beta in np.geomspace(betas.low, betas.high, count)]


def train_images(
    dataset: str, arch: ArchName, options: FigureOptions, prefix: str = ""
) -> ImageRuns:
    """Multi-rate runs and baselines at equal budgets, in ``options.folder / arch``.

    Args:
        dataset: Of the presets.
        arch: Of the networks.
        options: Of the figure.
        prefix: Of the results files of the two sets, for a figure that needs fewer seeds than
            others in that folder.

    Raises:
        MrtcError: If all runs of a kind failed.
    """
    config = image_config(dataset, arch, options)
    own = replace(options, folder=options.folder / arch)
    common: Any = {"seeds": range(options.seeds), "protocol": options.protocol}
    count = HIERARCHY_BETAS if arch == "nvae" else BETAS[options.preset]
    few, dense = (spaced(config.betas, each) for each in (count, DENSE))
    names = [f"{prefix}{kind}" for kind in ("multirate", "baselines")]
    sets: dict[str, tuple[RunConfig, MakeTasks]] = {
        names[0]: (config, partial(multirate_tasks, **common, betas=dense)),
        names[1]: (config, partial(baseline_tasks, **common, betas=few)),
    }
    trained = train_sets(config, sets, own, options.protocol)
    return ImageRuns(config, own.folder, *(trained[name] for name in names))


def train_variants(
    config: RunConfig, variants: Mapping[str, RunConfig], options: FigureOptions, arch: ArchName
) -> tuple[dict[str, Trained], Path]:
    """Multi-rate runs in several variants, each evaluated over its own range.

    A variant that is ``config`` itself is the multi-rate runs of :func:`train_images`.

    Args:
        config: Of those runs; it names the folder's contents.
        variants: By what their files are called.
        options: Of the figure.
        arch: The subfolder.

    Returns:
        The runs by variant, and their folder.

    Raises:
        MrtcError: If all runs of a variant failed.
    """
    own = replace(options, folder=options.folder / arch)
    names = {key: "multirate" if one == config else key for key, one in variants.items()}
    sets: dict[str, tuple[RunConfig, MakeTasks]] = {
        names[key]: (
            one,
            partial(
                multirate_tasks,
                betas=spaced(one.betas, DENSE),
                seeds=range(options.seeds),
                protocol=options.protocol,
                name=names[key],
            ),
        )
        for key, one in variants.items()
    }
    trained = train_sets(config, sets, own, options.protocol)
    return {key: trained[name] for key, name in names.items()}, own.folder
