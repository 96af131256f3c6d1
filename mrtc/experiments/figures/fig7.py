"""Figure 7: samples across beta, of one multi-rate run and of a baseline for each beta."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from mrtc.experiments.figures.image_runs import train_images
from mrtc.experiments.figures.options import FigureOptions
from mrtc.experiments.figures.tables import (
    budget,
    evaluation,
    failures,
    markdown,
    run_table,
    write_tables,
)
from mrtc.experiments.grid import is_done
from mrtc.experiments.pictures import sample
from mrtc.plots import save
from mrtc.plots.pictures import ModelImages, Picture

DATASETS = ("celeba",)

COUNT = 8
"""Columns: draws from the prior, the same for every beta and both kinds of runs."""


def draw(dataset: str, options: FigureOptions) -> list[Path]:
    """Decodes the same draws at every beta, by the residual networks of figure 5 with seed 0.

    What ``fig5`` trained in this folder is used again; else one multi-rate run is trained, and one
    baseline for each beta. Beside the picture are rate and distortion of the models in it.
    """
    options = replace(options, seeds=1)
    runs = train_images(dataset, "resnet", options, prefix="fig7-")
    done = [task for task in runs.baselines.tasks if is_done(task)]
    betas = np.array([task.betas[0] for task in done])
    (multirate,) = runs.multirate.tasks
    (ours,) = sample([multirate.checkpoint], betas=betas, count=COUNT).models
    theirs = sample([task.checkpoint for task in done], betas=betas, count=COUNT)
    images = np.concatenate([model.images for model in theirs.models])
    picture = Picture(
        (replace(ours, name="multi-rate, one run"), ModelImages("baselines", betas, images)),
        f"{dataset}: {theirs.title}",
    )
    name = f"fig7-{dataset}"
    path = runs.folder / f"{name}.png"
    save(picture.figure(), path)
    sets = {"multi-rate": runs.multirate.runs.at(betas), "baselines": runs.baselines.runs}
    table = run_table(sets, ["rate", "distortion"])
    page = [
        "# Samples across beta",
        f"{budget(runs.config, options)} {evaluation(runs.multirate.runs)}",
        markdown(table),
        *failures(sets),
    ]
    return [path, *write_tables(runs.folder, name, table, page)]
