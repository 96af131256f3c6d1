"""Data, model, training and evaluation put together."""

from mrtc.experiments.baselines import run_baselines
from mrtc.experiments.compare import compare_files
from mrtc.experiments.config import RunConfig
from mrtc.experiments.evaluate import evaluate
from mrtc.experiments.pictures import interpolate, reconstruct, sample
from mrtc.experiments.presets import PRESETS, preset
from mrtc.experiments.run import load_vae, run
from mrtc.experiments.traverse import traverse

__all__ = [
    "PRESETS",
    "RunConfig",
    "compare_files",
    "evaluate",
    "interpolate",
    "load_vae",
    "preset",
    "reconstruct",
    "run",
    "run_baselines",
    "sample",
    "traverse",
]
