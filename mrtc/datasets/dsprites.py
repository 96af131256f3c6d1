"""dSprites: 737,280 binary images of one sprite, the full grid of its factors.

The images are rendered from their geometry, once, and kept as bits in a cache; nothing is
downloaded. Where the official file is at hand, it is read instead. The two agree on all frames
that could be compared; about 100 images of the whole may differ by one pixel, so results say by
``source`` which of the two they come from.
"""

import math
import warnings
import zlib
from io import BufferedWriter
from mmap import mmap
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from filelock import FileLock
from jaxtyping import Int, UInt8
from torch import Tensor

from mrtc.datasets.bits import PackedImages
from mrtc.datasets.download import cache_folder
from mrtc.datasets.official import PACKED_BYTES, read_official
from mrtc.datasets.sprites import draw, outline
from mrtc.errors import OutputError
from mrtc.factors import FactorGrid
from mrtc.files import replacing
from mrtc.progress import Progress

CHEN_FACTORS = ("scale", "orientation", "x", "y")
"""The factors that Chen et al. (2018) score; shape is integrated over."""

CACHE_NAME = "dsprites-rendered.bits"
HEADER = 64
"""Bytes before the bits in the cache; they say what it is, and its checksum."""


class DSprites(PackedImages):
    """dSprites as bits on one device (377 MB); the constant factor colour is left out.

    References:
        Matthey, Higgins, Hassabis, Lerchner, "dSprites: Disentanglement testing Sprites
        dataset", 2017.
    """

    grid: ClassVar[FactorGrid] = FactorGrid(
        names=("shape", "scale", "orientation", "x", "y"), sizes=(3, 6, 40, 32, 32)
    )
    image_shape: ClassVar[tuple[int, int, int]] = (1, 64, 64)

    def factors(self, index: Int[Tensor, " batch"]) -> Int[Tensor, "batch factor"]:
        """Factor classes at some positions, on the device of ``index``."""
        return torch.from_numpy(self.grid.classes(index.numpy(force=True))).to(index.device)


def load(path: Path | None = None, cache: Path | None = None, *, quiet: bool = False) -> DSprites:
    """Opens dSprites: rendered, or from the official file if its path is given.

    Args:
        path: The official ``.npz`` or ``.hdf5`` file, or a folder that holds it.
        cache: Folder where the rendering is kept (377 MB). Left out, it is the one that the
            environment variable ``MRTC_CACHE`` names, else the user's cache folder.
        quiet: Show no progress.

    Raises:
        DataError: If the official file is missing, damaged, or something else.
    """
    if path is not None:
        packed = read_official(path, DSprites.grid, quiet=quiet)
        return DSprites(torch.from_numpy(packed), "dSprites, official file")
    folder = cache or cache_folder()
    bits = _cached(folder / CACHE_NAME, quiet=quiet)[HEADER:]
    packed = bits.reshape(len(DSprites.grid), -1)
    return DSprites(torch.from_numpy(packed), "dSprites, rendered")


# The rendering, and its cache: a header and the bits. They are written, read and checked in
# pieces, so that no process ever holds more of them than it looks at.


def _render(file: BufferedWriter | mmap, *, quiet: bool) -> None:
    """Draws the whole set into ``file``: takes some seconds on one core."""
    sizes = DSprites.grid.sizes[:3]
    checksum = 0
    file.seek(HEADER)
    with Progress("rendering dSprites", math.prod(sizes), unit="sprite", quiet=quiet) as progress:
        for sprite in np.ndindex(sizes):
            images = draw(outline(*sprite)).data
            file.write(images)
            checksum = zlib.crc32(images, checksum)
            progress.advance()
    file.seek(0)
    file.write(_header(checksum))


def _cached(path: Path, *, quiet: bool) -> UInt8[np.ndarray, " byte"]:
    """The rendering from ``path``; made first, by one process only, where that has none."""
    if _is_whole(path):
        return _map(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if not _is_whole(path):  # another process may have made it while we waited
                with replacing(path) as file:
                    _render(file, quiet=quiet)
        return _map(path)
    except (OSError, NotImplementedError, OutputError) as error:
        warnings.warn(
            f"the rendering of dSprites cannot be kept in {path.parent} ({error}) and will be made "
            "anew each time; name another folder in the environment variable MRTC_CACHE",
            stacklevel=3,
        )
    memory = mmap(-1, _cache_bytes())
    _render(memory, quiet=quiet)
    return np.frombuffer(memory, np.uint8)


def _map(path: Path) -> UInt8[np.ndarray, " byte"]:
    """Copy on write, for torch wants memory that can be written. Processes share one copy."""
    return np.memmap(path, np.uint8, mode="c")


def _is_whole(path: Path) -> bool:
    """Whether this is what ``_render`` makes, and not absent, damaged or foreign."""
    try:
        if path.stat().st_size != _cache_bytes():
            return False
        with path.open("rb") as file:
            header, checksum = file.read(HEADER), 0
            while piece := file.read(2**20):
                checksum = zlib.crc32(piece, checksum)
    except OSError:
        return False
    return header == _header(checksum)


def _cache_bytes() -> int:
    return HEADER + len(DSprites.grid) * PACKED_BYTES


def _header(checksum: int) -> bytes:
    """Raise the number when the rendering changes, so that older caches are made again."""
    return f"mrtc dSprites rendering 1 crc32 {checksum:08x}\n".encode().ljust(HEADER)
