"""How sure a score is: intervals by resampling examples, and what chance alone would score."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64, Int64
from joblib import Parallel, delayed

from mrtc.metrics.arrays import Array, as_codes, as_factors
from mrtc.metrics.score import Score

Codes: TypeAlias = Float64[np.ndarray, "example code"]
Factors: TypeAlias = Int64[np.ndarray, "example factor"]
ScoreFunction: TypeAlias = Callable[[Codes, Factors], Score]
TIE = 1e-12  # relative; sums in another order differ by less


@dataclass(frozen=True, eq=False)
class BootstrapInterval:
    """A score with a percentile interval."""

    value: float
    """Of the examples as they are; NaN where the score has none."""
    low: float
    high: float
    mean: float
    """Of the resampled values. Where it is far from ``value``, the score is biased by the
    duplicates of a resample, and so is the interval."""
    resampled: Float64[np.ndarray, " resample"]
    """NaN where a resample has no score."""
    level: float
    seed: int
    reason: str | None = None
    """Why there is no interval; ``None`` where there is one."""


@dataclass(frozen=True, eq=False)
class PermutationNull:
    """A score beside those of the same codes with shuffled factors."""

    value: float
    """Of the examples as they are; NaN where the score has none."""
    low: float
    """The lowest 2.5 % of the null lie below."""
    high: float
    """The highest 2.5 % of the null lie above."""
    mean: float
    """Of the null: the bias of the score where there is nothing to find."""
    p_value: float
    """Probability that chance scores as high, at least 1 / (1 + permutations)."""
    permuted: Float64[np.ndarray, " permutation"]
    """NaN where a permutation has no score."""
    seed: int
    reason: str | None = None
    """Why there is no null; ``None`` where there is one."""


def bootstrap_interval(
    score: ScoreFunction,
    codes: Array,
    factors: Array,
    *,
    resamples: int = 200,
    level: float = 0.95,
    seed: int = 0,
    workers: int = 1,
) -> BootstrapInterval:
    """Percentile interval of a score over other samples of examples from the same source.

    Each resample draws as many rows as there are, with replacement, codes and factors together. In
    the unit of the score. It speaks of examples only, not of other training runs. It misleads
    where duplicates change the score: a plug-in mutual information rises by about its bias,
    (bins - 1)(classes - 1) / 2N, once more, and a classifier meets its training rows again in the
    test part. Compare ``mean`` with ``value`` before you trust it.

    Args:
        score: From codes and factors to a score, for example a ``functools.partial``. It has to be
            a function of the two alone: scores of this package are.
        codes: (example, code).
        factors: Class indices, (example, factor).
        resamples: Number of resamples, at least 2.
        level: Probability that the interval is to hold, between 0 and 1.
        seed: Of the resamples.
        workers: Processes of joblib; the result does not depend on them.

    Returns:
        The interval. Resamples without a score are left out of it; with fewer than half of them
        left there is none, and ``reason`` says so.

    Raises:
        ValueError: If rows do not fit, or ``resamples`` or ``level`` is out of range.

    References:
        Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics 1979;
        Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, section 13.3.
    """
    if not 0 < level < 1:
        raise ValueError(f"the level is a probability between 0 and 1, got {level}")
    whole, values, reason = _again(
        score, codes, factors, _resampled, _at_least_two(resamples, "resamples"), seed, workers
    )
    tail = (1 - level) / 2
    low, high, mean = _summary(values, tail) if reason is None else (math.nan,) * 3
    return BootstrapInterval(whole, low, high, mean, values, level, seed, reason)


def permutation_null(
    score: ScoreFunction,
    codes: Array,
    factors: Array,
    *,
    permutations: int = 100,
    seed: int = 0,
    workers: int = 1,
) -> PermutationNull:
    r"""What a score gives where codes and factors have nothing to do with each other.

    .. math:: p = \frac{1 + \#\{\text{null} \ge \text{value}\}}{1 + n}

    The rows of the factors are shuffled against those of the codes, so both keep their own joint
    distribution. Takes scores for which higher is better. The null's mean is the score's floor: a
    plug-in mutual information has one of about (bins - 1)(classes - 1) / 2N nats. A small p says
    that the codes know something, not that they are disentangled.

    Args:
        score: As in :func:`bootstrap_interval`, as are the others.
        codes: (example, code).
        factors: Class indices, (example, factor).
        permutations: Number of shuffles n, at least 2.
        seed: Of the shuffles.
        workers: Processes of joblib; the result does not depend on them.

    Raises:
        ValueError: If rows do not fit, or there are fewer than two permutations.

    References:
        Phipson and Smyth, "Permutation P-values Should Never Be Zero", Statistical Applications in
        Genetics and Molecular Biology 2010.
    """
    whole, values, reason = _again(
        score, codes, factors, _permuted, _at_least_two(permutations, "permutations"), seed, workers
    )
    low = high = mean = p_value = math.nan
    if reason is None:
        low, high, mean = _summary(values, 0.025)
        defined = values[~np.isnan(values)]
        as_high = int((defined >= whole - TIE * max(1.0, abs(whole))).sum())
        p_value = (1 + as_high) / (1 + len(defined))
    return PermutationNull(whole, low, high, mean, p_value, values, seed, reason)


def _at_least_two(count: int, name: str) -> int:
    if count < 2:
        raise ValueError(f"{name} are at least 2, got {count}")
    return count


Variation: TypeAlias = Callable[[ScoreFunction, Codes, Factors, np.random.SeedSequence], float]


def _again(
    score: ScoreFunction,
    codes: Array,
    factors: Array,
    variation: Variation,
    count: int,
    seed: int,
    workers: int,
) -> tuple[float, Float64[np.ndarray, " variation"], str | None]:
    """The score, its variations each from a stream of its own, and why they are of no use."""
    rows = as_codes(codes)
    classes = as_factors(factors, len(rows))
    whole = score(rows, classes)
    if whole.reason is not None:
        return math.nan, np.full(count, np.nan), whole.reason
    streams = np.random.SeedSequence(seed).spawn(count)
    values = np.array(
        Parallel(n_jobs=workers)(delayed(variation)(score, rows, classes, s) for s in streams),
        dtype=np.float64,
    )
    defined = count - int(np.isnan(values).sum())
    reason = None
    if 2 * defined < max(count, 4):
        reason = f"only {defined} of {count} repetitions have a score"
    return whole.value, values, reason


def _resampled(
    score: ScoreFunction, codes: Codes, factors: Factors, stream: np.random.SeedSequence
) -> float:
    rows = np.random.default_rng(stream).integers(len(codes), size=len(codes))
    return score(codes[rows], factors[rows]).value


def _permuted(
    score: ScoreFunction, codes: Codes, factors: Factors, stream: np.random.SeedSequence
) -> float:
    return score(codes, np.random.default_rng(stream).permutation(factors)).value


def _summary(values: Float64[np.ndarray, " variation"], tail: float) -> tuple[float, float, float]:
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high), float(np.nanmean(values))
