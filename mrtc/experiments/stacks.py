"""Many baselines at once on one device, as one stacked model."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from mrtc.devices import resolve_device, resolve_precision
from mrtc.errors import DivergenceError, MrtcError
from mrtc.experiments.data import load_data
from mrtc.experiments.run import build_vae, require_same_run
from mrtc.experiments.tasks import Outcome, Task, evaluate_task, reason_of
from mrtc.training import Checkpoint, TrainingState, train_stacked


def in_stacks(tasks: Sequence[Task], size: int, *, quiet: bool = False) -> Iterator[Outcome]:
    """Trains up to ``size`` baselines together, then evaluates each.

    Checkpoints are those of separate runs, so either way of training resumes the other. Runs are
    stacked with those that have come as far.

    Raises:
        MrtcError: If the tasks are no baselines of one architecture and budget.
        KeyboardInterrupt: On Ctrl-C or a scheduler's signal, after saving.
    """
    steps = {task.name: _step(task) for task in tasks}
    ordered = sorted(tasks, key=lambda task: steps[task.name])
    for _, group in groupby(ordered, key=lambda task: steps[task.name]):
        together = list(group)
        for first in range(0, len(together), size):
            yield from _stack(together[first : first + size], quiet=quiet)


def _step(task: Task) -> int:
    return Checkpoint.load(task.checkpoint).state.step if task.checkpoint.exists() else 0


def _stack(tasks: Sequence[Task], *, quiet: bool) -> Iterator[Outcome]:
    first = tasks[0]
    _require_stackable(tasks)
    device = resolve_device(first.protocol.device)
    precision = resolve_precision(first.protocol.precision, device)
    examples = load_data(first.config.dataset, first.protocol.data, device, quiet=quiet)
    configs = [replace(task.config, precision=precision, source=examples.source) for task in tasks]
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

    try:
        ended = train_stacked(
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


def _require_stackable(tasks: Sequence[Task]) -> None:
    first = tasks[0].config
    for task in tasks:
        config = task.config
        if not config.is_baseline:
            raise MrtcError(f"{task.name} is a multi-rate run; only baselines are stacked")
        others = replace(config, seed=first.seed, betas=first.betas).differences(first)
        if others:
            raise MrtcError(
                f"{task.name} and {tasks[0].name} cannot be stacked: {'; '.join(others)}; train "
                "them one after another"
            )
