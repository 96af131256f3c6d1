"""Masses of discretised logistic mixtures: log probabilities of images, with their gradient."""

from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F  # noqa: N812 -- the name everybody knows

from mrtc.errors import DataError

EXTREME_LOG_SCALE = 7.0
"""Log scales are cut to plus and minus this, where colours lie in [-1, 1]: at the lower end all of
the mass is in one level, at the upper one the levels between the ends are alike."""

BLOCK_CELLS = {"cpu": 2**16, "cuda": 2**24}
"""Channels of components of pixels worked on at a time: what fits a processor's cache, or fills a
GPU."""

TOLERANCE = 1e-3
"""Of a level, that rounding in float32 may be off."""


def parameters_of(channels: int, components: int) -> int:
    """Numbers that a decoder puts out for a pixel: 3 a component of one channel, 10 of three.

    Raises:
        ValueError: If one of them is not positive.
    """
    if channels < 1 or components < 1:
        raise ValueError(
            f"a mixture needs channels and components, got {channels} and {components}; give at "
            "least one of each"
        )
    return components * (1 + 2 * channels + channels * (channels - 1) // 2)


@dataclass(frozen=True)
class Parts:
    """Parameters by what they are for, with pixels in one axis."""

    logits: Float[Tensor, "batch component pixel"]
    means: Float[Tensor, "batch channel component pixel"]
    log_scale: Float[Tensor, "batch channel component pixel"]
    slopes: Float[Tensor, "batch pair component pixel"]
    """The tanh of each coefficient: green on red, blue on red, blue on green."""

    @classmethod
    def of(cls, parameters: Tensor, channels: int) -> "Parts":
        """Of a decoder's output of shape (batch, parameter, height, width)."""
        batch, kinds = len(parameters), parameters_of(channels, 1)
        components = parameters.shape[1] // kinds
        rows = parameters.reshape(batch, kinds, components, -1)
        return cls(
            rows[:, 0],
            rows[:, 1 : 1 + channels],
            rows[:, 1 + channels : 1 + 2 * channels].clamp(-EXTREME_LOG_SCALE, EXTREME_LOG_SCALE),
            rows[:, 1 + 2 * channels :].tanh(),
        )

    def only(self, component: Int[Tensor, "batch pixel"]) -> "Parts":
        """One component of each pixel."""
        index = component[:, None, None]
        return Parts(
            self.logits.gather(1, index[:, 0]),
            *(
                part.gather(2, index.expand(-1, part.shape[1], -1, -1))
                for part in (self.means, self.log_scale, self.slopes)
            ),
        )

    def centre(self, channel: int, before: list[Tensor]) -> Tensor:
        """Of a channel, given the values in [-1, 1] of the channels before it."""
        first = channel * (channel - 1) // 2
        centre = self.means[:, channel]
        for at, value in enumerate(before):
            centre = centre + self.slopes[:, first + at] * value
        return centre


def log_prob(
    parameters: Float[Tensor, "batch parameter height width"],
    x: Float[Tensor, "batch channel height width"],
    levels: int,
) -> Float[Tensor, " batch"]:
    """log p(x) of each image, summed over its pixels, in nats; in float32 or better.

    Args:
        parameters: Of a mixture for each pixel, in the order of :class:`Parts`.
        x: Images of whole levels; they get no gradient.
        levels: From 0 to 1.

    Raises:
        DataError: If a value is not a level.
    """
    # torch gives apply() no type.
    result: Tensor = _LogProb.apply(parameters, x, levels, torch.is_grad_enabled())[0]  # type: ignore[no-untyped-call]
    return result


class _LogProb(torch.autograd.Function):
    """Log probability of each image, and its gradient, in blocks of images that fit the cache.

    The gradient is made beside the value, from the same arrays: it is all that is kept.
    """

    @staticmethod
    def forward(
        parameters: Tensor,
        x: Tensor,
        levels: int,
        wants_gradient: bool,  # noqa: FBT001 -- torch takes no names here
    ) -> tuple[Tensor, Tensor]:
        working = at_least_float32(parameters[:0]).dtype
        values = values_of(x.to(working), levels).flatten(2)
        cells = prod(x.shape[1:]) * parameters.shape[1] // parameters_of(x.shape[1], 1)
        rows = max(1, BLOCK_CELLS.get(x.device.type, BLOCK_CELLS["cuda"]) // cells)
        log_prob = values.new_empty(len(values))
        gradient = torch.empty_like(parameters if wants_gradient else parameters[:0])
        for first in range(0, len(values), rows):
            block = slice(first, first + rows)
            log_prob[block], found = _block(
                Parts.of(parameters[block].to(working), x.shape[1]),
                values[block],
                levels,
                wants_gradient=wants_gradient,
            )
            if found is not None:
                gradient[block] = found.reshape(gradient[block].shape)
        return log_prob, gradient

    @staticmethod
    def setup_context(
        ctx: Any,  # noqa: ANN401 -- torch gives it no type
        inputs: tuple[Tensor, Tensor, int, bool],  # noqa: ARG004 -- torch passes both
        output: tuple[Tensor, Tensor],
    ) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor, None, None, None]:  # noqa: ANN401 -- as above
        (gradient,) = ctx.saved_tensors
        return (gradient * grad[:, None, None, None]).to(gradient.dtype), None, None, None

    @staticmethod
    def vmap(
        info: Any,  # noqa: ANN401 -- as above
        in_dims: tuple[int | None, ...],
        parameters: Tensor,
        x: Tensor,
        levels: int,
        wants_gradient: bool,  # noqa: FBT001 -- as above
    ) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
        """Stacked models are more rows."""
        models = info.batch_size
        rows = [
            (part.expand(models, *part.shape) if dim is None else part.movedim(dim, 0)).flatten(
                0, 1
            )
            for part, dim in zip((parameters, x), in_dims[:2], strict=True)
        ]
        # torch gives apply() no type.
        found: tuple[Tensor, Tensor] = _LogProb.apply(*rows, levels, wants_gradient)  # type: ignore[no-untyped-call]
        log_prob, gradient = (part.reshape(models, -1, *part.shape[1:]) for part in found)
        return (log_prob, gradient), (0, 0)


def _block(
    parts: Parts,
    values: Float[Tensor, "batch channel pixel"],
    levels: int,
    *,
    wants_gradient: bool,
) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch kind component pixel"] | None]:
    r"""Log probability of each image, and its gradient by what :class:`Parts` is made of.

    A level between edges :math:`a < b`, in units of the scale, has the mass
    :math:`\sigma(b) - \sigma(a) = \sigma(b)\,\sigma(-a)\,(1 - e^{a - b})`, where nothing
    cancels.
    """
    channels = values.shape[1]
    before = list(values[:, :, None].unbind(1))
    joint = parts.logits.log_softmax(1)
    of_centres, of_scales = [], []
    for channel, value in enumerate(before):
        inverse = (-parts.log_scale[:, channel]).exp()
        middle = (value - parts.centre(channel, before[:channel])) * inverse
        half = inverse / (levels - 1)
        upper, lower = middle + half, middle - half
        # Beyond the first and the last level there is no edge.
        has_lower, has_upper = ((value * end > -1).to(value.dtype) for end in (1, -1))
        inside = -torch.expm1(-2 * half)
        joint = (
            joint
            - has_lower * F.softplus(lower, threshold=40)
            - has_upper * F.softplus(-upper, threshold=40)
            + has_lower * has_upper * inside.log()
        )
        if wants_gradient:
            above, below = has_upper * (-upper).sigmoid(), has_lower * lower.sigmoid()
            of_centres.append((below - above) * inverse)
            of_scales.append(
                middle * (below - above)
                - half * (above + below)
                - 2 * half * (1 - inside) / inside * (has_lower * has_upper)
            )
    log_p = joint.logsumexp(1)
    if not wants_gradient:
        return log_p.sum(1), None
    share = (joint - log_p[:, None]).exp()
    of_slopes = [
        of_centres[channel] * before[at] for channel in range(channels) for at in range(channel)
    ]
    gradient = torch.stack(
        [share - parts.logits.softmax(1), *of_centres, *of_scales, *of_slopes], 1
    )
    gradient[:, 1:] *= share[:, None]
    gradient[:, 1 + channels : 1 + 2 * channels] *= parts.log_scale.abs() < EXTREME_LOG_SCALE
    gradient[:, 1 + 2 * channels :] *= 1 - parts.slopes.square()
    return log_p.sum(1), gradient


def at_least_float32(parameters: Tensor) -> Tensor:
    """The same numbers, in float32 where they have fewer bits."""
    return parameters.float() if parameters.itemsize < 4 else parameters


def values_of(x: Tensor, levels: int) -> Tensor:
    """Images of whole levels, in [-1, 1] and free of rounding.

    Raises:
        DataError: If a value is not a level.
    """
    scaled = x * (levels - 1)
    level = scaled.round().clamp(0, levels - 1)
    off = (scaled - level).abs()
    # Nan fails, too. Tensors of other types have no numbers: a step is gone through without any.
    if type(off) is Tensor and not off.amax() <= TOLERANCE:
        raise DataError(
            f"the logistic mixture is of images whose values are whole multiples of "
            f"1/{levels - 1} in [0, 1], got {x.flatten()[off.argmax()].item():g}; round them to "
            "such levels, as bytes are, or choose the likelihood gaussian or squared_error"
        )
    return 2 * level / (levels - 1) - 1
