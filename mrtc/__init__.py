"""Multi-rate VAEs: train one model for every beta, and measure it over all of them.

The names below are loaded when they are first used, so that ``import mrtc`` is light.
"""

from importlib import import_module

__version__ = "0.1.0"

_PUBLIC = {
    "AdaptiveGrid": "mrtc.evaluation.adaptive",
    "BetaRange": "mrtc.rates",
    "MrtcError": "mrtc.errors",
    "MultiRateVAE": "mrtc.any_model",
    "Results": "mrtc.results",
    "Run": "mrtc.experiments.one_run",
    "RunConfig": "mrtc.experiments",
    "RunSet": "mrtc.results",
    "VAE": "mrtc.vae",
    "compare_files": "mrtc.experiments",
    "diagnose": "mrtc.experiments.doctor",
    "evaluate": "mrtc.experiments",
    "find_beta": "mrtc.experiments.find_beta",
    "freeze": "mrtc.experiments.freeze",
    "interpolate": "mrtc.experiments",
    "load": "mrtc.experiments.one_run",
    "load_vae": "mrtc.experiments",
    "multirate": "mrtc.any_model",
    "parse_grid": "mrtc.rates",
    "preset": "mrtc.experiments",
    "read_runs": "mrtc.results",
    "reconstruct": "mrtc.experiments",
    "run": "mrtc.experiments",
    "run_baselines": "mrtc.experiments",
    "sample": "mrtc.experiments",
    "train": "mrtc.experiments.library",
    "traverse": "mrtc.experiments",
    "write_report": "mrtc.experiments.report",
}


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
