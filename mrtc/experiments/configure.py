"""From what is asked for, option by option, to the configuration of a run."""

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from mrtc.architectures import ModelConfig, NVAEConfig
from mrtc.distributions import LikelihoodName
from mrtc.errors import BetaError, MrtcError
from mrtc.experiments.config import RunConfig
from mrtc.experiments.data import DATASETS
from mrtc.experiments.presets import ArchName, baseline, preset
from mrtc.objectives import ObjectiveName, RateSchedule
from mrtc.rates import BetaRange
from mrtc.training import TrainingConfig


def find_dataset(dataset: str, data: Path | None) -> tuple[str, Path | None]:
    """The name of a dataset and where its files are; a path stands for the user's own data.

    Raises:
        MrtcError: If there is no such dataset and no such file, or two places are named.
    """
    if dataset in DATASETS:
        return dataset, data
    if not Path(dataset).exists():
        raise MrtcError(
            f"there is no dataset {dataset!r}, nor a folder or file of that name; choose among "
            f"{', '.join(DATASETS)}, or give a folder of images "
            "or a text file"
        )
    if data is not None:
        raise MrtcError(
            f"{dataset} names your own data, and --data {data} names others; give one of them"
        )
    return ("text" if is_text(Path(dataset)) else "images"), Path(dataset)


def is_text(path: Path) -> bool:
    """Whether a path is of documents: a text file, or a folder of such files and nothing else.

    A folder of images may hold a list of their names as ``train.txt``.
    """
    files = path.iterdir() if path.is_dir() else [path]
    names = [file.name.removesuffix(".gz") for file in files if not file.name.startswith(".")]
    return bool(names) and all(name.endswith(".txt") for name in names)


def build_config(
    dataset: str,
    preset_name: str,
    objective: ObjectiveName | None,
    *,
    betas: BetaRange | str | None,
    beta: float | None,
    seed: int,
    groups: str | None,
    training: Mapping[str, Any],
    model: Mapping[str, Any],
    estimator: str | None,
    balance: float | None = None,
    rate_schedule: RateSchedule | None = None,
    free_bits: float | None = None,
    group_balance: bool | None = None,
    arch: ArchName | None = None,
    likelihood: LikelihoodName | None = None,
    sigma: str | None = None,
    size: int | None = None,
    skip_broken: bool = False,
    text: Mapping[str, Any] | None = None,
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
    config = preset(dataset, preset_name, objective, arch)
    if config.dataset != "images" and (size is not None or skip_broken):
        option = "--skip-broken" if size is None else "--size"
        raise MrtcError(f"{option} is for your own images, and {dataset} is none; leave it out")
    if sigma is not None and (likelihood or config.likelihood) != "gaussian":
        raise MrtcError("--sigma is of the gaussian likelihood; add --likelihood gaussian")
    model, text = _given(model), _given(text or {})
    if text and config.text is None:
        raise MrtcError(
            f"{', '.join(map(_option, text))} is for documents, and {dataset} is none; leave it out"
        )
    if likelihood is not None and hasattr(config.model, "output"):
        of_mixture = "logistic_mixture" if config.model.kind == "nvae" else "sigmoid"
        outputs = {"bernoulli": "logits", "logistic_mixture": of_mixture}
        model["output"] = outputs.get(likelihood, "sigmoid")
    try:
        if groups is None and training.get("batch") is not None:
            groups = str(math.gcd(config.objective.betas_in(training["batch"]), training["batch"]))
        config = replace(
            config,
            seed=seed,
            betas=_betas(betas) or config.betas,
            training=_with_budget(config.training, _given(training)),
            model=_with_sizes(_for_side(config.model, size), model),
            likelihood=likelihood or config.likelihood,
            sigma=config.sigma if sigma is None else _sigma(sigma),
            image_size=size or config.image_size,
            skip_broken=skip_broken,
            text=None if config.text is None else replace(config.text, **text),
            objective=replace(
                config.objective,
                **_given({"estimator": estimator, "groups": _groups(groups), "balance": balance}),
            ),
        )
        if beta is not None:
            config = baseline(config, beta)
        of_rate = {
            "rate_schedule": rate_schedule,
            "free_bits": free_bits,
            "group_balance": group_balance,
        }
        return replace(config, objective=replace(config.objective, **_given(of_rate)))
    except BetaError:
        raise
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"])) or "these options"
        raise MrtcError(f"{name}: {first['msg'].removeprefix('Value error, ')}") from None


def _betas(betas: BetaRange | str | None) -> BetaRange | None:
    return BetaRange.parse(betas) if isinstance(betas, str) else betas


def _given(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if value is not None}


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _with_sizes(model: ModelConfig, changes: Mapping[str, Any]) -> ModelConfig:
    known = {field.name for field in fields(model)}
    unknown = [_option(name) for name in changes if name not in known]
    if unknown:
        raise MrtcError(
            f"the {model.kind} architecture of this preset has no {', '.join(unknown)}; leave that "
            "out, or choose another preset"
        )
    return replace(model, **changes)


def _for_side(model: ModelConfig, size: int | None) -> ModelConfig:
    return model.for_side(size) if isinstance(model, NVAEConfig) and size is not None else model


def _with_budget(training: TrainingConfig, changes: dict[str, Any]) -> TrainingConfig:
    """Warm-up keeps its share of other steps, unless it was asked for."""
    if "steps" in changes and "warmup" not in changes:
        training = training.with_steps(changes.pop("steps"))
    return replace(training, **changes)


def _groups(text: str | None) -> int | str | None:
    if text is None or text == "example":
        return text
    if not text.isdecimal() or int(text) == 0:
        raise MrtcError(f"--groups {text!r} is neither a positive number nor `example`")
    return int(text)


def _sigma(text: str) -> float | Literal["learned"]:
    try:
        return "learned" if text == "learned" else float(text)
    except ValueError:
        raise MrtcError(f"--sigma {text!r} is neither a number nor `learned`") from None
