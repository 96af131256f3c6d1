"""The official dSprites file, ``.npz`` or ``.hdf5``, read in pieces and never unpickled."""

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import UInt8

from mrtc.errors import DataError
from mrtc.factors import FactorGrid
from mrtc.progress import Progress

PACKED_BYTES = 64 * 64 // 8
"""Bytes of one packed image."""

OFFICIAL = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64"
OFFICIAL_NAMES = (f"{OFFICIAL}.npz", f"{OFFICIAL}.hdf5", "dsprites.npz")
ADVICE = (
    f"get {OFFICIAL}.npz from https://github.com/google-deepmind/dsprites-dataset, "
    "or give no file at all: the images are then rendered"
)
ROWS = 4096
"""Images of the official file in memory at a time: unpacked, the whole takes 3 GB."""

UNREADABLE = (
    *(OSError, EOFError, KeyError, ValueError, RuntimeError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error),
)
"""What zipfile, numpy and h5py raise on a damaged file."""


def read_official(
    path: Path, grid: FactorGrid, *, quiet: bool = False
) -> UInt8[np.ndarray, "example byte"]:
    """The packed images, eight pixels a byte, in the order of ``grid``.

    Args:
        path: The file, or a folder that holds it under its official name.
        grid: Factors without the constant colour.
        quiet: Show no progress.

    Raises:
        DataError: If the file is missing, damaged, or something else.
    """
    return _read(_find(path), grid, quiet=quiet)


@dataclass(frozen=True)
class _Rows:
    """An array in a file: what it is, and its rows in pieces, from first to last."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pieces: Iterator[np.ndarray]


def _find(path: Path) -> Path:
    """The official file: ``path`` itself, or the one in that folder."""
    candidates = [path / name for name in OFFICIAL_NAMES] if path.is_dir() else [path]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    looked_for = " or ".join(str(candidate) for candidate in candidates)
    raise DataError(f"the dSprites file is missing: there is no {looked_for}; {ADVICE}")


def _read(file: Path, grid: FactorGrid, *, quiet: bool) -> UInt8[np.ndarray, "example byte"]:
    try:
        with ExitStack() as files:
            if h5py.is_hdf5(file):
                root = files.enter_context(h5py.File(file))
                rows = [_hdf5_rows(root, name) for name in ("imgs", "latents/classes")]
                return _pack(file, grid, *rows, quiet=quiet)
            if zipfile.is_zipfile(file):
                archive = files.enter_context(zipfile.ZipFile(file))
                rows = [_npz_rows(archive, name, files) for name in ("imgs", "latents_classes")]
                return _pack(file, grid, *rows, quiet=quiet)
        with file.open("rb") as opened:
            start = opened.read(40)
    except UNREADABLE as error:
        raise DataError(f"{file} cannot be read as dSprites: {error}; {ADVICE}") from error
    kind = "a web page" if start.lstrip()[:1] == b"<" else "neither .npz nor .hdf5"
    raise DataError(f"{file} is {kind}: it starts with {start!r}; {ADVICE}")


def _npz_rows(archive: zipfile.ZipFile, name: str, files: ExitStack) -> _Rows | None:
    """Reads from the member's own stream: np.load would unpack all of it at once."""
    if f"{name}.npy" not in archive.namelist():
        return None
    stream = files.enter_context(archive.open(f"{name}.npy"))
    version = np.lib.format.read_magic(stream)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, is_fortran, dtype = read_header(stream)
    if is_fortran:
        raise ValueError(f"{name} is stored column by column, not row by row")

    def pieces() -> Iterator[np.ndarray]:
        for start in range(0, shape[0], ROWS):
            piece_shape = (min(ROWS, shape[0] - start), *shape[1:])
            data = stream.read(math.prod(piece_shape) * dtype.itemsize)
            yield np.frombuffer(data, dtype).reshape(piece_shape)

    return _Rows(shape, dtype, pieces())


def _hdf5_rows(file: h5py.File, name: str) -> _Rows | None:
    array = file.get(name)
    if not isinstance(array, h5py.Dataset):
        return None
    # In whole chunks, since each is decompressed anew for every piece that cuts it.
    chunk = array.chunks[0] if array.chunks else 1
    step = min(-(-ROWS // chunk) * chunk, 8 * ROWS)
    pieces = (array[start : start + step] for start in range(0, len(array), step))
    return _Rows(array.shape, array.dtype, pieces)


def _pack(
    file: Path, grid: FactorGrid, images: _Rows | None, classes: _Rows | None, *, quiet: bool
) -> UInt8[np.ndarray, "example byte"]:
    """Checks the arrays of the official file, and packs the images."""
    if images is None:
        raise DataError(f"{file} holds no array imgs, so it is not dSprites; {ADVICE}")
    if images.dtype.hasobject:
        raise DataError(
            f"imgs in {file} is a pickled array, which could run code and is not read; {ADVICE}"
        )
    if images.shape != (len(grid), 64, 64) or images.dtype != np.uint8:
        raise DataError(
            f"imgs in {file} should be uint8 of shape {(len(grid), 64, 64)}, but is "
            f"{images.dtype} of shape {images.shape}; {ADVICE}"
        )
    if classes is not None and not _follows(grid, classes):
        raise DataError(
            f"the classes in {file} do not run through the grid of {grid.names} with sizes "
            f"{grid.sizes}, the last fastest; {ADVICE}"
        )
    packed, start = np.empty((len(grid), PACKED_BYTES), np.uint8), 0
    with Progress("reading dSprites", len(grid), unit="image", quiet=quiet) as progress:
        for piece in images.pieces:
            stop = start + len(piece)
            if piece.max() > 1:
                raise DataError(
                    f"imgs in {file} should be 0 or 1 everywhere, but has {piece.max()} among "
                    f"images {start} to {stop - 1}; {ADVICE}"
                )
            packed[start:stop] = np.packbits(piece.reshape(len(piece), -1), axis=1)
            progress.advance(len(piece))
            start = stop
    return packed


def _follows(grid: FactorGrid, classes: _Rows) -> bool:
    """Whether the classes, after that of colour, are those of the grid."""
    if classes.shape != (len(grid), 1 + len(grid.sizes)) or classes.dtype.kind not in "iu":
        return False
    start = 0
    for piece in classes.pieces:
        if not np.array_equal(piece[:, 1:], grid.classes(np.arange(start, start + len(piece)))):
            return False
        start += len(piece)
    return True
