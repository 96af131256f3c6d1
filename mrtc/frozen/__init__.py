"""Models at one beta without gates: folded, kept in one file, or as ONNX graphs."""

from mrtc.frozen.fold import fold
from mrtc.frozen.frozen_vae import FrozenHierarchy, FrozenModel, FrozenTextVAE, FrozenVAE, load

__all__ = ["FrozenHierarchy", "FrozenModel", "FrozenTextVAE", "FrozenVAE", "fold", "load"]
