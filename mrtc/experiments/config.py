"""The whole configuration of one run, as it is written into checkpoints and results."""

import json
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from mrtc.architectures import MLPConfig
from mrtc.objectives import ObjectiveConfig
from mrtc.rates import BetaRange
from mrtc.training import TrainingConfig

DatasetName = Literal["dsprites"]


@dataclass(frozen=True)
class RunConfig:
    """One training run."""

    dataset: DatasetName
    """What it is trained on."""
    preset: str
    """Where the configuration started from."""
    betas: BetaRange
    """The range of a multi-rate model, or the one beta of a baseline."""
    model: MLPConfig
    """The architecture."""
    objective: ObjectiveConfig
    """What is minimised."""
    training: TrainingConfig
    """Budget and learning rate."""
    seed: int = 0
    """Of weights, data order, betas and posterior draws."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Of the networks' matrix products."""
    source: str = ""
    """Where the data came from, in words."""

    def __post_init__(self) -> None:
        betas = self.objective.betas_in(self.training.batch)
        if self.training.batch % betas:
            raise ValueError(
                f"a batch of {self.training.batch} cannot be cut into {betas} equal groups of one "
                "beta each; choose a number of groups that divides it"
            )
        if self.betas.is_single != (self.model.gated == "none"):
            raise ValueError(
                f"the range {self.betas} does not go with gates={self.model.gated!r}: a model for "
                "one beta has no gates, and a model for a range needs them"
            )

    @property
    def is_baseline(self) -> bool:
        """Whether this is a plain VAE of one beta."""
        return self.betas.is_single

    def to_json(self) -> str:
        """One line; equal configurations have equal texts."""
        return json.dumps(_ADAPTER.dump_python(self, mode="json"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "RunConfig":
        """What :meth:`to_json` wrote.

        Raises:
            ValueError: If it does not describe a run.
        """
        return _ADAPTER.validate_json(text)

    def differences(self, other: "RunConfig") -> list[str]:
        """The fields in which two runs differ, with both values."""
        mine, theirs = _flat(json.loads(self.to_json())), _flat(json.loads(other.to_json()))
        return [
            f"{name} is {theirs.get(name)}, asked for {mine.get(name)}"
            for name in mine | theirs
            if mine.get(name) != theirs.get(name)
        ]


_ADAPTER = TypeAdapter(RunConfig)


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
