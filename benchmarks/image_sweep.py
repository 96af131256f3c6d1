"""Rate and distortion of images at many betas: one sweep, and separate passes.

Aim: a sweep over 20 betas of 10,000 images of 28 x 28 at least twice as fast as 20 passes of the
residual network, each from image to distortion by torch's convolutions. Fewer images and betas
have the same ratio, but for the first layer, which a sweep computes once.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from math import inf
from unittest import mock

import numpy as np
import torch

from mrtc.architectures.resnet import ResNetConfig, ResNetDecoder, ResNetEncoder
from mrtc.datasets.images import ByteImages
from mrtc.devices import keep_freed_memory
from mrtc.evaluation.decode import PosteriorDecoder
from mrtc.evaluation.encode import CHUNK, PosteriorEncoder
from mrtc.layers import convolution
from mrtc.rates import BetaRange
from mrtc.vae import VAE

CPU = torch.device("cpu")


def sweep(vae: VAE, images: ByteImages, betas: np.ndarray) -> None:
    """As an evaluation does it."""
    index = np.arange(len(images))
    encoder = PosteriorEncoder(vae, images, index, device=CPU, precision="fp32", quiet=True)
    for beta in betas.tolist():
        mean, log_sigma = encoder.moments(beta)
        PosteriorDecoder(vae, images, index, mean, log_sigma, beta=beta, device=CPU).distortion(0)


def passes(vae: VAE, images: ByteImages, betas: np.ndarray) -> None:
    """Beta by beta, from the images on, by torch's convolutions."""
    with torch.inference_mode(), mock.patch.object(convolution, "LEAST_BATCH", inf):
        for beta in torch.from_numpy(betas).float().split(1):
            for index in torch.arange(len(images)).split(CHUNK):
                x = images.images(index)
                vae.decode(vae.encode(x, beta).sample(), beta).log_prob(x)


def seconds(run: Callable[[VAE, ByteImages, np.ndarray], None], *arguments: object) -> float:
    """Of one run."""
    start = time.perf_counter()
    run(*arguments)  # type: ignore[arg-type]  # as the two functions have them
    return time.perf_counter() - start


def main() -> None:
    """Prints seconds and ratio, the two ways in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--betas", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    keep_freed_memory()
    torch.manual_seed(0)
    shape, config, betas = (1, 28, 28), ResNetConfig(), BetaRange(0.01, 10.0)
    vae = VAE(ResNetEncoder(shape, config), ResNetDecoder(shape, config), config.codes, betas)
    pixels = 255 * torch.randint(2, (options.images, *shape), dtype=torch.uint8)
    arguments = vae.eval(), ByteImages(pixels, "noise"), np.geomspace(0.01, 10, options.betas)
    taken = {run: [seconds(run, *arguments) for _ in range(1)] for run in (sweep, passes)}
    for _ in range(options.repeats):
        for run, times in taken.items():
            times.append(seconds(run, *arguments))
    found = {run.__name__: statistics.median(times[1:]) for run, times in taken.items()}
    print(f"{torch.get_num_threads()} threads, {options.images} images, {options.betas} betas")
    for name, value in found.items():
        print(f"{name}: {value:.2f} s")
    print(f"passes / sweep = {found['passes'] / found['sweep']:.2f}")


if __name__ == "__main__":
    main()
