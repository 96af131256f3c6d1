"""The MLP that Chen et al. (2018) use for dSprites, gated or plain."""

from dataclasses import replace
from math import prod
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from mrtc.layers import Gated, GateInit, GateKind

GatedLayers = Literal["none", "inner", "hidden", "all"]


@dataclass(frozen=True)
class MLPConfig:
    """Sizes and gates of the MLP."""

    hidden: PositiveInt = 1200
    """Features of every hidden layer: two in the encoder, three in the decoder."""
    codes: PositiveInt = 10
    """Latent dimensions."""
    gated: GatedLayers = "inner"
    """Which layers have gates: ``none`` (a baseline), ``inner`` (both hidden layers of the encoder,
    the second and third of the decoder: what the authors' jobs used), ``hidden`` (the first of the
    decoder too), ``all`` (the encoder's output too, as the paper's text has it)."""
    gate_init: GateInit = "open"
    """How gates start, see :class:`mrtc.layers.RateGate`."""
    kind: Literal["mlp"] = "mlp"

    @property
    def is_plain(self) -> bool:
        """Whether it has no gates."""
        return self.gated == "none"

    def plain(self) -> "MLPConfig":
        """The same sizes without gates."""
        return replace(self, gated="none")

    def gate(self, layers: GatedLayers, kind: GateKind) -> GateKind | None:
        """``kind`` if the layers named ``layers`` have gates in this configuration."""
        order = ("none", "inner", "hidden", "all")
        return kind if order.index(self.gated) >= order.index(layers) else None


class MLPEncoder(nn.Module):
    """Image to posterior: two hidden layers with ReLU, then mean and log sigma.

    Args:
        image_shape: Of one image, without the batch axis.
        config: Sizes and gates.

    References:
        Chen et al., NeurIPS 2018 (sizes); Bae et al., ICLR 2023 (gates).
    """

    def __init__(self, image_shape: tuple[int, ...], config: MLPConfig) -> None:
        super().__init__()
        kind, init = config.gate("inner", "sigmoid"), config.gate_init
        self.first = Gated(nn.Linear(prod(image_shape), config.hidden), kind, init)
        self.second = Gated(nn.Linear(config.hidden, config.hidden), kind, init)
        head = nn.Linear(config.hidden, 2 * config.codes)
        self.head = Gated(head, config.gate("all", "sigmoid"), init)

    def stem(self, x: Float[Tensor, "batch *image"]) -> Float[Tensor, "batch hidden"]:
        """The first layer's pre-activation, which does not depend on beta."""
        stem: Tensor = self.first.layer(x.flatten(1))
        return stem

    def from_stem(
        self, stem: Float[Tensor, "batch hidden"], rate_code: Float[Tensor, " group"]
    ) -> tuple[Float[Tensor, "batch code"], Float[Tensor, "batch code"]]:
        """Mean and log sigma of each code, in float32 under autocast too."""
        hidden = self.first.scale(stem, rate_code).relu()
        hidden = self.second(hidden, rate_code).relu()
        with torch.autocast(hidden.device.type, enabled=False):
            moments = self.head(hidden.to(self.head.layer.weight.dtype), rate_code)
        mean, log_sigma = moments.chunk(2, dim=1)
        return mean, log_sigma

    def forward(
        self, x: Float[Tensor, "batch *image"], rate_code: Float[Tensor, " group"]
    ) -> tuple[Float[Tensor, "batch code"], Float[Tensor, "batch code"]]:
        """Mean and log sigma of the posterior of each image."""
        return self.from_stem(self.stem(x), rate_code)


class MLPDecoder(nn.Module):
    """Codes to the logits of an image: three hidden layers with tanh."""

    def __init__(self, image_shape: tuple[int, ...], config: MLPConfig) -> None:
        super().__init__()
        self.image_shape = image_shape
        init = config.gate_init
        inner = config.gate("inner", "sqrt")
        self.first = Gated(
            nn.Linear(config.codes, config.hidden), config.gate("hidden", "sqrt"), init
        )
        self.second = Gated(nn.Linear(config.hidden, config.hidden), inner, init)
        self.third = Gated(nn.Linear(config.hidden, config.hidden), inner, init)
        self.output = nn.Linear(config.hidden, prod(image_shape))

    def forward(
        self, z: Float[Tensor, "batch code"], rate_code: Float[Tensor, " group"]
    ) -> Float[Tensor, "batch *image"]:
        """Logits of each pixel."""
        hidden = self.first(z, rate_code).tanh()
        hidden = self.second(hidden, rate_code).tanh()
        hidden = self.third(hidden, rate_code).tanh()
        logits: Tensor = self.output(hidden)
        return logits.reshape(-1, *self.image_shape)
