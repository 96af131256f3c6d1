"""What can be said of a file before anything slow is imported: it is missing, or another kind.

The readers check the same and more; a mistyped name is told here in a tenth of the time.
"""

import shlex
from collections.abc import Iterable
from pathlib import Path

from mrtc.errors import CheckpointError, ResultsError

ZIP, HDF5 = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"
"""How checkpoints and results files begin."""


def require_checkpoint(path: Path) -> None:
    """Checks that ``path`` may be a checkpoint.

    Raises:
        CheckpointError: If it is missing, or is not of that kind.
    """
    if not path.is_file():
        raise CheckpointError(
            f"there is no checkpoint at {path}; `mrtc train` writes one, with --out {path}"
        )
    start = _start(path)
    if start is not None and not start.startswith(ZIP):
        seen = "is a results file" if start == HDF5 else f"starts with {start!r}"
        raise CheckpointError(
            f"{path} is no checkpoint, it {seen}; give a checkpoint that `mrtc train` wrote (.pt)"
        )


def require_results(paths: Iterable[Path]) -> None:
    """Checks that all of ``paths`` may be results files.

    Raises:
        ResultsError: If one is missing, or is not of that kind.
    """
    for path in paths:
        if not path.exists():
            raise ResultsError(
                f"cannot read {path}: there is no such file; give the .h5 file that an evaluation "
                "such as `mrtc eval` wrote"
            )
        start = _start(path)
        if start is not None and start.startswith(ZIP):
            raise ResultsError(
                f"{path} is no results file, it starts with {ZIP!r} as checkpoints do; give the "
                f".h5 file that `mrtc eval {shlex.quote(str(path))}` writes"
            )


def _start(path: Path) -> bytes | None:
    """Its first bytes; None where it cannot be read, which its reader says better."""
    try:
        with path.open("rb") as file:
            return file.read(len(HDF5))
    except OSError:
        return None
