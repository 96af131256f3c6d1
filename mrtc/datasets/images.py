"""Images of 8 bits a value on one device."""

import zlib
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ByteImages:
    """Grey or coloured images in memory, one byte a value, as their files have them."""

    pixels: UInt8[Tensor, "example channel row column"] = field(repr=False)
    """The images in order."""

    source: str
    """Where the images come from, for the results file."""

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Of one image: channels, rows, columns."""
        _, channels, rows, columns = self.pixels.shape
        return channels, rows, columns

    @cached_property
    def checksum(self) -> str:
        """CRC-32 of the pixels, as ``crc32:`` and eight hexadecimal digits."""
        return f"crc32:{zlib.crc32(self.pixels.numpy(force=True).data):08x}"

    def to(self, device: torch.device | str) -> "ByteImages":
        """The same images on another device."""
        return ByteImages(self.pixels.to(device), self.source)

    def images(self, index: Int[Tensor, " batch"]) -> Float[Tensor, "batch channel row column"]:
        """Images at some positions, in [0, 1], on the device of the data set."""
        return self.pixels[index.to(self.pixels.device)] / 255
