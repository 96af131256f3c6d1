"""Omniglot at 28 x 28, made from the official drawings in the open.

A pixel is the share of its area that is ink, and the split is the official one: characters of 30
alphabets to train on, those of 20 others to test on. It is not the Omniglot of published
likelihoods (``mrtc.datasets.omniglot``), and has a name of its own for that. The grey values are
probabilities of ink, so the images are to be binarised (``mrtc.datasets.binarised``).
"""

import math
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, UInt8

from mrtc.datasets.download import RemoteFile, fetch, find
from mrtc.datasets.drawings import DRAWN, Drawings, Half, read_packed, read_zip
from mrtc.datasets.images import ByteImages
from mrtc.errors import DataError

Part = Literal["train", "test"]

SIDE = 28

HALF: dict[Part, Half] = {"train": "images_background", "test": "images_evaluation"}

POPULATION: dict[Part, int] = {"train": 19_280, "test": 13_180}

ALPHABETS: dict[Part, int] = {"train": 30, "test": 20}

PACKED = "omniglot_105_packed.npz"
"""What a packed file of both halves is called."""

ADDRESS = "https://github.com/brendenlake/omniglot/raw/master/python"

FILES: dict[Part, tuple[RemoteFile, ...]] = {
    "train": (
        RemoteFile(
            "images_background.zip",
            (f"{ADDRESS}/images_background.zip",),
            "sha256:ad41ab679c8b5d90b271ef46be6987cc81211774a695c29dcc5367b2b26ee640",
        ),
    ),
    "test": (
        RemoteFile(
            "images_evaluation.zip",
            (f"{ADDRESS}/images_evaluation.zip",),
            "sha256:1f61a8f3366785b057fc117d9228e78a16e3d976c8953b2a10fcc74cf0609cee",
        ),
    ),
}
"""What to download for each part."""

ROWS = 1000
"""Drawings that are shrunk at a time: unpacked to single precision, they are 44 MB."""


def load(path: Path | None = None, part: Part = "train", *, quiet: bool = False) -> ByteImages:
    """Reads one part of the drawings of Omniglot, and shrinks them to 28 x 28.

    Args:
        path: The official archive of this part, or a packed ``.npz`` of all drawings, under
            their names; or a folder that holds one of them. Left out, the archive is downloaded
            once, to the cache.
        part: Which half of the official split.
        quiet: Show no progress.

    Returns:
        Grey images of shape (1, 28, 28), ink is 1, in the order of alphabet, character, drawer.

    Raises:
        DataError: If the file is missing, damaged, or something else.
        OutputError: If the cache cannot be written.

    References:
        Lake, Salakhutdinov, Tenenbaum, "Human-level concept learning through probabilistic
        program induction", Science 350, 2015.
    """
    if part not in get_args(Part):
        raise ValueError(f"the parts are {', '.join(get_args(Part))}, got {part!r}")
    (file,) = FILES[part]
    if path is None:
        found = fetch(file, quiet=quiet)
    else:
        found = find((file.name, PACKED), path, advice=file.advice, zipped=False)
    if found.name == PACKED:
        drawings = read_packed(found, HALF[part], advice=file.advice)
        verdict = "packed drawings, of the official numbers"
    else:
        drawings = read_zip(found, advice=file.advice, quiet=quiet)
        verdict = file.verdict(found)
    _check(found, drawings, part, file)
    images = torch.from_numpy(shrink(drawings.packed)[:, None])
    return ByteImages(images, f"Omniglot shrunk to {SIDE} x {SIDE}, {part} part, {verdict}")


def shrink(packed: UInt8[np.ndarray, "drawing byte"]) -> UInt8[np.ndarray, "drawing row column"]:
    """The share of ink in each of 28 x 28 equal squares, in bytes; exact, then rounded half up."""
    cover = _cover()
    full = int(cover[0].sum()) ** 2  # the share that all ink is, in the smallest squares
    parts = []
    for start in range(0, len(packed), ROWS):
        bits = np.unpackbits(packed[start : start + ROWS], axis=1, count=DRAWN**2)
        # Whole numbers far below 2 ** 24, so single precision is exact; and it is fast.
        ink = cover @ bits.reshape(-1, DRAWN, DRAWN).astype(np.float32) @ cover.T
        parts.append((2 * 255 * ink.astype(np.int64) + full) // (2 * full))
    return np.concatenate(parts).astype(np.uint8)


def _cover() -> Float[np.ndarray, "small large"]:
    """How much of each drawn pixel lies in each new one, on one axis, in their common measure."""
    length = math.lcm(SIDE, DRAWN)
    small = np.arange(SIDE + 1) * (length // SIDE)
    large = np.arange(DRAWN + 1) * (length // DRAWN)
    ends = np.minimum(small[1:, None], large[None, 1:])
    overlap = ends - np.maximum(small[:-1, None], large[None, :-1])
    return np.asarray(np.maximum(overlap, 0), np.float32)


def _check(path: Path, drawings: Drawings, part: Part, file: RemoteFile) -> None:
    seen = len(drawings.packed), len(drawings.alphabets)
    if seen != (POPULATION[part], ALPHABETS[part]):
        raise DataError(
            f"{path} should hold {POPULATION[part]} drawings of {ALPHABETS[part]} alphabets, but "
            f"holds {seen[0]} of {seen[1]}; {file.advice}"
        )
