"""Densities of the aggregate posterior, estimated from a minibatch, in O(batch) memory.

Written plainly, the log densities of every draw under every posterior fill a (batch, batch, code)
array several times over. Here they are made block by block, in buffers that stay in the cache, and
made again for the gradient. Two details carry most of the speed and the accuracy: differences
``z - mean`` are taken directly, so that nothing cancels however small sigma is, and exponents stop
at ``FLOOR``, because denormal numbers slow a
processor down: without that, the same blocks took several times as long.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mrtc.distributions import HALF_LOG_TWO_PI

FLOOR = -60.0
"""A density below exp(FLOOR) times the greatest of its row adds nothing in float32."""

BLOCK_CELLS = {"cpu": 2**20, "cuda": 2**26}
"""Log densities held at a time: what fits a processor's cache, or fills a GPU."""


@dataclass(frozen=True)
class LogWeights:
    """Log weights of the posteriors in an estimate of q(z_i) from a minibatch.

    Row ``i`` gives posterior ``j`` the weight ``base``, plus ``own`` at ``j = i`` and plus
    ``following`` at ``j = i + 1`` (the first row follows the last).
    """

    base: float
    own: float = 0.0
    following: float = 0.0

    def shift(self, log_q: Float[Tensor, "*code rows batch"], first_row: int) -> None:
        """Adds ``own`` and ``following``, in place, to a block of rows."""
        rows = torch.arange(log_q.shape[-2], device=log_q.device)
        if self.own:
            log_q[..., rows, first_row + rows] += self.own
        if self.following:
            log_q[..., rows, (first_row + rows + 1) % log_q.shape[-1]] += self.following


def log_aggregate(
    z: Float[Tensor, "batch code"],
    mean: Float[Tensor, "batch code"],
    log_sigma: Float[Tensor, "batch code"],
    weights: LogWeights,
) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch code"]]:
    r"""Log densities of the weighted mixture of the batch's posteriors at each draw.

    Args:
        z: One draw from each posterior.
        mean: Of the posteriors.
        log_sigma: Of the posteriors.
        weights: Of the posteriors in each row's mixture.

    Returns:
        :math:`\log\sum_j w_{ij} q(z_i|x_j)` and, for each code,
        :math:`\log\sum_j w_{ij} q(z_{ik}|x_j)`, in nats.
    """
    # torch gives apply() no type.
    joint, marginal, bound = _LogAggregate.apply(z, mean, log_sigma, weights)  # type: ignore[no-untyped-call]
    return joint + bound.sum() + weights.base, marginal.mT + bound + weights.base


class _LogAggregate(torch.autograd.Function):
    """Both log densities less their bounds, codes first, and the bounds, which are constants."""

    @staticmethod
    def forward(
        z: Tensor, mean: Tensor, log_sigma: Tensor, weights: LogWeights
    ) -> tuple[Tensor, Tensor, Tensor]:
        blocks = _Blocks(z, mean, log_sigma, weights)
        joint, marginal = z.new_empty(blocks.batch), z.new_empty(blocks.codes, blocks.batch)
        for first in range(0, blocks.batch, blocks.rows):
            _, log_q, log_q_joint = blocks.log_densities(first)
            rows = slice(first, first + blocks.rows)
            greatest = log_q_joint.amax(1, keepdim=True)
            joint[rows] = _exp_(log_q_joint.sub_(greatest)).sum(1).log_().add_(greatest[:, 0])
            marginal[:, rows] = _exp_(log_q).sum(2).log_()
        return joint, marginal, blocks.bound[:, 0, 0]

    @staticmethod
    def setup_context(
        ctx: Any,  # noqa: ANN401 -- torch gives it no type
        inputs: tuple[Tensor, Tensor, Tensor, LogWeights],
        output: tuple[Tensor, Tensor, Tensor],
    ) -> None:
        *moments, ctx.weights = inputs
        joint, marginal, bound = output
        ctx.save_for_backward(*moments, joint, marginal)
        ctx.mark_non_differentiable(bound)

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401 -- as above
        grad_joint: Tensor,
        grad_marginal: Tensor,
        _: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor, None]:
        z, mean, log_sigma, joint, marginal = ctx.saved_tensors
        blocks = _Blocks(z, mean, log_sigma, ctx.weights)
        grad_marginal = (grad_marginal * (-marginal).exp())[..., None]
        grad_z = torch.empty_like(marginal)
        # Sums over rows of the responsibilities times 1, t and t squared.
        zeroth, first_moment, second_moment = (torch.zeros_like(marginal) for _ in range(3))
        for first in range(0, blocks.batch, blocks.rows):
            rows = slice(first, first + blocks.rows)
            t, log_q, log_q_joint = blocks.log_densities(first)
            shared = _exp_(log_q_joint.sub_(joint[rows, None])).mul_(grad_joint[rows, None])
            share = _exp_(log_q).mul_(grad_marginal[:, rows]).add_(shared)
            zeroth += share.sum(1)
            share.mul_(t)
            first_moment += share.sum(1)
            grad_z[:, rows] = (share @ blocks.scale.mT)[..., 0]
            second_moment += share.mul_(t).sum(1)
        return (
            -2 * grad_z.mT,
            (2 * first_moment * blocks.scale[:, 0]).mT,
            (2 * second_moment - zeroth).mT,
            None,
        )

    @staticmethod
    def vmap(
        info: Any,  # noqa: ANN401 -- as above
        in_dims: tuple[int | None, ...],
        *inputs: Tensor | LogWeights,
    ) -> tuple[tuple[Tensor, Tensor, Tensor], int]:
        """One stacked model after another: the blocks of one fill the cache already."""
        # Of the inputs only tensors have a dimension, and apply() has no type.
        columns = [
            (part,) * info.batch_size if dim is None else part.unbind(dim)  # type: ignore[union-attr]
            for part, dim in zip(inputs, in_dims, strict=True)
        ]
        results = [_LogAggregate.apply(*row) for row in zip(*columns, strict=True)]  # type: ignore[no-untyped-call]
        joint, marginal, bound = (torch.stack(parts) for parts in zip(*results, strict=True))
        return (joint, marginal, bound), 0


class _Blocks:
    """Log densities of a block of draws under every posterior, codes first.

    Those of a code are given relative to ``bound``, which none of them exceeds.
    """

    def __init__(self, z: Tensor, mean: Tensor, log_sigma: Tensor, weights: LogWeights) -> None:
        self.batch, self.codes = z.shape
        cells = BLOCK_CELLS.get(z.device.type, BLOCK_CELLS["cpu"])
        self.rows = max(1, cells // (self.batch * self.codes))
        self.weights = weights
        self._z = z.mT.contiguous()[:, :, None]
        self._mean = mean.mT.contiguous()[:, None]
        self.scale = math.sqrt(0.5) * (-log_sigma).exp().mT.contiguous()[:, None]
        at_mean = (-log_sigma - HALF_LOG_TWO_PI).mT.contiguous()[:, None]
        self.bound = at_mean.amax(2, keepdim=True) + max(0.0, weights.own, weights.following)
        self._constant = at_mean - self.bound
        # Made once, for a fresh buffer costs more than what is done in it.
        self._t, self._log_q = (z.new_empty(self.codes * self.rows * self.batch) for _ in range(2))
        self._log_q_joint = z.new_empty(self.rows * self.batch)

    def log_densities(self, first: int) -> tuple[Tensor, Tensor, Tensor]:
        """``t = (z - mean) / (sqrt(2) sigma)``, log densities of each code, and of the joint.

        The next block overwrites them.
        """
        z = self._z[:, first : first + self.rows]
        shape = (self.codes, z.shape[1], self.batch)
        t, log_q = (x[: math.prod(shape)].view(shape) for x in (self._t, self._log_q))
        log_q_joint = self._log_q_joint[: math.prod(shape[1:])].view(shape[1:])
        torch.sub(z, self._mean, out=t).mul_(self.scale)
        torch.addcmul(self._constant, t, t, value=-1, out=log_q)
        torch.sum(log_q, 0, out=log_q_joint)
        self.weights.shift(log_q, first)
        self.weights.shift(log_q_joint, first)
        return t, log_q, log_q_joint


def _exp_(x: Tensor) -> Tensor:
    return x.clamp_(min=FLOOR).exp_()
