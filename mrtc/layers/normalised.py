"""Convolutions whose weights have a learned norm: weight normalisation."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class NormalisedConv2d(nn.Conv2d):
    r"""A convolution with the norm of each output channel's weights a parameter of its own.

    .. math:: w_c = e^{s_c} \, v_c / \|v_c\|

    It starts as the plain convolution that torch would make.

    Args:
        channels: Of the input.
        features: Channels of the output.
        kernel: Side of the window; padded so that the map keeps its side where the stride is 1.
        stride: Of the window.
        groups: Blocks of channels that do not see each other.

    References:
        Salimans and Kingma, "Weight Normalization", NeurIPS 2016; on all convolutions that stand
        behind an activation in Vahdat and Kautz, "NVAE", NeurIPS 2020.
    """

    def __init__(
        self, channels: int, features: int, kernel: int = 1, *, stride: int = 1, groups: int = 1
    ) -> None:
        sizes: dict[str, Any] = {"padding": kernel // 2, "stride": stride, "groups": groups}
        super().__init__(channels, features, kernel, **sizes)
        self.log_scale = nn.Parameter(self._norms().detach().log())

    @property
    def normalised_weight(self) -> Float[Tensor, "feature channel kernel kernel"]:
        """The weights that are applied."""
        weight: Tensor = self.weight * (self.log_scale.exp() / self._norms())[:, None, None, None]
        return weight

    def forward(
        self,
        input: Float[Tensor, "batch channel height width"],  # noqa: A002 -- torch's name
    ) -> Float[Tensor, "batch feature new_height new_width"]:
        """The convolution with :attr:`normalised_weight`."""
        out: Tensor = self._conv_forward(input, self.normalised_weight, self.bias)
        return out

    def _norms(self) -> Float[Tensor, " feature"]:
        norms: Tensor = torch.linalg.vector_norm(self.weight, dim=(1, 2, 3))
        return norms
