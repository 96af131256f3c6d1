"""Official data files: from the cache, from the network, or from a folder that the user has.

A file is known by its sha256. What comes from the network is kept only if it has it, so a page
that says "not found" never passes for data.
"""

import hashlib
import os
from contextlib import closing
from dataclasses import dataclass
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

    sha256: str
    """Of its bytes, in lower-case hexadecimal digits."""

    @property
    def advice(self) -> str:
        """What to do if it is missing or damaged, to end an error message with."""
        places = " or ".join(self.urls)
        return f"get {self.name} (sha256 {self.sha256}) from {places}, and give its folder"


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
        DataError: If no address gives a file with this sha256.
        OutputError: If the cache cannot be written.
    """
    path = (folder or cache_folder()) / file.name
    if _is_whole(path, file.sha256):
        return path
    failures = []
    for url in file.urls:
        try:
            _download(url, path, file.sha256, quiet=quiet)
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
        f"Get a file of that name with sha256 {file.sha256} elsewhere, and give its folder with "
        "--data."
    )


def find(names: tuple[str, ...], path: Path, *, advice: str) -> Path:
    """The first of some official files that the user has, as it is or gzipped.

    Args:
        names: What it may be called, in exact case; ``.gz`` may follow.
        path: Such a file, or a folder that holds one.
        advice: What to do if there is none, to end the message with.

    Raises:
        DataError: If the path cannot be read, or is or holds no such file.
    """
    known = [official for name in names for official in (name, f"{name}.gz")]
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


def _download(url: str, path: Path, sha256: str, *, quiet: bool) -> None:
    # Not by pooch.retrieve: its files could be read by no other user of a shared cache, and it
    # does not tell a full disk from a broken connection.
    bar = _Bar(f"downloading {path.name}", quiet=quiet)
    with replacing(path) as file, closing(bar):
        try:
            HTTPDownloader(progressbar=bar, chunk_size=2**16)(url, file, None)
        except RequestException as error:
            raise _DownloadError(_in_brief(error)) from error
        received = Path(file.name)
        seen = _sha256(received)
        if seen != sha256:
            with received.open("rb") as again:
                is_page = again.read(40).lstrip().startswith(b"<")
            kind = "a web page" if is_page else "another file"
            raise _DownloadError(f"{kind} of {received.stat().st_size} bytes, sha256 {seen}")


def _in_brief(error: RequestException) -> str:
    """The answer of the server; else what the operating system said first, without wrapping."""
    if error.response is not None:
        return f"{error.response.status_code} {error.response.reason}"
    root: BaseException = error
    while root.__context__ is not None:
        root = root.__context__
    return str(getattr(root, "strerror", None) or root)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_whole(path: Path, sha256: str) -> bool:
    """Whether the file is there, can be read, and is the right one."""
    try:
        return _sha256(path) == sha256
    except OSError:
        return False
