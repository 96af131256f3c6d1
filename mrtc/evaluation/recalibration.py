"""Batch normalisation at one beta: statistics of that beta, in place of those of all betas."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mrtc.datasets.examples import Examples
from mrtc.layers.cells import DecoderCell, EncoderCell
from mrtc.layers.unit import Unit
from mrtc.randomness import torch_stream
from mrtc.vae import VAE

BATCH = 128


@dataclass(frozen=True)
class Recalibration:
    """How the statistics of batch normalisation are measured anew at each beta.

    In training a batch holds many betas, so running means and variances are those of a mixture,
    which no single beta has.

    References:
        Yu and Huang, "Universally Slimmable Networks", ICCV 2019 (the same for widths).
    """

    examples: Examples
    """For training, on the device of the model."""
    batches: int
    """Of 128 examples, drawn without replacement; all examples, if there are fewer."""
    seed: int = 0
    """Of the examples and of the draws of their codes."""

    @contextmanager
    def at(self, vae: VAE, beta: float, device: torch.device) -> Iterator[None]:
        """Within, normalisation is that of ``beta``; behind, it is as it was before."""
        norms = [module for module in vae.modules() if isinstance(module, _BatchNorm)]
        kept = [(norm, norm.momentum, _copied(norm)) for norm in norms]
        try:
            for norm in norms:
                norm.reset_running_stats()
                norm.momentum = None  # means over all batches
            self._measure(vae.train(), beta, device)
            vae.eval()
            yield
        finally:
            vae.eval()
            for norm, momentum, state in kept:
                norm.momentum = momentum
                norm.load_state_dict(state)

    @torch.inference_mode()
    def _measure(self, vae: VAE, beta: float, device: torch.device) -> None:
        rate = torch.tensor([beta], device=device, dtype=torch.float32)
        order = torch.randperm(
            len(self.examples), generator=torch_stream(self.seed, "recalibration")
        )
        noise = torch_stream(self.seed, "recalibration codes", device=device)
        for index in torch.split(order[: self.batches * BATCH].to(device), BATCH):
            stem = vae.encoder.stem(self.examples.images(index))
            draws = torch.randn(len(index), vae.codes, generator=noise, device=device)
            vae.infer(stem, rate, draws)


def has_batch_norm(vae: nn.Module) -> bool:
    """Whether there is anything to recalibrate."""
    return any(isinstance(module, _BatchNorm) for module in vae.modules())


def _copied(norm: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in norm.state_dict().items()}


def undoes_gates(vae: VAE) -> bool:
    """Whether there are gates before batch normalisation.

    At one beta such a gate is one factor for all examples, which statistics of that beta divide out
    again; those of all betas, of training, do not.
    """
    return bool(norms_behind_gates(vae))


def norms_behind_gates(vae: nn.Module) -> set[str]:
    """Names of the batch normalisations whose input is the output of a gate."""
    found: dict[str, tuple[nn.Module, nn.Module]] = {}
    for name, module in vae.named_modules():
        match module:
            case Unit(place="before_norm"):
                found[f"{name}.norm"] = module.norm, module.gated
            case EncoderCell():
                found[f"{name}.norms.1"] = module.norms[1], module.convolutions[0]
            case DecoderCell():
                gates = (module.expand, module.see, module.reduce)
                for at, gated in enumerate(gates, start=1):
                    found[f"{name}.norms.{at}"] = module.norms[at], gated
    return {
        name
        for name, (norm, gated) in found.items()
        if isinstance(norm, _BatchNorm) and gated.gate is not None
    }
