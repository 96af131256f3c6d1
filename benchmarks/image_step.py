"""A training step of image networks on processors: by torch's convolutions, and by mrtc's.

Aim: at least 1.6 times as fast as the plain formulation, which is float32 with torch's
convolutions, channels before pixels, and torch's way with memory.

Each kind runs in a process of its own, as what a step leaves in memory serves the next one of the
same kind; the two take turns, so that other load on the machine falls on both. Medians are shown
with their range.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from math import inf
from multiprocessing.connection import Connection
from unittest import mock

import torch

from mrtc.architectures.conv import ConvConfig, ConvDecoder, ConvEncoder
from mrtc.architectures.resnet import ResNetConfig, ResNetDecoder, ResNetEncoder
from mrtc.devices import keep_freed_memory
from mrtc.layers import convolution
from mrtc.rates import BetaRange
from mrtc.vae import VAE

CHANNELS = {28: 1, 64: 3}
KINDS = ("plain", "mrtc")


def make_step(network: str, side: int, batch: int) -> Callable[[], None]:
    """One whole step, multi-rate with a beta for each two examples."""
    shape = (CHANNELS[side], side, side)
    betas = BetaRange(0.01, 10.0)
    if network == "resnet":
        resnet = ResNetConfig()
        vae = VAE(ResNetEncoder(shape, resnet), ResNetDecoder(shape, resnet), resnet.codes, betas)
    else:
        conv = ConvConfig()
        vae = VAE(ConvEncoder(shape, conv), ConvDecoder(shape, conv), conv.codes, betas)
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-4, fused=True)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(batch, *shape, generator=generator).round()

    def step() -> None:
        beta = betas.draw(batch // 2, generator)
        out = vae(x, beta, torch.randn(batch, vae.codes, generator=generator))
        rate = 0.5 * (out.mean**2 + (2 * out.log_sigma).exp() - 1 - 2 * out.log_sigma).sum(1)
        (out.distortion + beta.repeat_interleave(2) * rate).mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def serve(link: Connection, kind: str, network: str, side: int, batch: int, threads: int) -> None:
    """Takes a step whenever asked and answers how many seconds it took."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    if kind == "mrtc":
        keep_freed_memory()
    ways = nullcontext() if kind == "mrtc" else mock.patch.object(convolution, "LEAST_BATCH", inf)
    with ways:
        step = make_step(network, side, batch)
        while link.recv() == "step":
            start = time.perf_counter()
            step()
            link.send(time.perf_counter() - start)


def measure(network: str, side: int, options: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of each kind of step, taken in turns after some to warm up."""
    spawn = multiprocessing.get_context("spawn")
    links, processes = {}, []
    for kind in KINDS:
        links[kind], there = spawn.Pipe()
        arguments = (there, kind, network, side, options.batch, options.threads)
        processes.append(spawn.Process(target=serve, args=arguments, daemon=True))
        processes[-1].start()
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(options.warm_up + options.repeats):
        for kind, link in links.items():
            link.send("step")
            seconds[kind].append(link.recv())
    for link in links.values():
        link.send("end")
    for process in processes:
        process.join()
    return {kind: values[options.warm_up :] for kind, values in seconds.items()}


def main() -> None:
    """Prints milliseconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=["resnet", "conv"])
    parser.add_argument("--sides", nargs="+", type=int, default=sorted(CHANNELS))
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--warm-up", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=11)
    options = parser.parse_args()
    print(f"{options.threads} threads, batch {options.batch}")
    for network in options.networks:
        for side in options.sides:
            seconds = measure(network, side, options)
            for kind, values in seconds.items():
                print(
                    f"{network} {side}, {kind}: {1000 * statistics.median(values):.0f} ms "
                    f"({1000 * min(values):.0f} to {1000 * max(values):.0f})"
                )
            plain, ours = (seconds[kind] for kind in KINDS)
            medians = statistics.median(plain) / statistics.median(ours)
            print(
                f"{network} {side}: plain / mrtc = {medians:.2f}, of the fastest "
                f"{min(plain) / min(ours):.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
