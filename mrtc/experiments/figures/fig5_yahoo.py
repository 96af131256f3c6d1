"""Figure 5, text: Yahoo answers, multi-rate runs beside three kinds of baselines."""

import math
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch

from mrtc.architectures import LSTMConfig
from mrtc.experiments.config import RunConfig
from mrtc.experiments.data import load_for
from mrtc.experiments.figures.image_runs import BETAS, DENSE, spaced
from mrtc.experiments.figures.options import FigureOptions
from mrtc.experiments.figures.published import FIG5_YAHOO
from mrtc.experiments.figures.sets import MakeTasks, train_sets
from mrtc.experiments.figures.tables import (
    budget,
    evaluation,
    failures,
    markdown,
    mean_table,
    run_table,
    write_tables,
)
from mrtc.experiments.grid import baseline_tasks, multirate_tasks
from mrtc.experiments.presets import preset
from mrtc.experiments.tasks import Protocol, Task
from mrtc.objectives.schedules import RateSchedule
from mrtc.plots import over_beta, rate_distortion_of, save, theme
from mrtc.plots.theme import TITLE_WIDTH
from mrtc.results import RunSet

LEAST_RATE = 0.1
"""Nats per document; a latent of no greater rate, or without an active unit, has collapsed."""

HOW = (
    "Rate and distortion in nats per document, means over seeds. The latent is used where the rate "
    f"is above {LEAST_RATE} nats and at least one unit is active, and has collapsed otherwise; at "
    "large beta a small rate is what is asked for."
)

MULTIRATE = "multi-rate"


@dataclass(frozen=True)
class Baselines:
    """One kind of plain runs."""

    label: str
    head_hidden: bool = False
    """Whether they have the two extra layers of multi-rate networks."""
    rate_schedule: RateSchedule = "constant"

    def tasks(
        self,
        config: RunConfig,
        folder: Path,
        *,
        name: str,
        betas: Sequence[float],
        seeds: Sequence[int],
        protocol: Protocol,
    ) -> list[Task]:
        """One run for each beta and seed; ``name`` tells their files from those of other kinds."""
        model = cast(LSTMConfig, config.model).plain(head_hidden=self.head_hidden)
        return [
            replace(
                task,
                name=f"{name}-{task.name}",
                config=replace(
                    task.config,
                    model=model,
                    objective=replace(task.config.objective, rate_schedule=self.rate_schedule),
                ),
            )
            for task in baseline_tasks(config, folder, betas, seeds, protocol)
        ]


BASELINES: Mapping[str, Baselines] = {
    "baselines": Baselines("baselines, constant beta"),
    "baselines-monotonic": Baselines("baselines, monotonic schedule", rate_schedule="monotonic"),
    "baselines-extra-layers": Baselines(
        "baselines, constant beta, two extra layers", head_hidden=True
    ),
}
"""By what their files are called. The published ones are the first two; the third differs from a
multi-rate run in its gates alone."""


def draw(options: FigureOptions) -> list[Path]:
    """Trains all sets with one budget, and says at which betas each uses its latent.

    Written are a picture of rate and distortion, with :func:`published_curves` beside ours, one of
    active units over beta, and the numbers of both. A folder of data without a training file, but
    with a validation file, is trained on the latter: that is said on standard error, in the
    pictures and on the page.

    Raises:
        DataError: If the data cannot be used; nothing is trained then.
        MrtcError: If all runs of a set failed.
    """
    config, data = _config(options), options.protocol.data
    # Reads both the training and the test part, before hours are spent on either.
    load_for(config, data, torch.device("cpu"), part="test")
    if config.text is not None and config.text.train_file and not options.quiet:
        sys.stderr.write(
            f"{data} has no yahoo.train.txt: runs are trained on {config.text.train_file}\n"
        )
    sets = _train(config, options)
    name, trained_on = "fig5-yahoo", f"Trained on {sets[MULTIRATE].config['source']}."
    published = published_curves(options.preset)
    figures = {
        f"{name}.png": rate_distortion_of(sets, published=published),
        f"{name}-active-units.png": over_beta(sets, "active_units"),
    }
    for file, figure in figures.items():
        with theme():
            title = f"{figure.get_suptitle()}\n{textwrap.fill(trained_on, TITLE_WIDTH)}"
            figure.suptitle(title)
        save(figure, options.folder / file)
    table = with_latent(run_table(sets, ["rate", "distortion", "active_units"]))
    page = [
        "# Yahoo answers: multi-rate runs and baselines",
        f"{budget(config, options)} {trained_on} {evaluation(sets[MULTIRATE])}",
        HOW,
        markdown(by_beta(table)),
        f"Parameters of a model: {_sizes(sets)}.",
        *(["The published runs do not say which beta is whose."] if published else []),
        *failures(sets),
    ]
    pictures = [options.folder / file for file in figures]
    return [*pictures, *write_tables(options.folder, name, table, page)]


def published_curves(preset_name: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Rates and distortions by label, at the published budget.

    Documents of the quick one are cut to so few words that distortions are of another size.
    """
    if preset_name != "paper":
        return {}
    return {
        f"Bae et al., {kind}, 100,000 documents": (points.rate, points.distortion)
        for kind, points in FIG5_YAHOO.items()
    }


def substitute_train_file(folder: Path | None) -> str:
    """What to train on in a folder of Yahoo answers without the usual training file.

    Returns:
        The name of the validation file, where there is one and no training file; else nothing, and
        whoever loads the data says what is missing, if anything is.
    """
    if folder is None:
        return ""
    train, valid = (
        [
            name
            for name in (f"yahoo.{part}.txt", f"yahoo.{part}.txt.gz")
            if (folder / name).is_file()
        ]
        for part in ("train", "valid")
    )
    return valid[0] if valid and not train else ""


def latent_use(rate: float, active_units: float) -> str:
    """``used`` or ``collapsed``, see ``LEAST_RATE``; nothing for a run without values."""
    if math.isnan(rate) or math.isnan(active_units):
        return ""
    return "used" if rate > LEAST_RATE and active_units >= 1 else "collapsed"


def with_latent(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of runs, with what :func:`latent_use` says of each as the column ``latent``."""
    latent = map(latent_use, table.rate.astype(float), table.active_units.astype(float))
    return table.assign(latent=list(latent))


def by_beta(table: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds at each beta; where seeds differ, the latent is ``used in 2 of 3 runs``."""
    means = mean_table(table.drop(columns="latent"))
    latent = table.groupby(["runs", "beta"], sort=False).latent.agg(_of_seeds)
    return means.assign(latent=latent.to_numpy())


def _of_seeds(latent: pd.Series) -> str:
    known = [word for word in latent if word]
    if len(set(known)) > 1:
        return f"used in {known.count('used')} of {len(known)} runs"
    return known[0] if known else "-"


def _config(options: FigureOptions) -> RunConfig:
    """The multi-rate run of the figure's budget."""
    config = preset("yahoo", options.preset)
    if options.steps is not None:
        config = replace(config, training=config.training.with_steps(options.steps))
    train_file = substitute_train_file(options.protocol.data)
    if config.text is None or not train_file:
        return config
    return replace(config, text=replace(config.text, train_file=train_file))


def _train(config: RunConfig, options: FigureOptions) -> dict[str, RunSet]:
    """The sets by their labels."""
    few, dense = (spaced(config.betas, count) for count in (BETAS[options.preset], DENSE))
    common: Any = {"seeds": range(options.seeds), "protocol": options.protocol}
    sets: dict[str, tuple[RunConfig, MakeTasks]] = {
        "multirate": (config, partial(multirate_tasks, **common, betas=dense)),
        **{
            name: (config, partial(kind.tasks, **common, name=name, betas=few))
            for name, kind in BASELINES.items()
        },
    }
    trained = train_sets(config, sets, options, options.protocol)
    labels = {"multirate": MULTIRATE} | {name: kind.label for name, kind in BASELINES.items()}
    return {labels[name]: found.runs for name, found in trained.items()}


def _sizes(sets: Mapping[str, RunSet]) -> str:
    return "; ".join(
        f"{label} {np.nanmax(runs.cost['parameters']):,.0f}" for label, runs in sets.items()
    )
