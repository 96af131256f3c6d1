"""Mutual information gap (MIG) of Chen et al., with the exact aggregate posterior."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Integer

from mrtc.metrics.information import Estimator, Information, information_matrix


@dataclass(frozen=True)
class MigScore:
    """A mutual information gap and what it is made of."""

    score: float
    """Mean of the gaps, in [0, 1], without unit; NaN where ``reason`` says why."""
    gaps: dict[str, float]
    """The gap of each factor that is scored."""
    left_out: dict[str, str]
    """The other factors, each with the reason."""
    reason: str | None
    """Why there is no score; ``None`` where there is one."""
    information: Information
    """Of every code with the factors of ``columns``."""
    columns: tuple[str, ...]
    """Names of the factor axis of ``information``."""


def mutual_information_gap(
    information: Float[np.ndarray, "code factor"], entropy: Float[np.ndarray, " factor"]
) -> Float[np.ndarray, " factor"]:
    r"""How much more the best code knows of each factor than the second best does.

    .. math:: \frac{I(z_{(1)}; v_k) - I(z_{(2)}; v_k)}{H(v_k)}

    An estimate of I below zero counts as zero.

    Args:
        information: Mutual information, in nats. At least two codes.
        entropy: Of each factor, in nats.

    Returns:
        A gap for each factor, in [0, 1] up to the error of estimation, without unit, higher is
        better; NaN for a factor that never varies, whose entropy is zero.

    Raises:
        ValueError: If there are fewer than two codes.

    References:
        Chen et al., "Isolating Sources of Disentanglement", NeurIPS 2018, section 4. They divide
        by log K, which is the entropy where all classes are equally frequent.
    """
    if len(information) < 2:
        raise ValueError(f"a gap needs at least two codes, got information of {information.shape}")
    second, best = np.sort(np.maximum(information, 0), axis=0)[-2:]
    undefined = np.full(len(entropy), np.nan)
    gaps: Float[np.ndarray, " factor"] = np.divide(
        best - second, entropy, out=undefined, where=entropy > 0
    )
    return gaps


def score_gaps(
    information: Information, names: Sequence[str], scored: Sequence[str | int] | None = None
) -> MigScore:
    """The mean gap over the factors asked for, from information that is at hand already.

    Args:
        information: As :func:`mrtc.metrics.information.information_matrix` returns it.
        names: Name of each of its factors.
        scored: The factors that count, by name or index; by default all. A factor that never
            varies is left out, and ``left_out`` says so.

    Returns:
        The score and its parts. With fewer than two codes, or with no factor left, the score is
        NaN and ``reason`` says why.

    Raises:
        ValueError: If names do not fit, or ``scored`` holds a factor that is unknown or twice.
    """
    if len(names) != len(information.entropy) or len(set(names)) < len(names):
        raise ValueError(
            f"factors need a name each, all different; got {list(names)} for "
            f"{len(information.entropy)} factors"
        )
    chosen = _resolve(names, scored)
    constant = [k for k in chosen if information.entropy[k] == 0]
    left_out = {name: "not asked for" for k, name in enumerate(names) if k not in chosen}
    left_out |= {names[k]: "never varies in these examples" for k in constant}
    kept = [k for k in chosen if k not in constant]
    num_codes = len(information.code_entropy)
    gaps: dict[str, float] = {}
    reason = None
    if num_codes < 2:
        reason = f"a gap needs at least two codes, there is {num_codes}"
    elif not kept:
        reason = "no factor is left to score"
    else:
        values = mutual_information_gap(information.information, information.entropy)
        gaps = {names[k]: float(values[k]) for k in kept}
    score = math.nan if reason else float(np.mean(list(gaps.values())))
    return MigScore(score, gaps, left_out, reason, information, tuple(names))


def mig_chen(
    mean: Float[np.ndarray, "example code"],
    log_sigma: Float[np.ndarray, "example code"],
    factors: Integer[np.ndarray, "example factor"],
    names: Sequence[str],
    *,
    scored: Sequence[str | int] | None = None,
    estimator: Estimator = "quadrature",
    samples: int = 10_000,
    generator: np.random.Generator | None = None,
    threads: int | None = None,
) -> MigScore:
    r"""Mutual information gap, from posterior moments of every example.

    .. math:: \frac1K \sum_k \frac{I(z_{(1)}; v_k) - I(z_{(2)}; v_k)}{H(v_k)}

    Only the factors that are scored are looked at: on dSprites Chen et al. score scale,
    orientation and the two positions, and leave out shape.

    Args:
        mean: Posterior means; give all examples, for the score depends on the population.
        log_sigma: Natural logarithms of the posteriors' standard deviations.
        factors: Class index of each factor, in the same row order.
        names: Name of each factor.
        scored: The factors that count, by name or index; by default all.
        estimator: As in :func:`mrtc.metrics.information.information_matrix`, as are the rest.
        samples: Draws for each entropy, when sampling.
        generator: Where the draws come from, when sampling.
        threads: Codes worked on at once.

    Returns:
        Score in [0, 1], without unit, higher is better, with its parts; see :func:`score_gaps`.

    Raises:
        ValueError: If shapes or names do not fit, or moments are not finite.

    Note:
        The histogram score of Locatello et al. (2019), of 20 bins of the posterior means, is
        another number for the same model. So a table says which one it holds.

    References:
        Chen et al., "Isolating Sources of Disentanglement", NeurIPS 2018, section 4 (definition,
        and the sampling estimator; the quadrature computes the same integrals).
    """
    if len(names) != factors.shape[1]:
        raise ValueError(f"got {len(names)} names for {factors.shape[1]} factors; name each")
    chosen = _resolve(names, scored)
    information = information_matrix(
        mean,
        log_sigma,
        factors[:, chosen],
        estimator=estimator,
        samples=samples,
        generator=generator,
        threads=threads,
    )
    score = score_gaps(information, [names[k] for k in chosen])
    others = {name: "not asked for" for k, name in enumerate(names) if k not in chosen}
    return replace(score, left_out=others | score.left_out)


def _resolve(names: Sequence[str], scored: Sequence[str | int] | None) -> list[int]:
    """Positions of the factors that are asked for."""
    if scored is None:
        return list(range(len(names)))
    unknown = [s for s in scored if s not in names and s not in range(len(names))]
    if unknown:
        raise ValueError(f"there are no factors {unknown}; choose among {list(names)}")
    chosen = [names.index(s) if isinstance(s, str) else s for s in scored]
    if len(set(chosen)) < len(chosen):
        raise ValueError(f"a factor is scored once, got {list(scored)}; name each only once")
    return chosen
