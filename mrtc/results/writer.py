"""Writing results: one writer, one beta after another, and a whole file on disk at every moment."""

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from filelock import FileLock, Timeout
from jaxtyping import Float, Shaped

from mrtc import __version__
from mrtc.errors import ResultsError
from mrtc.files import claim, reporting, write_atomically
from mrtc.results.compaction import keep_evaluated
from mrtc.results.header import Header, as_far_as_chosen, differences, to_json
from mrtc.results.layout import add_variable, read_header, require_shape, write_header
from mrtc.results.reader import opened
from mrtc.results.schema import VARIABLES
from mrtc.results.scores import ScoreRecord, store


@contextmanager
def reopen(path: Path) -> Iterator["Writer"]:
    """Opens a results file that is there, to add scores to it; locks as :func:`open_writer` does.

    Raises:
        ResultsError: If it is no results file, or another process writes it.
        OutputError: If it cannot be written.
    """
    with opened(path) as file:
        header = read_header(file)
    claim(path, force=True)
    with locked(path):
        yield Writer(path, header, path.read_bytes())


@contextmanager
def open_writer(path: Path, header: Header, *, force: bool = False) -> Iterator["Writer"]:
    """Opens ``path`` to be filled, or to be filled further where it is of the same evaluation.

    A lock, ``<path>.lock``, is held until the end. The lock file stays: removing it could let two
    writers in. It does not hinder a later one, whatever became of the process that made it.

    Args:
        path: The file to write (``.h5``).
        header: What is evaluated, and how.
        force: Begins anew, whatever the file holds.

    Raises:
        ResultsError: If another process writes the file, or it holds anything but an earlier part
            of this evaluation.
        OutputError: If it cannot be written.
    """
    claim(path, force=True)
    with locked(path):
        if path.exists() and not force:
            header = _require_same(path, header)
            data = path.read_bytes()
        else:
            data = _empty(header)
            write_atomically(path, data)
        yield Writer(path, header, data)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock of a file that is written; see :func:`open_writer`.

    Raises:
        ResultsError: If another process holds it.
    """
    lock = FileLock(f"{path}.lock", timeout=0)
    with reporting(Path(lock.lock_file)):
        try:
            lock.acquire()
        except Timeout:
            raise ResultsError(
                f"{path} is being written by another process, which holds {lock.lock_file}; wait "
                "for it to end, or choose another --out"
            ) from None
    try:
        yield
    finally:
        lock.release()


class Writer:
    """A results file being filled; see :func:`open_writer`.

    The file is built in memory and replaced as a whole with every beta, so a process that dies,
    or a disk that fills up, leaves the file of the beta before.
    """

    def __init__(self, path: Path, header: Header, data: bytes) -> None:
        self.path = path
        self.header = header
        self._data = data

    @property
    def pending(self) -> list[int]:
        """Positions in the grid of the betas that are not evaluated yet."""
        with h5py.File(io.BytesIO(self._data), "r") as file:
            return [int(index) for index in np.flatnonzero(file["evaluated"][...] == 0)]

    @property
    def metrics(self) -> dict[str, Float[np.ndarray, " beta"]]:
        """What is one number a beta and was stored so far; NaN at pending betas."""
        with h5py.File(io.BytesIO(self._data), "r") as file:
            return {
                name: file[f"metrics/{name}"][...]
                for name, variable in VARIABLES.items()
                if variable.dims == ("beta",) and f"metrics/{name}" in file
            }

    def leave_out_pending(self) -> None:
        """Drops the betas that are pending, so that the file is that of a finished evaluation.

        Raises:
            OutputError: If the file cannot be written. It is then as it was, and so is this object.
        """
        if self.pending:
            with self._changing() as file:
                keep_evaluated(file)
                header = read_header(file)
            self.header = header

    def write(
        self,
        beta_index: int,
        values: Mapping[str, Shaped[np.ndarray, "..."] | float],
        parameters: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Stores what was evaluated at one beta, and marks that beta as done.

        Args:
            beta_index: Position of the beta in the grid.
            values: Arrays by name, without the beta axis; the names are those of ``VARIABLES``.
            parameters: By the same names, what else a value depends on, as JSON can hold it and
                the same at every beta. Pictures read ``estimator`` (a word), ``examples`` (how
                many) and ``scored_factors`` (names).

        Raises:
            ValueError: For an unknown name or a shape that does not fit.
            ResultsError: If a variable was stored with other parameters before.
            OutputError: If the file cannot be written. It is then as it was, and so is this object.
        """
        with self._changing() as file:
            for name, value in values.items():
                self._store(file, name, beta_index, np.asarray(value), (parameters or {}).get(name))
            file["evaluated"][beta_index] = 1

    def write_scores(self, beta_index: int, records: Iterable[ScoreRecord]) -> None:
        """Stores scores of one beta; a score that is there already is replaced.

        Raises:
            ValueError: If a part does not fit the axes of the file.
            OutputError: If the file cannot be written. It is then as it was, and so is this object.
        """
        with self._changing() as file:
            for record in records:
                store(file, beta_index, record, self.header.sizes)

    @contextmanager
    def _changing(self) -> Iterator[h5py.File]:
        """The file, to be changed in memory, and then written as a whole."""
        buffer = io.BytesIO(self._data)
        with h5py.File(buffer, "r+") as file:
            yield file
        write_atomically(self.path, buffer.getbuffer())
        self._data = buffer.getvalue()

    def _store(
        self,
        file: h5py.File,
        name: str,
        beta_index: int,
        value: Shaped[np.ndarray, "..."],
        parameters: Mapping[str, Any] | None,
    ) -> None:
        if name not in VARIABLES:
            raise ValueError(f"{name!r} is not a variable of the schema: {', '.join(VARIABLES)}")
        variable = VARIABLES[name]
        require_shape(variable, value, self.header.sizes)
        key = f"{variable.group}/{name}"
        if key not in file:
            add_variable(file, variable, dict(parameters or {}), self.header.sizes)
        there, here = file[key].attrs["parameters"], to_json(parameters or {})
        if there != here:
            raise ResultsError(
                f"{name} in {self.path} was computed with {there}, and now with {here}; choose "
                "another --out, or begin anew with --force"
            )
        file[key][beta_index if "beta" in variable.dims else ...] = value


def _empty(header: Header) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", track_order=True) as file:
        write_header(file, header)
    return buffer.getvalue()


def _require_same(path: Path, header: Header) -> Header:
    """``header`` with the betas of ``path``, which must hold an earlier part of its evaluation.

    Raises:
        ResultsError: If it does not.
    """
    with opened(path) as file:
        there = read_header(file)
        header = as_far_as_chosen(there, header)
        found = differences(there, header)
        version = json.loads(file.attrs["versions"])["mrtc"]
    if version != __version__:
        found.append(f"version of mrtc: {version} in the file, {__version__} now")
    if found:
        raise ResultsError(
            f"{path} exists and is of another evaluation: {'; '.join(found)}. Choose another "
            "--out, or overwrite it with --force"
        )
    return header
