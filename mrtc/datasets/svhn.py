"""SVHN: house numbers photographed in the street, cropped to one digit, from the official files."""

from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Shaped, UInt8

from mrtc.datasets.download import RemoteFile, fetch, find
from mrtc.datasets.labelled import LabelledImages
from mrtc.datasets.matlab import read_array
from mrtc.errors import DataError

Part = Literal["train", "test"]

SIDE, CHANNELS, DIGITS = 32, 3, 10

POPULATION: dict[Part, int] = {"train": 73_257, "test": 26_032}

ADDRESS = "http://ufldl.stanford.edu/housenumbers"

FILES: dict[Part, tuple[RemoteFile, ...]] = {
    "train": (
        RemoteFile(
            "train_32x32.mat",
            (f"{ADDRESS}/train_32x32.mat",),
            "sha256:435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
        ),
    ),
    "test": (
        RemoteFile(
            "test_32x32.mat",
            (f"{ADDRESS}/test_32x32.mat",),
            "sha256:cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        ),
    ),
}
"""What to download for each part."""


def load(path: Path | None = None, part: Part = "train", *, quiet: bool = False) -> LabelledImages:
    """Reads one part of SVHN's cropped digits.

    Args:
        path: The file of this part under its official name, or a folder that holds it. Left
            out, it is downloaded once, to the cache.
        part: Which half of the official split.
        quiet: Show no progress.

    Returns:
        Images of shape (3, 32, 32), 225 MB for the larger part; labels are the digits.

    Raises:
        DataError: If the file is missing, damaged, or something else.
        OutputError: If the cache cannot be written.

    References:
        Netzer, Wang, Coates, Bissacco, Wu, Ng, "Reading Digits in Natural Images with
        Unsupervised Feature Learning", NIPS workshop 2011.
    """
    if part not in get_args(Part):
        raise ValueError(f"the parts are {', '.join(get_args(Part))}, got {part!r}")
    (file,) = FILES[part]
    if path is None:
        found = fetch(file, quiet=quiet)
    else:
        found = find((file.name,), path, advice=file.advice, zipped=False)
    population = POPULATION[part]
    shape = (SIDE, SIDE, CHANNELS, population)
    images = read_array(found, "X", shape, advice=file.advice)
    if images.dtype != np.uint8:
        raise DataError(f"X of {found} should be bytes, but is {images.dtype}; {file.advice}")
    labels = _digits(found, read_array(found, "y", (population, 1), advice=file.advice), file)

    # The file has the image last; torch wants it first, and its channels before its rows.
    pixels = np.ascontiguousarray(images.transpose(3, 2, 0, 1))
    source = f"SVHN, {part} part, {file.verdict(found)}"
    return LabelledImages(torch.from_numpy(pixels), source, torch.from_numpy(labels))


def _digits(
    path: Path, labels: Shaped[np.ndarray, "example 1"], file: RemoteFile
) -> UInt8[np.ndarray, " example"]:
    """The files call the digit 0 ten, since MATLAB counts from one."""
    wrong = ~np.isin(labels, np.arange(1, DIGITS + 1))
    if wrong.any():
        at = int(wrong.argmax())
        raise DataError(
            f"the labels y of {path} should be from 1 to {DIGITS}, but that of image {at + 1} is "
            f"{labels[at, 0]}; {file.advice}"
        )
    return (labels[:, 0] % DIGITS).astype(np.uint8)
