"""Official data files: from the cache, from the network, or from a folder that the user has.

A file is known by its digest, of the kind that was published for it. What comes from the network is
kept only if it has it, so a page that says "not found" never passes for data.
"""

import hashlib
import os
import re
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from platformdirs import user_cache_path
from pooch import HTTPDownloader
from requests import RequestException

from mrtc.errors import DataError, OutputError
from mrtc.files import replacing
from mrtc.progress import Progress


@dataclass(frozen=True)
class RemoteFile:
    """A file as its authors published it."""

    name: str
    """What it is called in the cache, and in a folder that the user has."""

    urls: tuple[str, ...]
    """Where it can be had, by http or https; tried in this order."""

    digest: str
    """Of its bytes: ``sha256:`` or ``md5:``, then lower-case hexadecimal digits."""

    def __post_init__(self) -> None:
        if not re.fullmatch("sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", self.digest):
            raise ValueError(
                f"the digest of {self.name} should be sha256: and 64, or md5: and 32 lower-case "
                f"hexadecimal digits, got {self.digest!r}"
            )

    @property
    def kind(self) -> str:
        """Which digest was published."""
        return self.digest.partition(":")[0]

    def is_at(self, path: Path) -> bool:
        """Whether this file is there, whole; not if it cannot be read."""
        try:
            return digest(path, self.kind) == self.digest
        except OSError:
            return False

    def verdict(self, path: Path) -> str:
        """How far the file at ``path`` was found to be this one, for the source of the data."""
        if self.is_at(path):
            return f"official {self.name}, {self.kind} verified"
        return f"{self.name} of the official form, but of another {self.kind}"

    @property
    def advice(self) -> str:
        """What to do if it is missing or damaged, to end an error message with."""
        places = " or ".join(self.urls)
        return f"get {self.name} ({in_words(self.digest)}) from {places}, and give its folder"


def digest(path: Path, kind: str) -> str:
    """Of the bytes of a file, as in ``RemoteFile.digest``; ``kind`` is sha256 or md5.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        made = hashlib.file_digest(file, partial(hashlib.new, kind, usedforsecurity=False))
    return f"{kind}:{made.hexdigest()}"


def in_words(digest: str) -> str:
    """A digest as messages name it: its kind, a blank, and its digits."""
    return digest.replace(":", " ")


def cache_folder() -> Path:
    """Where data are kept: the folder that ``MRTC_CACHE`` names, else the user's cache folder."""
    return Path(os.environ.get("MRTC_CACHE") or user_cache_path("mrtc"))


def fetch(file: RemoteFile, *, folder: Path | None = None, quiet: bool = False) -> Path:
    """The place of a file in the cache; downloaded first where it is not there, whole.

    Args:
        file: The file; its addresses are tried in turn.
        folder: Where it is kept. Left out, it is ``cache_folder()``.
        quiet: Show no progress.

    Raises:
        DataError: If no address gives a file with this digest.
        OutputError: If the cache cannot be written.
    """
    path = (folder or cache_folder()) / file.name
    if file.is_at(path):
        return path
    failures = []
    for url in file.urls:
        try:
            _download(url, path, file, quiet=quiet)
        except _DownloadError as error:
            failures.append(f"  {url}: {error}")
        except OutputError as error:
            raise OutputError(
                f"{error}; the environment variable MRTC_CACHE names the folder of downloads"
            ) from error
        else:
            return path
    reasons = "\n".join(failures)
    raise DataError(
        f"{file.name} could not be downloaded:\n{reasons}\n"
        f"Get a file of that name with {in_words(file.digest)} elsewhere, and give its "
        "folder with --data."
    )


def find(names: tuple[str, ...], path: Path, *, advice: str, zipped: bool = True) -> Path:
    """The first of some official files that the user has, as it is or gzipped.

    Args:
        names: What it may be called, in exact case.
        path: Such a file, or a folder that holds one.
        advice: What to do if there is none, to end the message with.
        zipped: Whether ``.gz`` may follow the name.

    Raises:
        DataError: If the path cannot be read, or is or holds no such file.
    """
    ends = ("", ".gz") if zipped else ("",)
    known = [name + end for name in names for end in ends]
    try:
        is_file = path.is_file()
        present = {path.name} if is_file else {entry.name for entry in path.iterdir()}
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}; {advice}") from error
    for name in known:
        if name in present:
            return path if is_file else path / name
    found = "is not called" if is_file else "holds no file"
    raise DataError(f"{path} {found} {' or '.join(known)}; {advice}")


class _DownloadError(Exception):
    """Why one address does not give the file; the next one may."""


class _Bar:
    """A progress bar as pooch wants one, which sets ``total`` when the server has answered."""

    def __init__(self, title: str, *, quiet: bool) -> None:
        self._title, self._quiet = title, quiet
        self._done, self.total = 0, 0  # bytes; the total stays 0 where the server does not say
        self._progress: Progress | None = None

    def update(self, size: int) -> None:
        """Counts ``size`` bytes, but never beyond the total: pooch's last piece may be short."""
        step = min(size, self.total - self._done)
        if step > 0:
            if self._progress is None:
                self._progress = Progress(self._title, self.total, unit="byte", quiet=self._quiet)
            self._done += step
            self._progress.advance(step)

    def reset(self) -> None:
        """Before its last update, of the total, pooch starts again at 0; we need not."""

    def close(self) -> None:
        if self._progress is not None:
            self._progress.__exit__(None, None, None)


def _download(url: str, path: Path, wanted: RemoteFile, *, quiet: bool) -> None:
    # Not by pooch.retrieve: its files could be read by no other user of a shared cache, and it
    # does not tell a full disk from a broken connection.
    bar = _Bar(f"downloading {path.name}", quiet=quiet)
    with replacing(path) as file, closing(bar):
        try:
            HTTPDownloader(progressbar=bar, chunk_size=2**16)(url, file, None)
        except RequestException as error:
            raise _DownloadError(_in_brief(error)) from error
        received = Path(file.name)
        seen = digest(received, wanted.kind)
        if seen != wanted.digest:
            with received.open("rb") as again:
                is_page = again.read(40).lstrip().startswith(b"<")
            kind = "a web page" if is_page else "another file"
            size = received.stat().st_size
            raise _DownloadError(f"{kind} of {size} bytes, {in_words(seen)}")


def _in_brief(error: RequestException) -> str:
    """The answer of the server; else what the operating system said first, without wrapping."""
    if error.response is not None:
        return f"{error.response.status_code} {error.response.reason}"
    root: BaseException = error
    while root.__context__ is not None:
        root = root.__context__
    return str(getattr(root, "strerror", None) or root)
