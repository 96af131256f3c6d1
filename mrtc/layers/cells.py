"""The residual cells of hierarchical networks, gated or plain."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 -- the name everybody knows

from mrtc.layers.batch_norm import WholeBatchNorm2d
from mrtc.layers.checkpointing import Recomputable
from mrtc.layers.gated import Gated, Gating
from mrtc.layers.normalised import NormalisedConv2d

NORM_MOMENTUM = 0.05
ADDED_SHARE = 0.1
"""What a cell adds to its skip connection is scaled by this, so that deep towers start tame."""

Image = Float[Tensor, "batch channel height width"]
Hidden = Float[Tensor, "batch feature new_height new_width"]
RateCode = Float[Tensor, " group"]


def norm(channels: int) -> WholeBatchNorm2d:
    """Batch normalisation as cells have it."""
    return WholeBatchNorm2d(channels, momentum=NORM_MOMENTUM)


class SqueezeExcite(nn.Module):
    """Scales each channel by a function of the means of all of them.

    Args:
        channels: Of input and output.

    References:
        Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(channels // 16, 4)
        self.squeeze = nn.Linear(channels, squeezed)
        self.excite = nn.Linear(squeezed, channels)

    def forward(self, x: Image, gate: Float[Tensor, "batch channel"] | None = None) -> Image:
        """``x`` with its channels scaled, and by the factors ``gate`` before, in one pass."""
        means = x.mean((2, 3))
        scale: Tensor = self.excite(self.squeeze(means if gate is None else gate * means).relu())
        scale = scale.sigmoid() if gate is None else scale.sigmoid() * gate
        return x * scale[..., None, None]


class DownSkip(nn.Module):
    """Twice the channels at half the side: the pixels of each 2 x 2 square make a quarter each.

    Args:
        channels: Of the input.
        gating: Of the convolution.
    """

    def __init__(self, channels: int, gating: Gating) -> None:
        super().__init__()
        self.gated = gating.of(NormalisedConv2d(4 * channels, 2 * channels, groups=4))

    def forward(self, x: Image, rate_code: RateCode) -> Hidden:
        """The skip connection."""
        squares = [x[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)]
        out: Tensor = self.gated(F.silu(torch.cat(squares, 1)), rate_code)
        return out


class UpSkip(nn.Module):
    """Half the channels at twice the side.

    The convolution is of single pixels, so it comes before the interpolation, where it is a quarter
    of the work, and not behind: the result is the same.

    Args:
        channels: Of the input.
        gating: Of the convolution.
    """

    def __init__(self, channels: int, gating: Gating) -> None:
        super().__init__()
        self.gated = gating.of(NormalisedConv2d(channels, channels // 2))

    def forward(self, x: Image, rate_code: RateCode) -> Hidden:
        """The skip connection."""
        return F.interpolate(
            self.gated(x, rate_code), scale_factor=2.0, mode="bilinear", align_corners=True
        )


class EncoderCell(Recomputable):
    r"""Two 3 x 3 convolutions behind normalisation and swish, beside a skip connection.

    .. math:: y = \mathrm{skip}(x) + 0.1\, \mathrm{SE}(c_2(c_1(x))), \quad
        c_i(h) = g_i \odot (W_i * \mathrm{swish}(\mathrm{BN}(h)) + b_i)

    Args:
        channels: Of the input.
        gating: Of the convolutions.
        down: Whether it halves the side and doubles the channels.

    References:
        Vahdat and Kautz, "NVAE", NeurIPS 2020, figure 3b.
    """

    def __init__(self, channels: int, gating: Gating, *, down: bool = False) -> None:
        super().__init__()
        features, stride = (2 * channels, 2) if down else (channels, 1)
        self.norms = nn.ModuleList([norm(channels), norm(features)])
        self.convolutions = nn.ModuleList(
            [
                gating.of(NormalisedConv2d(channels, features, 3, stride=stride)),
                gating.of(NormalisedConv2d(features, features, 3)),
            ]
        )
        self.squeeze_excite = SqueezeExcite(features)
        self.skip = DownSkip(channels, gating) if down else None

    def forward(self, x: Image, rate_code: RateCode) -> Hidden:
        """The cell's output; ``rate_code`` as in :meth:`Gated.forward`."""
        # A ModuleList does not say of which modules it is.
        first: Gated
        second: Gated
        first, second = self.convolutions  # type: ignore[assignment]
        hidden = first(F.silu(self.norms[0](x)), rate_code)
        hidden = second.layer(F.silu(self.norms[1](hidden)))
        added = self.squeeze_excite(hidden, second.factors(rate_code, len(x)))
        skip = x if self.skip is None else self.skip(x, rate_code)
        return torch.add(skip, added, alpha=ADDED_SHARE)


class DecoderCell(Recomputable):
    r"""An inverted residual: channels are expanded, seen one by one by wide windows, and put back.

    .. math:: y = \mathrm{skip}(x) + 0.1\, \mathrm{SE}(\mathrm{BN}(g_3 \odot W_3 *
        \mathrm{swish}(\mathrm{BN}(g_2 \odot W_2 \star \mathrm{swish}(\mathrm{BN}(g_1 \odot W_1 *
        \mathrm{BN}(x)))))))

    with 1 x 1 windows in :math:`W_1, W_3` and a depth-wise 5 x 5 window in :math:`W_2`.
    Convolutions before batch normalisation have no bias, and no norm of their own.

    Args:
        channels: Of the input.
        gating: Of the convolutions.
        expansion: Channels between, over those of the input.
        up: Whether it doubles the side and halves the channels. Pixels are repeated behind the
            first convolution, not before it: the result is the same for a quarter of its work.

    References:
        Vahdat and Kautz, "NVAE", NeurIPS 2020, figure 3a; Sandler et al., "MobileNetV2", CVPR 2018.
    """

    def __init__(
        self, channels: int, gating: Gating, *, expansion: int = 6, up: bool = False
    ) -> None:
        super().__init__()
        features, between = (channels // 2 if up else channels), expansion * channels
        self.up = up
        self.norms = nn.ModuleList([norm(size) for size in (channels, between, between, features)])
        self.expand = gating.of(nn.Conv2d(channels, between, 1, bias=False))
        self.see = gating.of(nn.Conv2d(between, between, 5, padding=2, groups=between, bias=False))
        self.reduce = gating.of(nn.Conv2d(between, features, 1, bias=False))
        self.squeeze_excite = SqueezeExcite(features)
        self.skip = UpSkip(channels, gating) if up else None

    def forward(self, x: Image, rate_code: RateCode) -> Hidden:
        """The cell's output; ``rate_code`` as in :meth:`Gated.forward`."""
        hidden = F.silu(self.norms[1](self.expand(self.norms[0](x), rate_code)))
        # Channels do not mix here, so the gate may come first, where there are fewer pixels.
        hidden = self.see.scale(hidden, rate_code)
        if self.up:
            hidden = F.interpolate(hidden, scale_factor=2.0, mode="nearest")
        hidden = F.silu(self.norms[2](self.see.layer(hidden)))
        hidden = self.norms[3](self.reduce(hidden, rate_code))
        skip = x if self.skip is None else self.skip(x, rate_code)
        return torch.add(skip, self.squeeze_excite(hidden), alpha=ADDED_SHARE)
