"""Many baselines trained at once: their weights stacked, each step one pass for all of them."""

import time
from collections.abc import Callable, Sequence
from statistics import fmean

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mrtc.datasets.examples import DrawnExamples, Examples
from mrtc.devices import Precision
from mrtc.errors import DivergenceError, MrtcError
from mrtc.objectives import ObjectiveConfig, rate_weight
from mrtc.progress import Progress
from mrtc.randomness import torch_stream
from mrtc.training import loop
from mrtc.training.config import TrainingConfig
from mrtc.training.engine import accelerator
from mrtc.training.interrupts import deferred_interrupts
from mrtc.training.stack import Stack, require_stackable
from mrtc.training.state import TrainingState
from mrtc.training.steps import (
    ExampleOrder,
    divergence,
    is_recorded,
    require_finite_weights,
    set_learning_rate,
    shown,
)
from mrtc.vae import VAE


def unstackable(config: TrainingConfig) -> list[str]:
    """What a step of many models at once does not do, of what is asked for."""
    names = ("clip", "optimizer", "accumulate", "spectral", "checkpointing")
    found = {name: getattr(config, name) for name in names}
    return [f"{name} {value}" for name, value in found.items() if value is not None]


def train_stacked(
    vaes: Sequence[VAE],
    examples: Examples,
    objective: ObjectiveConfig,
    config: TrainingConfig,
    *,
    seeds: Sequence[int],
    device: torch.device,
    precision: Precision = "auto",
    states: Sequence[TrainingState] | None = None,
    save: Callable[[int, TrainingState], None] = lambda _model, _state: None,
    quiet: bool = False,
) -> list[TrainingState | DivergenceError]:
    """Trains baselines of one architecture in place, all in one process and on one device.

    Each model sees the examples, the noise and the beta that :func:`~mrtc.training.train` shows it
    alone, and its state has the same form: the results differ by rounding only, and each of the
    two functions can resume what the other began. Resuming the same models together changes
    nothing, bit for bit on a CPU. (In bfloat16 the stack rounds less: it adds biases in float32.)

    This is for a GPU that one model leaves idle; on a processor separate runs are as fast or
    faster. A step takes up to 20 bytes of memory for each pixel of each example of each model's
    batch (1.2 GB for seven models, 2,048 examples and 4,096 pixels), and 20 bytes for each weight
    of each model; train fewer at a time where that is too much.

    Args:
        vaes: The models, with the weights that belong to ``states``; a beta each.
        examples: The dataset, on ``device``.
        objective: What is minimised.
        config: Budget and learning rate.
        seeds: Of data order and posterior draws, one a model.
        device: Where to train.
        precision: As in :func:`~mrtc.training.train`.
        states: Where to go on, one a model and all at one step; ``None`` starts.
        save: Called with the index of a model and its state, when :func:`~mrtc.training.train`
            would call it; the weights are in the model by then.
        quiet: Show no progress.

    Returns:
        For each model the state after the last step; or, if its objective or its weights were not
        finite, the error that :func:`~mrtc.training.train` would have raised. Such a model is not
        saved any more, and does not disturb the others. The ``seconds`` of a state are an equal
        share of what all models took together, failed ones included.

    Raises:
        ValueError: If the models cannot be stacked: one is trained for a range of betas or has
            buffers, they differ in architecture, or they stand at different steps; or if
            :func:`unstackable` finds what a step of many has not.
        KeyboardInterrupt: On Ctrl-C, SIGTERM or SIGUSR1, after saving; its notes name the models
            that had failed by then.
    """
    states = [TrainingState() for _ in vaes] if states is None else states
    require_stackable(vaes, seeds, states)
    if found := unstackable(config):
        raise ValueError(
            "stacked training takes plain steps of Adam on the whole batch, got "
            f"{', '.join(found)}; train these models by `train`"
        )
    engine = accelerator(device)
    if engine.num_processes > 1:
        raise MrtcError(
            f"models are stacked in one process, and this is one of {engine.num_processes}; start "
            "it without `accelerate launch` or `torchrun`"
        )
    stack = Stack(vaes, states, config.learning_rate, device)
    orders = [ExampleOrder(len(examples), config.batch, seed) for seed in seeds]
    failures: dict[int, DivergenceError] = {}

    def running() -> list[int]:
        return [model for model in range(len(vaes)) if model not in failures]

    def save_now(step: int) -> None:
        share = (time.monotonic() - start) / len(vaes)
        for model in running():
            optimizer = stack.unstack(model)
            try:
                require_finite_weights(vaes[model], step)
            except DivergenceError as error:
                failures[model] = error
                continue
            state = states[model]
            state.step, state.optimizer = step, optimizer
            state.seconds = seconds_before[model] + share
            save(model, state)

    seconds_before = [state.seconds for state in states]
    first = states[0].step
    start = last_save = time.monotonic()
    with (
        deferred_interrupts() as asked_to_stop,
        Progress(f"training {len(vaes)} models", config.steps, done=first, quiet=quiet) as progress,
    ):
        for step in range(first, config.steps):
            indices = [order.batch_at(step).to(device) for order in orders]
            x = _images(examples, indices, seeds, step)
            terms = stack.terms(
                x,
                _noise(seeds, step, (config.batch, vaes[0].codes), device),
                objective,
                population=len(examples),
                rate_weight=rate_weight(objective.rate_schedule, step, config.steps),
                precision=precision,
            )
            losses = terms["objective"].mean(1)
            if not losses.isfinite().all():
                for model in running():
                    if not losses[model].isfinite():
                        values = terms["objective"][model]
                        failures[model] = divergence(step, values, stack.beta[model])
            if not running():
                break
            engine.backward(losses.sum())
            set_learning_rate(stack.optimizer, config.learning_rate_at(step))
            stack.optimizer.step()
            stack.optimizer.zero_grad()

            numbers = None
            if is_recorded(step, config.steps):
                numbers = _record(step, terms, {model: states[model] for model in running()})
            progress.advance(numbers=numbers)
            if asked_to_stop():
                save_now(step + 1)
                raise _interrupt(failures)
            since = time.monotonic() - last_save
            if since > loop.SECONDS_BETWEEN_SAVES and step + 1 < config.steps:
                save_now(step + 1)
                last_save = time.monotonic()
    save_now(config.steps)
    return [failures.get(model, state) for model, state in enumerate(states)]


def _images(
    examples: Examples, indices: Sequence[Int[Tensor, " batch"]], seeds: Sequence[int], step: int
) -> Float[Tensor, "model batch *event"]:
    """What each model would be shown alone, bit for bit."""
    if not isinstance(examples, DrawnExamples):
        x = examples.images(torch.cat(list(indices)))
        return x.reshape(len(indices), -1, *x.shape[1:])
    return torch.stack(
        [
            examples.draw(index, torch_stream(seed, "draw", step, device=index.device))
            for index, seed in zip(indices, seeds, strict=True)
        ]
    )


def _noise(
    seeds: Sequence[int], step: int, shape: tuple[int, int], device: torch.device
) -> Float[Tensor, "model batch code"]:
    """What each model would draw alone, bit for bit."""
    generators = [torch_stream(seed, "posterior", step, device=device) for seed in seeds]
    return torch.stack([torch.randn(shape, generator=g, device=device) for g in generators])


def _record(
    step: int, terms: dict[str, Tensor], states: dict[int, TrainingState]
) -> dict[str, float]:
    """Adds to the histories, and returns what to show: means over the models."""
    means = torch.stack([term.detach().mean(1) for term in terms.values()], 1).tolist()
    for model, state in states.items():
        state.history.append({"step": step} | dict(zip(terms, means[model], strict=True)))
    last = [state.history[-1] for state in states.values()]
    return shown({name: fmean(entry[name] for entry in last) for name in terms})


def _interrupt(failures: dict[int, DivergenceError]) -> KeyboardInterrupt:
    interrupt = KeyboardInterrupt()
    for model, error in failures.items():
        interrupt.add_note(f"model {model} had failed: {error}")
    return interrupt
