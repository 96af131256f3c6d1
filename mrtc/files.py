"""Files that are either whole or not there: written beside their place, then renamed."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from io import BufferedWriter
from pathlib import Path

from mrtc.errors import OutputError

ADVICE = {
    errno.ENOSPC: "the disk is full; free some space, or choose another place",
    errno.EDQUOT: "your disk quota is used up; free some space, or choose another place",
    errno.EROFS: "the file system is read-only; choose another place",
    errno.EACCES: "you may not write there; choose another place, or change its permissions",
    errno.EPERM: "you may not write there; choose another place, or change its permissions",
    errno.EEXIST: "a part of this path is a file, not a folder; choose another place",
    errno.ENOTDIR: "a part of this path is a file, not a folder; choose another place",
    errno.EISDIR: "this is a folder; name a file",
}


def write_atomically(path: Path, data: bytes | memoryview) -> None:
    """Writes ``data`` to ``path`` so that a reader finds the old file or the new one, whole.

    Raises:
        OutputError: If the file cannot be written. The old one, if any, is untouched.
    """
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[BufferedWriter]:
    """A file to write what ``path`` shall hold; it gets there when the block ends without error.

    Raises:
        OutputError: If the file cannot be written. The old one, if any, is untouched.
    """
    _remove_stale(path)
    temporary = path.with_name(f"{_stem(path)}{os.getpid()}.tmp")
    with reporting(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def claim(path: Path, *, force: bool = False) -> None:
    """Checks, before long work, that ``path`` can be written and holds nothing to lose.

    Raises:
        OutputError: If the file exists and ``force`` is not set, or its folder cannot be written.
    """
    if path.exists() and not force:
        raise OutputError(
            f"{path} exists already; choose another --out, or overwrite it with --force"
        )
    probe = path.with_name(f"{_stem(path)}{os.getpid()}.tmp")
    with reporting(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()


@contextmanager
def reporting(path: Path) -> Iterator[None]:
    """Turns what the operating system says while ``path`` is written into an OutputError."""
    try:
        yield
    except OSError as error:
        advice = ADVICE.get(error.errno or 0, "choose another place")
        raise OutputError(f"cannot write {path}: {error.strerror or error}; {advice}") from error


def _stem(path: Path) -> str:
    return f".{path.name}.{socket.gethostname()}."


def _remove_stale(path: Path) -> None:
    """Removes what killed processes of this machine left of earlier writes to ``path``."""
    if not path.parent.is_dir():
        return
    for leftover in path.parent.glob(f"{escape(_stem(path))}*.tmp"):
        process = leftover.name.removeprefix(_stem(path)).removesuffix(".tmp")
        if process.isdecimal() and not _is_alive(int(process)):
            leftover.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
