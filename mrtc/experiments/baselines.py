"""Repeated baselines: a plain model for each beta and seed, to one results file."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from mrtc.errors import MrtcError
from mrtc.experiments.config import RunConfig
from mrtc.experiments.data import DATASETS
from mrtc.experiments.execute import Executor, one_after_another
from mrtc.experiments.grid import baseline_tasks, grid_folder, perform_all, results_of
from mrtc.experiments.presets import baseline
from mrtc.experiments.tasks import Protocol, Task
from mrtc.files import claim
from mrtc.results import RunSet, collect, read, write_runs

PAPER_LEARNING_RATES = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
"""The grid that Bae et al. choose from, at beta 1."""


def run_baselines(
    config: RunConfig,
    out: Path | str,
    *,
    betas: Sequence[float],
    seeds: Sequence[int],
    protocol: Protocol | None = None,
    learning_rates: Sequence[float] = (),
    executor: Executor | None = None,
    resume: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> RunSet:
    """Trains and evaluates one plain model for each beta and seed.

    The runs have the architecture of ``config`` without its gates, its budget, and its rules for
    the order of data; each is kept in the folder ``out`` with the suffix ``.runs``. A run that
    fails is recorded with its reason and does not stop the others.

    Args:
        config: The multi-rate run that the baselines are compared with, or a baseline.
        out: The results file of all runs (``.h5``), see :func:`mrtc.results.read_runs`.
        betas: Of the baselines.
        seeds: Of each beta.
        protocol: How runs are trained and evaluated.
        learning_rates: If given, one of them is chosen first: that of the best ELBO at beta 1 with
            the first seed, on the validation part of the data where there is one.
        executor: Where the runs are performed; here, one after another, if left out.
        resume: Go on with the runs that are there; failed ones are tried again.
        force: Begin anew, whatever is there.
        quiet: Show no progress.

    Raises:
        OutputError: If ``out`` or its folder hold runs and neither ``resume`` nor ``force`` is
            given, or cannot be written.
        MrtcError: If the folder holds runs of another configuration, or every run failed.
        KeyboardInterrupt: On Ctrl-C; runs that are done stay.
    """
    out, protocol = Path(out), protocol or Protocol()
    claim(out, force=force or resume)
    executor = executor or partial(one_after_another, quiet=quiet)
    folder = out.with_suffix(".runs")
    with grid_folder(folder, config, protocol, resume=resume, force=force):
        if learning_rates:
            config = choose_learning_rate(
                *(baseline(replace(config, seed=seeds[0]), 1.0), folder, learning_rates),
                *(protocol, executor),
                quiet=quiet,
            )
        tasks = baseline_tasks(config, folder, betas, seeds, protocol)
        failures = perform_all(tasks, executor, title="baselines", quiet=quiet)
        results = results_of(tasks)
        if not results:
            raise MrtcError(
                f"all {len(tasks)} runs failed; the first, {next(iter(failures))}: "
                f"{next(iter(failures.values()))}"
            )
        named = {task.name: task for task in tasks}
        runs = collect(
            results,
            {
                (named[name].config.seed, named[name].betas[0]): reason
                for name, reason in failures.items()
            },
        )
        write_runs(out, runs)
    return runs


def choose_learning_rate(
    at_one: RunConfig,
    folder: Path,
    learning_rates: Sequence[float],
    protocol: Protocol,
    executor: Executor,
    *,
    name: str = "baselines",
    part: str | None = None,
    quiet: bool = False,
) -> RunConfig:
    """The run with the learning rate of the best ELBO at beta 1.

    Args:
        at_one: The run that is trained with each, a baseline at beta 1 or a multi-rate run.
        folder: Where the runs are kept.
        learning_rates: To choose from.
        protocol: How they are trained and evaluated, but for the part of the data.
        executor: Where they are performed.
        name: Of the kind of runs, in the names of files.
        part: Of the data that they are judged on: the validation part, if left out, where there is
            one, or else the whole.
        quiet: Show no progress.

    Raises:
        MrtcError: If the runs failed at all learning rates.

    References:
        Bae et al., ICLR 2023, appendix C: one learning rate for all betas, chosen at beta 1.
    """
    if part is None and "valid" in DATASETS[at_one.dataset].parts:
        part = "valid"
    tasks = {
        rate: Task(
            f"{name}-lr{rate:g}",
            folder,
            replace(at_one, training=replace(at_one.training, learning_rate=rate)),
            (1.0,),
            replace(protocol, metrics=(), part=part),
        )
        for rate in learning_rates
    }
    failures = perform_all(list(tasks.values()), executor, title="learning rates", quiet=quiet)
    elbo = {
        rate: float(read(task.results).metric("elbo")[0])
        for rate, task in tasks.items()
        if task.name not in failures
    }
    finite = {rate: value for rate, value in elbo.items() if np.isfinite(value)}
    if not finite:
        raise MrtcError(
            f"no learning rate of {', '.join(f'{rate:g}' for rate in learning_rates)} gave a "
            f"model; the first failed with: {next(iter(failures.values()))}"
        )
    best = max(finite, key=lambda rate: finite[rate])
    return tasks[best].config
