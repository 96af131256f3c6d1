"""From the options of ``mrtc train`` to the configuration of a run."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from mrtc.errors import BetaError, MrtcError
from mrtc.experiments import RunConfig, preset
from mrtc.experiments.presets import baseline
from mrtc.objectives import ObjectiveName
from mrtc.rates import BetaRange


def build_config(
    dataset: str,
    preset_name: str,
    objective: ObjectiveName,
    *,
    betas: str | None,
    beta: float | None,
    seed: int,
    groups: str | None,
    training: Mapping[str, Any],
    model: Mapping[str, Any],
    estimator: str | None,
) -> RunConfig:
    """A preset with what was asked for in its place; ``None`` leaves the preset's value.

    Raises:
        MrtcError: If an option cannot be used, or two do not go together.
    """
    if betas is not None and beta is not None:
        raise BetaError(
            f"--betas {betas} asks for a multi-rate model and --beta {beta:g} for a baseline; "
            "give one of them"
        )
    config = preset(dataset, preset_name, objective)
    try:
        if groups is None and training.get("batch") is not None:
            groups = str(math.gcd(config.objective.betas_in(training["batch"]), training["batch"]))
        config = replace(
            config,
            seed=seed,
            betas=config.betas if betas is None else BetaRange.parse(betas),
            training=replace(config.training, **_given(training)),
            model=replace(config.model, **_given(model)),
            objective=replace(
                config.objective,
                **_given({"estimator": estimator, "groups": _groups(groups)}),
            ),
        )
        return config if beta is None else baseline(config, beta)
    except BetaError:
        raise
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "these options"
        raise MrtcError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from None


def _given(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if value is not None}


def _groups(text: str | None) -> int | str | None:
    if text is None or text == "example":
        return text
    if not text.isdecimal() or int(text) == 0:
        raise MrtcError(f"--groups {text!r} is neither a positive number nor `example`")
    return int(text)
