"""The user's own images: a folder or a zip of image files, or an array of them in one file.

Every tenth image, by name or by position, is for testing: those at 9, 19, 29, ... The others are
for training. Image files are cut to a square, scaled, and kept in the cache, in a file that is
read by memory map; arrays are taken as they are.
"""

import sys
import zlib
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Int, Int64, UInt8

from mrtc.datasets.conversion import Facts, Sizes, cached, convert, write
from mrtc.datasets.decoding import BrokenImageError, Form, is_coloured
from mrtc.datasets.image_arrays import ENDINGS, ImageArray, open_array
from mrtc.datasets.image_batches import for_each
from mrtc.datasets.image_sources import ImageSource, digest, open_images, state_of
from mrtc.datasets.images import ByteImages
from mrtc.datasets.stored import StoredImages
from mrtc.datasets.tables import Attributes, FileTable, read_csv
from mrtc.errors import DataError

Part = Literal["train", "test"]

TABLES = ("labels.csv", "attributes.csv")

IN_MEMORY = 2 * 10**9
"""Bytes of pixels up to which an array is held in memory."""

ADVICE = "mend or remove it, or leave out all that are broken with --skip-broken"


@dataclass(frozen=True, eq=False)
class ArrayImages(ByteImages):
    """Images in memory, with what is known of them."""

    table: Attributes | None = field(default=None, repr=False)
    """``None`` where nothing is."""

    @property
    def attribute_names(self) -> tuple[str, ...]:
        """Empty where nothing is known of the images."""
        return () if self.table is None else self.table.names

    def attributes(self, index: Int[np.ndarray, " batch"]) -> Int64[np.ndarray, "batch attribute"]:
        """What is known of the examples at some positions; no columns where nothing is."""
        if self.table is None:
            return np.empty((len(index), 0), np.int64)
        return self.table.rows(index).values

    @cached_property
    def checksum(self) -> str:
        """CRC-32 of the pixels, as ``crc32:`` and eight hexadecimal digits."""
        return f"crc32:{zlib.crc32(self.pixels.numpy(force=True).data):08x}"

    def to(self, device: torch.device | str) -> "ArrayImages":
        """The same images on another device."""
        return ArrayImages(self.pixels.to(device), self.source, self.table)


def load(
    path: Path | None = None,
    part: Part = "train",
    *,
    quiet: bool = False,
    size: int = 64,
    skip_broken: bool = False,
) -> StoredImages | ArrayImages:
    """Opens one part of the user's own images.

    Args:
        path: A folder or a ``.zip`` of image files, with a table ``labels.csv`` or
            ``attributes.csv`` if there is one, whose first line names its columns and whose first
            column names the images; or an array in ``.npz`` or HDF5, see
            :func:`mrtc.datasets.image_arrays.open_array`.
        part: Every tenth image for ``test``, the others for ``train``.
        quiet: Show no progress.
        size: Rows and columns to scale image files to, in pixels; arrays stay as they are.
        skip_broken: Leave out image files that cannot be read.

    Raises:
        DataError: If there are no images, one cannot be read, or a table does not fit them.
        OutputError: If the cache cannot be written.
    """
    if part not in get_args(Part):
        raise ValueError(f"the parts are {', '.join(get_args(Part))}, got {part!r}")
    if path is None:
        raise DataError("your own images have no usual place; name theirs with --data PATH")
    if path.suffix in ENDINGS and not path.is_dir():
        return _from_array(open_array(path), part)
    source = open_images(path)
    table = _table(source)
    key = digest((source.fingerprint, skip_broken))

    def make(file: Path) -> None:
        _convert(file, source, table, size, skip_broken=skip_broken, quiet=quiet)

    return cached(f"own-{size}-{key}", part, make)


def _part_of(population: int) -> UInt8[np.ndarray, " example"]:
    """0 for training, 1 for testing."""
    part_of = np.zeros(population, np.uint8)
    part_of[9::10] = 1
    return part_of


def _from_array(array: ImageArray, part: Part) -> StoredImages | ArrayImages:
    name = f"own images {array.path.name}"
    part_of = _part_of(array.population)
    shape = array.image_shape
    if array.population * int(np.prod(shape)) > IN_MEMORY:
        facts = Facts(get_args(Part), part_of, array.attributes)

        def make(file: Path) -> None:
            write(file, array.images(), shape, facts, lambda: name)

        return cached(f"own-{digest(state_of(array.path))}", part, make)
    index = np.flatnonzero(part_of == get_args(Part).index(part))
    if not len(index):
        raise DataError(
            f"{array.path}: every tenth image is for testing, and there are {array.population}; "
            "add images, or choose the part train"
        )
    pixels = np.empty((array.population, *shape), np.uint8)
    for at, image in enumerate(array.images()):
        pixels[at] = image
    table = None if array.attributes is None else array.attributes.rows(index)
    return ArrayImages(torch.from_numpy(pixels[index]), f"{name}, {part} part", table)


def _table(source: ImageSource) -> FileTable | None:
    """The table of a source; each of its rows has an image."""
    name = next((name for name in TABLES if name in source.others), None)
    if name is None:
        return None
    table = read_csv(f"{source.path}: {name}", source.read(name))
    unknown = sorted(table.row_of.keys() - set(source.names))
    if unknown:
        raise DataError(
            f"{table.place} has {len(table.row_of)} rows, and there are {len(source.names)} "
            f"images; there is none for the row {unknown[0]!r}: remove it, or add the image"
        )
    table.of(source.names)  # each image has its row
    return table


def _convert(
    file: Path,
    source: ImageSource,
    table: FileTable | None,
    size: int,
    *,
    skip_broken: bool,
    quiet: bool,
) -> None:
    names, channels = _survey(source, skip_broken=skip_broken, quiet=quiet)
    broken = len(source.names) - len(names)

    def describe(sizes: Sizes) -> str:
        (width, height), (widest, highest) = sizes
        found = f"{width} x {height}"
        if sizes[0] != sizes[1]:
            found = f"{found} to {widest} x {highest}"
        skipped = f", {broken} broken ones left out" if broken else ""
        return (
            f"own images {source.path.name}, {len(names)} of {found}, cut to squares and scaled to "
            f"{size} x {size}{skipped}"
        )

    rows = None if table is None else table.of(names)
    facts = Facts(get_args(Part), _part_of(len(names)), rows)
    form = Form(size, channels)
    convert(file, source, names, form, facts, describe, advice=ADVICE, quiet=quiet)


def _survey(source: ImageSource, *, skip_broken: bool, quiet: bool) -> tuple[list[str], int]:
    """Which images to convert, and to how many channels: three, where one of them has colour."""
    total = len(source.names)
    looks = for_each(partial(is_coloured, whole=skip_broken), source, source.names, 0)
    names, broken, channels = list[str](), list[str](), 1
    for done, (name, look) in enumerate(zip(source.names, looks, strict=True)):
        if not isinstance(look, BrokenImageError):
            names.append(name)
            channels = 3 if look else channels
        elif skip_broken:
            broken.append(f"{look.name} ({look.reason})")
        else:
            raise DataError(
                f"{source.path}: {look}; {done} of {total} images come before it; {ADVICE}"
            ) from look
    if not names:
        raise DataError(
            f"{source.path}: none of its {total} images can be read; the first is {broken[0]}: "
            "check that they are images"
        )
    if broken and not quiet:
        sys.stderr.write(f"left out {len(broken)} of {total} images: {', '.join(broken)}\n")
    return names, channels
