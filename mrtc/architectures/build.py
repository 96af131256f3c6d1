"""Networks from their configuration."""

from typing import Annotated, Any

from pydantic import Discriminator, Tag
from torch import nn

from mrtc.architectures.conv import ConvConfig, ConvDecoder, ConvEncoder
from mrtc.architectures.linear import LinearConfig, LinearDecoder, LinearEncoder
from mrtc.architectures.mlp import MLPConfig, MLPDecoder, MLPEncoder
from mrtc.architectures.resnet import ResNetConfig, ResNetDecoder, ResNetEncoder


def _kind(config: Any) -> Any:  # noqa: ANN401 -- whatever somebody wants to be read
    """The tag of a configuration, or of its JSON; the oldest have none and are MLPs."""
    return config.get("kind", "mlp") if isinstance(config, dict) else getattr(config, "kind", None)


ModelConfig = Annotated[
    Annotated[MLPConfig, Tag("mlp")]
    | Annotated[LinearConfig, Tag("linear")]
    | Annotated[ConvConfig, Tag("conv")]
    | Annotated[ResNetConfig, Tag("resnet")],
    Discriminator(_kind),
]
"""Of any architecture; each has ``codes``, ``is_plain`` and ``plain()``, the baseline's."""


def build_networks(
    image_shape: tuple[int, ...], config: ModelConfig
) -> tuple[MLPEncoder | LinearEncoder | ConvEncoder | ResNetEncoder, nn.Module]:
    """Encoder and decoder, with weights from torch's default generator.

    Args:
        image_shape: Of one example, without the batch axis.
        config: Of the architecture.

    Raises:
        MrtcError: If the architecture is not for images of this shape.
    """
    if isinstance(config, LinearConfig):
        return LinearEncoder(image_shape, config), LinearDecoder(image_shape, config)
    if isinstance(config, ConvConfig):
        return ConvEncoder(image_shape, config), ConvDecoder(image_shape, config)
    if isinstance(config, ResNetConfig):
        return ResNetEncoder(image_shape, config), ResNetDecoder(image_shape, config)
    return MLPEncoder(image_shape, config), MLPDecoder(image_shape, config)
