"""Presets: named starting points, as values."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from mrtc.architectures import LinearConfig, MLPConfig
from mrtc.errors import MrtcError
from mrtc.experiments.config import RunConfig
from mrtc.objectives import ObjectiveConfig, ObjectiveName
from mrtc.rates import BetaRange
from mrtc.training import TrainingConfig


@dataclass(frozen=True)
class Preset:
    """A budget for one dataset, under a name."""

    summary: str
    """What it is for, in a line."""
    build: Callable[[ObjectiveName], RunConfig]
    """The multi-rate run of an objective."""


def _paper(objective: ObjectiveName) -> RunConfig:
    return RunConfig(
        dataset="dsprites",
        preset="paper",
        betas=BetaRange(0.1, 10.0),
        model=MLPConfig(hidden=1200, codes=10),
        objective=_objective(objective, groups=8),
        training=TrainingConfig(steps=18_000, batch=2048, learning_rate=1e-3),
    )


def _quick(objective: ObjectiveName) -> RunConfig:
    return RunConfig(
        dataset="dsprites",
        preset="quick",
        betas=BetaRange(0.1, 10.0),
        model=MLPConfig(hidden=256, codes=10),
        objective=_objective(objective, groups=1),
        training=TrainingConfig(steps=6000, batch=256, learning_rate=3e-3, schedule="cosine"),
    )


def _linear_paper(objective: ObjectiveName) -> RunConfig:
    """200 epochs of 390 steps, the first ten of warm-up; the batch size is not published."""
    return RunConfig(
        dataset="binarized-mnist",
        preset="paper",
        betas=BetaRange(0.01, 10.0),
        model=LinearConfig(codes=32, gates="paper"),
        objective=_objective(objective, groups=8),
        training=TrainingConfig(
            steps=78_000, batch=128, learning_rate=1e-3, schedule="cosine", warmup=3_900
        ),
        likelihood="squared_error",
    )


def _linear_quick(objective: ObjectiveName) -> RunConfig:
    return RunConfig(
        dataset="binarized-mnist",
        preset="quick",
        betas=BetaRange(0.01, 10.0),
        model=LinearConfig(codes=32),
        objective=_objective(objective, groups=8),
        training=TrainingConfig(
            steps=8_000, batch=256, learning_rate=5e-3, schedule="cosine", warmup=200
        ),
        likelihood="squared_error",
    )


def _objective(name: ObjectiveName, groups: int) -> ObjectiveConfig:
    """Groups for the tcvae; the beta-VAE needs no estimate of q(z), so its betas may be many.

    64 of them cost little; one for each example makes gates a fifth of a step's work.
    """
    return ObjectiveConfig(name, groups=64 if name == "beta" else groups)


PRESETS: dict[str, dict[str, Preset]] = {
    "dsprites": {
        "quick": Preset("five minutes on two cores", _quick),
        "paper": Preset("the set-up of Chen et al. and of Bae et al., for a GPU", _paper),
    },
    "binarized-mnist": {
        "quick": Preset("a linear VAE in two minutes on one core", _linear_quick),
        "paper": Preset("the linear VAE of Bae et al., section 5.1", _linear_paper),
    },
}
"""By dataset, then by name."""


def preset(dataset: str, name: str, objective: ObjectiveName) -> RunConfig:
    """The multi-rate run of a preset.

    Raises:
        MrtcError: If there is no such dataset, or no such preset for it.
    """
    if dataset not in PRESETS:
        raise MrtcError(f"there is no dataset {dataset!r}; choose among {', '.join(PRESETS)}")
    presets = PRESETS[dataset]
    if name not in presets:
        raise MrtcError(
            f"there is no preset {name!r} for {dataset}; choose among {', '.join(presets)}"
        )
    return presets[name].build(objective)


def baseline(config: RunConfig, beta: float) -> RunConfig:
    """The plain run of one beta with the same budget: the same architecture, without gates."""
    return replace(
        config,
        betas=BetaRange(beta, beta),
        model=config.model.plain(),
        objective=replace(config.objective, groups=1),
    )
