"""Convolutional networks of the literature for images, gated or plain."""

from typing import Literal

from pydantic.dataclasses import dataclass

from mrtc.architectures.design import IMAGE, Conv, Design, ImageConfig, UpLayers, design_for
from mrtc.architectures.image_networks import ImageDecoder, ImageEncoder
from mrtc.layers.unit import GatePlace

ConvName = Literal["chadebec", "burgess", "locatello", "chen"]


@dataclass(frozen=True)
class ConvConfig(ImageConfig):
    """Design, codes and gates of a convolutional network."""

    design: ConvName = "chadebec"
    """Whose layers it has. ``chadebec``, for sides of 28, 32 and 64 pixels, is the CNN of Bae et
    al.'s image experiments and has batch normalisation; the others are for 64 pixels: ``burgess``
    and ``locatello``, small and without it, ``chen`` with it."""
    gate_place: GatePlace = "before_norm"
    """Where gates are in layers with batch normalisation: on its input, which are pre-activations,
    as in the paper, or on its output, as in later published code, see
    :class:`mrtc.layers.Unit`."""
    kind: Literal["conv"] = "conv"


def _chadebec(start: int, decoder: UpLayers, output: Conv) -> Design:
    """The encoder is the same for all sizes."""
    return Design(
        encoder=(Conv(128, 4), Conv(256, 4), Conv(512, 4), Conv(1024, 4)),
        start=(1024, start),
        decoder=decoder,
        output=output,
        batch_norm=True,
        start_is_linear=True,
    )


DESIGNS: dict[ConvName, dict[int, Design]] = {
    "chadebec": {
        28: _chadebec(
            4, (Conv(512, 3), Conv(256, 3, output_padding=1)), Conv(IMAGE, 3, output_padding=1)
        ),
        32: _chadebec(
            8,
            (Conv(512, 4), Conv(256, 4, output_padding=1)),
            Conv(IMAGE, 4, stride=1, padding=2),
        ),
        64: _chadebec(
            8,
            (Conv(512, 5, padding=2), Conv(256, 5), Conv(128, 5, padding=2, output_padding=1)),
            Conv(IMAGE, 5, stride=1),
        ),
    },
    "burgess": {
        64: Design(
            encoder=(Conv(32, 4),) * 4,
            encoder_dense=(256, 256),
            decoder_dense=(256, 256),
            start=(32, 4),
            decoder=(Conv(32, 4),) * 3,
            output=Conv(IMAGE, 4),
        )
    },
    "locatello": {
        64: Design(
            encoder=(Conv(32, 4), Conv(32, 4), Conv(64, 2, padding=0), Conv(64, 2, padding=0)),
            encoder_dense=(256,),
            decoder_dense=(256,),
            start=(64, 4),
            decoder=(Conv(64, 4), Conv(32, 4), Conv(32, 4)),
            output=Conv(IMAGE, 4),
        )
    },
    "chen": {
        64: Design(
            encoder=(
                *(Conv(32, 4), Conv(32, 4), Conv(64, 4), Conv(64, 4)),
                Conv(512, 4, stride=1, padding=0),
            ),
            start=(512, 1),
            decoder=(
                Conv(64, 4, stride=1, padding=0),
                *(Conv(64, 4), Conv(32, 4), Conv(32, 4)),
            ),
            output=Conv(IMAGE, 4),
            batch_norm=True,
        )
    },
}
"""By name and side of the images."""


class ConvEncoder(ImageEncoder):
    """Image to posterior, by convolutions.

    In training the means and variances of batch normalisation are those of the batch, of all betas
    and all processes together; in evaluation they are running means over batches.

    Args:
        image_shape: Of one image, (channels, side, side).
        config: Design, codes and gates.

    Raises:
        MrtcError: If the design is not for images of this shape.

    References:
        Chadebec et al., "Pythae", NeurIPS 2022, and Bae et al., ICLR 2023 (``chadebec``).
        Burgess et al., "Understanding disentangling in beta-VAE", 2018 (``burgess``).
        Higgins et al., ICLR 2017, as in the code of Locatello et al., ICML 2019 (``locatello``).
        Chen et al., NeurIPS 2018, published code (``chen``).
    """

    def __init__(self, image_shape: tuple[int, ...], config: ConvConfig) -> None:
        design, channels, side = _design(image_shape, config)
        super().__init__(channels, side, design, config, config.gate_place)


class ConvDecoder(ImageDecoder):
    """Codes to the logits or means of an image, by transposed convolutions.

    Args:
        image_shape: As for :class:`ConvEncoder`.
        config: Design, codes, gates and output.

    Raises:
        MrtcError: If the design is not for images of this shape.
    """

    def __init__(self, image_shape: tuple[int, ...], config: ConvConfig) -> None:
        design, channels, _ = _design(image_shape, config)
        super().__init__(channels, design, config, config.gate_place)


def _design(image_shape: tuple[int, ...], config: ConvConfig) -> tuple[Design, int, int]:
    return design_for(
        f"the convolutional design {config.design!r}", DESIGNS[config.design], image_shape
    )
