"""Images in one HDF5 file, read by memory map: as many as the disk holds, none in memory.

The file holds ``/images``, uint8 of shape (example, channel, row, column), in one piece, so that
an image is a stretch of bytes; ``/part``, which part of the split each belongs to; and, where
there are any, ``/attributes``. ``mrtc.datasets.conversion`` writes it.
"""

import zlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from jaxtyping import Float, Int, Int64, UInt8
from torch import Tensor

from mrtc.datasets.tables import Attributes
from mrtc.errors import DataError

FORMAT, VERSION = "mrtc-images", 1

CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class StoredImages:
    """Images of 8 bits a value on disk; those asked for are read, and go to one device."""

    path: Path
    """The file; see :func:`open_stored`."""

    source: str
    """Where the images come from, for the results file."""

    shape: tuple[int, int, int, int]
    """Of all images in the file: example, channel, row, column."""

    offset: int
    """Bytes before them."""

    checksum: str
    """CRC-32 of all pixels in the file, continued over the positions if there are fewer examples;
    as ``crc32:`` and eight hexadecimal digits."""

    positions: Int64[np.ndarray, " example"] = field(repr=False)
    """Of the examples, among the images in the file."""

    table: Attributes | None = field(default=None, repr=False)
    """Attributes of the examples."""

    device: torch.device = CPU
    """Where batches go."""

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Of one image: channels, rows, columns."""
        return self.shape[1:]

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Empty where nothing is known of the images."""
        return () if self.table is None else self.table.names

    def attributes(self, index: Int[np.ndarray, " batch"]) -> Int64[np.ndarray, "batch attribute"]:
        """What is known of the examples at some positions; no columns where nothing is."""
        if self.table is None:
            return np.empty((len(index), 0), np.int64)
        return self.table.rows(index).values

    def to(self, device: torch.device | str) -> "StoredImages":
        """The same images, whose batches go to another device; the pixels stay on disk."""
        return replace(self, device=torch.device(device))

    def images(self, index: Int[Tensor, " batch"]) -> Float[Tensor, "batch channel row column"]:
        """Images at some positions, in [0, 1], on the device of the data set."""
        pixels = torch.from_numpy(self._map[self.positions[index.numpy(force=True)]])
        if self.device.type == "cuda":
            # Bytes travel, a quarter of the floats; from pinned memory, while the device works.
            pixels = pixels.pin_memory()
        return pixels.to(self.device, non_blocking=True) / 255

    def subset(self, index: Int64[np.ndarray, " example"], source: str) -> "StoredImages":
        """Some of the examples, as a data set of their own; nothing is copied but their rows.

        Args:
            index: Positions in this data set.
            source: What to call it in the results file.
        """
        positions = self.positions[index]
        # Of the pixels, which were summed when they were written; reading them again takes long.
        checksum = zlib.crc32(positions.astype("<i8").tobytes(), int(self.checksum[6:], 16))
        return replace(
            self,
            source=source,
            checksum=f"crc32:{checksum:08x}",
            positions=positions,
            table=None if self.table is None else self.table.rows(index),
        )

    @cached_property
    def _map(self) -> UInt8[np.ndarray, "example channel row column"]:
        return np.memmap(self.path, np.uint8, mode="r", offset=self.offset, shape=self.shape)

    def __getstate__(self) -> dict[str, Any]:
        # A map is opened anew in another process; pickled, it would be a copy of all pixels.
        return {name: value for name, value in self.__dict__.items() if name != "_map"}


def open_stored(path: Path, part: str | None = None) -> StoredImages:
    """Opens a file of images.

    Args:
        path: As ``mrtc.datasets.conversion`` writes it.
        part: Of its split; left out, all images.

    Raises:
        DataError: If the file is missing, damaged, something else, or has no such part.
    """
    if not path.is_file():
        raise DataError(f"cannot read {path}: there is no such file; check the name")
    try:
        with h5py.File(path, "r") as file:
            images, parts = _read(path, file)
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} is damaged, or no file of images ({error}); remove it, and it is made anew"
        ) from error
    if part is None:
        return images
    if part not in parts or not len(parts[part]):
        sizes = ", ".join(f"{name} of {len(index)}" for name, index in parts.items()) or "none"
        raise DataError(
            f"{images.source}: there are no images in a part {part!r}; the parts are {sizes}: "
            "choose another one, or add images"
        )
    return images.subset(parts[part], f"{images.source}, {part} part")


def _read(path: Path, file: h5py.File) -> tuple[StoredImages, dict[str, Int64[np.ndarray, "_"]]]:
    """All images of a file, and the positions of each part."""
    if file.attrs.get("format") != FORMAT or not file.attrs.get("complete", False):
        raise ValueError(f"its format is {file.attrs.get('format')!r}")
    if file.attrs["version"] > VERSION:
        raise DataError(
            f"{path} is of version {file.attrs['version']}, newer than {VERSION}, the newest that "
            "this mrtc reads; update mrtc, or name another cache in MRTC_CACHE"
        )
    data = file["images"]
    offset = data.id.get_offset()
    if data.dtype != np.uint8 or data.ndim != 4 or offset is None:
        raise ValueError(f"images are {data.dtype} of shape {data.shape}")
    if path.stat().st_size < offset + data.size:
        raise ValueError("it is cut short")
    table = None
    if "attributes" in file:
        names = tuple(str(name) for name in file["attributes"].attrs["names"])
        table = Attributes(names, file["attributes"][...].astype(np.int64))
    part_of = file["part"][...]
    parts = {
        str(name): np.flatnonzero(part_of == at)
        for at, name in enumerate(file["part"].attrs["names"])
    }
    images = StoredImages(
        path=path,
        source=file.attrs["source"].decode(errors="ignore"),
        shape=data.shape,
        offset=int(offset),
        checksum=file.attrs["checksum"].decode(),
        positions=np.arange(len(data)),
        table=table,
    )
    return images, parts
