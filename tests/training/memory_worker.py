"""Measures the peak memory of training steps in a process of its own; not a test, see there.

Arrays get their memory from the system and give it back, one by one, so that what is measured is
what is in use, and not the holes in the heap. The peak is set back before each step.
"""

import ctypes
import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from mrtc.architectures import (
    NVAEConfig,
    NVAEDecoder,
    NVAEEncoder,
    ResNetConfig,
    ResNetDecoder,
    ResNetEncoder,
)
from mrtc.devices import Precision, autocast
from mrtc.distributions import DiagonalGaussian
from mrtc.hierarchical_vae import HierarchicalVAE
from mrtc.layers.checkpointing import recompute_activations
from mrtc.objectives import ObjectiveConfig, objective_terms
from mrtc.rates import BetaRange
from mrtc.training.memory import MemoryEstimate, estimate_memory
from mrtc.vae import VAE

SHAPE = (1, 28, 28)
BETAS = BetaRange(0.1, 10.0)
OPTIMIZERS: dict[str, Callable[[VAE], torch.optim.Optimizer]] = {
    "adam": lambda vae: torch.optim.Adam(vae.parameters(), fused=True),
    "adamax": lambda vae: torch.optim.Adamax(vae.parameters()),
}
MMAP_THRESHOLD = -3  # as malloc.h numbers it
LARGE = 2**16


def make_vae(network: str) -> VAE:
    """A small hierarchy, or a residual network."""
    if network == "nvae":
        config = NVAEConfig(groups=2, group_channels=4, channels=8, block_cells=1, group_cells=1)
        return HierarchicalVAE(NVAEEncoder(SHAPE, config), NVAEDecoder(SHAPE, config), BETAS)
    resnet = ResNetConfig()
    return VAE(ResNetEncoder(SHAPE, resnet), ResNetDecoder(SHAPE, resnet), resnet.codes, BETAS)


def take_steps(
    vae: VAE, batch: int, optimizer: torch.optim.Optimizer, precision: Precision, steps: int = 1
) -> None:
    """As training does."""
    vae.train()
    device = next(vae.parameters()).device
    for _ in range(steps):
        x, noise = (torch.rand(batch, *sizes, device=device) for sizes in (SHAPE, (vae.codes,)))
        beta = torch.ones(batch, device=device)
        with autocast(precision, device):
            out = vae(x, beta, noise)
        terms = objective_terms(
            ObjectiveConfig("beta"),
            distortion=out.distortion,
            posterior=DiagonalGaussian(out.mean, out.log_sigma),
            z=out.z,
            beta=beta,
            population=batch,
        )
        terms["objective"].mean().backward()
        optimizer.step()
        optimizer.zero_grad()


def compare(
    network: str, batch: int, optimizer: str, precision: Precision, *, checkpointing: bool
) -> dict[str, int]:
    """Bytes of a step beside those that weights and optimiser have taken before it."""
    vae = make_vae(network)
    own = OPTIMIZERS[optimizer](vae)
    with recompute_activations(vae, on=checkpointing):
        # What is made once: the optimiser's state, and kernels for this batch size.
        take_steps(vae, batch, own, precision)
        ctypes.CDLL(None).malloc_trim(0)  # small arrays too are given back
        before = _memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
        take_steps(vae, batch, own, precision)
    measured = _memory("VmHWM") - before
    found: MemoryEstimate = estimate_memory(
        vae,
        batch,
        SHAPE,
        optimizer=OPTIMIZERS[optimizer],
        precision=precision,
        checkpointing=checkpointing,
    )
    return {"measured": measured, "estimated": found.total - found.weights - found.optimizer}


def _memory(entry: str) -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split(f"{entry}:")[1].split()[0])


if __name__ == "__main__":
    torch.set_num_threads(1)
    ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, LARGE)
    found = [compare(*case[:4], checkpointing=case[4]) for case in json.loads(sys.argv[1])]
    sys.stdout.write(json.dumps(found))
