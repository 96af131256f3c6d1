"""The evaluation of a hierarchy at many betas, and as many plain passes of the same examples.

Aim: everything at 10 betas (rates of groups, distortion, active units, moments of the top group)
in at most the time of 10 passes from images to distortions. The plain formulation, for comparison,
encodes along the posterior means for active units, goes down with a draw for rate and distortion,
and keeps all moments.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from mrtc.architectures import NVAEConfig
from mrtc.architectures.nvae import NVAEDecoder, NVAEEncoder
from mrtc.datasets.images import ByteImages
from mrtc.devices import keep_freed_memory
from mrtc.evaluation.hierarchy import CHUNK, WaysDown
from mrtc.hierarchical_vae import HierarchicalVAE
from mrtc.metrics.rate_distortion import rate_per_example
from mrtc.rates import BetaRange

CPU = torch.device("cpu")


def evaluation(vae: HierarchicalVAE, images: ByteImages, betas: np.ndarray) -> None:
    """As a sweep does it."""
    ways = WaysDown(vae, images, np.arange(len(images)), 0, device=CPU)
    for beta in betas.tolist():
        ways.measure(beta, 0)


def passes(vae: HierarchicalVAE, images: ByteImages, betas: np.ndarray) -> None:
    """From images to distortions, nothing else."""
    with torch.inference_mode():
        for beta in torch.from_numpy(betas).float().split(1):
            for index in torch.arange(len(images)).split(CHUNK):
                x = images.images(index)
                vae(x, beta, torch.randn(len(x), vae.codes))


def plain(vae: HierarchicalVAE, images: ByteImages, betas: np.ndarray) -> None:
    """Two ways down, and all moments in memory."""
    with torch.inference_mode():
        for beta in torch.from_numpy(betas).float().split(1):
            means, drawn = [], []
            for index in torch.arange(len(images)).split(CHUNK):
                x = images.images(index)
                means.append(vae.encode(x, beta).mean)
                drawn.append(vae(x, beta, torch.randn(len(x), vae.codes)))
            torch.cat(means).double().var(0)
            mean, log_sigma, _, _ = (
                torch.cat(part).numpy() for part in zip(*(one[:4] for one in drawn), strict=True)
            )
            rate_per_example(mean, log_sigma)


Run = Callable[[HierarchicalVAE, ByteImages, np.ndarray], None]


def main() -> None:
    """Prints seconds and ratios, the three ways in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--betas", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--groups", type=int, default=2, help="10 as published")
    parser.add_argument("--channels", type=int, default=8, help="16 as published")
    options = parser.parse_args()
    keep_freed_memory()
    torch.manual_seed(0)
    shape = (1, 28, 28)
    config = NVAEConfig(groups=options.groups, channels=options.channels, block_cells=1)
    encoder, decoder = NVAEEncoder(shape, config), NVAEDecoder(shape, config)
    vae = HierarchicalVAE(encoder, decoder, BetaRange(0.01, 10.0)).eval()
    pixels = 255 * torch.randint(2, (options.images, *shape), dtype=torch.uint8)
    arguments = vae, ByteImages(pixels, "noise"), np.geomspace(0.01, 10, options.betas)
    runs: tuple[Run, ...] = (evaluation, passes, plain)
    taken: dict[str, list[float]] = {run.__name__: [] for run in runs}
    for repeat in range(options.repeats + 1):
        for run in runs:
            start = time.perf_counter()
            run(*arguments)
            if repeat:  # the first warms up
                taken[run.__name__].append(time.perf_counter() - start)
    print(f"{torch.get_num_threads()} threads, {options.images} images, {options.betas} betas,")
    print(f"{vae.codes} codes in {len(vae.groups)} groups")
    found = {name: statistics.median(times) for name, times in taken.items()}
    for name, value in found.items():
        print(f"{name}: {value:.2f} s")
    print(f"evaluation / passes = {found['evaluation'] / found['passes']:.2f}")
    print(f"plain / evaluation = {found['plain'] / found['evaluation']:.2f}")


if __name__ == "__main__":
    main()
