"""MIG from posterior moments: quadrature against the sampling estimator, in time and in value.

Run with ``python benchmarks/mig.py``; the moments are synthetic and look like those of a dSprites
encoder. The plain sampling estimator is timed on few draws and extrapolated.
"""

import argparse
import math
import os
import resource
import time

import numpy as np
from jaxtyping import Float, Int

from mrtc.metrics.information import information_matrix
from mrtc.metrics.mig import mig_chen, mutual_information_gap

SIZES = {"shape": 3, "scale": 6, "orientation": 40, "x": 32, "y": 32}
NAMES = tuple(SIZES)
SCORED = ("scale", "orientation", "x", "y")
Moments = tuple[Float[np.ndarray, "example code"], Float[np.ndarray, "example code"]]


def synthetic_moments(
    factors: Int[np.ndarray, "example factor"], num_codes: int, rng: np.random.Generator
) -> Moments:
    """Smooth codes of y, x, scale and orientation, plus noise; the others collapsed."""
    mean = 0.02 * rng.standard_normal((len(factors), num_codes), dtype=np.float32)
    log_sigma = 0.01 * rng.standard_normal(mean.shape, dtype=np.float32)
    for code, (name, sigma) in enumerate((("y", 0.03), ("x", 0.03), ("scale", 0.06))):
        place = factors[:, NAMES.index(name)] / (SIZES[name] - 1) - 0.5
        mean[:, code] += 3.4 * place + 0.3 * place**3
        log_sigma[:, code] = math.log(sigma) + 10 * log_sigma[:, code]
    angle = 2 * np.pi * factors[:, NAMES.index("orientation")] / (SIZES["orientation"] - 1)
    mean[:, 3] += np.sin(angle) * (factors[:, 0] + 1) / 3
    log_sigma[:, 3] += math.log(0.1)
    return mean, log_sigma


def plain_entropy(
    mean: Float[np.ndarray, " example"],
    log_sigma: Float[np.ndarray, " example"],
    rng: np.random.Generator,
    samples: int,
) -> tuple[float, float]:
    """The published formulation, a draw at a time; entropy and its standard error, in nats."""
    surprises = []
    for n in rng.integers(len(mean), size=samples):
        z = mean[n] + np.exp(log_sigma[n]) * rng.standard_normal()
        log_q = -0.5 * ((z - mean) / np.exp(log_sigma)) ** 2 - log_sigma - 0.5 * np.log(2 * np.pi)
        top = log_q.max()
        surprises.append(math.log(len(mean)) - top - math.log(np.exp(log_q - top).sum()))
    return float(np.mean(surprises)), float(np.std(surprises, ddof=1) / math.sqrt(samples))


def plain_mig(
    moments: Moments,
    factors: Int[np.ndarray, "example factor"],
    rng: np.random.Generator,
    samples: int,
) -> tuple[float, float]:
    """MIG and its standard error, from :func:`plain_entropy` of everything."""
    mean, log_sigma = (m.astype(np.float64) for m in moments)
    scored = [NAMES.index(name) for name in SCORED]
    information = np.empty((mean.shape[1], len(scored)))
    variance = np.empty_like(information)
    for j in range(mean.shape[1]):
        whole, error = plain_entropy(mean[:, j], log_sigma[:, j], rng, samples)
        for k, factor in enumerate(scored):
            weight = 1 / SIZES[NAMES[factor]]
            information[j, k], variance[j, k] = whole, error**2
            for c in range(SIZES[NAMES[factor]]):
                part = factors[:, factor] == c
                estimate, error_c = plain_entropy(mean[part, j], log_sigma[part, j], rng, samples)
                information[j, k] -= weight * estimate
                variance[j, k] += (weight * error_c) ** 2
    entropy = np.log([SIZES[name] for name in SCORED])
    score = mutual_information_gap(information, entropy).mean()
    order = np.argsort(information, axis=0)[-2:]
    gap_variance = np.take_along_axis(variance, order, axis=0).sum(0) / entropy**2
    return float(score), float(np.sqrt(gap_variance.sum()) / len(scored))


def main() -> None:
    """Prints times, their ratio, and the difference in units of the standard error."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codes", type=int, default=10)
    parser.add_argument(
        "--samples", type=int, default=20, help="draws that are timed (%(default)s)"
    )
    parser.add_argument("--full", type=int, default=10_000, help="draws extrapolated to")
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-sampling", action="store_true", help="time the quadrature only")
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    population = math.prod(SIZES.values())
    factors = np.stack(np.unravel_index(np.arange(population), tuple(SIZES.values())), axis=1)
    moments = synthetic_moments(factors, arguments.codes, rng)
    print(f"{population:,} examples, {arguments.codes} codes, 5 factors of {[*SIZES.values()]}")
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the start")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    start, processor = time.perf_counter(), time.process_time()
    information_matrix(*moments, factors, threads=arguments.threads)
    seconds, busy = time.perf_counter() - start, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"quadrature, all 5 factors: {seconds:.2f} s ({busy:.2f} s of processor time),")
    print(f"  peak memory {peak / 1024:,.0f} MiB, of which {before / 1024:,.0f} before it began")
    start = time.perf_counter()
    exact = mig_chen(*moments, factors, NAMES, scored=SCORED, threads=arguments.threads).score
    seconds = time.perf_counter() - start
    print(f"quadrature, MIG of the 4 scored factors: {seconds:.2f} s, MIG {exact:.5f}")
    if arguments.no_sampling:
        return

    start = time.perf_counter()
    score, error = plain_mig(moments, factors, rng, arguments.samples)
    measured = time.perf_counter() - start
    extrapolated = measured * arguments.full / arguments.samples
    print(f"sampling, plain, the same 4 factors: {measured:.1f} s with {arguments.samples} draws,")
    print(f"  EXTRAPOLATED to {arguments.full:,} draws: {extrapolated:,.0f} s")
    print(f"  MIG {score:.4f} ± {error:.4f} with {arguments.samples} draws")
    print(f"ratio of times, extrapolated: {extrapolated / seconds:,.0f}")
    print(f"difference: {(score - exact) / error:+.2f} standard errors")


if __name__ == "__main__":
    main()
