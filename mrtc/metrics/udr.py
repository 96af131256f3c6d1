"""Unsupervised disentanglement ranking (UDR): do models agree on what their codes are."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float64
from scipy.stats import rankdata
from sklearn.linear_model import Lasso

from mrtc.metrics.arrays import Array, as_codes, as_numpy
from mrtc.metrics.checks import check_finite
from mrtc.metrics.score import Score, undefined

Similarity = Literal["lasso", "spearman"]
PENALTY = 0.1  # alpha of the lasso, on codes of variance 1


def udr(
    models: Sequence[Array],
    *,
    similarity: Similarity = "lasso",
    rates: Sequence[Array] | None = None,
    threshold: float = 0.01,
) -> list[Score]:
    r"""How well the codes of each model pair off with those of the others, without factors.

    .. math:: \mathrm{UDR}_{ij} = \frac1{d_i + d_j} \Big[ \sum_b \frac{r_b^2}{\sum_a R_{ab}}
        + \sum_a \frac{r_a^2}{\sum_b R_{ab}} \Big]

    where R_ab is the similarity of code a of model j and code b of model i, r the largest of a
    column or row, and d the number of informative codes; the others are left out. The score of
    model i is the median over the other models.

    Args:
        models: Posterior means of each model, for the same examples; codes may differ in number.
        similarity: ``"lasso"``, absolute weights (alpha = 0.1) when predicting each code of model
            i from all codes of model j, both standardised; or ``"spearman"``, absolute rank
            correlations.
        rates: For each model the mean rate of each code, its KL to the prior in nats.
        threshold: A code is informative if its rate is above it; without rates, if the variance
            of its posterior mean is.

    Returns:
        A score for each model, without unit, higher is better. By correlations in [0, 1], and 1
        for models whose codes are the same up to order, sign and scale and uncorrelated; what
        correlation there is by chance takes some off (0.92 for five independent codes and 2,000
        examples). By lasso such models have 0.9, since the penalty takes 0.1 from each weight.

    Raises:
        ValueError: If arrays do not fit or the similarity is unknown.

    Note:
        Models that share a mistake agree too. The ranking is meant for models that differ in
        their seed alone. Among codes that are copies of each other the lasso picks one.
        Informative codes of a model find no partner in one that has none, and UDR_ij is 0.

    References:
        Duan et al., "Unsupervised Model Selection for Variational Disentangled Representation
        Learning", ICLR 2020. Alpha, the standardisation and the direction of the lasso
        are those of the code published in disentanglement_lib; that code averages the two sums
        each over its own number of codes, which is the same where models have equally many, and
        stops the lasso at scikit-learn's tolerance, which moves the third digit.
    """
    if similarity not in ("lasso", "spearman"):
        raise ValueError(f"similarity is 'lasso' or 'spearman', got {similarity!r}")
    if rates is not None and len(rates) != len(models):
        raise ValueError(f"rates need one array a model; got {len(rates)} for {len(models)}")
    codes = [as_codes(model, f"codes of model {i}") for i, model in enumerate(models)]
    if len({len(z) for z in codes}) > 1:
        raise ValueError(
            f"models need codes of the same examples; got {[len(z) for z in codes]} rows"
        )
    kept = []
    for i, z in enumerate(codes):
        strength = z.var(axis=0) if rates is None else _rates(rates[i], z, i)
        kept.append(z[:, (strength > threshold) & (z != z[0]).any(axis=0)])
    parameters: dict[str, object] = {
        "similarity": similarity,
        "alpha": PENALTY if similarity == "lasso" else None,
        "threshold": threshold,
        "informative_by": "variance" if rates is None else "rate",
        "models": len(models),
    }
    prepared = [_standardise(rankdata(z, axis=0) if similarity == "spearman" else z) for z in kept]
    scores = []
    for i, z in enumerate(prepared):
        parts = parameters | {"informative_codes": z.shape[1]}
        others = [other for j, other in enumerate(prepared) if j != i]
        if not others:
            scores.append(undefined("agreement needs at least two models", parameters=parts))
        elif not z.shape[1]:
            scores.append(undefined("no code is informative", parameters=parts))
        else:
            pairs = [_agreement(_similarity(other, z, similarity)) for other in others]
            scores.append(Score(float(np.median(pairs)), parameters=parts))
    return scores


def _rates(
    rates: Array, codes: Float64[np.ndarray, "example code"], model: int
) -> Float64[np.ndarray, " code"]:
    values = np.asarray(as_numpy(rates), dtype=np.float64)
    if values.shape != codes.shape[1:]:
        raise ValueError(
            f"rates of model {model} need one value for each of its {codes.shape[1]} codes; got "
            f"the shape {values.shape}"
        )
    check_finite(f"rates of model {model}", values)
    return values


def _standardise(z: Float64[np.ndarray, "example code"]) -> Float64[np.ndarray, "example code"]:
    standard: Float64[np.ndarray, "example code"] = (z - z.mean(axis=0)) / z.std(axis=0)
    return standard


def _similarity(
    source: Float64[np.ndarray, "example a"],
    target: Float64[np.ndarray, "example b"],
    similarity: Similarity,
) -> Float64[np.ndarray, "a b"]:
    if not source.shape[1]:
        return np.zeros((0, target.shape[1]))
    if similarity == "spearman":
        weights = target.T @ source / len(source)
    else:
        weights = np.empty((target.shape[1], source.shape[1]))
        # Nearly equal codes take long to settle; stopped early, their order would count.
        lasso = Lasso(alpha=PENALTY, tol=1e-8, max_iter=100_000)
        weights[:] = lasso.fit(source, target).coef_  # of one axis for one target
    similar: Float64[np.ndarray, "a b"] = np.abs(weights.T)
    return similar


def _agreement(similarity: Float64[np.ndarray, "a b"]) -> float:
    """1 where each code is like one code of the other model, and like no other."""
    parts = [
        m.max(axis=0, initial=0) ** 2 / _or_one(m.sum(axis=0)) for m in (similarity, similarity.T)
    ]
    return float(np.concatenate(parts).mean())


def _or_one(total: Float64[np.ndarray, " code"]) -> Float64[np.ndarray, " code"]:
    """A code like none has 0 / 0, which counts as 0."""
    divisor: Float64[np.ndarray, " code"] = np.where(total > 0, total, 1)
    return divisor
