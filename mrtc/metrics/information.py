"""What each code tells of each factor: mutual information under the aggregate posterior."""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Integer
from scipy.special import entr

from mrtc.metrics.checks import check_moments, count_classes
from mrtc.metrics.entropy import CodeEntropies
from mrtc.metrics.sampling import sampled_entropy

Estimator = Literal["quadrature", "sampling"]
MAX_THREADS = 8  # each holds the grids of one code


@dataclass(frozen=True)
class Information:
    """Mutual information of codes and factors with the entropies behind it, in nats."""

    information: Float[np.ndarray, "code factor"]
    """I(z_j; v_k), from 0 to the entropy of the factor; beyond either only by estimation error."""
    entropy: Float[np.ndarray, " factor"]
    """Of each factor."""
    code_entropy: Float[np.ndarray, " code"]
    """Differential entropy of each code under the aggregate posterior; of either sign."""
    information_error: Float[np.ndarray, "code factor"] | None = None
    """Standard errors of the sampling estimator; the quadrature has no sampling error."""
    code_entropy_error: Float[np.ndarray, " code"] | None = None


def factor_entropy(classes: Integer[np.ndarray, " example"]) -> float:
    r"""Entropy of a factor's classes as they occur, in nats.

    .. math:: H(v) = -\sum_k \frac{n_k}{N} \log \frac{n_k}{N}

    From 0 for a factor that never varies to the logarithm of the number of classes.

    Raises:
        ValueError: If there is no example, or a class index is negative.
    """
    return float(entr(count_classes(classes) / len(classes)).sum())


def information_matrix(
    mean: Float[np.ndarray, "example code"],
    log_sigma: Float[np.ndarray, "example code"],
    factors: Integer[np.ndarray, "example factor"],
    *,
    estimator: Estimator = "quadrature",
    samples: int = 10_000,
    generator: np.random.Generator | None = None,
    threads: int | None = None,
) -> Information:
    r"""Mutual information of every code with every factor, in nats.

    .. math:: I(z_j; v_k) = H(z_j) - \sum_c p(v_k = c)\, H(z_j | v_k = c)

    Each entropy is that of the mixture of the posteriors q(z_j|x) of all examples, or of those of
    a class; classes weigh as they occur. A code whose posteriors are all alike has none.

    Args:
        mean: Posterior means.
        log_sigma: Natural logarithms of the posteriors' standard deviations.
        factors: Class index of each factor, in the same row order.
        estimator: ``"quadrature"`` (no noise, 1e-4 nats), or ``"sampling"``, Chen's own.
        samples: Draws for each entropy, when sampling.
        generator: Where the draws come from, when sampling.
        threads: Codes worked on at once; by default as many as there are processors, at most 8.
            The result does not depend on it.

    Raises:
        ValueError: If shapes do not fit, a moment is not finite, a class index is negative, there
            is no generator to sample with, or sigmas are too small for a grid.

    References:
        Chen et al., "Isolating Sources of Disentanglement", NeurIPS 2018, section 4.
    """
    check_moments(mean, log_sigma)
    if len(factors) != len(mean):
        raise ValueError(
            f"factors and moments need one row for each example, got {len(factors)} and {len(mean)}"
        )
    labelings = [np.ascontiguousarray(f, dtype=np.int64) for f in factors.T]
    codes = range(mean.shape[1])
    if estimator == "quadrature":

        def of_code(code: int) -> _CodeInformation:
            return _by_quadrature(mean[:, code], log_sigma[:, code], labelings)

    elif estimator == "sampling":
        if generator is None:
            raise ValueError("sampling draws random numbers; give it a generator")
        streams = generator.spawn(len(codes))  # one a code, so that threads change nothing

        def of_code(code: int) -> _CodeInformation:
            moments = mean[:, code], log_sigma[:, code]
            return _by_sampling(*moments, labelings, streams[code], samples)

    else:
        raise ValueError(f"estimator is 'quadrature' or 'sampling', got {estimator!r}")
    workers = min(threads or os.cpu_count() or 1, MAX_THREADS)
    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(of_code, codes))
    shape = (len(codes), len(labelings))
    sampled = estimator == "sampling"
    return Information(
        information=np.array([r.information for r in results], dtype=np.float64).reshape(shape),
        entropy=np.array([factor_entropy(classes) for classes in labelings], dtype=np.float64),
        code_entropy=np.array([r.entropy for r in results], dtype=np.float64),
        information_error=np.array([r.errors for r in results]).reshape(shape) if sampled else None,
        code_entropy_error=np.array([r.entropy_error for r in results]) if sampled else None,
    )


@dataclass(frozen=True)
class _CodeInformation:
    information: list[float]
    entropy: float
    errors: list[float]
    entropy_error: float


def _by_quadrature(
    mean: Float[np.ndarray, " example"],
    log_sigma: Float[np.ndarray, " example"],
    labelings: Sequence[Integer[np.ndarray, " example"]],
) -> _CodeInformation:
    code = CodeEntropies(mean, log_sigma)
    parts = [code.by_class(classes) for classes in labelings]
    information = []
    for classes, part in zip(labelings, parts, strict=True):
        weight = np.bincount(classes) / len(classes)
        conditional = (weight * part.by_class)[weight > 0].sum()
        information.append(float(part.aggregate - conditional))
    whole = parts[0].aggregate if parts else code.aggregate()
    return _CodeInformation(information, whole, [], 0.0)


def _by_sampling(
    mean: Float[np.ndarray, " example"],
    log_sigma: Float[np.ndarray, " example"],
    labelings: Sequence[Integer[np.ndarray, " example"]],
    generator: np.random.Generator,
    samples: int,
) -> _CodeInformation:
    whole = sampled_entropy(mean, log_sigma, generator, samples)
    information, errors = [], []
    for classes in labelings:
        conditional, variance = 0.0, whole.error**2
        for c in np.unique(classes):
            part = classes == c
            weight = float(part.mean())
            estimate = sampled_entropy(mean[part], log_sigma[part], generator, samples)
            conditional += weight * estimate.value
            variance += (weight * estimate.error) ** 2
        information.append(whole.value - conditional)
        errors.append(math.sqrt(variance))
    return _CodeInformation(information, whole.value, errors, whole.error)
