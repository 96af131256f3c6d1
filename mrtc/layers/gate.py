"""Gates: learned functions of beta that let one network serve every rate."""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

GateKind = Literal["sigmoid", "sqrt"]
GateInit = Literal["paper", "open"]

OPEN_OFFSET: dict[GateKind, float] = {"sigmoid": 2.0, "sqrt": -2.0}
"""With slopes in (-1, 1) every gate is open, by 0.49 at the least, at every beta of the range."""

CLOSED_BELOW = 1e-6
"""Squared square-root gates below this are closed: the root's slope has no bound towards zero."""


def sqrt_gate(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    r""":math:`\sqrt{\max(0, 1 - e^x)}`, in [0, 1], with gradient 0 where it is closed."""
    squared = -torch.expm1(x.clamp(max=0))  # an overflow would make the gradient NaN
    is_open = squared > CLOSED_BELOW
    return torch.where(is_open, squared, 1.0).sqrt() * is_open


GATES: dict[GateKind, Callable[[Tensor], Tensor]] = {"sigmoid": torch.sigmoid, "sqrt": sqrt_gate}


class RateGate(nn.Module):
    r"""A factor for each feature, a learned function of the rate code :math:`r`.

    .. math:: g_c(r) = \sigma(w_c r + b_c)

    Multiply pre-activations by it; that equals scaling a row of the weight matrix and its bias.

    Args:
        features: Number of gated features; channels, for images.
        kind: ``"sigmoid"``, the paper's choice for encoders, or ``"sqrt"``,
            ``sqrt(relu(1 - exp(.)))``, its choice for decoders.
        init: ``"paper"``, slopes and offsets uniform on (-1, 1) as in the published code, which
            leaves half of the square-root gates closed; or ``"open"``, the same slopes with
            offsets that open every gate at every beta of the range.

    References:
        Bae et al., "Multi-Rate VAE", ICLR 2023, equations 6 to 9.
    """

    def __init__(self, features: int, kind: GateKind, init: GateInit = "open") -> None:
        super().__init__()
        self.kind = kind
        self.slope = nn.Parameter(torch.empty(features).uniform_(-1, 1))
        self.offset = nn.Parameter(torch.empty(features).uniform_(-1, 1))
        if init == "open":
            nn.init.constant_(self.offset, OPEN_OFFSET[kind])

    def forward(self, rate_code: Float[Tensor, " group"]) -> Float[Tensor, "group feature"]:
        """The factors at each rate code, without unit."""
        return GATES[self.kind](torch.outer(rate_code, self.slope) + self.offset)
