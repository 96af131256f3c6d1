"""How hierarchies are trained: sizes and budgets of NVAE for each kind of image."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from mrtc.architectures import NVAEConfig
from mrtc.distributions import LikelihoodName
from mrtc.experiments.config import DatasetName
from mrtc.training import TrainingConfig

BINARY = NVAEConfig()
"""Published for 28 x 28 binary images: 15 groups at sides of 4 and 8."""

CELEBA64 = NVAEConfig(
    image_side=64,
    padding=0,
    scales=3,
    groups=20,
    channels=64,
    blocks=1,
    block_cells=2,
    flows=1,
    output="logistic_mixture",
)
"""Published for 64 x 64 faces: 35 groups at sides of 8, 16 and 32."""


def _small(config: NVAEConfig) -> NVAEConfig:
    """What two cores train in a quarter of an hour: a group at one scale, two at a finer one."""
    return replace(
        config,
        blocks=2,
        scales=2,
        groups=2,
        group_channels=4,
        channels=8,
        block_cells=1,
        group_cells=1,
        flows=0,
    )


@dataclass(frozen=True)
class HierarchySetup:
    """NVAE for one kind of image."""

    paper: NVAEConfig
    quick: NVAEConfig
    batch: int
    epochs: int
    """With ``batch``, of the published run."""
    spectral: float
    schedule: Literal["constant", "held"]
    """Of the rate's weight."""

    @property
    def likelihood(self) -> LikelihoodName:
        """Of an image given its codes."""
        return "bernoulli" if self.paper.output == "logits" else "logistic_mixture"

    def model(self, preset: str) -> NVAEConfig:
        """The sizes of a preset."""
        return self.quick if preset == "quick" else self.paper

    def training(self, preset: str, population: int) -> TrainingConfig:
        """The budget of a preset, on so many images."""
        if preset == "quick":
            return TrainingConfig(
                steps=3_000,
                batch=64,
                learning_rate=1e-2,  # after 300 steps ahead of 3e-3 at every beta
                schedule="cosine",
                lowest_rate=1e-4,
                optimizer="adamax",
                gate_speed=10.0,  # better after 300 steps; see docs/results/nvae.md
                warmup=100,
            )
        epoch = population // self.batch
        return TrainingConfig(
            steps=self.epochs * epoch,
            batch=self.batch,
            learning_rate=1e-2,
            schedule="cosine",
            lowest_rate=1e-4,
            optimizer="adamax",
            spectral=self.spectral,
            warmup=5 * epoch,
        )


_OF_BINARY = HierarchySetup(
    BINARY, _small(BINARY), batch=256, epochs=400, spectral=1e-2, schedule="constant"
)
_OF_COLOUR = HierarchySetup(
    CELEBA64,
    _small(CELEBA64),
    batch=16,
    epochs=90,
    spectral=1e-1,
    schedule="held",
)

HIERARCHIES: Mapping[DatasetName, HierarchySetup] = {
    "binarized-mnist": _OF_BINARY,
    "mnist": _OF_BINARY,
    "omniglot-28": _OF_BINARY,
    "omniglot": _OF_BINARY,
    "celeba": _OF_COLOUR,
    "images": _OF_COLOUR,
}
"""By dataset; the paper's are static binary MNIST, Omniglot and CelebA."""
