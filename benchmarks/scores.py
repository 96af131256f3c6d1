"""What the scores cost for one beta: 10,000 examples, 10 codes, the five factors of dSprites.

Claims: the whole catalogue, except the boosted trees of DCI, takes at most 60 s, MIG by histogram
at most 0.1 s, and fast DCI at most 20 s, on two cores. Each computation is timed alone, in one
process; ``--workers`` of ``mrtc rescore`` spreads them.
"""

import argparse
import time

import numpy as np

from mrtc.metrics import Representation, choose, mig_locatello
from mrtc.metrics.scorecard import computations, compute

SIZES = (3, 6, 40, 32, 32)


def representation(examples: int, codes: int, seed: int = 0) -> Representation:
    """Position and scale in codes of their own, orientation and shape mixed, the rest noise."""
    rng = np.random.default_rng(seed)
    factors = np.stack([rng.integers(size, size=examples) for size in SIZES], axis=1)
    scaled = (factors - factors.mean(0)) / factors.std(0)
    mean = 0.02 * rng.standard_normal((examples, codes))
    mean[:, :3] += scaled[:, [1, 3, 4]]
    mean[:, 3] += np.cos(2 * np.pi * factors[:, 2] / 39) + 0.3 * scaled[:, 0]
    mean[:, 4] += np.sin(2 * np.pi * factors[:, 2] / 39) - 0.3 * scaled[:, 0]
    mean[:, :5] += 0.1 * rng.standard_normal((examples, 5))
    log_sigma = np.zeros((examples, codes))
    log_sigma[:, :5] = -2.0
    return Representation.of(mean, log_sigma, factors)


def main() -> None:
    """Prints seconds and values."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--codes", type=int, default=10)
    parser.add_argument("--metrics", default="all")
    options = parser.parse_args()
    codes = representation(options.examples, options.codes)
    mig_locatello(codes.mean, codes.classes)  # imports and first calls are not what is asked
    total = 0.0
    for group in computations(choose(options.metrics)):
        start = time.perf_counter()
        scores = compute(group, codes, 0)
        seconds = time.perf_counter() - start
        total += seconds
        shown = ", ".join(f"{name} {score.value:.3f}" for name, score in scores.items())
        print(f"{seconds:8.3f} s  {shown}")
    print(f"{total:8.3f} s  in all")


if __name__ == "__main__":
    main()
