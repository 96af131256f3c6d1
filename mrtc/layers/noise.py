"""The sigma of a Gaussian likelihood: fixed, or learned, also as a function of beta."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class NoiseScale(nn.Module):
    r"""log sigma of the likelihood, one for all pixels.

    A learned one of a multi-rate model is a function of the rate code r,

    .. math:: \log\sigma(r) = b + w r,

    since the best sigma grows with beta: what the codes do not carry is noise.

    Args:
        sigma: Its value; where it is learned, at the start.
        is_learned: Whether it is learned.
        is_gated: Whether it depends on beta; without, as in a baseline, there is no slope.

    References:
        Rybkin et al., "Simple and Effective VAE Training with Calibrated Decoders", ICML 2021 (one
        learned sigma).
    """

    def __init__(self, sigma: float, *, is_learned: bool, is_gated: bool) -> None:
        super().__init__()
        self._fixed = math.log(sigma)
        self.offset = nn.Parameter(torch.tensor(self._fixed)) if is_learned else None
        self.slope = nn.Parameter(torch.zeros(())) if is_learned and is_gated else None

    def forward(self, rate_code: Float[Tensor, " group"]) -> Float[Tensor, " group"]:
        """log sigma at each rate code."""
        if self.offset is None:
            return torch.full_like(rate_code, self._fixed)
        slope = 0.0 if self.slope is None else self.slope
        return self.offset + slope * rate_code
