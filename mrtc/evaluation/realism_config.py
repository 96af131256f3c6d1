"""How many samples and examples distances from data are of, and how many are held at a time."""

from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from mrtc.metrics.kernel_distance import SUBSET_SIZE, SUBSETS

BATCH = 64
"""Images at a time: at 224 x 224 the widest layer of EfficientNet-Lite0 takes 0.3 GB for them."""

Count = Annotated[int, Field(ge=2)]


@dataclass(frozen=True)
class RealismConfig:
    """What distances depend on beside model, data and feature network."""

    samples: Count = 10_000
    """Draws from the prior at each beta, of the same noise at all of them."""
    reference_examples: Count | None = None
    """Examples of the data, a random subset; ``None`` for all."""
    subsets: PositiveInt = SUBSETS
    """Of the kernel distance."""
    subset_size: Count = SUBSET_SIZE
    """Of the kernel distance."""
    seed: NonNegativeInt = 0
    """Of noise and subsets."""
