"""The whole configuration of one run, as it is written into checkpoints and results."""

import json
from typing import Literal

from pydantic import PositiveFloat, PositiveInt, TypeAdapter
from pydantic.dataclasses import dataclass

from mrtc.architectures import ModelConfig
from mrtc.datasets.text import TextConfig
from mrtc.distributions import LikelihoodName
from mrtc.objectives import ObjectiveConfig
from mrtc.rates import BetaRange
from mrtc.training import TrainingConfig
from mrtc.trees import differing

DatasetName = Literal[
    "dsprites",
    "binarized-mnist",
    "mnist",
    "omniglot",
    "omniglot-28",
    "cifar10",
    "svhn",
    "celeba",
    "images",
    "text",
    "yahoo",
    "ptb",
]
"""``images`` and ``text`` are the user's own."""

TEXTS: tuple[DatasetName, ...] = ("text", "yahoo", "ptb")
"""Those that are documents."""


@dataclass(frozen=True)
class RunConfig:
    """One training run."""

    dataset: DatasetName
    """What it is trained on."""
    preset: str
    """Where the configuration started from."""
    betas: BetaRange
    """The range of a multi-rate model, or the one beta of a baseline."""
    model: ModelConfig
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
    likelihood: LikelihoodName = "bernoulli"
    """Of an example given its code; it owns the units of the distortion."""
    sigma: PositiveFloat | Literal["learned"] = "learned"
    """Of the gaussian likelihood; a learned one is a function of beta in a multi-rate model."""
    image_size: PositiveInt | None = None
    """Side in pixels that the user's own images are given; ``None`` for all other data."""
    skip_broken: bool = False
    """Whether those of the user's own images that cannot be read are left out."""
    image_shape: tuple[int, int, int] | None = None
    """Of the user's own images; filled in when they are read."""
    text: TextConfig | None = None
    """How files become documents; ``None`` for images."""
    tokens: PositiveInt | None = None
    """Of the vocabulary; filled in when documents are read."""

    def __post_init__(self) -> None:
        betas = self.objective.betas_in(self.training.batch)
        if self.training.batch % betas:
            raise ValueError(
                f"a batch of {self.training.batch} cannot be cut into {betas} equal groups of one "
                "beta each; choose a number of groups that divides it"
            )
        is_text = self.dataset in TEXTS
        if {self.text is not None, self.likelihood == "tokens"} != {is_text}:
            raise ValueError(
                f"{self.dataset} does not go with the likelihood {self.likelihood}: that of tokens "
                "is for documents, and the others are for images"
            )
        if getattr(self.model, "output", "logits") == "sigmoid" and self.likelihood == "bernoulli":
            raise ValueError(
                "the Bernoulli likelihood takes logits, and this decoder ends in a sigmoid; choose "
                "output='logits', or another likelihood"
            )
        is_mixture = self.likelihood == "logistic_mixture"
        if is_mixture != (getattr(self.model, "output", "logits") == "logistic_mixture"):
            raise ValueError(
                f"the likelihood {self.likelihood} does not go with this {self.model.kind}: that "
                "of a logistic_mixture takes the output of an nvae with output='logistic_mixture', "
                "which no other takes; choose both, or neither"
            )
        if self.betas.is_single != self.model.is_plain:
            gates = "no gates" if self.model.is_plain else "gates"
            raise ValueError(
                f"the range {self.betas} does not go with {gates}: a model for one beta has no "
                "gates, and a model for a range needs them"
            )
        if self.objective.rate_schedule not in ("constant", "held") and not self.is_baseline:
            raise ValueError(
                f"a {self.objective.rate_schedule} schedule of the rate's weight is for baselines: "
                "a multi-rate model is trained at all its betas from the first step"
            )
        if self.objective.free_bits is not None and not self.is_baseline:
            raise ValueError(
                f"free bits of {self.objective.free_bits:g} nats are for baselines, got the range "
                f"{self.betas}: a batch has many betas then, and the mean rate of a code over it "
                "is that of none; leave them out, or train at one beta"
            )
        if self.objective.group_balance:
            self._require_groups_of_a_baseline()
        if self.training.accumulate is not None and not self.objective.is_sum_over_examples:
            raise ValueError(
                f"a batch in {self.training.accumulate} parts needs an objective that is a sum "
                f"over examples, got {self.objective.name} with free bits "
                f"{self.objective.free_bits} and group balance {self.objective.group_balance}; "
                "take the whole batch at once, or the objective `beta` without these"
            )

    def _require_groups_of_a_baseline(self) -> None:
        if not self.is_baseline:
            raise ValueError(
                f"balancing of groups is for baselines, got the range {self.betas}: what a batch "
                "of many betas does with a group is what it does at none; leave it out, or train "
                "at one beta"
            )
        if not getattr(self.model, "latent_groups", ()):
            raise ValueError(
                f"balancing is of latent groups, and the {self.model.kind} architecture has none; "
                "leave it out, or take a hierarchy such as nvae"
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
        found = differing(json.loads(self.to_json()), json.loads(other.to_json()))
        return [f"{name} is {theirs}, asked for {mine}" for name, (mine, theirs) in found.items()]


_ADAPTER = TypeAdapter(RunConfig)
