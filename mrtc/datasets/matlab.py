"""Arrays from MATLAB files, checked before they are read."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat, whosmat
from scipy.io.matlab import MatReadError

from mrtc.errors import DataError

UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, KeyError, IndexError, NotImplementedError),
    *(OverflowError, MemoryError, zlib.error, struct.error, MatReadError),
)
"""What scipy raises on a damaged file, and on one of version 7.3."""


def read_array(path: Path, name: str, shape: tuple[int, ...], *, advice: str) -> np.ndarray:
    """One array of a file.

    Args:
        path: The file, of version 4 to 7.
        name: The variable.
        shape: What it should be; looked at before anything else is read.
        advice: What to do if the file is something else, to end the message with.

    Raises:
        DataError: If the file cannot be read, or holds no such array.
    """
    try:
        shapes = {variable: size for variable, size, _ in whosmat(path)}
        array = loadmat(path, variable_names=[name])[name] if shapes.get(name) == shape else None
    except UNREADABLE as error:
        raise DataError(f"{path} cannot be read as a MATLAB file: {error}; {advice}") from error
    if array is None:
        there = ", ".join(f"{variable} {_by(size)}" for variable, size in shapes.items())
        raise DataError(
            f"{path} should hold an array {name} of {_by(shape)}, but holds {there or 'nothing'}; "
            f"{advice}"
        )
    if array.dtype.kind not in "uif":
        raise DataError(
            f"{name} of {path} should be numbers, but is of type {array.dtype}; {advice}"
        )
    return np.asarray(array)


def _by(shape: tuple[Any, ...]) -> str:
    return " x ".join(map(str, shape))
