"""What training and evaluation ask of a dataset."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mrtc.factors import FactorGrid


@runtime_checkable
class Examples(Protocol):
    """A dataset whose examples are made on the device they are used on."""

    def __len__(self) -> int:
        """Examples in the dataset."""

    def images(self, index: Int[Tensor, " batch"]) -> Float[Tensor, "batch *event"]:
        """The examples of these indices."""


@runtime_checkable
class DrawnExamples(Examples, Protocol):
    """Examples of which training sees another version every time: flipped, or binarised anew."""

    def draw(
        self, index: Int[Tensor, " batch"], generator: torch.Generator
    ) -> Float[Tensor, "batch *event"]:
        """The examples of these indices, each drawn anew; ``generator`` is of their device."""


def training_images(
    examples: Examples, index: Int[Tensor, " batch"], generator: torch.Generator
) -> Float[Tensor, "batch *event"]:
    """What a training step sees of these examples."""
    if isinstance(examples, DrawnExamples):
        return examples.draw(index, generator)
    return examples.images(index)


@runtime_checkable
class FactorExamples(Examples, Protocol):
    """Examples on a full grid of known factors."""

    @property
    def source(self) -> str:
        """Where they come from, in words."""

    @property
    def grid(self) -> FactorGrid:
        """Their factors."""
