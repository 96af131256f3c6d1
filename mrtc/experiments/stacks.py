"""Many baselines at once on one device, as one stacked model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch

from mrtc.devices import resolve_device, resolve_precision
from mrtc.errors import DivergenceError, MrtcError
from mrtc.experiments.config import RunConfig
from mrtc.experiments.data import load_for
from mrtc.experiments.execute import one_after_another
from mrtc.experiments.run import build_vae, read_config, require_same_run, settled
from mrtc.experiments.tasks import Outcome, Task, evaluate_task, reason_of
from mrtc.rates import BetaRange
from mrtc.training import Checkpoint, TrainingState, train_stacked
from mrtc.training.stacked import unstackable


def in_stacks(tasks: Sequence[Task], size: int, *, quiet: bool = False) -> Iterator[Outcome]:
    """Trains up to ``size`` baselines together, then evaluates each.

    Checkpoints are those of separate runs, so either way of training resumes the other. Stacked are
    runs that differ in seed and beta only and have come as far; multi-rate runs, and
    those of documents, with batch normalisation or with other steps than Adam's, are performed one
    after another.

    Raises:
        KeyboardInterrupt: On Ctrl-C or a scheduler's signal, after saving.
    """
    steps: dict[str, int] = {}
    for task in tasks:
        try:
            steps[task.name] = _step(task)
        except MrtcError as error:  # a checkpoint that cannot be used is the run's own failure
            yield Outcome(task, reason_of(error))
    for together in _alike(tasks, steps):
        if not _is_stackable(together[0].config):
            yield from one_after_another(together, quiet=quiet)
            continue
        for first in range(0, len(together), size):
            yield from _stack(together[first : first + size], quiet=quiet)


def _is_stackable(config: RunConfig) -> bool:
    if not config.is_baseline or unstackable(config.training) or config.likelihood == "tokens":
        return False
    if config.image_size is not None:  # the user's own, which nobody has looked at yet
        config = replace(config, image_shape=(3, config.image_size, config.image_size))
    with torch.device("meta"):  # running means of batch normalisation are nobody's in a stack
        return not any(True for _ in build_vae(config).buffers())


def _step(task: Task) -> int:
    if not task.checkpoint.exists():
        return 0
    checkpoint = Checkpoint.load(task.checkpoint)
    # Source and precision are filled in when a run begins.
    there = read_config(checkpoint, task.checkpoint)
    asked = replace(
        task.config,
        source=there.source,
        precision=there.precision,
        image_shape=there.image_shape,
        tokens=there.tokens,
    )
    require_same_run(asked, checkpoint, task.checkpoint)
    return checkpoint.state.step


def _alike(tasks: Sequence[Task], steps: Mapping[str, int]) -> list[list[Task]]:
    """Runs of one architecture and budget that stand at the same step."""
    groups: dict[tuple[str, int, bool], list[Task]] = {}
    for task in tasks:
        if task.name in steps:
            config = task.config
            anybody = replace(config, seed=0, betas=BetaRange(1.0, 1.0), model=config.model.plain())
            key = anybody.to_json(), steps[task.name], config.is_baseline
            groups.setdefault(key, []).append(task)
    return list(groups.values())


def _stack(tasks: Sequence[Task], *, quiet: bool) -> Iterator[Outcome]:
    try:
        ended = _train(tasks, quiet=quiet)
    except (MrtcError, MemoryError, RuntimeError) as error:
        yield from (Outcome(task, reason_of(error)) for task in tasks)
        return
    for task, end in zip(tasks, ended, strict=True):
        if isinstance(end, DivergenceError):
            yield Outcome(task, reason_of(end))
            continue
        try:
            evaluate_task(task)
        except (MrtcError, MemoryError, RuntimeError) as error:
            yield Outcome(task, reason_of(error))
        else:
            yield Outcome(task)


def _train(tasks: Sequence[Task], *, quiet: bool) -> list[TrainingState | DivergenceError]:
    first = tasks[0]
    device = resolve_device(first.protocol.device)
    precision = resolve_precision(first.protocol.precision, device)
    examples = load_for(first.config, first.protocol.data, device, quiet=quiet)
    configs = [settled(task.config, examples, precision) for task in tasks]
    vaes, states = [build_vae(config) for config in configs], []
    for task, config, vae in zip(tasks, configs, vaes, strict=True):
        states.append(TrainingState())
        if task.checkpoint.exists():
            checkpoint = Checkpoint.load(task.checkpoint)
            require_same_run(config, checkpoint, task.checkpoint)
            vae.load_state_dict(checkpoint.weights)
            states[-1] = checkpoint.state

    def save(at: int, state: TrainingState) -> None:
        weights = {name: tensor.clone() for name, tensor in vaes[at].state_dict().items()}
        Checkpoint(configs[at].to_json(), weights, state).save(tasks[at].checkpoint)

    return train_stacked(
        vaes,
        examples,
        first.config.objective,
        first.config.training,
        seeds=[config.seed for config in configs],
        device=device,
        precision=precision,
        states=states,
        save=save,
        quiet=quiet,
    )
