"""The estimate of q(z) from a minibatch, written plainly: every log density at once."""

import torch
from torch import Tensor

from mrtc.objectives import Estimator


def weight_matrix(estimator: Estimator, batch: int, population: int) -> Tensor:
    """Weights of the posteriors (columns) in the estimate at each draw (rows)."""
    if estimator == "in-batch":
        return torch.full((batch, batch), 1 / batch, dtype=torch.float64)
    if estimator == "weighted":
        return torch.full((batch, batch), 1 / (batch * population), dtype=torch.float64)
    others = batch - 1
    weights = torch.full((batch, batch), 1 / others, dtype=torch.float64)
    for row in range(batch):
        weights[row, row] = 1 / population
        weights[row, (row + 1) % batch] = (population - others) / (population * others)
    return weights


def log_aggregate(
    z: Tensor, mean: Tensor, log_sigma: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Log density of the joint, and of each code, at each draw, in nats."""
    pairs = torch.distributions.Normal(mean, log_sigma.exp()).log_prob(z[:, None])
    joint = (weights.log() + pairs.sum(-1)).logsumexp(1)
    return joint, (weights.log()[..., None] + pairs).logsumexp(1)
