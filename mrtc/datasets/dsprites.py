"""dSprites: 737,280 binary images of one sprite, the full grid of its factors.

The images are rendered from their geometry, once, and kept as bits in a cache; nothing is
downloaded. Where the official file is at hand, it is read instead. The two agree on all frames
that could be compared; about 100 images of the whole may differ by one pixel, so results say by
``source`` which of the two they come from.
"""

import math
import os
import warnings
import zlib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from filelock import FileLock
from jaxtyping import Float, Int, UInt8
from platformdirs import user_cache_path
from torch import Tensor

from mrtc.datasets.official import PACKED_BYTES, read_official
from mrtc.datasets.sprites import draw, outline
from mrtc.errors import OutputError
from mrtc.factors import FactorGrid
from mrtc.files import write_atomically
from mrtc.progress import Progress

CHEN_FACTORS = ("scale", "orientation", "x", "y")
"""The factors that Chen et al. (2018) score; shape is integrated over."""

CACHE_NAME = "dsprites-rendered.bits"
HEADER = 64
"""Bytes before the bits in the cache; they say what it is, and its checksum."""


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
    folder = cache or Path(os.environ.get("MRTC_CACHE") or user_cache_path("mrtc"))
    bits = _cached(folder / CACHE_NAME, quiet=quiet)[HEADER:]
    packed = bits.reshape(len(DSprites.grid), -1)
    return DSprites(torch.from_numpy(packed), "dSprites, rendered")


# The rendering, and its cache: one buffer of header and bits, the same in memory as in the file.


def _render(*, quiet: bool) -> UInt8[np.ndarray, " byte"]:
    """Draws the whole set: takes some seconds on one core."""
    buffer = np.empty(_cache_bytes(), np.uint8)
    sizes = DSprites.grid.sizes[:3]
    sprites = buffer[HEADER:].reshape(*sizes, 32, 32, -1)
    total = math.prod(sizes)
    with Progress("rendering dSprites", total, unit="sprite", quiet=quiet) as progress:
        for sprite in np.ndindex(sizes):
            sprites[sprite] = draw(outline(*sprite))
            progress.advance()
    buffer[:HEADER] = _header(buffer)
    return buffer


def _cached(path: Path, *, quiet: bool) -> UInt8[np.ndarray, " byte"]:
    """The rendering from ``path``; made first, by one process only, where that has none."""
    buffer = _read_cache(path)
    if buffer is not None:
        return buffer
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            buffer = _read_cache(path)  # another process may have made it while we waited
            if buffer is None:
                buffer = _render(quiet=quiet)
                write_atomically(path, buffer.data)
    except (OSError, NotImplementedError, OutputError) as error:
        warnings.warn(
            f"the rendering of dSprites cannot be kept in {path.parent} ({error}) and will be made "
            "anew each time; name another folder in the environment variable MRTC_CACHE",
            stacklevel=3,
        )
    return _render(quiet=quiet) if buffer is None else buffer


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
    return HEADER + len(DSprites.grid) * PACKED_BYTES


def _header(buffer: UInt8[np.ndarray, " byte"]) -> UInt8[np.ndarray, " 64"]:
    """Raise the number when the rendering changes, so that older caches are made again."""
    text = f"mrtc dSprites rendering 1 crc32 {zlib.crc32(buffer[HEADER:].data):08x}\n"
    return np.frombuffer(text.encode().ljust(HEADER), np.uint8)
