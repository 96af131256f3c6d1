"""Omniglot as VAEs are compared on it: 28 x 28 in grey, from the file of Burda et al.

Grey values are probabilities of ink, so the images are to be binarised as the others of this kind
(``mrtc.datasets.binarised``). The file does not say how it was made from the drawings, nor how they
were split; ``mrtc.datasets.omniglot_28`` is made from them in the open, and its numbers are not to
be compared with these.
"""

from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch

from mrtc.datasets.download import RemoteFile, fetch, find
from mrtc.datasets.images import ByteImages
from mrtc.datasets.matlab import read_array
from mrtc.errors import DataError

Part = Literal["train", "test"]

SIDE = 28

POPULATION: dict[Part, int] = {"train": 24_345, "test": 8_070}

ARRAYS: dict[Part, str] = {"train": "data", "test": "testdata"}
"""What the file calls the parts; a column is an image, itself column by column."""

FILE = RemoteFile(
    "chardata.mat",
    ("https://raw.githubusercontent.com/yburda/iwae/master/datasets/OMNIGLOT/chardata.mat",),
    "md5:21ecaf34373511aa7691cf2e0802aa3d",
)


EXACT = 1e-5
"""How far from multiples of 1/255 values may be that were such multiples before single precision;
rounding others moves them by up to 1/510."""


def load(path: Path | None = None, part: Part = "train", *, quiet: bool = False) -> ByteImages:
    """Reads one part of Omniglot as Burda et al. published it.

    Args:
        path: The file under its official name, or a folder that holds it. Left out, it is
            downloaded once, to the cache.
        part: Which of the published split.
        quiet: Show no progress.

    Returns:
        Grey images of shape (1, 28, 28), ink is 1. ``source`` says if values had to be rounded
        to bytes.

    Raises:
        DataError: If the file is missing, damaged, or something else.
        OutputError: If the cache cannot be written.

    References:
        Burda, Grosse, Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016.
        Lake, Salakhutdinov, Tenenbaum, "Human-level concept learning through probabilistic
        program induction", Science 350, 2015 (the drawings).
    """
    if part not in get_args(Part):
        raise ValueError(f"the parts are {', '.join(get_args(Part))}, got {part!r}")
    if path is None:
        found = fetch(FILE, quiet=quiet)
    else:
        found = find((FILE.name,), path, advice=FILE.advice, zipped=False)
    shape = (SIDE**2, POPULATION[part])
    columns = read_array(found, ARRAYS[part], shape, advice=FILE.advice)
    if not ((columns >= 0) & (columns <= 1)).all():  # NaN is not either
        raise DataError(
            f"{ARRAYS[part]} of {found} should be from 0 to 1, but goes from {columns.min()} to "
            f"{columns.max()}; {FILE.advice}"
        )
    grey = 255 * columns.astype(np.float64)
    values = grey.round()
    source = f"Omniglot of Burda et al., {part} part, {FILE.verdict(found)}"
    if np.abs(grey - values).max() > 255 * EXACT:
        source += ", grey values rounded to 1/255"
    images = values.astype(np.uint8).T.reshape(-1, 1, SIDE, SIDE).swapaxes(2, 3)
    return ByteImages(torch.from_numpy(np.ascontiguousarray(images)), source)
