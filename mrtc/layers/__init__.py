"""Layers that read the rate code."""

from mrtc.layers.gate import GateInit, GateKind, RateGate
from mrtc.layers.gated import Gated, Gating
from mrtc.layers.noise import NoiseScale
from mrtc.layers.residual import ResidualBlock
from mrtc.layers.unit import Unit

__all__ = [
    "GateInit",
    "GateKind",
    "Gated",
    "Gating",
    "NoiseScale",
    "RateGate",
    "ResidualBlock",
    "Unit",
]
