"""CIFAR-10: small photographs of ten classes, from the official binary version.

It is read from the archive as it is, nothing is extracted. The python version holds the same images
as pickles; reading a pickle can run code that somebody put into it, so it is refused.
"""

import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import UInt8

from mrtc.datasets.download import RemoteFile, fetch, find
from mrtc.datasets.labelled import LabelledImages
from mrtc.errors import DataError

Part = Literal["train", "test"]

SIDE, CHANNELS, CLASSES = 32, 3, 10
RECORD = 1 + CHANNELS * SIDE**2
"""Bytes of an example: its label, then its red, green and blue values, row by row."""

RECORDS = 10_000
"""Examples in a batch, which is a file of its own."""

BATCHES: dict[Part, tuple[str, ...]] = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}

ARCHIVE = RemoteFile(
    "cifar-10-binary.tar.gz",
    ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
    "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)
FOLDER = "cifar-10-batches-bin"
"""What the archive unpacks to."""


PICKLED = {
    *("cifar-10-python.tar.gz", "cifar-10-batches-py", "test_batch"),
    *(f"data_batch_{number}" for number in range(1, 6)),
}
"""Names of the python version."""


def load(path: Path | None = None, part: Part = "train", *, quiet: bool = False) -> LabelledImages:
    """Reads one part of CIFAR-10.

    Args:
        path: The official archive of the binary version, or the folder that it unpacks to, or a
            folder that holds either. Left out, the archive is downloaded once, to the cache.
        part: Which of the official split.
        quiet: Show no progress.

    Returns:
        Images of shape (3, 32, 32), 154 MB for the larger part; labels are the classes.

    Raises:
        DataError: If a file is missing, damaged, or something else; or is pickled.
        OutputError: If the cache cannot be written.

    References:
        Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """
    if part not in get_args(Part):
        raise ValueError(f"the parts are {', '.join(get_args(Part))}, got {part!r}")
    found = fetch(ARCHIVE, quiet=quiet) if path is None else _find(path)
    try:
        if found.is_dir():
            batches = [_batch_of_folder(found / name) for name in BATCHES[part]]
            verdict = "unpacked batches, of the official form"
        else:
            batches = _batches_of_archive(found, BATCHES[part])
            verdict = ARCHIVE.verdict(found)
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise DataError(f"{found} cannot be read: {error}; {ARCHIVE.advice}") from error
    records = np.concatenate(batches)
    pixels = records[:, 1:].reshape(-1, CHANNELS, SIDE, SIDE).copy()
    labels = torch.from_numpy(records[:, 0].copy())
    return LabelledImages(torch.from_numpy(pixels), f"CIFAR-10, {part} part, {verdict}", labels)


def _find(path: Path) -> Path:
    """The archive, since it can be verified, or else the folder of its batches."""
    unpacked = {name for names in BATCHES.values() for name in names}
    try:
        folders = [folder for folder in (path, path / FOLDER) if folder.is_dir()]
        present = {folder: {entry.name for entry in folder.iterdir()} for folder in folders}
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; {ARCHIVE.advice}") from error
    names = present.get(path, {path.name})
    if ARCHIVE.name not in names:
        for folder in folders:
            if present[folder] & unpacked:
                return folder
        if (names | {path.name}) & PICKLED:
            raise DataError(_is_pickled(path))
    return find((ARCHIVE.name,), path, advice=ARCHIVE.advice, zipped=False)


def _is_pickled(path: Path) -> str:
    return (
        f"{path} holds the python version of CIFAR-10, which is pickled: reading it could run "
        f"code; {ARCHIVE.advice}"
    )


def _batch_of_folder(path: Path) -> UInt8[np.ndarray, "example byte"]:
    size = path.stat().st_size
    _check_size(path, size)
    return _records(path, path.read_bytes())


def _batches_of_archive(
    path: Path, names: tuple[str, ...]
) -> list[UInt8[np.ndarray, "example byte"]]:
    """The records of some batches, in the order of ``names``."""
    batches, seen = {}, set()
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            name = PurePosixPath(member.name).name
            seen.add(name)
            if name in names and member.isreg() and (file := archive.extractfile(member)):
                _check_size(path / name, member.size)
                batches[name] = _records(path / name, file.read())
    missing = [name for name in names if name not in batches]
    if missing and seen & PICKLED:
        raise DataError(_is_pickled(path))
    if missing:
        raise DataError(f"{path} does not hold {', '.join(missing)}; {ARCHIVE.advice}")
    return [batches[name] for name in names]


def _check_size(path: Path, size: int) -> None:
    if size != RECORDS * RECORD:
        raise DataError(
            f"{path} should be {RECORDS} records of {RECORD} bytes, but has {size / RECORD:.6g} "
            f"({size} bytes); {ARCHIVE.advice}"
        )


def _records(path: Path, data: bytes) -> UInt8[np.ndarray, "example byte"]:
    records = np.frombuffer(data, np.uint8).reshape(RECORDS, RECORD)
    wrong = records[:, 0] >= CLASSES
    if wrong.any():
        at = int(wrong.argmax())
        raise DataError(
            f"{path} should have labels from 0 to {CLASSES - 1}, but that of record {at + 1} is "
            f"{records[at, 0]}; {ARCHIVE.advice}"
        )
    return records
