"""What both loops do at a step: its examples and learning rate, its record, its checks."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mrtc.datasets.documents import Documents
from mrtc.datasets.examples import Examples
from mrtc.errors import DivergenceError
from mrtc.layers import RateGate
from mrtc.randomness import torch_stream
from mrtc.training.buckets import BucketOrder
from mrtc.training.config import TrainingConfig
from mrtc.vae import VAE

STEPS_BETWEEN_RECORDS = 10
SHOWN = {"distortion": "distortion", "rate": "rate", "total_correlation": "tc"}
"""Terms that the progress shows, and what it calls them."""


class ExampleOrder:
    """Which examples make up a step: every epoch is a new shuffle, its short rest left out.

    Args:
        population: Examples in the dataset.
        batch: Examples in a step.
        seed: Of the shuffles; with the step, all that the order depends on.

    Raises:
        ValueError: If the population is smaller than a batch.
    """

    def __init__(self, population: int, batch: int, seed: int) -> None:
        if batch > population:
            raise ValueError(f"a batch of {batch} needs as many examples, got {population}")
        self._population, self._batch, self._seed = population, batch, seed
        self._epoch = -1

    def batch_at(self, step: int) -> Int[Tensor, " batch"]:
        """Indices of the examples of ``step``."""
        epoch, position = divmod(step, self._population // self._batch)
        if epoch != self._epoch:
            generator = torch_stream(self._seed, "order", epoch)
            self._shuffled = torch.randperm(self._population, generator=generator)
            self._epoch = epoch
        return self._shuffled[position * self._batch : (position + 1) * self._batch]


@runtime_checkable
class Order(Protocol):
    """Which examples make up each step."""

    def batch_at(self, step: int) -> Int[Tensor, " batch"]:
        """Indices of the examples of ``step``."""


def order_of(examples: Examples, batch: int, seed: int) -> Order:
    """Documents of like length come together; all other examples as chance has it."""
    if isinstance(examples, Documents):
        return BucketOrder(examples.lengths, batch, seed)
    return ExampleOrder(len(examples), batch, seed)


def joined(parts: Sequence[dict[str, Tensor]]) -> dict[str, Float[Tensor, " batch"]]:
    """The terms of a batch from those of its parts."""
    return {name: torch.cat([terms[name] for terms in parts]) for name in parts[0]}


def optimizer_of(vae: VAE, config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimiser of a model; gates are a group of their own where they have another speed."""
    groups: list[dict[str, Any]] = [{"params": list(vae.parameters())}]
    if config.gate_speed != 1:
        gates = [m for m in vae.modules() if isinstance(m, RateGate)]
        fast = [weight for gate in gates for weight in gate.parameters()]
        known = set(map(id, fast))
        rest = [weight for weight in vae.parameters() if id(weight) not in known]
        groups = [{"params": rest}, {"params": fast, "speed": config.gate_speed}]
    groups = [group for group in groups if group["params"]]
    if config.optimizer == "adamax":
        # Weights are many and small, so a loop over them costs more than what is done in it.
        return torch.optim.Adamax(groups, lr=config.learning_rate, foreach=True)
    return torch.optim.Adam(groups, lr=config.learning_rate, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Sets that of all weights, for the steps to come; a group's ``speed`` multiplies it."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group.get("speed", 1.0)


def is_recorded(step: int, steps: int) -> bool:
    """Whether ``step`` goes into the history: now and then, and the last of all ``steps``."""
    return step % STEPS_BETWEEN_RECORDS == 0 or step == steps - 1


def shown(means: dict[str, float]) -> dict[str, float]:
    """What the progress shows of the means of the objective's terms."""
    return {short: means[name] for name, short in SHOWN.items() if name in means}


def divergence(
    step: int, objective: Float[Tensor, " batch"], beta: Float[Tensor, " group"]
) -> DivergenceError:
    """The error of a step whose objective, given per example, is not finite for some."""
    broken = ~objective.isfinite()
    betas = beta.repeat_interleave(len(objective) // len(beta))[broken]
    return DivergenceError(
        f"the objective is not finite at step {step}, for {int(broken.sum())} of {len(objective)} "
        f"examples, at beta {betas.min():.3g} to {betas.max():.3g}; the checkpoint before it is "
        "kept: lower the learning rate, add warm-up, or use --precision fp32"
    )


def require_finite_weights(vae: VAE, step: int) -> None:
    """Checks what is about to be saved.

    Raises:
        DivergenceError: If a weight is not finite after ``step``.
    """
    broken = [name for name, weight in vae.named_parameters() if not weight.isfinite().all()]
    if broken:
        raise DivergenceError(
            f"the weights {', '.join(broken[:3])} are not finite after step {step}; the "
            "checkpoint before it is kept: lower the learning rate, or use --precision fp32"
        )
