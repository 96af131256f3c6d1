"""Multi-rate VAEs from anybody's encoder and decoder: wrap, train, evaluate, save, fold."""

from mrtc.any_model.files import load, save
from mrtc.any_model.model import GatedLayers, MultiRateVAE, WrapConfig, multirate
from mrtc.any_model.training import evaluate, fit

__all__ = [
    "GatedLayers",
    "MultiRateVAE",
    "WrapConfig",
    "evaluate",
    "fit",
    "load",
    "multirate",
    "save",
]
