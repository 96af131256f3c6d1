"""The lines of a text file, plain or gzipped, one in memory at a time, each fault in its place."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from mrtc.errors import DataError

MOST_BYTES = 10 * 2**20
"""Of a line; more is taken for a file without line ends. Such a line is never held whole."""

GZIP = b"\x1f\x8b"
"""The first bytes of a gzipped file."""

ADVICE = "give a text in UTF-8, one document a line, plain or gzipped"


def read_lines(path: Path) -> Iterator[str]:
    """Goes through the lines of a file once, with their ends; a mark of byte order is left out.

    Whether it is gzipped is told by its first bytes, not by its name. Lines end at line feeds.

    Args:
        path: The file, in UTF-8.

    Raises:
        DataError: If the file cannot be read, is binary or not in UTF-8, or a line of it has more
            than ``MOST_BYTES`` bytes.
    """
    try:
        with path.open("rb") as file:
            is_gzip = file.read(len(GZIP)) == GZIP
        with gzip.open(path) if is_gzip else path.open("rb") as file:
            number = 0
            while line := file.readline(MOST_BYTES + 1):
                number += 1
                yield _decoded(line, f"line {number} of {path}").removeprefix("\ufeff")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}; {ADVICE}") from error
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path} is cut off or damaged: {error}; get it anew") from error


def _decoded(line: bytes, place: str) -> str:
    if b"\0" in line:
        raise DataError(
            f"{place} has a NUL byte at column {line.index(0) + 1}, so the file is binary, an "
            f"archive, or in UTF-16; {ADVICE}"
        )
    if len(line) > MOST_BYTES:
        raise DataError(
            f"{place} is longer than {MOST_BYTES} bytes, and begins with {line[:40]!r}; cut the "
            "text into documents, one a line"
        )
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        wrong = line[error.start : error.end]
        raise DataError(
            f"{place} is not UTF-8: it has {wrong!r} at byte {error.start + 1}; {ADVICE}, for "
            "example by `iconv -f LATIN1 -t UTF-8`"
        ) from error
