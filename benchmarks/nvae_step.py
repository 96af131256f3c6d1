"""A training step of a hierarchy: multi-rate and plain, and by order of memory and precision.

Aim: a multi-rate step at most 10 % above the same baseline step. Channels last and bfloat16 are
shown against float32 with channels first, each as a ratio of the same run.

The kinds take turns in one process, so that other load falls on all alike; medians of processor
time are shown (of the clock on a GPU, where the host only waits), with their range.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch

from mrtc.devices import autocast, keep_freed_memory, resolve_device
from mrtc.distributions import DiagonalGaussian
from mrtc.experiments import RunConfig, preset
from mrtc.experiments.presets import baseline
from mrtc.experiments.run import build_vae

KINDS = {
    "multi-rate": {},
    "baseline": {"is_baseline": True},
    "multi-rate, channels first": {"is_channels_last": False},
    "multi-rate, bfloat16": {"precision": "bf16"},
}
PAIRS = [("multi-rate", "baseline"), *((kind, "multi-rate") for kind in list(KINDS)[2:])]


def make_step(
    config: RunConfig,
    device: torch.device,
    *,
    is_baseline: bool = False,
    is_channels_last: bool = True,
    precision: str = "fp32",
) -> Callable[[], None]:
    """One whole step: networks, objective, gradient, Adamax."""
    config = baseline(config, 1.0) if is_baseline else config
    vae = build_vae(config).to(device).train()
    if not is_channels_last:
        vae = vae.to(memory_format=torch.contiguous_format)
    optimizer = torch.optim.Adamax(vae.parameters(), lr=1e-3, foreach=True)
    generator = torch.Generator(device).manual_seed(0)
    batch, side = config.training.batch, config.model.image_side
    shape = (batch, vae.decoder.image_channels, side, side)
    x = torch.rand(shape, generator=generator, device=device).round()

    def step() -> None:
        beta = vae.betas.draw(config.objective.betas_in(batch), generator)
        noise = torch.randn(batch, vae.codes, generator=generator, device=device)
        with autocast(precision, device):
            out = vae(x, beta, noise)
        rate = DiagonalGaussian(out.mean, out.log_sigma).rate().sum(1)
        (out.distortion + beta.repeat_interleave(batch // len(beta)) * rate).mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def seconds_of(step: Callable[[], None], device: torch.device) -> float:
    """Of the processors, or by the clock until a GPU is done."""
    if device.type == "cpu":
        start = time.process_time()
        step()
        return time.process_time() - start
    torch.cuda.synchronize(device)
    start = time.perf_counter()
    step()
    torch.cuda.synchronize(device)
    return time.perf_counter() - start


def main() -> None:
    """Prints milliseconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="binarized-mnist")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--batch", type=int, help="that of the preset if left out")
    parser.add_argument("--groups", type=int, help="betas in a batch; 64 if left out")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--warm-up", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=11)
    options = parser.parse_args()
    device = resolve_device(options.device)
    torch.set_num_threads(options.threads)
    if device.type == "cpu":
        keep_freed_memory()
    config = preset(options.dataset, options.preset, "beta", "nvae")
    batch = options.batch or config.training.batch
    config = replace(
        config,
        training=replace(config.training, batch=batch),
        objective=replace(config.objective, groups=min(options.groups or 64, batch)),
    )
    steps = {name: make_step(config, device, **how) for name, how in KINDS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(options.warm_up + options.repeats):
        for name, step in steps.items():
            seconds[name].append(seconds_of(step, device))
    print(
        f"{options.dataset}, {options.preset}, batch {batch}, {device}, {options.threads} threads"
    )
    for name, values in seconds.items():
        kept = seconds[name] = values[options.warm_up :]
        low, middle, high = (1000 * f(kept) for f in (min, statistics.median, max))
        print(f"{name}: {middle:.0f} ms ({low:.0f} to {high:.0f})")
    for one, other in PAIRS:
        pairs = [a / b for a, b in zip(seconds[one], seconds[other], strict=True)]
        print(
            f"{one} / {other}: {statistics.median(pairs):.3f} (median of pairs), "
            f"{min(seconds[one]) / min(seconds[other]):.3f} of the fastest"
        )


if __name__ == "__main__":
    main()
