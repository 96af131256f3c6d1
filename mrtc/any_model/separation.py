"""Whether each example of a batch is processed at its own beta, whatever a network does inside.

A gate takes the rows of a layer's output for examples, or for consecutive pieces of examples. A
network that puts another axis first, as recurrent ones and transformers do by default, would have
the rate codes of one batch applied to the wrong rows, without any error if the lengths happen to
agree. So the law is checked that they ought to obey.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from mrtc.architectures.gateable import evaluating
from mrtc.architectures.wrapped import WrappedDecoder, WrappedEncoder
from mrtc.errors import MrtcError

TOLERANCE = 0.1
"""Of the effect of beta: rounding is far below, and rows at another beta are at 1."""


@torch.no_grad()
def require_own_rates(
    network: WrappedEncoder | WrappedDecoder, x: Tensor, flat: Callable[[Any], Tensor]
) -> None:
    """Checks that an example among others at other betas is as it is among others at its own.

    Networks that look at the whole batch in evaluation mode too are let pass: for them there is
    no such law.

    Args:
        network: Encoder or decoder, with its gates.
        x: Some examples, or codes.
        flat: Its output as one tensor, with a row for each example.

    Raises:
        MrtcError: If one example's beta reaches another.
    """
    # The code is uniform on these over the trained range.
    codes = torch.linspace(-math.sqrt(3), math.sqrt(3), len(x), device=x.device)
    with evaluating(network):
        mixed = flat(network(x, codes))
        pure = [flat(network(x, code)) for code in codes[:, None]]
        allowed = TOLERANCE * (pure[0] - pure[-1]).abs().max()
        own = torch.stack([batch[row] for row, batch in enumerate(pure)])
        fewer = flat(network(x[:2], codes[:1]))
    if ((pure[0][:2] - fewer).abs() > allowed).any() or not own.isfinite().all():
        return
    if ((mixed - own).abs() > allowed).any():
        raise MrtcError(
            f"in the {network.where}, the beta of one example reaches another: of {len(x)} "
            "examples at different betas not all come out as they do at their own; let its layers "
            "have the examples in the first axis (batch_first=True), or leave those that have not "
            "without gates by gate="
        )
