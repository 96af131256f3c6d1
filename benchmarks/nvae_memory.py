"""Memory of a hierarchy's training step, estimated and measured, and what checkpointing costs.

Aims: the estimate within 25 % of what arrays take at the peak; with checkpointing at most half the
memory, for at most 1.6 times the time of a step.

Memory is measured in a process for each case. In use: when the system gets every array back at
once, above what is there behind a step on as many examples, as libraries make kernels for a batch
size. Resident: as trained on a processor, where the C library keeps what is freed and the holes
between arrays count, and the kernels as well; above what is there behind a step on two examples.
On a GPU both are those of torch's allocator: allocated, and reserved.

Steps with and without checkpointing take turns in one process, so that other load on the machine
falls on both; medians are shown with their range.
"""

import argparse
import ctypes
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from mrtc.architectures import NVAEConfig, NVAEDecoder, NVAEEncoder
from mrtc.devices import autocast, keep_freed_memory, resolve_device
from mrtc.distributions import DiagonalGaussian
from mrtc.hierarchical_vae import HierarchicalVAE
from mrtc.layers.checkpointing import recompute_activations
from mrtc.rates import BetaRange
from mrtc.training.memory import estimate_memory
from mrtc.vae import VAE

SHAPE = (1, 28, 28)
SIZES = {
    "small": NVAEConfig(groups=2, group_channels=4, channels=8, block_cells=1, group_cells=1),
    "paper": NVAEConfig(),
}
MMAP_THRESHOLD = -3  # as malloc.h numbers it
LARGE = 2**16
"""Bytes of an array that is given back to the system where memory in use is measured."""

Case = tuple[str, int, bool, str, str]
"""Size, batch, checkpointing, precision and device."""


def make_vae(size: str, device: torch.device) -> HierarchicalVAE:
    """Multi-rate, for binary images of 28 pixels."""
    config = SIZES[size]
    encoder, decoder = NVAEEncoder(SHAPE, config), NVAEDecoder(SHAPE, config)
    return HierarchicalVAE(encoder, decoder, BetaRange(0.1, 10.0)).to(device).train()


def adamax(vae: VAE) -> torch.optim.Optimizer:
    """As hierarchies are trained."""
    return torch.optim.Adamax(vae.parameters(), lr=1e-4)


def make_step(vae: VAE, precision: str, device: torch.device) -> Callable[..., None]:
    """One whole step on a batch of so many, with checkpointing or without."""
    optimizer, generator = adamax(vae), torch.Generator(device).manual_seed(0)

    def step(batch: int, *, checkpointing: bool) -> None:
        x = torch.rand(batch, *SHAPE, generator=generator, device=device).round()
        noise = torch.randn(batch, vae.codes, generator=generator, device=device)
        beta = vae.betas.draw(batch, generator)
        with recompute_activations(vae, on=checkpointing):
            with autocast(precision, device):
                out = vae(x, beta, noise)
            rate = DiagonalGaussian(out.mean, out.log_sigma).rate().sum(1)
            (out.distortion + beta * rate).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return step


def peak(case: Case, kind: str) -> int:
    """Bytes of a step at its fullest: ``in use`` or ``resident``."""
    size, batch, checkpointing, precision, name = case
    device = torch.device(name)
    torch.set_num_threads(1)
    if device.type == "cpu" and kind == "resident":
        keep_freed_memory()
    elif device.type == "cpu":
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, LARGE)
    step = make_step(make_vae(size, device), precision, device)
    step(batch if kind == "in use" else 2, checkpointing=checkpointing)
    if device.type == "cuda":
        measure = (
            torch.cuda.max_memory_allocated if kind == "in use" else torch.cuda.max_memory_reserved
        )
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        for _ in range(2):
            step(batch, checkpointing=checkpointing)
        return measure() - before
    if kind == "in use":
        ctypes.CDLL(None).malloc_trim(0)  # small arrays too are given back
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak back
    for _ in range(2):
        step(batch, checkpointing=checkpointing)
    return _status("VmHWM") - before


def _status(entry: str) -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split(f"{entry}:")[1].split()[0])


def compare(case: Case) -> int:
    """Prints one case; gives back what was measured in use."""
    size, batch, checkpointing, precision, device = case
    vae = make_vae(size, torch.device("cpu"))
    start = time.process_time()
    found = estimate_memory(
        vae,
        batch,
        SHAPE,
        optimizer=adamax,
        precision=precision,
        checkpointing=checkpointing,
        device=device,
    )
    seconds = time.process_time() - start
    estimated = found.total - found.weights - found.optimizer
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        in_use, resident = (pool.apply(peak, (case, kind)) for kind in ("in use", "resident"))
    print(
        f"{size}, batch {batch}, {'recomputed' if checkpointing else 'kept'}: estimated "
        f"{estimated / 2**20:.0f} MiB in {seconds:.1f} s; in use {in_use / 2**20:.0f}, resident "
        f"{resident / 2**20:.0f}; estimated / in use = {estimated / in_use:.2f}, resident / in use "
        f"= {resident / in_use:.2f}",
        flush=True,
    )
    return in_use


def main() -> None:
    """Prints MiB, milliseconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--batches", nargs="+", type=int, default=[32, 96])
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    device = resolve_device(options.device)
    print(f"{options.precision} on {device}")
    for batch in options.batches:
        kept, recomputed = (
            compare((options.size, batch, checkpointing, options.precision, str(device)))
            for checkpointing in (False, True)
        )
        print(f"batch {batch}: memory, recomputed / kept = {recomputed / kept:.2f}", flush=True)

    if device.type == "cpu":
        torch.set_num_threads(1)
        keep_freed_memory()
    step = make_step(make_vae(options.size, device), options.precision, device)
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(options.repeats + 1):
        for checkpointing, values in seconds.items():
            start = time.perf_counter()
            step(options.batches[0], checkpointing=checkpointing)
            if turn:  # the first is to warm up
                values.append(time.perf_counter() - start)
    for checkpointing, values in seconds.items():
        print(
            f"step, batch {options.batches[0]}, {'recomputed' if checkpointing else 'kept'}: "
            f"{1000 * statistics.median(values):.0f} ms "
            f"({1000 * min(values):.0f} to {1000 * max(values):.0f})"
        )
    ratios = [b / a for a, b in zip(seconds[False], seconds[True], strict=True)]
    print(
        f"time: recomputed / kept = {statistics.median(ratios):.2f}, of the fastest "
        f"{min(seconds[True]) / min(seconds[False]):.2f}"
    )


if __name__ == "__main__":
    main()
