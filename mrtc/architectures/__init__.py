"""Encoders and decoders, side by side, each gated or plain; the linear VAE with its optimum."""

from mrtc.architectures.build import ModelConfig, build_networks
from mrtc.architectures.conv import ConvConfig, ConvDecoder, ConvEncoder
from mrtc.architectures.linear import (
    LinearConfig,
    LinearDecoder,
    LinearEncoder,
    LinearGates,
    read_parameters,
    set_optimal,
)
from mrtc.architectures.linear_optimum import (
    LinearOptimum,
    LinearParameters,
    RateDistortion,
    linear_rate_distortion,
)
from mrtc.architectures.lstm import LSTMConfig, LSTMDecoder, LSTMEncoder
from mrtc.architectures.mlp import MLPConfig, MLPDecoder, MLPEncoder
from mrtc.architectures.nvae import NVAEDecoder, NVAEEncoder
from mrtc.architectures.nvae_config import NVAEConfig
from mrtc.architectures.resnet import ResNetConfig, ResNetDecoder, ResNetEncoder

__all__ = [
    "ConvConfig",
    "ConvDecoder",
    "ConvEncoder",
    "LSTMConfig",
    "LSTMDecoder",
    "LSTMEncoder",
    "LinearConfig",
    "LinearDecoder",
    "LinearEncoder",
    "LinearGates",
    "LinearOptimum",
    "LinearParameters",
    "MLPConfig",
    "MLPDecoder",
    "MLPEncoder",
    "ModelConfig",
    "NVAEConfig",
    "NVAEDecoder",
    "NVAEEncoder",
    "RateDistortion",
    "ResNetConfig",
    "ResNetDecoder",
    "ResNetEncoder",
    "build_networks",
    "linear_rate_distortion",
    "read_parameters",
    "set_optimal",
]
