"""Figure 5: rate and distortion of images, multi-rate runs beside repeated baselines."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mrtc.experiments.compare import compare_runs
from mrtc.experiments.comparison_report import write
from mrtc.experiments.config import RunConfig
from mrtc.experiments.figures.options import FigureOptions
from mrtc.experiments.figures.published import FIG5
from mrtc.experiments.figures.sets import MakeTasks, train_sets
from mrtc.experiments.grid import baseline_tasks, multirate_tasks
from mrtc.experiments.presets import ArchName, preset
from mrtc.plots import rate_distortion_of, save

DATASETS: Mapping[str, str] = {
    "mnist": "binarized-mnist",
    "omniglot": "omniglot",
    "omniglot-28": "omniglot-28",
    "cifar": "cifar10",
    "svhn": "svhn",
    "celeba": "celeba",
}
"""By the ending of the figure's name."""

ARCHITECTURES: Mapping[str, tuple[ArchName, ...]] = {
    "quick": ("resnet",),
    "paper": ("resnet", "conv"),
}
BETAS = {"quick": 4, "paper": 10}
"""Baselines of each seed and architecture, log-spaced, both ends included."""

DENSE = 10
"""Betas at which a multi-rate run is evaluated, those of the baselines among them."""


def draw(dataset: str, options: FigureOptions) -> list[Path]:
    """Trains both kinds at equal budgets, and compares them on the test part.

    For each architecture there is a folder with the whole comparison, and one picture of rate and
    distortion, with the published values of residual networks, which took 200 epochs as ``paper``
    does.
    """
    written: list[Path] = []
    for arch in ARCHITECTURES[options.preset]:
        config = preset(dataset, options.preset, "beta", arch)
        if options.steps is not None:
            config = _with_steps(config, options.steps)
        own = replace(options, folder=options.folder / arch)
        trained = train_sets(config, _sets(config, options), own, options.protocol)
        multirate, baselines = trained["multirate"].runs, trained["baselines"].runs
        written += write(compare_runs(multirate, baselines), own.folder)
        published = FIG5.get(dataset, {}) if arch == "resnet" else {}
        picture = own.folder / f"fig5-{dataset}-{arch}.png"
        figure = rate_distortion_of(
            {"multi-rate": multirate, "baselines": baselines},
            published={
                f"Bae et al., {kind}": (curve.rate, curve.distortion)
                for kind, curve in published.items()
            },
        )
        save(figure, picture)
        written.insert(0, picture)
    return written


def _sets(config: RunConfig, options: FigureOptions) -> dict[str, tuple[RunConfig, MakeTasks]]:
    low, high = config.betas.low, config.betas.high
    few, dense = (np.geomspace(low, high, n).tolist() for n in (BETAS[options.preset], DENSE))
    common: Any = {"seeds": range(options.seeds), "protocol": options.protocol}
    return {
        "multirate": (config, partial(multirate_tasks, **common, betas=dense)),
        "baselines": (config, partial(baseline_tasks, **common, betas=few)),
    }


def _with_steps(config: RunConfig, steps: int) -> RunConfig:
    """Warm-up keeps its share of the budget."""
    warmup = config.training.warmup * steps // config.training.steps
    return replace(config, training=replace(config.training, steps=steps, warmup=warmup))
