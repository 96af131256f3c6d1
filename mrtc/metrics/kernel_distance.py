"""Kernel distance of two sets of features: KID, of any network; unbiased at any number of them."""

import numpy as np
from jaxtyping import Float, Float64

from mrtc.metrics.checks import check_finite
from mrtc.metrics.score import Score, undefined
from mrtc.randomness import numpy_stream

SUBSETS = 100
SUBSET_SIZE = 1000
"""As published, see :func:`kernel_score`."""


def kernel_distance(a: Float[np.ndarray, "a feature"], b: Float[np.ndarray, "b feature"]) -> float:
    r"""Squared maximum mean discrepancy under the cubic kernel, without bias.

    .. math:: k(x, y) = (x^\top y / d + 1)^3

    for :math:`d` features; pairs of an example with itself are left out.

    Args:
        a: Features of the one set, one row an example, two at least.
        b: Features of the other.

    Returns:
        The distance, without unit; below 0 by chance where the sets are alike.

    Raises:
        ValueError: If there are fewer than two examples of either, or a value is not finite.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"a kernel distance needs two examples of each; got {len(a)}, {len(b)}")
    check_finite("features", a)
    check_finite("features", b)
    within = sum(_mean_without_diagonal(_kernel(x, x)) for x in (a, b))
    return within - 2 * float(_kernel(a, b).mean())


def kernel_score(
    real: Float[np.ndarray, "real feature"],
    samples: Float[np.ndarray, "sample feature"],
    *,
    subsets: int = SUBSETS,
    subset_size: int = SUBSET_SIZE,
    seed: int = 0,
) -> Score:
    """Mean kernel distance of samples from data over random subsets, as KID is published.

    The standard deviation over subsets is stored; subsets overlap, so it is no standard error.

    Args:
        real: Features of data.
        samples: Features of what a model made, of the same network.
        subsets: How many.
        subset_size: Examples of each in one; all, where there are fewer.
        seed: Of the subsets, which are the same for equal numbers of examples.

    References:
        Binkowski et al., "Demystifying MMD GANs", ICLR 2018.
    """
    size = min(subset_size, len(real), len(samples))
    parameters: dict[str, object] = {
        "features": real.shape[1],
        "samples": len(samples),
        "real_examples": len(real),
        "subsets": subsets,
        "subset_size": size,
        "seed": seed,
    }
    if size < 2:
        return undefined(f"it needs two examples of each, there is {size}", parameters=parameters)
    rng = numpy_stream(seed, "kernel")
    values = [
        kernel_distance(
            real[rng.choice(len(real), size, replace=False)],
            samples[rng.choice(len(samples), size, replace=False)],
        )
        for _ in range(subsets)
    ]
    spread = {"standard_deviation_over_subsets": float(np.std(values))}
    return Score(float(np.mean(values)), parameters=parameters | spread)


def _kernel(
    a: Float[np.ndarray, "a feature"], b: Float[np.ndarray, "b feature"]
) -> Float64[np.ndarray, "a b"]:
    # In float64: the distance of good samples is some thousandths of what cancels.
    base = a.astype(np.float64) @ b.astype(np.float64).T / a.shape[1] + 1
    cubed: Float64[np.ndarray, "a b"] = base * base * base
    return cubed


def _mean_without_diagonal(kernel: Float64[np.ndarray, "a a"]) -> float:
    return float((kernel.sum() - np.trace(kernel)) / (len(kernel) * (len(kernel) - 1)))
