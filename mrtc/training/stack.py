"""Models of one architecture as one, for training all of them in one pass."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call, vmap

from mrtc.devices import Precision, autocast
from mrtc.distributions import DiagonalGaussian
from mrtc.objectives import ObjectiveConfig, objective_terms
from mrtc.training.state import TrainingState
from mrtc.vae import VAE


class Stack:
    """Models of one architecture as one: every weight has a leading axis ``model``.

    Adam works on each number by itself, so one over the stack is one for each model.

    Args:
        vaes: The models, which :func:`require_stackable` has passed.
        states: The state of each; where they have begun, the optimiser goes on with their moments.
        learning_rate: Of the first step.
        device: Where to train; the models are moved there.
    """

    def __init__(
        self,
        vaes: Sequence[VAE],
        states: Sequence[TrainingState],
        learning_rate: float,
        device: torch.device,
    ) -> None:
        self._vaes = vaes
        named = [dict(vae.to(device).train().named_parameters()) for vae in vaes]
        self._weights = {
            name: torch.stack([weights[name].detach() for weights in named]).requires_grad_()
            for name in named[0]
        }
        self.beta = torch.tensor([[vae.betas.low] for vae in vaes], device=device)
        """Of each model, one for its whole batch."""
        self.optimizer = torch.optim.Adam(self._weights.values(), lr=learning_rate, fused=True)
        if states[0].optimizer:
            moments = _stacked_moments([state.optimizer["state"] for state in states])
            self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": moments})

    def terms(
        self,
        x: Float[Tensor, "model batch *event"],
        noise: Float[Tensor, "model batch code"],
        objective: ObjectiveConfig,
        *,
        population: int,
        rate_weight: float,
        precision: Precision,
    ) -> dict[str, Float[Tensor, "model batch"]]:
        """The objective's terms, each model on its own examples."""

        def of_one(
            weights: dict[str, Tensor], x: Tensor, beta: Tensor, noise: Tensor
        ) -> dict[str, Tensor]:
            with autocast(precision, x.device):
                out = functional_call(self._vaes[0], weights, (x, beta, noise))
            return objective_terms(
                objective,
                distortion=out.distortion,
                posterior=DiagonalGaussian(out.mean, out.log_sigma),
                z=out.z,
                beta=beta,
                population=population,
                rate_weight=rate_weight,
            )

        return vmap(of_one)(self._weights, x, self.beta, noise)

    def unstack(self, model: int) -> dict[str, Any]:
        """Puts its weights into a model, and returns the state of an optimiser of its own."""
        with torch.no_grad():
            for name, weight in self._vaes[model].named_parameters():
                weight.copy_(self._weights[name][model])
        whole = self.optimizer.state_dict()
        # Cloned, since a saved view of the stack would be saved with all of the stack.
        moments = {
            weight: {
                name: value.clone() if name == "step" else value[model].clone()
                for name, value in values.items()
            }
            for weight, values in whole["state"].items()
        }
        return whole | {"state": moments}


def _stacked_moments(states: list[dict[int, dict[str, Tensor]]]) -> dict[int, dict[str, Tensor]]:
    """The optimiser's state of all models; the steps that Adam counts are one number for all."""
    return {
        weight: {
            name: value.clone()
            if name == "step"
            else torch.stack([state[weight][name] for state in states])
            for name, value in values.items()
        }
        for weight, values in states[0].items()
    }


def require_stackable(
    vaes: Sequence[VAE], seeds: Sequence[int], states: Sequence[TrainingState]
) -> None:
    """Checks that models can be one stack.

    Raises:
        ValueError: If one is trained for a range of betas or has buffers, they differ in
            architecture or stand at different steps, or not each has a seed and a state.
    """
    if not len(vaes) == len(seeds) == len(states) or not vaes:
        raise ValueError(
            f"stacked training needs a seed and a state for each model, got {len(vaes)} models, "
            f"{len(seeds)} seeds and {len(states)} states"
        )
    ranges = [str(vae.betas) for vae in vaes if not vae.betas.is_single]
    if ranges:
        raise ValueError(
            f"stacked training is for baselines, got models for betas in {', '.join(ranges)}; "
            "train a multi-rate model by `train`"
        )
    buffers = sorted({name for vae in vaes for name, _ in vae.named_buffers()})
    if buffers:
        raise ValueError(
            "stacked training carries no buffers, such as the running means of BatchNorm, got "
            f"{', '.join(buffers[:3])}; train these models by `train`"
        )
    for index, vae in enumerate(vaes):
        if _architecture(vae) != _architecture(vaes[0]):
            raise ValueError(
                f"stacked training needs models of one architecture, and model {index} is not of "
                "that of model 0; group them by architecture"
            )
    steps = [state.step for state in states]
    if len(set(steps)) > 1:
        raise ValueError(
            f"stacked training needs models at one step, got steps {steps}; group them by step"
        )


def _architecture(vae: VAE) -> tuple[object, ...]:
    shapes = [(name, weight.shape, weight.dtype) for name, weight in vae.named_parameters()]
    return str(vae), vae.codes, vae.likelihood, shapes
