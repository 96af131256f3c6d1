"""Autoregressive cells: each code of a map is shifted and scaled by what came before it."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- the name everybody knows

from mrtc.layers.cells import ADDED_SHARE
from mrtc.layers.gated import Gating
from mrtc.layers.normalised import NormalisedConv2d

Codes = Float[Tensor, "batch channel height width"]
Features = Float[Tensor, "batch feature height width"]
RateCode = Float[Tensor, " group"]


class Affine(NamedTuple):
    """What is done to each code: times the exponential of ``log_scale``, plus ``shift``."""

    shift: Codes
    log_scale: Codes


class MaskedConv2d(NormalisedConv2d):
    """A weight-normalised convolution that sees some of its window only.

    Args:
        channels: Of the input.
        features: Channels of the output.
        kernel: Side of the window, odd.
        sees: Whether an output channel sees an input channel at its own pixel. Rows above, and
            pixels to the left, are seen in all channels; what comes behind, in none.
        groups: Blocks of channels that do not see each other.
    """

    mask: Tensor

    def __init__(
        self,
        channels: int,
        features: int,
        kernel: int,
        sees: Float[Tensor, "feature channel_of_block"],
        *,
        groups: int = 1,
    ) -> None:
        super().__init__(channels, features, kernel, groups=groups)
        before = torch.arange(kernel**2).view(kernel, kernel) < kernel**2 // 2
        mask = before.to(self.weight.dtype).expand_as(self.weight).clone()
        mask[..., kernel // 2, kernel // 2] = sees
        self.register_buffer("mask", mask, persistent=False)
        with torch.no_grad():
            self.weight.mul_(mask)
            self.log_scale.copy_(self._norms().log())

    @property
    def normalised_weight(self) -> Float[Tensor, "feature channel kernel kernel"]:
        """The weights that are applied, zero where nothing is seen."""
        seen: Tensor = self.weight * self.mask
        scale: Tensor = self.log_scale.exp() / torch.linalg.vector_norm(seen, dim=(1, 2, 3))
        return seen * scale[:, None, None, None]


class AutoregressiveCell(nn.Module):
    r"""One step of an inverse autoregressive flow over the codes of a group.

    .. math:: u'_k = u_k\, e^{s_k} + t_k, \qquad (s_k, t_k) = f_k(u_1, \dots, u_{k-1}, h)

    with features :math:`h`. Codes follow one another by rows, by columns, and at a pixel by
    channels; log scales are bent into (-1, 1). The Jacobian is triangular, so the log of its
    determinant is the sum of the :math:`s_k`. Inside, hidden channels of degree d see the codes of
    the pixels before theirs, and at their own pixel those of channels below d; then a wide window
    sees each of them one by one, and the moves of channel k see those of degrees up to k.

    Args:
        channels: Of the codes.
        features: Channels of what the cell sees beside the codes.
        gating: Of the convolutions.
        expansion: Hidden channels, over those of the codes.

    References:
        Kingma et al., "Improved Variational Inference with Inverse Autoregressive Flow", NeurIPS
        2016; Germain et al., "MADE", ICML 2015, on degrees; Vahdat and Kautz, "NVAE", NeurIPS 2020,
        on such a cell in a hierarchy.
    """

    def __init__(self, channels: int, features: int, gating: Gating, *, expansion: int = 6) -> None:
        super().__init__()
        hidden = expansion * channels
        code = torch.arange(channels)
        degree = torch.arange(hidden) % channels
        below = (code < degree[:, None]).float()
        up_to = (degree <= code[:, None]).float()
        self.of_features = gating.of(NormalisedConv2d(features, hidden))
        self.expand = gating.of(MaskedConv2d(channels, hidden, 3, below))
        self.see = gating.of(MaskedConv2d(hidden, hidden, 5, torch.ones(hidden, 1), groups=hidden))
        self.to_moves = gating.of(MaskedConv2d(hidden, 2 * channels, 1, up_to.repeat(2, 1)))

    def forward(self, codes: Codes, features: Features, rate_code: RateCode) -> Affine:
        """The moves of ``codes``; ``rate_code`` as in :meth:`mrtc.layers.Gated.forward`."""
        hidden = self.expand(codes, rate_code) + self.of_features(features, rate_code)
        hidden = hidden + self.see(F.elu(hidden), rate_code)
        # In float32 under autocast too, as moments are.
        with torch.autocast(codes.device.type, enabled=False):
            moves = ADDED_SHARE * self.to_moves(F.elu(hidden).to(codes.dtype), rate_code)
        shift, log_scale = moves.chunk(2, dim=1)
        return Affine(shift, log_scale.tanh())
