"""Photographs mirrored at random, left for right, as training sees them."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from mrtc.datasets.examples import AttributeExamples, Images


@dataclass(frozen=True, eq=False)
class Flipped:
    """Images of which training sees each one mirrored half of the time; otherwise as they are."""

    examples: Images
    """The images as they are."""

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Of one image: channels, rows, columns."""
        return self.examples.image_shape

    @property
    def source(self) -> str:
        """Where the images come from, and that they are mirrored."""
        return f"{self.examples.source}, in training mirrored at random"

    @property
    def checksum(self) -> str:
        """Of the images as they are."""
        return self.examples.checksum

    def to(self, device: torch.device | str) -> "Flipped":
        """The same images on another device."""
        return Flipped(self.examples.to(device))

    def images(self, index: Int[Tensor, " batch"]) -> Float[Tensor, "batch channel row column"]:
        """Images at some positions as they are, in [0, 1], on the device of the data set."""
        return self.examples.images(index)

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Of the images; empty where nothing is known of them."""
        return getattr(self.examples, "attribute_names", ())

    def attributes(self, index: Int[np.ndarray, " batch"]) -> Int64[np.ndarray, "batch attribute"]:
        """What is known of the images at some positions."""
        if isinstance(self.examples, AttributeExamples):
            return self.examples.attributes(index)
        return np.empty((len(index), 0), np.int64)

    def draw(
        self, index: Int[Tensor, " batch"], generator: torch.Generator
    ) -> Float[Tensor, "batch channel row column"]:
        """The same, each mirrored with probability 1/2; ``generator`` is of their device."""
        images = self.examples.images(index)
        uniform = torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device)
        return torch.where(uniform < 0.5, images.flip(-1), images)
