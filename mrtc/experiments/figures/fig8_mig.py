"""Figure 8, right: MIG of beta-TCVAE on dSprites, multi-rate runs and repeated baselines."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mrtc.experiments.compare import compare_runs
from mrtc.experiments.comparison_report import write
from mrtc.experiments.figures.options import FigureOptions
from mrtc.experiments.figures.published import FIG8_BASELINES, FIG8_MULTIRATE
from mrtc.experiments.figures.sets import train_sets
from mrtc.experiments.grid import baseline_tasks, multirate_tasks
from mrtc.experiments.presets import preset
from mrtc.plots import over_beta, save

QUICK_STEPS = 4000
"""Of each of 24 runs, so that the grid takes about an hour on two cores."""


def draw(options: FigureOptions) -> list[Path]:
    """Trains both kinds at equal budgets, compares them, and draws MIG over beta.

    The published values stand beside ours; they took 18,000 steps of 2,048 examples, as ``paper``
    does.
    """
    config = preset("dsprites", options.preset, "tcvae")
    steps = options.steps or (QUICK_STEPS if options.preset == "quick" else config.training.steps)
    config = replace(config, training=replace(config.training, steps=steps))
    betas = FIG8_BASELINES.beta.tolist()
    dense = np.geomspace(0.1, 10, 25).tolist()  # those of the baselines among them
    protocol = replace(options.protocol, metrics=("total_correlation",))
    common: Any = {"seeds": range(options.seeds), "protocol": protocol}
    trained = train_sets(
        config,
        {
            "multirate": (config, partial(multirate_tasks, **common, betas=dense)),
            "baselines": (config, partial(baseline_tasks, **common, betas=betas)),
        },
        options,
        protocol,
    )
    multirate, baselines = trained["multirate"].runs, trained["baselines"].runs
    written = write(compare_runs(multirate, baselines), options.folder)
    picture = options.folder / "fig8-mig.png"
    sets = {"multi-rate": multirate, "baselines": baselines}
    published = {
        "Bae et al., multi-rate": (FIG8_MULTIRATE.beta, FIG8_MULTIRATE.mean, FIG8_MULTIRATE.half),
        "Bae et al., baselines": (FIG8_BASELINES.beta, FIG8_BASELINES.mean, FIG8_BASELINES.half),
    }
    save(over_beta(sets, "mig_chen", published=published), picture)
    return [picture, *written]
