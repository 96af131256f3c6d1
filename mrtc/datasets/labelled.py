"""Images of 8 bits a value, with the class of each where it is known."""

from dataclasses import dataclass, field

import torch
from jaxtyping import UInt8
from torch import Tensor

from mrtc.datasets.images import ByteImages


@dataclass(frozen=True, eq=False)
class LabelledImages(ByteImages):
    """Images in memory, and their labels."""

    labels: UInt8[Tensor, " example"] | None = field(default=None, repr=False)
    """The class of each image, from 0; None where the labels are not at hand."""

    def to(self, device: torch.device | str) -> "LabelledImages":
        """The same images and labels on another device."""
        labels = None if self.labels is None else self.labels.to(device)
        return LabelledImages(self.pixels.to(device), self.source, labels)
