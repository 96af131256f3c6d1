"""Encoders and decoders, side by side, each gated or plain."""

from mrtc.architectures.mlp import MLPConfig, MLPDecoder, MLPEncoder

__all__ = ["MLPConfig", "MLPDecoder", "MLPEncoder"]
