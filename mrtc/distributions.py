"""The distributions of a VAE: log densities and rates in nats, draws by explicit generators."""

import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 -- the name everybody knows

HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)

BLOCK_CELLS = 2**18
"""Logits worked on at a time on a processor: what fits its cache."""


@dataclass(frozen=True)
class DiagonalGaussian:
    """A posterior q(z|x) for each example: independent normals, one a code."""

    mean: Float[Tensor, "batch code"]
    log_sigma: Float[Tensor, "batch code"]

    def sample(self, generator: torch.Generator | None = None) -> Float[Tensor, "batch code"]:
        """One draw for each example, reparametrised; the generator lives on the same device."""
        return self.draw(torch.empty_like(self.mean).normal_(generator=generator))

    def draw(self, noise: Float[Tensor, "batch code"]) -> Float[Tensor, "batch code"]:
        """The draws that standard normal ``noise`` makes."""
        return self.mean + noise * self.log_sigma.exp()

    def log_density(self, z: Float[Tensor, "batch code"]) -> Float[Tensor, "batch code"]:
        """log q(z_k | x) of each code, in nats."""
        standardised = (z - self.mean) * (-self.log_sigma).exp()
        return -0.5 * standardised.square() - self.log_sigma - HALF_LOG_TWO_PI

    def rate(self) -> Float[Tensor, "batch code"]:
        r"""KL(q(z_k | x) || N(0, 1)) of each code, in nats, in closed form.

        .. math:: \tfrac12 (\mu^2 + \sigma^2 - 1) - \log\sigma
        """
        return 0.5 * (self.mean.square() + torch.expm1(2 * self.log_sigma)) - self.log_sigma


def log_standard_normal(z: Float[Tensor, "batch code"]) -> Float[Tensor, "batch code"]:
    """log p(z_k) of the prior N(0, 1), in nats."""
    return -0.5 * z.square() - HALF_LOG_TWO_PI


@runtime_checkable
class Likelihood(Protocol):
    """p(x|z) of each example."""

    @property
    def mean(self) -> Tensor:
        """Of each entry."""

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x|z) of each example, in nats, summed over its entries."""


@dataclass(frozen=True)
class Bernoulli:
    """A likelihood p(x|z) of binary pixels, from logits."""

    logits: Float[Tensor, "batch *event"]

    @property
    def mean(self) -> Float[Tensor, "batch *event"]:
        """The probability that a pixel is 1."""
        return self.logits.sigmoid()

    def log_prob(self, x: Float[Tensor, "batch *event"]) -> Float[Tensor, " batch"]:
        """log p(x|z), summed over the event, in nats; always in float32 or better."""
        logits = self.logits.float() if self.logits.itemsize < 4 else self.logits
        x = x.to(logits.dtype)
        # torch gives apply() no type.
        result: Tensor = _LogProb.apply(logits.flatten(1), x.flatten(1))  # type: ignore[no-untyped-call]
        return result


@dataclass(frozen=True)
class SquaredError:
    r"""What the papers call the Gaussian distortion: :math:`\|x - \mu\|^2`.

    Without the factor 1/2 and without a constant; the distortion of a Gaussian of variance 1/2, but
    for :math:`\tfrac d2 \log \pi` nats.
    """

    mean: Float[Tensor, "batch *event"]

    def log_prob(self, x: Float[Tensor, "batch *event"]) -> Float[Tensor, " batch"]:
        """Minus the squared error, summed over the event; always in float32 or better."""
        mean = self.mean.float() if self.mean.itemsize < 4 else self.mean
        return -(x.to(mean.dtype) - mean).flatten(1).square().sum(1)


@dataclass(frozen=True)
class Gaussian:
    r"""A likelihood N(x; \mu, \sigma^2 I) with one sigma for all entries of an example.

    .. math:: \log p(x|z) = -\frac{\|x - \mu\|^2}{2 \sigma^2} - d \log\sigma - \tfrac d2 \log 2\pi
    """

    mean: Float[Tensor, "batch *event"]
    log_sigma: Float[Tensor, " batch"]

    def log_prob(self, x: Float[Tensor, "batch *event"]) -> Float[Tensor, " batch"]:
        """log p(x|z), summed over the event, in nats; always in float32 or better."""
        squared_error = -SquaredError(self.mean).log_prob(x)
        entries = self.mean[0].numel()
        constant = entries * (self.log_sigma + HALF_LOG_TWO_PI)
        return -0.5 * squared_error * (-2 * self.log_sigma).exp() - constant


LikelihoodName = Literal["bernoulli", "squared_error", "gaussian", "logistic_mixture", "tokens"]
"""Each takes what a decoder puts out: logits, or means; ``gaussian`` has a sigma beside them.
``logistic_mixture`` takes what :class:`mrtc.logistic_mixture.DiscretisedLogisticMixture` does.
``tokens`` is that of documents, see :class:`mrtc.token_sequences.TokenSequences`."""


class _LogProb(torch.autograd.Function):
    """Bernoulli log probability of each row, x l - softplus(l) summed.

    By rows, in the cache, and with nothing kept but the arguments: the binary cross entropy of
    torch goes through memory several times, and keeps two more arrays of this size.
    """

    @staticmethod
    def forward(logits: Tensor, x: Tensor) -> Tensor:
        rows = (
            max(1, BLOCK_CELLS // logits.shape[1]) if logits.device.type == "cpu" else len(logits)
        )
        parts = zip(torch.split(logits, rows), torch.split(x, rows), strict=True)
        return torch.cat(
            [torch.addcmul(-F.softplus(a, threshold=40), a, b).sum(1) for a, b in parts]
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:  # noqa: ANN401, ARG004 -- torch gives it no type, and passes both
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None]:  # noqa: ANN401 -- as above
        logits, x = ctx.saved_tensors
        of_x = grad[:, None] * logits if ctx.needs_input_grad[1] else None
        return logits.sigmoid().sub_(x).mul_(-grad[:, None]), of_x

    @staticmethod
    def vmap(
        info: Any,  # noqa: ANN401 -- as above
        in_dims: tuple[int | None, int | None],
        logits: Tensor,
        x: Tensor,
    ) -> tuple[Tensor, int]:
        """Stacked models are more rows."""
        models = info.batch_size
        rows = [
            (part.expand(models, *part.shape) if dim is None else part.movedim(dim, 0)).flatten(
                0, 1
            )
            for part, dim in zip((logits, x), in_dims, strict=True)
        ]
        # torch gives apply() no type.
        result: Tensor = _LogProb.apply(*rows)  # type: ignore[no-untyped-call]
        return result.reshape(models, -1), 0
