"""Log densities of the aggregate posterior: blocks against other ways to write them down.

Claims: blocks of direct differences are several times as fast as the arrays of every pair, as
accurate in float32 as in float64 however small sigma is, and matrix products are not; without the
floor of the exponents, denormal numbers slow them down. Also the speed of this machine's matrix
products in float32 and in bfloat16, which decides what ``--precision auto`` may gain.

Ways alternate, so that other load on the machine falls on all; medians are shown.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from mrtc.objectives import density

BATCH, CODES = 2048, 10
WEIGHTS = density.LogWeights(0.0)
Densities = tuple[Tensor, Tensor]


def blocks(z: Tensor, mean: Tensor, log_sigma: Tensor) -> Densities:
    """What training uses."""
    return density.log_aggregate(z, mean, log_sigma, WEIGHTS)


def without_floor(z: Tensor, mean: Tensor, log_sigma: Tensor) -> Densities:
    """The same, exponents as they come."""
    floor, density.FLOOR = density.FLOOR, -math.inf
    try:
        joint, marginal = blocks(z, mean, log_sigma)
        (joint.sum() - marginal.sum()).backward()
    finally:
        density.FLOOR = floor
    return joint, marginal


def every_pair(z: Tensor, mean: Tensor, log_sigma: Tensor) -> Densities:
    """As published: the (batch, batch, code) array."""
    log_q = torch.distributions.Normal(mean[None], log_sigma.exp()[None]).log_prob(z[:, None])
    return log_q.sum(2).logsumexp(1), log_q.logsumexp(1)


def matrix_products(z: Tensor, mean: Tensor, log_sigma: Tensor) -> Densities:
    """The square expanded: a product of z², z and 1 with what each posterior has for them."""
    precision = (-2 * log_sigma).exp()
    constant = -0.5 * mean.square() * precision - log_sigma - 0.5 * math.log(2 * math.pi)
    of_z = torch.stack([z.square(), z, torch.ones_like(z)], 2).transpose(0, 1)
    of_x = torch.stack([-0.5 * precision, mean * precision, constant], 2).transpose(0, 1)
    log_q = of_z @ of_x.mT
    return log_q.sum(0).logsumexp(1), log_q.logsumexp(2).mT


WAYS: dict[str, Callable[[Tensor, Tensor, Tensor], Densities]] = {
    "blocks": blocks,
    "blocks, no floor": without_floor,
    "every pair": every_pair,
    "matrix products": matrix_products,
}


def moments(sigma: float, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Draws, means and log sigmas: half of the codes carry something, half are collapsed."""
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(BATCH, CODES, generator=generator, dtype=torch.float64)
    log_sigma = torch.full_like(mean, math.log(sigma))
    mean[:, CODES // 2 :] *= 0.01
    log_sigma[:, CODES // 2 :] = 0.0
    noise = torch.randn(BATCH, CODES, generator=generator, dtype=torch.float64)
    z = mean + noise * log_sigma.exp()
    return z.to(dtype), mean.to(dtype), log_sigma.to(dtype)


def seconds(way: Callable[[Tensor, Tensor, Tensor], Densities], sigma: float) -> float:
    """Densities and their gradient."""
    leaves = [tensor.requires_grad_() for tensor in moments(sigma, torch.float32)]
    start = time.perf_counter()
    joint, marginal = way(*leaves)
    if leaves[0].grad is None:
        (joint.sum() - marginal.sum()).backward()
    return time.perf_counter() - start


def error(way: Callable[[Tensor, Tensor, Tensor], Densities], sigma: float) -> float:
    """Largest error of a joint log density, in nats, against float64 at the same numbers."""
    single = moments(sigma, torch.float32)
    truth = every_pair(*(tensor.double() for tensor in single))[0]
    joint = way(*(tensor.requires_grad_() for tensor in single))[0].detach()
    return float((joint.double() - truth).abs().max())


def gigaflops(dtype: torch.dtype, size: int = 2048, repeats: int = 5) -> float:
    """Of a square matrix product, at its best."""
    a = torch.randn(size, size).to(dtype)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - start)
    return 2e-9 * size**3 / min(times)


def main() -> None:
    """Prints milliseconds and errors of each way at large and small sigma."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, batch {BATCH}, {CODES} codes")
    for sigma in (0.1, 0.001):
        times: dict[str, list[float]] = {name: [] for name in WAYS}
        for _ in range(options.repeats + 1):
            for name, way in WAYS.items():
                times[name].append(seconds(way, sigma))
        fastest = statistics.median(times["blocks"][1:])
        for name, values in times.items():
            median = statistics.median(values[1:])
            print(
                f"sigma {sigma}: {name:<17} {1000 * median:6.0f} ms, {median / fastest:5.2f} times "
                f"blocks, largest error {error(WAYS[name], sigma):.1e} nats"
            )
    for dtype in (torch.float32, torch.bfloat16):
        print(f"matrix product, {dtype}: {gigaflops(dtype):.0f} GFLOP/s")


if __name__ == "__main__":
    main()
