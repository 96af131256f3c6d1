"""dSprites: 737,280 binary images of one sprite, the full grid of its factors.

The images are rendered from their geometry, once, and kept as bits in a cache; nothing is
downloaded. Where the official file is at hand, it is read instead. The two agree on all frames
that could be compared; about 100 images of the whole may differ by one pixel, so results say by
``source`` which of the two they come from.
"""

import math
import os
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import torch
from filelock import FileLock
from jaxtyping import Float, Int, UInt8
from platformdirs import user_cache_path
from torch import Tensor
from tqdm import tqdm

from mrtc.datasets.sprites import draw, outline
from mrtc.errors import DataError, OutputError
from mrtc.factors import FactorGrid
from mrtc.files import write_atomically

PIXELS = 64 * 64
CHEN_FACTORS = ("scale", "orientation", "x", "y")
"""The factors that Chen et al. (2018) score; shape is integrated over."""

CACHE_NAME = "dsprites-rendered.bits"
HEADER = 64
"""Bytes before the bits in the cache; they say what it is, and its checksum."""

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


@dataclass(frozen=True, eq=False)
class DSprites:
    """dSprites as bits on one device; the constant factor colour is left out.

    References:
        Matthey, Higgins, Hassabis, Lerchner, "dSprites: Disentanglement testing Sprites
        dataset", 2017.
    """

    grid: ClassVar[FactorGrid] = FactorGrid(
        names=("shape", "scale", "orientation", "x", "y"), sizes=(3, 6, 40, 32, 32)
    )
    image_shape: ClassVar[tuple[int, int, int]] = (1, 64, 64)

    packed: UInt8[Tensor, "example byte"] = field(repr=False)
    """The images in the order of the grid, eight pixels a byte as by ``np.packbits``."""

    source: str
    """Where the images come from, for the results file."""

    def __len__(self) -> int:
        return len(self.packed)

    @cached_property
    def checksum(self) -> str:
        """CRC-32 of the packed images, for the results file."""
        return f"crc32:{zlib.crc32(self.packed.numpy(force=True).data):08x}"

    def to(self, device: torch.device | str) -> "DSprites":
        """The same data set on another device; there the images take 377 MB."""
        return DSprites(self.packed.to(device), self.source)

    def images(self, index: Int[Tensor, " batch"]) -> Float[Tensor, "batch 1 64 64"]:
        """Images at some positions, in {0, 1}, on the device of the data set."""
        # By a table: 12 ms for 2048 images on two threads, against 15 ms by shifting bits (17 and
        # 30 ms on one). index_select, since indexing by brackets takes 20 ms.
        packed = self.packed[index.to(self.packed.device)]
        bits = _bits_of_bytes(packed.device).index_select(0, packed.flatten().int())
        return bits.reshape(-1, *self.image_shape)

    def factors(self, index: Int[Tensor, " batch"]) -> Int[Tensor, "batch factor"]:
        """Factor classes at some positions, on the device of ``index``."""
        return torch.from_numpy(self.grid.classes(index.numpy(force=True))).to(index.device)


@lru_cache
def _bits_of_bytes(device: torch.device) -> Float[Tensor, "256 8"]:
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    return torch.from_numpy(bits).to(device, torch.float32)


def load(path: Path | None = None, cache: Path | None = None, *, progress: bool = True) -> DSprites:
    """Opens dSprites: rendered, or from the official file if its path is given.

    Args:
        path: The official ``.npz`` or ``.hdf5`` file, or a folder that holds it.
        cache: Folder where the rendering is kept (377 MB). Left out, it is the one that the
            environment variable ``MRTC_CACHE`` names, else the user's cache folder.
        progress: Whether to show a progress bar on standard error during long work.

    Raises:
        DataError: If the official file is missing, damaged, or something else.
    """
    if path is not None:
        packed = _read_official(_find(path), progress=progress)
        return DSprites(torch.from_numpy(packed), "dSprites, official file")
    folder = cache or Path(os.environ.get("MRTC_CACHE") or user_cache_path("mrtc"))
    bits = _cached(folder / CACHE_NAME, progress=progress)[HEADER:]
    packed = bits.reshape(len(DSprites.grid), -1)
    return DSprites(torch.from_numpy(packed), "dSprites, rendered")


# The rendering, and its cache: one buffer of header and bits, the same in memory as in the file.


def _render(*, progress: bool) -> UInt8[np.ndarray, " byte"]:
    """Draws the whole set: takes some seconds on one core."""
    buffer = np.empty(_cache_bytes(), np.uint8)
    sizes = DSprites.grid.sizes[:3]
    sprites = buffer[HEADER:].reshape(*sizes, 32, 32, -1)
    bar = tqdm(np.ndindex(sizes), "Rendering dSprites", np.prod(sizes), disable=not progress)
    for sprite in bar:
        sprites[sprite] = draw(outline(*sprite))
    buffer[:HEADER] = _header(buffer)
    return buffer


def _cached(path: Path, *, progress: bool) -> UInt8[np.ndarray, " byte"]:
    """The rendering from ``path``; made first, by one process only, where that has none."""
    buffer = _read_cache(path)
    if buffer is not None:
        return buffer
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            buffer = _read_cache(path)  # another process may have made it while we waited
            if buffer is None:
                buffer = _render(progress=progress)
                write_atomically(path, buffer.data)
    except (OSError, NotImplementedError, OutputError) as error:
        warnings.warn(
            f"the rendering of dSprites cannot be kept in {path.parent} ({error}) and will be made "
            "anew each time; name another folder in the environment variable MRTC_CACHE",
            stacklevel=3,
        )
    return _render(progress=progress) if buffer is None else buffer


def _read_cache(path: Path) -> UInt8[np.ndarray, " byte"] | None:
    """What ``_render`` made, or nothing if the file is absent, damaged or foreign."""
    try:
        if path.stat().st_size != _cache_bytes():
            return None
        # Copy on write, for torch wants memory that can be written. Processes share one copy.
        buffer = np.memmap(path, np.uint8, mode="c")
    except OSError:
        return None
    return buffer if (buffer[:HEADER] == _header(buffer)).all() else None


def _cache_bytes() -> int:
    return HEADER + len(DSprites.grid) * PIXELS // 8


def _header(buffer: UInt8[np.ndarray, " byte"]) -> UInt8[np.ndarray, " 64"]:
    """Raise the number when the rendering changes, so that older caches are made again."""
    text = f"mrtc dSprites rendering 1 crc32 {zlib.crc32(buffer[HEADER:].data):08x}\n"
    return np.frombuffer(text.encode().ljust(HEADER), np.uint8)


# The official file, read in pieces.


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


def _read_official(file: Path, *, progress: bool) -> UInt8[np.ndarray, "example byte"]:
    try:
        with ExitStack() as files:
            if h5py.is_hdf5(file):
                root = files.enter_context(h5py.File(file))
                rows = [_hdf5_rows(root, name) for name in ("imgs", "latents/classes")]
                return _pack(file, *rows, progress=progress)
            if zipfile.is_zipfile(file):
                archive = files.enter_context(zipfile.ZipFile(file))
                rows = [_npz_rows(archive, name, files) for name in ("imgs", "latents_classes")]
                return _pack(file, *rows, progress=progress)
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
    file: Path, images: _Rows | None, classes: _Rows | None, *, progress: bool
) -> UInt8[np.ndarray, "example byte"]:
    """Checks the arrays of the official file, and packs the images."""
    grid = DSprites.grid
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
    packed, start = np.empty((len(grid), PIXELS // 8), np.uint8), 0
    with tqdm(desc="Reading dSprites", total=len(grid), disable=not progress) as bar:
        for piece in images.pieces:
            stop = start + len(piece)
            if piece.max() > 1:
                raise DataError(
                    f"imgs in {file} should be 0 or 1 everywhere, but has {piece.max()} among "
                    f"images {start} to {stop - 1}; {ADVICE}"
                )
            packed[start:stop] = np.packbits(piece.reshape(-1, PIXELS), axis=1)
            bar.update(len(piece))
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
