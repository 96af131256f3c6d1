"""The training loop."""

import time
from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor

from mrtc.datasets.examples import Examples
from mrtc.devices import Precision, autocast, keep_freed_memory
from mrtc.distributions import DiagonalGaussian
from mrtc.layers.checkpointing import recompute_activations
from mrtc.objectives import ObjectiveConfig, objective_terms, rate_weight
from mrtc.progress import Progress
from mrtc.training.config import TrainingConfig
from mrtc.training.draws import Draws
from mrtc.training.engine import Share, accelerator
from mrtc.training.interrupts import deferred_interrupts
from mrtc.training.regularisation import SpectralPenalty
from mrtc.training.state import TrainingState
from mrtc.training.steps import (
    divergence,
    is_recorded,
    joined,
    optimizer_of,
    order_of,
    require_finite_weights,
    set_learning_rate,
    shown,
)
from mrtc.vae import VAE

SECONDS_BETWEEN_SAVES = 60.0

Record = Callable[[int, dict[str, float]], None]


def train(
    vae: VAE,
    examples: Examples,
    objective: ObjectiveConfig,
    config: TrainingConfig,
    *,
    seed: int,
    device: torch.device,
    precision: Precision = "auto",
    state: TrainingState | None = None,
    save: Callable[[TrainingState], None] = lambda _: None,
    record: Record = lambda _step, _terms: None,
    quiet: bool = False,
) -> TrainingState:
    """Trains ``vae`` in place.

    Every random number depends on the seed and the step alone, so a run that starts from a saved
    ``state`` ends in the same weights, bit for bit on a CPU, as one that was never stopped.

    Under ``torchrun`` or ``accelerate launch`` the processes share every batch and train as one
    would on the whole of it; the first of them saves, records and shows progress.

    Args:
        vae: The model, with the weights that belong to ``state``.
        examples: The dataset, on ``device``.
        objective: What is minimised.
        config: Budget and learning rate.
        seed: Of data order, betas and posterior draws.
        device: Where to train.
        precision: Of matrix products; densities, losses and weights are float32 always.
        state: Where to go on; ``None`` starts.
        save: Called every minute, at the end, and before an interrupt is raised.
        record: Called now and then with the step and the means of the objective's terms.
        quiet: Show no progress.

    Returns:
        The state after the last step.

    Raises:
        DivergenceError: If the objective is not finite; what was saved before is left as it is.
        MrtcError: If several processes cannot share a batch equally, or a model without any layer
            for it is to have spectral regularisation, or to compute activations again.
        KeyboardInterrupt: On Ctrl-C, SIGTERM or SIGUSR1, after saving.
    """
    engine = accelerator(device)
    share = Share(engine, config.batch // config.parts)
    if device.type == "cpu":
        keep_freed_memory()
    vae.to(device).train()
    optimizer = optimizer_of(vae, config)
    state = state or TrainingState()
    penalty = None
    if config.spectral is not None:
        penalty = SpectralPenalty(vae, config.spectral, state.spectral, seed)
    if state.optimizer:
        optimizer.load_state_dict(state.optimizer)
    model, optimizer = engine.prepare(vae, optimizer)
    order = order_of(examples, config.batch, seed)

    def terms_of(draws: Draws, step: int) -> dict[str, Tensor]:
        x = draws.examples(examples, share)
        with autocast(precision, device):
            out = share.gather(model(x, share.of_groups(draws.beta), share.of(draws.noise)))
        return objective_terms(
            objective,
            distortion=out.distortion,
            posterior=DiagonalGaussian(out.mean, out.log_sigma),
            z=out.z,
            beta=draws.beta,
            population=len(examples),
            rate_weight=rate_weight(objective.rate_schedule, step, config.steps),
            groups=vae.groups,
        )

    def save_now(step: int) -> None:
        require_finite_weights(vae, step)
        state.step, state.optimizer = step, optimizer.state_dict()
        state.spectral = {} if penalty is None else penalty.vectors()
        state.seconds = seconds_before + time.monotonic() - start
        if engine.is_main_process:
            save(state)

    seconds_before = state.seconds
    start = last_save = time.monotonic()
    with (
        recompute_activations(vae, on=bool(config.checkpointing)),
        deferred_interrupts() as asked_to_stop,
        Progress(
            "training",
            config.steps,
            done=state.step,
            quiet=quiet or not engine.is_main_process,
        ) as progress,
    ):
        for step in range(state.step, config.steps):
            set_learning_rate(optimizer, config.learning_rate_at(step))
            draws = Draws.at(
                *(step, order.batch_at(step).to(device), examples, vae),
                betas=objective.betas_in(config.batch),
                seed=seed,
            )
            parts: list[dict[str, Tensor]] = []
            for part in draws.parts(config.parts):
                is_last = len(parts) == config.parts - 1
                # Processes add up their gradients once, when all parts have theirs.
                with nullcontext() if is_last else engine.no_sync(model):
                    terms = terms_of(part, step)
                    loss = terms["objective"].mean() / config.parts
                    if not loss.isfinite():
                        raise divergence(step, terms["objective"], part.beta)
                    if is_last and penalty is not None:
                        loss = loss + penalty()
                    engine.backward(loss)
                parts.append({name: term.detach() for name, term in terms.items()})
            if config.clip is not None:
                engine.clip_grad_norm_(vae.parameters(), config.clip)
            optimizer.step()
            optimizer.zero_grad()

            numbers = None
            if is_recorded(step, config.steps):
                means = {name: term.mean().item() for name, term in joined(parts).items()}
                state.history.append({"step": step} | means)
                if engine.is_main_process:
                    record(step, means)
                numbers = shown(means)
            progress.advance(numbers=numbers)
            stop, is_time = share.any(
                asked_to_stop(), time.monotonic() - last_save > SECONDS_BETWEEN_SAVES
            )
            if stop or (is_time and step + 1 < config.steps):
                save_now(step + 1)
                last_save = time.monotonic()
            if stop:
                raise KeyboardInterrupt
    save_now(config.steps)
    return state
