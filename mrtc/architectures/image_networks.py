"""Encoders and decoders of images, made from a table of their layers, gated or plain."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mrtc.architectures.design import Conv, Design, ImageConfig, Layer
from mrtc.architectures.mlp import GatedLayers
from mrtc.layers import Gated, GateKind, ResidualBlock, Unit
from mrtc.layers.convolution import apply_layer
from mrtc.layers.unit import GatePlace

ConvKind = type[nn.Conv2d] | type[nn.ConvTranspose2d]


class ImageEncoder(nn.Module):
    """Image to posterior: convolutions, linear layers if any, then mean and log sigma.

    Where the sources have two linear layers behind the rest, for mean and log variance, here is one
    of their size, and its second half is half of theirs.

    Args:
        channels: Of an image.
        side: Of an image, in pixels.
        design: Its layers.
        config: Codes and gates, which are sigmoids.
        place: Of gates at batch normalisation.
    """

    def __init__(
        self,
        channels: int,
        side: int,
        design: Design,
        config: ImageConfig,
        place: GatePlace = "before_norm",
    ) -> None:
        super().__init__()
        made = _Maker(config, "sigmoid", norm=design.batch_norm, place=place)
        first, *rest = design.encoder
        self.first = made.convolution(nn.Conv2d, first, channels)
        self.rest = nn.ModuleList(made.convolutions(nn.Conv2d, rest, first.channels))
        for layer in design.encoder:
            if layer != "residual":
                channels, side = layer.channels, layer.side_after(side)
        widths = (channels * side * side, *design.encoder_dense)
        self.dense = nn.ModuleList(made.linear(a, b) for a, b in pairwise(widths))
        self.head = made.gated(nn.Linear(widths[-1], 2 * config.codes), "all")

    def stem(
        self, x: Float[Tensor, "batch channel height width"]
    ) -> Float[Tensor, "batch hidden hidden_height hidden_width"]:
        """The first layer's pre-activation, which does not depend on beta."""
        stem: Tensor = apply_layer(self.first.gated.layer, x)
        return stem

    def from_stem(
        self, stem: Float[Tensor, "batch hidden height width"], rate_code: Float[Tensor, " group"]
    ) -> tuple[Float[Tensor, "batch code"], Float[Tensor, "batch code"]]:
        """Mean and log sigma of each code, in float32 under autocast too."""
        hidden = self.first.from_pre_activation(stem, rate_code)
        for module in self.rest:
            hidden = module(hidden, rate_code)
        hidden = hidden.flatten(1)
        for module in self.dense:
            hidden = module(hidden, rate_code)
        with torch.autocast(hidden.device.type, enabled=False):
            moments = self.head(hidden.to(self.head.layer.weight.dtype), rate_code)
        mean, log_sigma = moments.chunk(2, dim=1)
        return mean, log_sigma

    def forward(
        self, x: Float[Tensor, "batch channel height width"], rate_code: Float[Tensor, " group"]
    ) -> tuple[Float[Tensor, "batch code"], Float[Tensor, "batch code"]]:
        """Mean and log sigma of the posterior of each image."""
        return self.from_stem(self.stem(x), rate_code)


class ImageDecoder(nn.Module):
    """Codes to the logits or means of an image: linear layers, then transposed convolutions.

    Args:
        channels: Of an image.
        design: Its layers.
        config: Codes, output and gates, which are square-root gates.
        place: Of gates at batch normalisation.
    """

    def __init__(
        self,
        channels: int,
        design: Design,
        config: ImageConfig,
        place: GatePlace = "before_norm",
    ) -> None:
        super().__init__()
        made = _Maker(config, "sqrt", norm=design.batch_norm, place=place)
        features, side = design.start
        self.start_shape = features, side, side
        widths = (config.codes, *design.decoder_dense, prod(self.start_shape))
        last = len(widths) - 2
        self.dense = nn.ModuleList(
            made.linear(
                a,
                b,
                "inner" if index else "hidden",
                is_activated=index < last or not design.start_is_linear,
            )
            for index, (a, b) in enumerate(pairwise(widths))
        )
        self.hidden = nn.ModuleList(made.convolutions(nn.ConvTranspose2d, design.decoder, features))
        last_features = design.decoder[-1].channels
        self.output = nn.ConvTranspose2d(last_features, channels, *design.output.window)
        self.output_kind = config.output

    def forward(
        self, z: Float[Tensor, "batch code"], rate_code: Float[Tensor, " group"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Logits or means of each pixel."""
        hidden = z
        for module in self.dense:
            hidden = module(hidden, rate_code)
        hidden = hidden.reshape(-1, *self.start_shape)
        for module in self.hidden:
            hidden = module(hidden, rate_code)
        logits: Tensor = apply_layer(self.output, hidden)
        if self.output_kind == "logits":
            return logits
        return logits.to(self.output.weight.dtype).sigmoid()  # bfloat16 has no 0.999


class _Maker:
    """Makes the modules of one network, whose gates are of one kind."""

    def __init__(
        self, config: ImageConfig, kind: GateKind, *, norm: bool, place: GatePlace
    ) -> None:
        self._config, self._kind, self._norm, self._place = config, kind, norm, place

    def gated(self, layer: nn.Module, layers: GatedLayers) -> Gated:
        """With a gate if the configuration has gates in the layers of that name."""
        return Gated(layer, self._config.gate(layers, self._kind), self._config.gate_init)

    def linear(
        self, size: int, features: int, layers: GatedLayers = "inner", *, is_activated: bool = True
    ) -> Unit:
        """A linear layer; without activation it has no batch normalisation either."""
        return Unit(
            self.gated(nn.Linear(size, features), layers),
            norm=self._norm and is_activated,
            activation="relu" if is_activated else "none",
            place=self._place,
        )

    def convolution(self, kind: ConvKind, layer: Conv, channels: int) -> Unit:
        """A convolution of ``channels`` channels, or a transposed one."""
        sizes = layer.window if kind is nn.ConvTranspose2d else layer.window[:-1]
        return Unit(
            self.gated(kind(channels, layer.channels, *sizes), "inner"),
            norm=self._norm,
            activation=layer.activation,
            place=self._place,
        )

    def convolutions(
        self, kind: ConvKind, table: Iterable[Layer], channels: int
    ) -> Iterator[nn.Module]:
        """A module for each entry of the table."""
        for layer in table:
            if layer == "residual":
                gate = self._config.gate("inner", self._kind)
                yield ResidualBlock(channels, gate, self._config.gate_init)
            else:
                yield self.convolution(kind, layer, channels)
                channels = layer.channels
