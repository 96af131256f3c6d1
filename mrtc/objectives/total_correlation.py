"""The rate split in three: index-code MI, total correlation, dimension-wise KL."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mrtc.distributions import DiagonalGaussian, log_standard_normal
from mrtc.objectives.density import LogWeights, log_aggregate

Estimator = Literal["weighted", "stratified", "in-batch"]


@dataclass(frozen=True)
class RateTerms:
    """The three parts of the rate, per example, in nats; they sum to the sampled rate."""

    index_code_mi: Float[Tensor, " batch"]
    total_correlation: Float[Tensor, " batch"]
    dimensionwise_kl: Float[Tensor, " batch"]


def log_weights(estimator: Estimator, batch: int, population: int) -> LogWeights:
    r"""How an estimate of q(z_i) weighs the posteriors of a minibatch.

    ``weighted`` (MWS) gives each :math:`1/(NB)`: the published training surrogate, whose values
    are off by constants of size log N. ``in-batch`` gives each :math:`1/B`: the same gradients,
    values on the scale of the truth. ``stratified`` (MSS) gives the example's own posterior
    :math:`1/N`, one other :math:`(N-M)/(NM)` and the rest :math:`1/M` with :math:`M = B - 1`:
    unbiased for q(z), not for log q(z).

    Args:
        estimator: One of the three.
        batch: Examples in the minibatch, B; at least 2, for ``stratified`` at least 3.
        population: Examples in the dataset, N.

    Raises:
        ValueError: If ``batch`` is too small, or above ``population``.

    References:
        Chen et al., "Isolating Sources of Disentanglement", NeurIPS 2018, appendix C. Their
        published code puts the weight 1/N into the first column, not onto the diagonal.
    """
    least = 3 if estimator == "stratified" else 2
    if not least <= batch <= population:
        raise ValueError(
            f"the {estimator} estimate needs {least} <= batch <= population, got batch={batch} and "
            f"population={population}; use a larger batch, or fewer betas in a batch"
        )
    if estimator == "in-batch":
        return LogWeights(-math.log(batch))
    if estimator == "weighted":
        return LogWeights(-math.log(batch * population))
    others = batch - 1
    base = -math.log(others)
    following = (population - others) / (population * others)
    return LogWeights(base, own=-math.log(population) - base, following=math.log(following) - base)


def rate_terms(
    posterior: DiagonalGaussian,
    z: Float[Tensor, "batch code"],
    *,
    estimator: Estimator,
    population: int,
    groups: int = 1,
) -> RateTerms:
    r"""Splits the sampled rate of each example.

    .. math::
        \log\frac{q(z|x)}{p(z)} = \log\frac{q(z|x)}{q(z)} + \log\frac{q(z)}{\prod_k q(z_k)}
        + \sum_k \log\frac{q(z_k)}{p(z_k)}

    Args:
        posterior: Of each example of the minibatch.
        z: One draw from each.
        estimator: Of q(z) and of q(z_k), see :func:`log_weights`.
        population: Examples in the dataset.
        groups: The batch is cut into so many equal groups of consecutive examples, each with an
            estimate of its own: examples of different betas belong to different q(z).

    Raises:
        ValueError: If the groups are not equal, or too small for the estimator.
    """
    batch = len(z)
    if batch % groups:
        raise ValueError(f"a batch of {batch} cannot be cut into {groups} equal groups")
    weights = log_weights(estimator, batch // groups, population)
    parts = (part.chunk(groups) for part in (z, posterior.mean, posterior.log_sigma))
    estimates = [
        log_aggregate(draws, mean, log_sigma, weights)
        for draws, mean, log_sigma in zip(*parts, strict=True)
    ]
    log_q_joint = torch.cat([joint for joint, _ in estimates])
    log_q_product = torch.cat([marginal for _, marginal in estimates]).sum(1)
    return RateTerms(
        index_code_mi=posterior.log_density(z).sum(1) - log_q_joint,
        total_correlation=log_q_joint - log_q_product,
        dimensionwise_kl=log_q_product - log_standard_normal(z).sum(1),
    )
