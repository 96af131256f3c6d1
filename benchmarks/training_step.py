"""A training step against the plain formulation, and a multi-rate step against a baseline's.

Aims: a beta-TCVAE step of the paper's set-up (batch 2,048, 1,200 units) at least 3.5 times as fast
as the float32 step that holds the (batch, batch, code) log densities, with at most half its peak
memory; and a multi-rate step at most 5 % above the same baseline step. docs/performance.md says
where each holds.

Steps of both kinds alternate, so that other load on the machine falls on both; medians are shown.
Peak memory is that of a process that does only one kind.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from mrtc.datasets import dsprites
from mrtc.devices import autocast
from mrtc.distributions import DiagonalGaussian
from mrtc.experiments import RunConfig, preset
from mrtc.experiments.presets import baseline
from mrtc.experiments.run import build_vae
from mrtc.objectives import objective_terms

Step = Callable[[], None]
POPULATION = 737_280
IMAGES = 40_000
"""Batches are drawn from so few, lest 377 MB of the data set's file, which the system shares and
takes back at need, count as memory of either step."""

PAIRS = 3
"""Times as many repeats where two steps differ by little; a single pair varies by 20 %."""


def plain_objective(distortion: Tensor, q: DiagonalGaussian, z: Tensor, beta: Tensor) -> Tensor:
    """Weighted estimate as published: every log density of every pair of examples at once."""
    normals = torch.distributions.Normal(q.mean[None], q.log_sigma.exp()[None])
    pairs = normals.log_prob(z[:, None])
    offset = torch.tensor(float(len(z) * POPULATION)).log()
    log_q_joint = pairs.sum(2).logsumexp(1) - offset
    log_q_product = (pairs.logsumexp(1) - offset).sum(1)
    log_q_given_x = torch.distributions.Normal(q.mean, q.log_sigma.exp()).log_prob(z).sum(1)
    log_prior = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    total_correlation = log_q_joint - log_q_product
    return (
        distortion
        + (log_q_given_x - log_q_joint)
        + beta * total_correlation
        + (log_q_product - log_prior)
    )


def make_step(config: RunConfig, kind: str) -> Step:
    """One whole step: images, networks, objective, gradient, Adam."""
    examples = dsprites.load(quiet=True)
    vae = build_vae(config)
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-3, fused=kind != "plain")
    generator = torch.Generator().manual_seed(0)
    batch = config.training.batch
    precision = "fp32" if kind == "plain" else "auto"

    def step() -> None:
        index = torch.randint(IMAGES, (batch,), generator=generator)
        beta = vae.betas.draw(config.objective.betas_in(batch), generator)
        with autocast(precision, torch.device("cpu")):
            out = vae(examples.images(index), beta, generator)
        q = DiagonalGaussian(out.mean, out.log_sigma)
        if kind == "plain":
            loss = plain_objective(
                out.distortion, q, out.z, beta.repeat_interleave(batch // len(beta))
            )
        else:
            loss = objective_terms(
                config.objective,
                distortion=out.distortion,
                posterior=q,
                z=out.z,
                beta=beta,
                population=POPULATION,
            )["objective"]
        loss.mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def alternate(steps: dict[str, Step], warm_up: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of each kind of step, taken in turns after some steps of training."""
    for step in steps.values():
        for _ in range(warm_up):
            step()
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(repeats):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def peak_bytes(config: RunConfig, kind: str) -> tuple[int, int]:
    """Peak memory of a fresh process, before its first step and after three."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (config, kind))


def _peak(config: RunConfig, kind: str) -> tuple[int, int]:
    step = make_step(config, kind)
    before = _high_water()
    for _ in range(3):
        step()
    return before, _high_water()


def _high_water() -> int:
    """Of this process since its program began; getrusage would count the parent's too."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def report(name: str, seconds: dict[str, list[float]], one: str, other: str) -> None:
    """Medians with their range, and the ratio."""
    for kind, values in seconds.items():
        print(
            f"{name}, {kind}: {1000 * statistics.median(values):.0f} ms "
            f"({1000 * min(values):.0f} to {1000 * max(values):.0f})"
        )
    ratio = statistics.median(a / b for a, b in zip(seconds[one], seconds[other], strict=True))
    print(f"{name}: {one} / {other} = {ratio:.3f}")


def main() -> None:
    """Prints milliseconds, ratios and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warm-up", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=11)
    options = parser.parse_args()
    paper = preset("dsprites", "paper", "tcvae")
    # One estimate for the whole batch: the most work there can be, and what was published.
    whole = replace(paper, objective=replace(paper.objective, groups=1))
    print(f"{torch.get_num_threads()} threads, batch {paper.training.batch}")

    steps = {kind: make_step(whole, kind) for kind in ("plain", "mrtc")}
    seconds = alternate(steps, options.warm_up, options.repeats)
    report("tcvae step", seconds, "plain", "mrtc")
    peaks = {kind: peak_bytes(whole, kind) for kind in steps}
    for kind, (before, after) in peaks.items():
        print(f"tcvae step, {kind}: peak {after / 2**20:.0f} MiB, {before / 2**20:.0f} before")
    print(f"peak memory: mrtc / plain = {peaks['mrtc'][1] / peaks['plain'][1]:.3f}")

    for objective in ("tcvae", "beta"):
        config = preset("dsprites", "paper", objective)
        plain = baseline(config, 4.0)
        # The same estimates of q(z), so that gates are all that differs.
        plain = replace(plain, objective=config.objective)
        runs = {"multi-rate": config, "baseline": plain}
        steps = {kind: make_step(run, "mrtc") for kind, run in runs.items()}
        seconds = alternate(steps, options.warm_up, PAIRS * options.repeats)
        report(f"{objective} step", seconds, "multi-rate", "baseline")
    counts = {
        kind: sum(p.numel() for p in build_vae(run).parameters()) for kind, run in runs.items()
    }
    print(f"parameters: {counts}, ratio {counts['multi-rate'] / counts['baseline']:.5f}")


if __name__ == "__main__":
    main()
