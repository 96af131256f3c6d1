"""Layers that read the rate code."""

from mrtc.layers.gate import GateInit, GateKind, RateGate
from mrtc.layers.gated import Gated

__all__ = ["GateInit", "GateKind", "Gated", "RateGate"]
