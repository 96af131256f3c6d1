"""The residual networks of Bae et al.'s image experiments, gated or plain."""

from typing import Literal

from pydantic.dataclasses import dataclass

from mrtc.architectures.design import IMAGE, Conv, Design, ImageConfig, design_for
from mrtc.architectures.image_networks import ImageDecoder, ImageEncoder


@dataclass(frozen=True)
class ResNetConfig(ImageConfig):
    """Codes and gates of the residual network, which is for sides of 28, 32 and 64 pixels."""

    kind: Literal["resnet"] = "resnet"


DESIGNS: dict[int, Design] = {
    28: Design(
        encoder=(Conv(64, 4), Conv(128, 4), Conv(128, 3), "residual", "residual"),
        start=(128, 4),
        decoder=(Conv(128, 3), "residual", "residual", Conv(64, 3, output_padding=1)),
        output=Conv(IMAGE, 3, output_padding=1),
        start_is_linear=True,
    ),
    32: Design(
        encoder=(Conv(64, 4), Conv(128, 4), Conv(128, 3, stride=1), "residual", "residual"),
        start=(128, 8),
        decoder=("residual", "residual", Conv(64, 4)),
        output=Conv(IMAGE, 4),
        start_is_linear=True,
    ),
    64: Design(
        encoder=(Conv(64, 4), Conv(128, 4), Conv(128, 3), Conv(128, 3), "residual", "residual"),
        start=(128, 4),
        decoder=(
            *(Conv(128, 3), "residual", "residual"),
            Conv(128, 5, activation="sigmoid"),  # as both sources have it; perhaps a slip
            Conv(64, 5, output_padding=1),
        ),
        output=Conv(IMAGE, 4),
        start_is_linear=True,
    ),
}
"""By side of the images."""


class ResNetEncoder(ImageEncoder):
    """Image to posterior: strided convolutions, then two residual blocks.

    Args:
        image_shape: Of one image, (channels, side, side).
        config: Codes and gates.

    Raises:
        MrtcError: If the images are not of 28, 32 or 64 pixels a side.

    References:
        Bae et al., ICLR 2023, after Chadebec et al., "Pythae", NeurIPS 2022.
    """

    def __init__(self, image_shape: tuple[int, ...], config: ResNetConfig) -> None:
        design, channels, side = design_for("the residual network", DESIGNS, image_shape)
        super().__init__(channels, side, design, config)


class ResNetDecoder(ImageDecoder):
    """Codes to the logits or means of an image: two residual blocks among upward convolutions.

    Args:
        image_shape: As for :class:`ResNetEncoder`.
        config: Codes, gates and output.

    Raises:
        MrtcError: If the images are not of 28, 32 or 64 pixels a side.
    """

    def __init__(self, image_shape: tuple[int, ...], config: ResNetConfig) -> None:
        design, channels, _ = design_for("the residual network", DESIGNS, image_shape)
        super().__init__(channels, design, config)
