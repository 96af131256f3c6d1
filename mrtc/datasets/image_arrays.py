"""Arrays of images in a ``.npz`` or HDF5 file, read piece by piece; nothing is ever unpickled."""

import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Shaped, UInt8

from mrtc.datasets.tables import Attributes
from mrtc.errors import DataError

ENDINGS = (".npz", ".h5", ".hdf5")

NAMES = ("images", "imgs")
"""What an array of images may be called, in this order; else the only one of its form is taken."""

FORM = (
    "images of shape (example, row, column), (example, row, column, channel) or (example, channel, "
    "row, column) with 1 or 3 channels, of type uint8, boolean, or real in [0, 1]"
)

UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)

BLOCK_BYTES = 16 * 2**20
"""Of a file's array in memory at a time, about."""


@dataclass(frozen=True, eq=False)
class _Array:
    """An array in a file, of which the first axis is read in pieces."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    blocks: Callable[[int], Iterator[Shaped[np.ndarray, "..."]]]
    """The whole array, so many rows at a time; the last may be fewer."""


@dataclass(frozen=True, eq=False)
class ImageArray:
    """Images in a file, and what it says of them."""

    path: Path
    image_shape: tuple[int, int, int]
    population: int
    attributes: Attributes | None
    array: _Array = field(repr=False)

    def images(self) -> Iterator[UInt8[np.ndarray, "channel row column"]]:
        """All images, one after another; reals are rounded to 255ths.

        Raises:
            DataError: If a value is out of range, or the file is damaged further on.
        """
        highest = 0
        try:
            row_bytes = int(np.prod(self.array.shape[1:])) * self.array.dtype.itemsize
            for block in self.array.blocks(max(1, BLOCK_BYTES // row_bytes)):
                for image in self._to_bytes(block):
                    yield self._channels_first(image)
                if block.dtype == np.uint8:
                    highest = max(highest, int(block.max()))
        except UNREADABLE as error:
            raise DataError(f"{self.path} is damaged: {error}; make it anew") from error
        if self.array.dtype == np.uint8 and highest <= 1:
            raise DataError(
                f"{self.path}: images of type uint8 go from 0 to 255, got a highest value of "
                f"{highest}; store black and white as booleans"
            )

    def _to_bytes(self, block: Shaped[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
        if block.dtype == np.uint8:
            return block
        if block.dtype.kind == "f" and not ((block >= 0) & (block <= 1)).all():  # nan fails, too
            raise DataError(
                f"{self.path}: images of real numbers lie in [0, 1], got {block.min():g} to "
                f"{block.max():g}; scale them, or store bytes"
            )
        return np.rint(block * np.float32(255)).astype(np.uint8)

    def _channels_first(
        self, image: UInt8[np.ndarray, "..."]
    ) -> UInt8[np.ndarray, "channel row column"]:
        if image.ndim == 3 and image.shape != self.image_shape:
            image = image.transpose(2, 0, 1)
        return image.reshape(self.image_shape)


def open_array(path: Path) -> ImageArray:
    """The images of a file, with ``labels`` or ``factors`` if it has one row of them for each.

    The array is called ``images`` or ``imgs``, or is the only one of bytes with three or four
    axes. ``factor_names`` may name the columns.

    Raises:
        DataError: If the file is missing, damaged, or has another form.
    """
    if not path.is_file():
        raise DataError(f"cannot read {path}: there is no such file; check the name")
    try:
        arrays = _npz(path) if path.suffix == ".npz" else _hdf5(path)
        name, array = _choose(path, arrays)
        image_shape = _image_shape(path, name, array)
        attributes = _attributes(path, arrays, array.shape[0])
    except UNREADABLE as error:
        raise DataError(
            f"{path} is damaged, or no {path.suffix} file ({error}); it should hold {FORM}"
        ) from error
    return ImageArray(path, image_shape, array.shape[0], attributes, array)


def _npz(path: Path) -> dict[str, _Array]:
    with zipfile.ZipFile(path) as archive:
        entries = [name for name in archive.namelist() if name.endswith(".npy")]
    return {entry.removesuffix(".npy"): _npy(path, entry) for entry in entries}


def _npy(path: Path, entry: str) -> _Array:
    with zipfile.ZipFile(path) as archive, archive.open(entry) as file:
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        shape, is_fortran, dtype = read_header[np.lib.format.read_magic(file)](file)
        start = file.tell()

    def blocks(rows: int) -> Iterator[Shaped[np.ndarray, "..."]]:
        if is_fortran and len(shape) > 1:
            raise ValueError(
                "its array is stored column by column; save np.ascontiguousarray of it"
            )
        row_bytes = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
        with zipfile.ZipFile(path) as archive, archive.open(entry) as file:
            file.seek(start)
            for first in range(0, shape[0], rows):
                count = min(rows, shape[0] - first)
                data = file.read(count * row_bytes)
                yield np.frombuffer(data, dtype).reshape(count, *shape[1:])

    return _Array(shape, dtype, blocks)


def _hdf5(path: Path) -> dict[str, _Array]:
    with h5py.File(path, "r") as file:
        found = {name: data for name, data in file.items() if isinstance(data, h5py.Dataset)}
        return {name: _dataset(path, name, data) for name, data in found.items()}


def _dataset(path: Path, name: str, data: h5py.Dataset) -> _Array:
    is_text = h5py.check_string_dtype(data.dtype) is not None

    def blocks(rows: int) -> Iterator[Shaped[np.ndarray, "..."]]:
        with h5py.File(path, "r") as file:
            values = file[name].asstr() if is_text else file[name]
            for first in range(0, len(file[name]), rows):
                yield values[first : first + rows]

    return _Array(data.shape, np.dtype("U") if is_text else data.dtype, blocks)


def _choose(path: Path, arrays: Mapping[str, _Array]) -> tuple[str, _Array]:
    likely = [
        name
        for name, array in arrays.items()
        if array.dtype == np.uint8 and len(array.shape) in (3, 4)
    ]
    named = [name for name in NAMES if name in arrays]
    if not named and len(likely) != 1:
        seen = ", ".join(f"{name} {a.dtype} {a.shape}" for name, a in arrays.items()) or "nothing"
        raise DataError(
            f"{path} has no array called {' or '.join(NAMES)}, and not just one of bytes with "
            f"three or four axes, but {seen}; it should hold {FORM}"
        )
    name = (named or likely)[0]
    return name, arrays[name]


def _image_shape(path: Path, name: str, array: _Array) -> tuple[int, int, int]:
    """Channels, rows and columns."""
    shape, dtype = array.shape, array.dtype
    if dtype.hasobject:
        raise DataError(
            f"{path}: {name} holds Python objects, which are never unpickled; it should hold {FORM}"
        )
    if (dtype != np.uint8 and dtype.kind not in "bf") or 0 in shape:
        raise DataError(f"{path}: {name} is {dtype} of shape {shape}; it should hold {FORM}")
    if len(shape) == 3:
        return 1, shape[1], shape[2]
    if len(shape) == 4 and (shape[1] in (1, 3)) != (shape[3] in (1, 3)):
        rows_first = shape[3] in (1, 3)
        return (shape[3], shape[1], shape[2]) if rows_first else (shape[1], shape[2], shape[3])
    raise DataError(
        f"{path}: {name} has the shape {shape}, in which no axis, or more than one, can be "
        f"that of the channels; it should hold {FORM}"
    )


def _attributes(path: Path, arrays: Mapping[str, _Array], population: int) -> Attributes | None:
    name = next((name for name in ("labels", "factors") if name in arrays), None)
    if name is None:
        return None
    array = arrays[name]
    if array.dtype.kind not in "iub" or len(array.shape) not in (1, 2):
        raise DataError(
            f"{path}: {name} should be whole numbers of shape (example,) or (example, factor), got "
            f"{array.dtype} of shape {array.shape}; number the classes from 0 on"
        )
    if array.shape[0] != population:
        raise DataError(
            f"{path}: {name} has {array.shape[0]} rows, and there are {population} images; give "
            "one row for each"
        )
    values = _whole(array).astype(np.int64).reshape(population, -1)
    names = tuple(f"{name}_{at}" for at in range(values.shape[1]))
    if "factor_names" in arrays:
        names = tuple(str(name) for name in _whole(arrays["factor_names"]))
    if len(names) != values.shape[1]:
        raise DataError(
            f"{path}: {name} has {values.shape[1]} columns, but {len(names)} factor_names; give "
            "one for each"
        )
    return Attributes(names, values)


def _whole(array: _Array) -> Shaped[np.ndarray, "..."]:
    return np.concatenate(list(array.blocks(max(1, array.shape[0]))))
