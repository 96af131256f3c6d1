"""Where image files lie: in a folder, or in a zip that is read in place and never extracted."""

import os
import stat
import zipfile
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path, PureWindowsPath
from typing import Any

from mrtc.datasets.decoding import BrokenImageError
from mrtc.errors import DataError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif")

LARGEST_ENTRY = 256 * 2**20
"""Bytes that an entry of a zip may have, unzipped; the module zipfile reads no more than it says
that it has, so this bounds the memory."""


@dataclass(frozen=True)
class FolderImages:
    """The images of a folder and of those in it; links to other folders are not followed."""

    path: Path
    states: dict[str, tuple[int, int]] = field(repr=False)
    """Size in bytes and time of the last change in nanoseconds, by name."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the images, sorted, with ``/`` between folders."""
        return tuple(sorted(name for name in self.states if _is_image(name)))

    @cached_property
    def others(self) -> tuple[str, ...]:
        """Of all other files, sorted."""
        return tuple(sorted(self.states.keys() - set(self.names)))

    @cached_property
    def fingerprint(self) -> str:
        """Of names, sizes and times of all files."""
        return digest(sorted(self.states.items()))

    def read(self, name: str) -> bytes:
        """The bytes of one file."""
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise BrokenImageError(name, error.strerror or str(error)) from error


@dataclass(frozen=True)
class ZipImages:
    """The images of a zip."""

    path: Path
    archive: zipfile.ZipFile = field(repr=False)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the images, sorted, with ``/`` between folders."""
        return tuple(sorted(name for name in self.archive.NameToInfo if _is_image(name)))

    @cached_property
    def others(self) -> tuple[str, ...]:
        """Of all other files, sorted."""
        files = {name for name in self.archive.NameToInfo if not name.endswith("/")}
        return tuple(sorted(files - set(self.names)))

    @cached_property
    def fingerprint(self) -> str:
        """Of the size and time of the zip."""
        return digest(state_of(self.path))

    def read(self, name: str) -> bytes:
        """The bytes of one entry, whose checksum is right."""
        try:
            return self.archive.read(name)
        except (
            OSError,
            EOFError,
            zlib.error,
            zipfile.BadZipFile,
            NotImplementedError,
            RuntimeError,
            ValueError,
        ) as error:
            raise BrokenImageError(name, f"in the zip: {error}") from error


ImageSource = FolderImages | ZipImages
"""Image files by name; ``read`` raises BrokenImageError at a file that cannot be read."""


def open_images(path: Path) -> ImageSource:
    """The images of a folder or a zip, of the endings ``ENDINGS``; hidden files are passed over.

    Raises:
        DataError: If it cannot be read, holds no images, or is a zip that is damaged, encrypted,
            would write outside its folder, or has an entry of absurd size.
    """
    try:
        source = _open_folder(path) if path.is_dir() else _open_zip(path)
    except OSError as error:
        raise DataError(
            f"cannot read {path}: {error.strerror or error}; give a folder or a .zip of images"
        ) from error
    if not source.names:
        seen = f"only {', '.join(source.others[:5])}" if source.others else "nothing"
        more = ", ..." if len(source.others) > 5 else ""
        raise DataError(
            f"{path} holds no images, {seen}{more}; images end in {', '.join(ENDINGS)}: give the "
            "folder or the zip that has them"
        )
    return source


def digest(what: Any) -> str:  # noqa: ANN401 -- anything whose repr says all
    """Sixteen hexadecimal digits that change with ``what``."""
    return blake2b(repr(what).encode(), digest_size=8).hexdigest()


def state_of(path: Path) -> tuple[str, int, int]:
    """Name, size in bytes and time of the last change of a file."""
    state = path.stat()
    return path.name, state.st_size, state.st_mtime_ns


def _open_folder(path: Path) -> FolderImages:
    def fail(error: OSError) -> None:
        raise error

    states = {}
    for folder, folders, files in os.walk(path, onerror=fail):
        folders[:] = [name for name in folders if not _is_hidden(name)]
        for file in files:
            if not _is_hidden(file):
                place = Path(folder, file)
                state = _state(place)
                if not stat.S_ISFIFO(state.st_mode):  # reading one would wait for ever
                    states[place.relative_to(path).as_posix()] = (state.st_size, state.st_mtime_ns)
    return FolderImages(path, states)


def _state(path: Path) -> os.stat_result:
    """Of what a link leads to; of the link itself where it leads nowhere, which reading reports."""
    try:
        return path.stat()
    except OSError:
        return path.lstat()


def _open_zip(path: Path) -> ZipImages:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        raise DataError(
            f"{path} is no zip, or is cut short or damaged ({error}); get it again, or give the "
            "folder of the images"
        ) from error
    for entry in archive.infolist():
        fault = _fault(entry)
        if fault:
            archive.close()
            raise DataError(f"{path}: its entry {entry.filename!r} {fault}")
    return ZipImages(path, archive)


def _fault(entry: zipfile.ZipInfo) -> str | None:
    """Why an entry is refused, and what to do."""
    # As on Windows, where both kinds of slashes part folders and a letter may name a disk.
    place = PureWindowsPath(entry.filename)
    if place.anchor or ".." in place.parts:
        return "leaves the archive; such a zip is not to be trusted: make it anew"
    if entry.flag_bits & 1:
        return "is encrypted; make a zip without a password"
    if entry.file_size > LARGEST_ENTRY:
        return (
            f"would be {entry.file_size} bytes unzipped, above {LARGEST_ENTRY}; such a zip is "
            "not to be trusted: make it anew"
        )
    return None


def _is_image(name: str) -> bool:
    return name.lower().endswith(ENDINGS) and not any(map(_is_hidden, name.split("/")))


def _is_hidden(name: str) -> bool:
    """Such as the shadows ``._a.jpg`` in ``__MACOSX`` that some systems add to a zip."""
    return name.startswith(".") or name == "__MACOSX"
