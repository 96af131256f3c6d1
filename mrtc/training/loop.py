"""The training loop."""

import time
from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

from mrtc.datasets.examples import Examples
from mrtc.devices import Precision, autocast
from mrtc.distributions import DiagonalGaussian
from mrtc.errors import DivergenceError
from mrtc.objectives import ObjectiveConfig, objective_terms, rate_weight
from mrtc.progress import Progress
from mrtc.randomness import torch_stream
from mrtc.training.config import TrainingConfig
from mrtc.training.engine import Share, accelerator
from mrtc.training.interrupts import deferred_interrupts
from mrtc.training.state import TrainingState
from mrtc.vae import VAE

SECONDS_BETWEEN_SAVES = 60.0
STEPS_BETWEEN_RECORDS = 10
SHOWN = {"distortion": "distortion", "rate": "rate", "total_correlation": "tc"}

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
        MrtcError: If several processes cannot share a batch equally.
        KeyboardInterrupt: On Ctrl-C, SIGTERM or SIGUSR1, after saving.
    """
    engine = accelerator(device)
    share = Share(engine, config.batch)
    vae.to(device).train()
    optimizer = torch.optim.Adam(vae.parameters(), lr=config.learning_rate, fused=True)
    state = state or TrainingState()
    if state.optimizer:
        optimizer.load_state_dict(state.optimizer)
    model, optimizer = engine.prepare(vae, optimizer)
    order = _Order(len(examples), config.batch, seed)

    def save_now(step: int) -> None:
        _require_finite_weights(vae, step)
        state.step, state.optimizer = step, optimizer.state_dict()
        state.seconds = seconds_before + time.monotonic() - start
        if engine.is_main_process:
            save(state)

    seconds_before = state.seconds
    start = last_save = time.monotonic()
    with (
        deferred_interrupts() as asked_to_stop,
        Progress(
            "training",
            config.steps,
            done=state.step,
            quiet=quiet or not engine.is_main_process,
        ) as progress,
    ):
        for step in range(state.step, config.steps):
            _set_learning_rate(optimizer, config.learning_rate_at(step))
            x = examples.images(share.of(order.batch_at(step)).to(device))
            beta = vae.betas.draw(
                objective.betas_in(config.batch), torch_stream(seed, "beta", step, device=device)
            )
            generator = torch_stream(seed, "posterior", step, device=device)
            noise = torch.randn(config.batch, vae.codes, generator=generator, device=device)
            with autocast(precision, device):
                out = share.gather(model(x, share.of_groups(beta), share.of(noise)))
            terms = objective_terms(
                objective,
                distortion=out.distortion,
                posterior=DiagonalGaussian(out.mean, out.log_sigma),
                z=out.z,
                beta=beta,
                population=len(examples),
                rate_weight=rate_weight(objective.rate_schedule, step, config.steps),
            )
            loss = terms["objective"].mean()
            if not loss.isfinite():
                raise _divergence(step, terms["objective"], beta)
            engine.backward(loss)
            optimizer.step()
            optimizer.zero_grad()

            numbers = None
            if step % STEPS_BETWEEN_RECORDS == 0 or step == config.steps - 1:
                means = {name: term.mean().item() for name, term in terms.items()}
                state.history.append({"step": step} | means)
                if engine.is_main_process:
                    record(step, means)
                numbers = {short: means[name] for name, short in SHOWN.items() if name in means}
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


class _Order:
    """Which examples make up a step: every epoch is a new shuffle, its short rest left out."""

    def __init__(self, population: int, batch: int, seed: int) -> None:
        if batch > population:
            raise ValueError(f"a batch of {batch} needs as many examples, got {population}")
        self._population, self._batch, self._seed = population, batch, seed
        self._epoch = -1

    def batch_at(self, step: int) -> Int[Tensor, " batch"]:
        epoch, position = divmod(step, self._population // self._batch)
        if epoch != self._epoch:
            generator = torch_stream(self._seed, "order", epoch)
            self._shuffled = torch.randperm(self._population, generator=generator)
            self._epoch = epoch
        return self._shuffled[position * self._batch : (position + 1) * self._batch]


def _set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def _divergence(step: int, objective: Tensor, beta: Tensor) -> DivergenceError:
    broken = ~objective.isfinite()
    betas = beta.repeat_interleave(len(objective) // len(beta))[broken]
    return DivergenceError(
        f"the objective is not finite at step {step}, for {int(broken.sum())} of {len(objective)} "
        f"examples, at beta {betas.min():.3g} to {betas.max():.3g}; the checkpoint before it is "
        "kept: lower the learning rate, add warm-up, or use --precision fp32"
    )


def _require_finite_weights(vae: VAE, step: int) -> None:
    broken = [name for name, weight in vae.named_parameters() if not weight.isfinite().all()]
    if broken:
        raise DivergenceError(
            f"the weights {', '.join(broken[:3])} are not finite after step {step}; the "
            "checkpoint before it is kept: lower the learning rate, or use --precision fp32"
        )
