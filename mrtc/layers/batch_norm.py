"""Batch normalisation whose batch is that of all processes together."""

from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Maps = Float[Tensor, "batch channel *space"]
Channels = Float[Tensor, " channel"]


class _WholeBatchNorm(_BatchNorm):
    """What both layers share; in one process this is torch's own layer."""

    def forward(self, input: Maps) -> Maps:  # noqa: A002 -- torch's name
        """Normalised channels; in training by statistics over the batches of all processes.

        Only passes that train are shared, which have gradients and which all processes make: what
        one of them measures alone waits for nobody.
        """
        if not (self.training and torch.is_grad_enabled() and _processes() > 1):
            return super().forward(input)
        # torch gives neither of these types.
        self._check_input_dim(input)  # type: ignore[no-untyped-call]
        out, mean, variance = _Normalise.apply(input, self.weight, self.bias, self.eps)  # type: ignore[no-untyped-call]
        self._follow(mean, variance, examples=_processes() * input.numel() // input.shape[1])
        normalised: Tensor = out
        return normalised

    @torch.no_grad()
    def _follow(self, mean: Channels, variance: Channels, examples: int) -> None:
        """Moves the running statistics towards those of a batch, as torch does."""
        if self.running_mean is None or self.running_var is None:
            return
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        # Without a momentum they are means over all batches.
        weight = 1 / int(self.num_batches_tracked or 1) if self.momentum is None else self.momentum
        unbiased = variance * examples / (examples - 1)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), weight)
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), weight)


class WholeBatchNorm1d(_WholeBatchNorm, nn.BatchNorm1d):
    """``nn.BatchNorm1d`` that trains in several processes as in one; same parameters and state."""


class WholeBatchNorm2d(_WholeBatchNorm, nn.BatchNorm2d):
    """``nn.BatchNorm2d`` that trains in several processes as in one; same parameters and state."""


def _processes() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


class _Normalise(torch.autograd.Function):
    r"""Normalisation by mean and variance over all processes, which have equal parts of a batch.

    .. math:: \hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}}, \qquad
        \frac{\partial L}{\partial x} = \frac{w}{\sqrt{\sigma^2 + \epsilon}} \left(g -
        \langle g \rangle - \hat x \langle g \hat x \rangle\right)

    with the gradient :math:`g` of the output and means :math:`\langle \cdot \rangle` over examples
    and pixels of all processes. One exchange forward, of the means and variances of the parts,
    which make those of the whole without a difference of large sums; one backward, of the two
    means. Gradients of weight and bias are those of the part: adding them up is left to what adds
    up the gradients of all other weights.

    References:
        Chan, Golub and LeVeque, "Algorithms for Computing the Sample Variance", 1983.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 -- torch gives it no type
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        eps: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        exact = _exact(x)
        axes, shape = _reduced(exact)
        own = torch.stack(torch.var_mean(exact, axes, correction=0))
        parts = [torch.empty_like(own) for _ in range(_processes())]
        dist.all_gather(parts, own)
        variances, means = torch.stack(parts).unbind(1)
        mean = means.mean(0)
        variance = (variances + (means - mean).square()).mean(0)
        inverse_sigma = (variance + eps).rsqrt()
        scale = inverse_sigma if weight is None else inverse_sigma * weight
        out = (exact - mean.view(shape)) * scale.view(shape)
        if bias is not None:
            out = out + bias.view(shape)
        ctx.save_for_backward(x, weight, mean, inverse_sigma)
        ctx.mark_non_differentiable(mean, variance)
        return out.to(x.dtype), mean, variance

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: ANN401 -- as above
        x, weight, mean, inverse_sigma = ctx.saved_tensors
        gradient = _exact(grad)
        axes, shape = _reduced(gradient)
        standardised = (_exact(x) - mean.view(shape)) * inverse_sigma.view(shape)
        own = torch.stack([gradient.sum(axes), (gradient * standardised).sum(axes)])
        total = own.clone()
        dist.all_reduce(total)
        plain, along = total / (_processes() * x.numel() // x.shape[1])
        scale = inverse_sigma if weight is None else inverse_sigma * weight
        to_x = gradient - plain.view(shape) - standardised * along.view(shape)
        to_bias, to_weight = own
        return (
            (to_x * scale.view(shape)).to(x.dtype),
            to_weight if ctx.needs_input_grad[1] else None,
            to_bias if ctx.needs_input_grad[2] else None,
            None,
        )


def _exact(x: Tensor) -> Tensor:
    """In float32 or better: networks may run in half precision."""
    return x.float() if x.itemsize < 4 else x


def _reduced(x: Tensor) -> tuple[list[int], list[int]]:
    """The axes that statistics are taken over, and the shape in which channels meet ``x``."""
    return [0, *range(2, x.ndim)], [1, -1, *[1] * (x.ndim - 2)]
