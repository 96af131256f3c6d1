"""What training and evaluation ask of a dataset."""

from typing import Protocol, runtime_checkable

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
class FactorExamples(Examples, Protocol):
    """Examples on a full grid of known factors."""

    @property
    def source(self) -> str:
        """Where they come from, in words."""

    @property
    def grid(self) -> FactorGrid:
        """Their factors."""
