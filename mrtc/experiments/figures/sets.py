"""The sets of runs behind a figure, trained in one folder."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from mrtc.errors import MrtcError
from mrtc.experiments.baselines import choose_learning_rate
from mrtc.experiments.config import RunConfig
from mrtc.experiments.execute import one_after_another
from mrtc.experiments.figures.options import FigureOptions
from mrtc.experiments.grid import grid_folder, perform_all, results_of
from mrtc.experiments.tasks import Protocol, Task
from mrtc.results import RunSet, collect, write_runs

MakeTasks = Callable[[RunConfig, Path], list[Task]]
"""From the configuration, with its learning rate, and the folder of the runs."""


class Trained(NamedTuple):
    """A set of runs."""

    runs: RunSet
    tasks: list[Task]
    """What was to be done; those that failed have no files."""


def train_sets(
    config: RunConfig,
    sets: Mapping[str, tuple[RunConfig, MakeTasks]],
    options: FigureOptions,
    protocol: Protocol,
    learning_rates: Sequence[float] = (),
    part: str | None = None,
) -> dict[str, Trained]:
    """Trains and evaluates sets of runs; what is there already is not done again.

    Args:
        config: What all have in common; it names the folder's contents.
        sets: By name: the run that a learning rate is chosen for, at beta 1, and what makes the
            set's tasks of a configuration with that learning rate.
        options: Of the figure. Its folder gets a results file for each set, and ``runs``.
        protocol: How runs are trained and evaluated.
        learning_rates: To choose from for each set; if empty, that of the configuration stays.
        part: Of the data, for that choice; see
            :func:`mrtc.experiments.baselines.choose_learning_rate`.

    Raises:
        MrtcError: If all runs of a set failed.
    """
    executor = options.executor or partial(one_after_another, quiet=options.quiet)
    folder = options.folder / "runs"
    with grid_folder(folder, config, protocol, resume=True, force=options.force):
        tasks: dict[str, list[Task]] = {}
        for name, (at_one, make) in sets.items():
            chosen = at_one
            if learning_rates:
                chosen = choose_learning_rate(
                    *(at_one, folder, learning_rates, protocol, executor),
                    name=name,
                    part=part,
                    quiet=options.quiet,
                )
            tasks[name] = make(chosen, folder)
        together = [task for some in tasks.values() for task in some]
        failures = perform_all(together, executor, title="runs", quiet=options.quiet)
        found = {name: Trained(_collected(some, failures), some) for name, some in tasks.items()}
    for name, trained in found.items():
        write_runs(options.folder / f"{name}.h5", trained.runs)
    return found


def _collected(tasks: Sequence[Task], failures: Mapping[str, str]) -> RunSet:
    results = results_of(tasks)
    if not results:
        first = next(task.name for task in tasks if task.name in failures)
        raise MrtcError(f"all {len(tasks)} runs failed; the first, {first}: {failures[first]}")
    return collect(
        results,
        {
            (task.config.seed, beta): failures[task.name]
            for task in tasks
            if task.name in failures
            for beta in task.betas
        },
    )
