"""Binarized MNIST: the fixed binarisation of Larochelle and Murray, from its official text.

Every pixel was set to 1 once, with the probability of its grey value, and published so: likelihoods
in tables are of these very images. A text has one line per image, 784 digits with blanks between.
The test part is sorted by digit, so a subset of it has to be drawn, not cut from its start.
"""

import gzip
import hashlib
import zlib
from pathlib import Path
from typing import ClassVar, Literal, get_args

import numpy as np
import torch
from jaxtyping import UInt8

from mrtc.datasets.bits import PackedImages
from mrtc.datasets.download import RemoteFile, fetch, find
from mrtc.errors import DataError

Part = Literal["train", "valid", "test"]

ADDRESS = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist"

POPULATION: dict[Part, int] = {"train": 50_000, "valid": 10_000, "test": 10_000}

SHA256: dict[Part, str] = {
    "train": "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
    "valid": "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
    "test": "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
}
"""Of the texts, unzipped."""

LINE = np.frombuffer(b"0 " * 783 + b"0\n", np.uint8)
"""The line of an image without ink; a 1 differs from its 0 in the lowest bit alone."""

IS_DIGIT = np.arange(LINE.size) % 2 == 0
LINES = 1000
"""Lines in memory at a time: unzipped, the largest text takes 78 MB."""


class BinarizedMNIST(PackedImages):
    """One part of binarized MNIST, as bits on one device (5 MB for the largest).

    References:
        Larochelle and Murray, "The Neural Autoregressive Distribution Estimator", AISTATS 2011.
        Salakhutdinov and Murray, "On the Quantitative Analysis of Deep Belief Networks",
        ICML 2008 (the binarisation).
    """

    image_shape: ClassVar[tuple[int, int, int]] = (1, 28, 28)


def load(path: Path | None = None, part: Part = "train", *, quiet: bool = False) -> BinarizedMNIST:
    """Reads one part of binarized MNIST, and checks that it is the official one.

    Args:
        path: The file of this part under its official name, plain or gzipped, or a folder that
            holds it. Left out, it is downloaded once, to the cache.
        part: Which of the three files.
        quiet: Show no progress.

    Raises:
        DataError: If the file is missing, damaged, or something else.
        OutputError: If the cache cannot be written.
    """
    if part not in get_args(Part):
        raise ValueError(f"the parts are {', '.join(get_args(Part))}, got {part!r}")
    file = _official(part)
    if path is None:
        found = fetch(file, quiet=quiet)
    else:
        found = find((file.name,), path, advice=file.advice)
    packed = _read(found, POPULATION[part], file)
    source = f"binarized MNIST, {part} part, official text, sha256 verified"
    return BinarizedMNIST(torch.from_numpy(packed), source)


def _official(part: Part) -> RemoteFile:
    name = f"binarized_mnist_{part}.amat"
    return RemoteFile(name, (f"{ADDRESS}/{name}",), f"sha256:{SHA256[part]}")


def _read(path: Path, population: int, file: RemoteFile) -> UInt8[np.ndarray, "example 98"]:
    """The packed images of a text; its first fault is reported where it is."""
    digest, size, packed = hashlib.sha256(), 0, []
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as opened:
            while piece := opened.read(LINES * LINE.size):
                packed.append(_pack(path, piece, size // LINE.size, file))
                digest.update(piece)
                size += len(piece)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}; {file.advice}") from error
    if size != population * LINE.size:
        raise DataError(
            f"{path} should be {population} lines of {LINE.size} bytes, but has "
            f"{size / LINE.size:.6g} lines ({size} bytes); {file.advice}"
        )
    if f"sha256:{digest.hexdigest()}" != file.digest:
        raise DataError(
            f"{path} has the right form, but is not the official text: its sha256, unzipped, is "
            f"{digest.hexdigest()}; {file.advice}"
        )
    return np.concatenate(packed)


def _pack(
    path: Path, piece: bytes, before: int, file: RemoteFile
) -> UInt8[np.ndarray, "example 98"]:
    """The whole lines of a piece that starts after ``before`` lines."""
    text = np.frombuffer(piece, np.uint8)
    ink = text ^ np.resize(LINE, text.shape)
    wrong = ink > np.resize(IS_DIGIT, text.shape)
    if wrong.any():
        at = int(wrong.argmax())
        line, column = divmod(at, LINE.size)
        raise DataError(
            f"{path} should be lines of 784 digits 0 or 1 with blanks between, but line "
            f"{before + line + 1} has {piece[at : at + 20]!r} at column {column + 1}; "
            f"{file.advice}"
        )
    whole = ink[: len(ink) // LINE.size * LINE.size].reshape(-1, LINE.size)
    return np.packbits(whole[:, IS_DIGIT], axis=1)
