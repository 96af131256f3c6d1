"""The drawings of Omniglot, 105 x 105 in black and white, from the official archives.

An archive holds a PNG for each drawing, in a folder for each character of each alphabet. Names in
it are only looked at, nothing is extracted. Packed, an ``.npz`` holds both halves as bits, which is
6 MB and read in no time: ``<half>_bits`` as by ``np.packbits``, a row a drawing, and
``<half>_alphabet``.
"""

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from mrtc.errors import DataError
from mrtc.progress import Progress

Half = Literal["images_background", "images_evaluation"]

DRAWN = 105
"""Rows, and columns, of a drawing."""

LARGEST = 2**16
"""Bytes of an image file, unzipped; the official ones have some 200."""

UNREADABLE = (
    *(OSError, EOFError, KeyError, ValueError, RuntimeError, NotImplementedError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
"""What zipfile and numpy raise on a damaged file."""

BROKEN_PNG = (*UNREADABLE, SyntaxError, Image.DecompressionBombError)
"""What Pillow raises, beside."""


@dataclass(frozen=True, eq=False)
class Drawings:
    """Drawings in the order of alphabet, character and drawer."""

    packed: UInt8[np.ndarray, "drawing byte"]
    """Of each, the pixels row by row, as by ``np.packbits``; ink is 1."""

    alphabets: frozenset[str]
    """Whose characters they are."""


def read_zip(path: Path, *, advice: str, quiet: bool = False) -> Drawings:
    """All drawings of an official archive.

    Args:
        path: The archive.
        advice: What to do if it is damaged, to end the message with.
        quiet: Show no progress.

    Raises:
        DataError: If the archive cannot be read, or a drawing in it; it is named.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = sorted((_key(entry), entry.filename) for entry in archive.infolist())
            entries = [(key, name) for key, name in entries if key]
            packed = np.empty((len(entries), -(-(DRAWN**2) // 8)), np.uint8)
            with Progress(f"reading {path.name}", len(entries), unit="image", quiet=quiet) as bar:
                for row, (_, name) in zip(packed, entries, strict=True):
                    row[:] = _read_png(path, archive, name, advice)
                    bar.advance()
    except UNREADABLE as error:
        raise DataError(f"{path} cannot be read: {error}; {advice}") from error
    return Drawings(packed, frozenset(key[0] for key, _ in entries))


def read_packed(path: Path, half: Half, *, advice: str) -> Drawings:
    """One half of the drawings from a packed ``.npz``.

    Args:
        path: The file.
        half: Which drawings.
        advice: What to do if it is damaged, to end the message with.

    Raises:
        DataError: If the file cannot be read, or does not hold them.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            packed, alphabets = file[f"{half}_bits"], file[f"{half}_alphabet"]
    except UNREADABLE as error:
        raise DataError(f"{path} cannot be read: {error}; {advice}") from error
    width = -(-(DRAWN**2) // 8)
    if packed.dtype != np.uint8 or packed.shape != (len(alphabets), width):
        raise DataError(
            f"{half}_bits of {path} should be {len(alphabets)} x {width} bytes, but is "
            f"{packed.dtype} of shape {packed.shape}; {advice}"
        )
    return Drawings(packed, frozenset(alphabets.tolist()))


def _key(entry: zipfile.ZipInfo) -> tuple[str, ...]:
    """Alphabet, character and drawing of an image; nothing for any other entry."""
    parts = PurePosixPath(entry.filename).parts
    is_image = len(parts) >= 3 and parts[-1].lower().endswith(".png") and not entry.is_dir()
    if not is_image or parts[-1].startswith("."):  # what macOS adds to archives starts so
        return ()
    return parts[-3:]


def _read_png(
    path: Path, archive: zipfile.ZipFile, name: str, advice: str
) -> UInt8[np.ndarray, " byte"]:
    try:
        size = archive.getinfo(name).file_size
        if size > LARGEST:
            raise ValueError(f"it has {size} bytes")
        with Image.open(io.BytesIO(archive.read(name)), formats=["PNG"]) as image:
            if image.size != (DRAWN, DRAWN):
                raise ValueError(f"it has {image.width} x {image.height} pixels")
            paper = np.asarray(image.convert("L"))
    except BROKEN_PNG as error:
        raise DataError(
            f"{name} in {path} is not a PNG of {DRAWN} x {DRAWN} pixels: {error}; {advice}"
        ) from error
    return np.packbits(paper < 128)
