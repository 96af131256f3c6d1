"""MNIST: handwritten digits in grey, from the official idx files.

The images are returned as published, grey. Binary likelihoods want them binarised, which
``mrtc.datasets.binarised`` does: drawn anew whenever training sees them.
"""

from pathlib import Path
from typing import Literal, get_args

import torch

from mrtc.datasets.download import RemoteFile, fetch, find
from mrtc.datasets.idx import read_idx
from mrtc.datasets.labelled import LabelledImages
from mrtc.errors import DataError

Part = Literal["train", "test"]

SIDE = 28

POPULATION: dict[Part, int] = {"train": 60_000, "test": 10_000}

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
)


def _official(name: str, sha256: str) -> RemoteFile:
    urls = tuple(f"{mirror}/{name}.gz" for mirror in MIRRORS)
    return RemoteFile(f"{name}.gz", urls, f"sha256:{sha256}")


FILES: dict[Part, tuple[RemoteFile, ...]] = {
    "train": (
        _official(
            "train-images-idx3-ubyte",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        _official(
            "train-labels-idx1-ubyte",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
    ),
    "test": (
        _official(
            "t10k-images-idx3-ubyte",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        _official(
            "t10k-labels-idx1-ubyte",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
}
"""Of each part, the images and the labels."""

UNZIPPED_SHA256: dict[Part, tuple[str, str]] = {
    "train": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    "test": (
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
}
"""In the same order. Other data sets, Fashion-MNIST for one, come under the same names."""


def load(path: Path | None = None, part: Part = "train", *, quiet: bool = False) -> LabelledImages:
    """Reads one part of MNIST, and checks that it is the official one.

    Args:
        path: The images of this part under their official name, plain or gzipped, or a folder
            that holds them; labels are read where they lie beside them. Left out, both are
            downloaded once, to the cache.
        part: Which half of the official split.
        quiet: Show no progress.

    Returns:
        Grey images of shape (1, 28, 28), ink is 1; 47 MB for the larger part.

    Raises:
        DataError: If a file is missing, damaged, or something else.
        OutputError: If the cache cannot be written.

    References:
        LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document
        recognition", Proceedings of the IEEE 86, 1998.
    """
    if part not in get_args(Part):
        raise ValueError(f"the parts are {', '.join(get_args(Part))}, got {part!r}")
    images, labels = FILES[part]
    images_sha256, labels_sha256 = UNZIPPED_SHA256[part]
    if path is None:
        images_path = fetch(images, quiet=quiet)
        labels_path: Path | None = fetch(labels, quiet=quiet)
    else:
        images_path = find((images.name.removesuffix(".gz"),), path, advice=images.advice)
        labels_path = _beside(images_path, labels)

    shape = (POPULATION[part], SIDE, SIDE)
    pixels = torch.from_numpy(read_idx(images_path, shape, images_sha256, advice=images.advice))
    classes = None
    if labels_path is not None:
        classes = torch.from_numpy(
            read_idx(labels_path, shape[:1], labels_sha256, advice=labels.advice)
        )
    source = f"MNIST, {part} part, official files, sha256 verified"
    return LabelledImages(pixels[:, None], source, classes)


def _beside(images: Path, labels: RemoteFile) -> Path | None:
    try:
        return find((labels.name.removesuffix(".gz"),), images.parent, advice=labels.advice)
    except DataError:
        return None
