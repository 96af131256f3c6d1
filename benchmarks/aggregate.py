"""The density of the aggregate posterior: tiles against the plain formulation, in time and value.

Run with ``python benchmarks/aggregate.py``; the moments are synthetic. The plain one takes all
differences in float64, in blocks. It is timed on few draws, which the tiles are given too, and the
two take turns. The tiles are then timed on all draws, as is the whole split of the rate.
"""

import argparse
import os
import time
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from scipy.special import logsumexp

from mrtc.metrics.aggregate import aggregate_terms, log_aggregate_density

PLAIN_BLOCK = 20  # draws; of 50,000 examples and 10 codes, 80 MB an array
Moments = tuple[Float[np.ndarray, "example code"], Float[np.ndarray, "example code"]]


def synthetic_moments(examples: int, codes: int, rng: np.random.Generator) -> Moments:
    """Half the codes sharp, of sigma 0.03 to 0.3, the other half collapsed but for some noise."""
    scale = np.where(np.arange(codes) < (codes + 1) // 2, 1.0, 0.05)
    sigma = np.where(scale == 1, np.exp(rng.uniform(-3.5, -1.2, (examples, codes))), 0.99)
    return scale * rng.standard_normal((examples, codes)), np.log(sigma)


def plain_density(
    z: Float[np.ndarray, "draw code"],
    mean: Float[np.ndarray, "example code"],
    log_sigma: Float[np.ndarray, "example code"],
) -> Float[np.ndarray, " draw"]:
    """All differences at once, block by block of draws, in float64."""
    constant = -(log_sigma + 0.5 * np.log(2 * np.pi)).sum(1) - np.log(len(mean))
    sigma = np.exp(log_sigma)
    blocks = [
        logsumexp(constant - 0.5 * (((block[:, None] - mean) / sigma) ** 2).sum(-1), axis=1)
        for block in np.array_split(z, -(-len(z) // PLAIN_BLOCK))
    ]
    return np.concatenate(blocks)


def milliseconds(work: Callable[[], object]) -> tuple[float, object]:
    """Time of one call, and its result."""
    start = time.perf_counter()
    result = work()
    return 1000 * (time.perf_counter() - start), result


def main() -> None:
    """Prints times, their ratio, and the largest difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=50_000)
    parser.add_argument("--codes", type=int, default=10)
    parser.add_argument("--draws", type=int, default=50_000)
    parser.add_argument("--plain", type=int, default=100, help="draws for both (%(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="turns of both (%(default)s)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rng = np.random.default_rng(arguments.seed)
    mean, log_sigma = synthetic_moments(arguments.examples, arguments.codes, rng)
    drawn = rng.integers(len(mean), size=arguments.draws)
    noise = rng.standard_normal((arguments.draws, arguments.codes))
    z = mean[drawn] + np.exp(log_sigma[drawn]) * noise
    few = z[: arguments.plain]
    print(f"{len(mean):,} examples, {arguments.codes} codes, {torch.get_num_threads()} threads")
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the start")

    times = []
    largest = 0.0
    for _ in range(arguments.repeats):
        tiles_ms, tiles = milliseconds(lambda: log_aggregate_density(few, mean, log_sigma))
        plain_ms, plain = milliseconds(lambda: plain_density(few, mean, log_sigma))
        times.append((tiles_ms, plain_ms))
        largest = max(largest, float(np.abs(np.subtract(tiles, plain)).max()))
    tiles_ms, plain_ms = np.median(times, axis=0)
    print(f"{len(few):,} draws, median of {arguments.repeats}: tiles {tiles_ms:.1f} ms,")
    print(f"  plain {plain_ms:.1f} ms, ratio {plain_ms / tiles_ms:.1f}")
    print(f"  largest difference {largest:.1e} nats")

    all_ms, _ = milliseconds(lambda: log_aggregate_density(z, mean, log_sigma))
    pairs = len(z) * len(mean)
    print(f"{len(z):,} draws: tiles {all_ms / 1000:.1f} s, {1e6 * all_ms / pairs:.2f} ns a pair")
    start = time.perf_counter()
    terms = aggregate_terms(mean, log_sigma, draws=arguments.draws, seed=arguments.seed)
    print(f"aggregate_terms with as many draws: {time.perf_counter() - start:.1f} s")
    print(f"  index-code MI {terms.index_code_mi:.4f} of at most {terms.ceiling:.4f} nats,")
    print(f"  total correlation {terms.total_correlation:.4f}, both ± {terms.error:.4f},")
    print(f"  dimension-wise KL {terms.dimensionwise_kl:.4f}, rate {terms.rate:.4f}")


if __name__ == "__main__":
    main()
