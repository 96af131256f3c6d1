"""Networks from their configuration."""

from typing import Annotated, Any

from pydantic import Discriminator, Tag
from torch import nn

from mrtc.architectures.conv import ConvConfig, ConvDecoder, ConvEncoder
from mrtc.architectures.linear import LinearConfig, LinearDecoder, LinearEncoder
from mrtc.architectures.lstm import LSTMConfig, LSTMDecoder, LSTMEncoder
from mrtc.architectures.mlp import MLPConfig, MLPDecoder, MLPEncoder
from mrtc.architectures.nvae import NVAEDecoder, NVAEEncoder
from mrtc.architectures.nvae_config import NVAEConfig
from mrtc.architectures.resnet import ResNetConfig, ResNetDecoder, ResNetEncoder
from mrtc.errors import MrtcError


def _kind(config: Any) -> Any:  # noqa: ANN401 -- whatever somebody wants to be read
    """The tag of a configuration, or of its JSON; the oldest have none and are MLPs."""
    return config.get("kind", "mlp") if isinstance(config, dict) else getattr(config, "kind", None)


ModelConfig = Annotated[
    Annotated[MLPConfig, Tag("mlp")]
    | Annotated[LinearConfig, Tag("linear")]
    | Annotated[ConvConfig, Tag("conv")]
    | Annotated[ResNetConfig, Tag("resnet")]
    | Annotated[LSTMConfig, Tag("lstm")]
    | Annotated[NVAEConfig, Tag("nvae")],
    Discriminator(_kind),
]
"""Of any architecture; each has ``codes``, ``is_plain`` and ``plain()``, the baseline's."""


def build_networks(
    shape: tuple[int, ...], config: ModelConfig
) -> tuple[
    MLPEncoder | LinearEncoder | ConvEncoder | ResNetEncoder | LSTMEncoder | NVAEEncoder, nn.Module
]:
    """Encoder and decoder, with weights from torch's default generator.

    Args:
        shape: Of one example, without the batch axis; for documents, the tokens of the vocabulary.
        config: Of the architecture.

    Raises:
        MrtcError: If the architecture is not for images of this shape, or not for images.
    """
    if isinstance(config, LSTMConfig):
        if len(shape) != 1:
            raise MrtcError(
                f"the lstm architecture is for documents, got examples of shape {shape}; choose "
                "--arch among those that `mrtc presets` lists for these data"
            )
        return LSTMEncoder(*shape, config), LSTMDecoder(*shape, config)
    if isinstance(config, LinearConfig):
        return LinearEncoder(shape, config), LinearDecoder(shape, config)
    if isinstance(config, ConvConfig):
        return ConvEncoder(shape, config), ConvDecoder(shape, config)
    if isinstance(config, ResNetConfig):
        return ResNetEncoder(shape, config), ResNetDecoder(shape, config)
    if isinstance(config, NVAEConfig):
        return NVAEEncoder(shape, config), NVAEDecoder(shape, config)
    return MLPEncoder(shape, config), MLPDecoder(shape, config)
