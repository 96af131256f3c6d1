"""What training and evaluation ask of a dataset."""

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int, Int64, Shaped
from torch import Tensor

from mrtc.factors import FactorGrid


@runtime_checkable
class Examples(Protocol):
    """A dataset whose examples are made on the device they are used on."""

    def __len__(self) -> int:
        """Examples in the dataset."""

    def images(self, index: Int[Tensor, " batch"]) -> Shaped[Tensor, "batch *event"]:
        """The examples of these indices: pixels, or tokens of documents."""


@runtime_checkable
class Dataset(Examples, Protocol):
    """Examples that know where they come from."""

    @property
    def source(self) -> str:
        """Where they come from, in words."""

    @property
    def checksum(self) -> str:
        """Of all of them, as the name of its kind, a colon, and digits."""

    def to(self, device: torch.device | str) -> "Dataset":
        """The same examples on another device."""


@runtime_checkable
class Images(Dataset, Protocol):
    """Examples that are images of one shape."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Of one image: channels, rows, columns."""

    def to(self, device: torch.device | str) -> "Images":
        """The same images on another device."""


@runtime_checkable
class DrawnExamples(Examples, Protocol):
    """Examples of which training sees another version every time: flipped, or binarised anew."""

    def draw(
        self, index: Int[Tensor, " batch"], generator: torch.Generator
    ) -> Float[Tensor, "batch *event"]:
        """The examples of these indices, each drawn anew; ``generator`` is of their device."""


@runtime_checkable
class FactorExamples(Examples, Protocol):
    """Examples on a full grid of known factors."""

    @property
    def source(self) -> str:
        """Where they come from, in words."""

    @property
    def grid(self) -> FactorGrid:
        """Their factors."""


@runtime_checkable
class AttributeExamples(Examples, Protocol):
    """Examples of which some facts are known, in no grid."""

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Empty where nothing is known."""

    def attributes(self, index: Int[np.ndarray, " batch"]) -> Int64[np.ndarray, "batch attribute"]:
        """The class of each example in each attribute, from 0."""
