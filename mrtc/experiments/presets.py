"""Presets: named starting points, as values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from mrtc.architectures import (
    ConvConfig,
    LinearConfig,
    LSTMConfig,
    MLPConfig,
    ModelConfig,
    ResNetConfig,
)
from mrtc.architectures.design import OutputKind
from mrtc.datasets.text import TextConfig
from mrtc.distributions import LikelihoodName
from mrtc.errors import MrtcError
from mrtc.experiments.config import DatasetName, RunConfig
from mrtc.experiments.hierarchies import HIERARCHIES
from mrtc.objectives import ObjectiveConfig, ObjectiveName
from mrtc.rates import BetaRange
from mrtc.training import TrainingConfig

ArchName = Literal["mlp", "linear", "conv", "resnet", "lstm", "nvae"]
Build = Callable[[ObjectiveName], RunConfig]


@dataclass(frozen=True)
class Preset:
    """A budget for one dataset, under a name."""

    summary: str
    """What it is for, in a line."""
    builds: Mapping[ArchName, Build]
    """The multi-rate run of an objective, by architecture; the first is the usual one."""

    def build(self, objective: ObjectiveName, arch: ArchName | None = None) -> RunConfig:
        """The multi-rate run of an objective and an architecture.

        Raises:
            MrtcError: If this preset has no such architecture.
        """
        chosen = next(iter(self.builds)) if arch is None else arch
        if chosen not in self.builds:
            raise MrtcError(
                f"this preset has no architecture {arch!r}; choose --arch among "
                f"{', '.join(self.builds)}"
            )
        return self.builds[chosen](objective)


def _objective(name: ObjectiveName, groups: int) -> ObjectiveConfig:
    """Groups for the tcvae; the beta-VAE needs no estimate of q(z), so its betas may be many.

    64 of them cost little; one for each example makes gates a fifth of a step's work.
    """
    return ObjectiveConfig(name, groups=64 if name == "beta" else groups)


def _dsprites_paper(model: ModelConfig, objective: ObjectiveName) -> RunConfig:
    return RunConfig(
        dataset="dsprites",
        preset="paper",
        betas=BetaRange(0.1, 10.0),
        model=model,
        objective=_objective(objective, groups=8),
        training=TrainingConfig(steps=18_000, batch=2048, learning_rate=1e-3),
    )


def _dsprites_quick(
    model: ModelConfig, learning_rate: float, objective: ObjectiveName
) -> RunConfig:
    return RunConfig(
        dataset="dsprites",
        preset="quick",
        betas=BetaRange(0.1, 10.0),
        model=model,
        objective=_objective(objective, groups=1),
        training=TrainingConfig(
            steps=6000, batch=256, learning_rate=learning_rate, schedule="cosine"
        ),
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


@dataclass(frozen=True)
class ImageSetup:
    """What the image experiments of Bae et al. have for one dataset."""

    dataset: DatasetName
    population: int
    """Images for training."""
    codes: int
    likelihood: LikelihoodName
    quick_steps: int
    """About a quarter of an hour of a residual network on two cores."""
    conv_rate: float = 1e-3
    """Learning rate of the convolutional network; the residual one has 1e-3 everywhere."""
    image_size: int | None = None

    def presets(self, **linear: Build) -> dict[str, Preset]:
        """``quick`` and ``paper``, each for every architecture; ``linear`` ones by those names."""
        arches: tuple[ArchName, ...] = ("resnet", "conv", "mlp")
        found: dict[str, Preset] = {}
        for name, summary, build in (
            ("quick", "for two cores: a quarter of an hour for a residual network", self._quick),
            ("paper", "200 epochs, as in the image experiments of Bae et al.", self._paper),
        ):
            builds: dict[ArchName, Build] = {arch: partial(build, arch) for arch in arches}
            if name in linear:
                builds["linear"] = linear[name]
            if self.dataset in HIERARCHIES:
                builds["nvae"] = partial(self._hierarchy, name)
            found[name] = Preset(summary, builds)
        return found

    def _quick(self, arch: ArchName, objective: ObjectiveName) -> RunConfig:
        steps = self.quick_steps
        training = TrainingConfig(
            steps=steps,
            batch=64,
            learning_rate=self._learning_rate(arch),
            schedule="cosine",
            warmup=steps // 20,
            gate_speed=10.0,  # 1 nat better at every beta after 2,000 steps; see docs/images.md
        )
        return self._run("quick", arch, objective, training)

    def _paper(self, arch: ArchName, objective: ObjectiveName) -> RunConfig:
        """200 epochs without their short last batches, the first ten of warm-up."""
        epoch = self.population // 128
        training = TrainingConfig(
            steps=200 * epoch,
            batch=128,
            learning_rate=self._learning_rate(arch),
            schedule="cosine",
            warmup=10 * epoch,
        )
        return self._run("paper", arch, objective, training)

    def _hierarchy(self, preset: str, objective: ObjectiveName) -> RunConfig:
        """One beta for each of 64 groups of a batch, or each example of a smaller one."""
        setup = HIERARCHIES[self.dataset]
        training = setup.training(preset, self.population)
        groups = min(64, training.batch) if objective == "beta" else 8
        schedule = setup.schedule if preset == "paper" else "constant"
        return RunConfig(
            dataset=self.dataset,
            preset=preset,
            betas=BetaRange(0.01, 10.0),
            model=setup.model(preset),
            objective=ObjectiveConfig(objective, groups=groups, rate_schedule=schedule),
            training=training,
            likelihood=setup.likelihood,
            image_size=self.image_size,
        )

    def _learning_rate(self, arch: ArchName) -> float:
        return self.conv_rate if arch == "conv" else 1e-3

    def _run(
        self, preset: str, arch: ArchName, objective: ObjectiveName, training: TrainingConfig
    ) -> RunConfig:
        return RunConfig(
            dataset=self.dataset,
            preset=preset,
            betas=BetaRange(0.01, 10.0),
            model=self._model(arch),
            objective=_objective(objective, groups=8),
            training=training,
            likelihood=self.likelihood,
            image_size=self.image_size,
        )

    def _model(self, arch: ArchName) -> ModelConfig:
        if arch == "mlp":
            return MLPConfig(hidden=512, codes=self.codes)
        output: OutputKind = "logits" if self.likelihood == "bernoulli" else "sigmoid"
        kind = ConvConfig if arch == "conv" else ResNetConfig
        return kind(codes=self.codes, output=output)


_BINARIZED_MNIST = ImageSetup("binarized-mnist", 50_000, 32, "bernoulli", 6_250, conv_rate=1e-4)
IMAGE_SETUPS = (
    ImageSetup("mnist", 60_000, 32, "bernoulli", 6_250, conv_rate=1e-4),
    ImageSetup("omniglot", 24_345, 32, "bernoulli", 6_250, conv_rate=1e-2),
    ImageSetup("omniglot-28", 19_280, 32, "bernoulli", 6_250, conv_rate=1e-2),
    ImageSetup("cifar10", 50_000, 256, "squared_error", 4_000),
    ImageSetup("svhn", 73_257, 32, "squared_error", 4_000, conv_rate=3e-4),
    ImageSetup("celeba", 162_770, 64, "squared_error", 2_500, conv_rate=1e-4),
    ImageSetup("images", 50_000, 64, "squared_error", 2_500, image_size=64),
)

TEXT_POPULATIONS: Mapping[DatasetName, int] = {"yahoo": 100_000, "ptb": 42_068, "text": 100_000}
"""Documents for training; of the user's own, what they are taken for."""

QUICK_DOCUMENTS = TextConfig(vocabulary_size=5_000, longest=40)

QUICK_LSTM = LSTMConfig(embedding=128, encoder=128, decoder=128, dropout_in=0.0, dropout_out=0.0)
"""Few words, short documents and no dropout: with the paper's LSTMs and dropout, 10,000 words and
documents of up to 200, no unit is active at any beta after 800 steps."""


def _text_quick(dataset: DatasetName, objective: ObjectiveName) -> RunConfig:
    training = TrainingConfig(
        steps=3_000,
        batch=32,
        learning_rate=3e-3,
        schedule="cosine",
        gate_speed=10.0,
        clip=5.0,
        warmup=100,
    )
    return _text(dataset, "quick", training, QUICK_DOCUMENTS, QUICK_LSTM, objective)


def _text_paper(dataset: DatasetName, documents: int, objective: ObjectiveName) -> RunConfig:
    """200 epochs. The published rate halves when the loss of a held-out part stays; ours falls."""
    training = TrainingConfig(
        steps=200 * (documents // 32), batch=32, learning_rate=1e-3, schedule="cosine", clip=5.0
    )
    return _text(dataset, "paper", training, TextConfig(), LSTMConfig(), objective)


def _text(
    dataset: DatasetName,
    preset: str,
    training: TrainingConfig,
    text: TextConfig,
    model: LSTMConfig,
    objective: ObjectiveName,
) -> RunConfig:
    return RunConfig(
        dataset=dataset,
        preset=preset,
        betas=BetaRange(0.01, 10.0),
        model=model,
        objective=ObjectiveConfig(objective, groups=32 if objective == "beta" else 8),
        training=training,
        likelihood="tokens",
        text=text,
    )


def _texts(dataset: DatasetName, documents: int) -> dict[str, Preset]:
    return {
        "quick": Preset("for two cores: half an hour", {"lstm": partial(_text_quick, dataset)}),
        "paper": Preset(
            "200 epochs, as in the text experiment of Bae et al.",
            {"lstm": partial(_text_paper, dataset, documents)},
        ),
    }


PRESETS: dict[str, dict[str, Preset]] = {
    "dsprites": {
        "quick": Preset(
            "five minutes on two cores",
            {
                "mlp": partial(_dsprites_quick, MLPConfig(hidden=256, codes=10), 3e-3),
                "conv": partial(_dsprites_quick, ConvConfig(codes=10, design="burgess"), 1e-3),
            },
        ),
        "paper": Preset(
            "the set-up of Chen et al. and of Bae et al., for a GPU",
            {
                "mlp": partial(_dsprites_paper, MLPConfig(hidden=1200, codes=10)),
                "conv": partial(_dsprites_paper, ConvConfig(codes=10, design="chen")),
            },
        ),
    },
    **{name: _texts(name, documents) for name, documents in TEXT_POPULATIONS.items()},
    "binarized-mnist": _BINARIZED_MNIST.presets(quick=_linear_quick, paper=_linear_paper),
    **{setup.dataset: setup.presets() for setup in IMAGE_SETUPS},
}
"""By dataset, then by name."""


def preset(
    dataset: str, name: str, objective: ObjectiveName | None = None, arch: ArchName | None = None
) -> RunConfig:
    """The multi-rate run of a preset.

    Args:
        dataset: Of ``PRESETS``.
        name: Of the presets for it.
        objective: By default beta-TCVAE for dSprites, and beta-VAE for all others.
        arch: By default the first one of the preset.

    Raises:
        MrtcError: If there is no such dataset, or no such preset or architecture for it.
    """
    if dataset not in PRESETS:
        raise MrtcError(f"there is no dataset {dataset!r}; choose among {', '.join(PRESETS)}")
    presets = PRESETS[dataset]
    if name not in presets:
        raise MrtcError(
            f"there is no preset {name!r} for {dataset}; choose among {', '.join(presets)}"
        )
    return presets[name].build(objective or ("tcvae" if dataset == "dsprites" else "beta"), arch)


def baseline(config: RunConfig, beta: float) -> RunConfig:
    """The plain run of one beta with the same budget: the same architecture, without gates."""
    return replace(
        config,
        betas=BetaRange(beta, beta),
        model=config.model.plain(),
        objective=replace(config.objective, groups=1, balance=None),
    )
