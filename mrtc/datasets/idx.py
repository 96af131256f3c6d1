"""The idx format of MNIST: a magic number, the sizes of the axes, and one byte a value."""

import gzip
import hashlib
import math
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from mrtc.errors import DataError

UNSIGNED_BYTE = 8
"""The code of the type, third of the bytes that a file begins with; the fourth counts the axes."""


def read_idx(
    path: Path, shape: tuple[int, ...], sha256: str, *, advice: str
) -> UInt8[np.ndarray, "..."]:
    """The values of an official file, plain or (by its name) gzipped.

    Args:
        path: The file.
        shape: What it should hold.
        sha256: Of its bytes, unzipped, since a file that was zipped again has others outside.
        advice: What to do if it is something else, to end the message with.

    Raises:
        DataError: If the file is missing, damaged, or something else.

    References:
        LeCun, Cortes, Burges, "The MNIST database of handwritten digits" (the format).
    """
    values = math.prod(shape)
    header = 4 + 4 * len(shape)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(header + values + 1)  # one more than there should be
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}; {advice}") from error

    magic = bytes([0, 0, UNSIGNED_BYTE, len(shape)])
    if data[:4] != magic:
        raise DataError(
            f"{path} should begin with {magic!r}, as idx files of bytes with {len(shape)} axes do, "
            f"but begins with {data[:4]!r}; {advice}"
        )
    sizes = tuple(np.frombuffer(data[4:header], ">u4").tolist()) if len(data) >= header else ()
    if sizes != shape:
        raise DataError(
            f"{path} should hold {_by(shape)} values, but its header says {_by(sizes)}; {advice}"
        )
    if len(data) != header + values:
        seen = f"has {len(data)}" if len(data) < header + values else "goes on after them"
        raise DataError(f"{path} should be {header + values} bytes, but {seen}; {advice}")
    seen = hashlib.sha256(data).hexdigest()
    if seen != sha256:
        raise DataError(
            f"{path} has the right form, but is not the official file: its sha256, unzipped, is "
            f"{seen}, not {sha256}; {advice}"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape).copy()


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "nothing"
