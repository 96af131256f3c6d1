"""Texts of models in an HDF5 file: the results of an evaluation, or a file of texts alone."""

import io
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import h5py

from mrtc.errors import ResultsError
from mrtc.files import claim, write_atomically
from mrtc.results.header import to_json, versions
from mrtc.results.reader import opened
from mrtc.results.texts import Texts, load, store
from mrtc.results.writer import locked

FORMAT = "mrtc-texts"
VERSION = 1


def is_texts_file(path: Path) -> bool:
    """Whether the file holds texts alone, rather than an evaluation; False if it cannot tell."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return bool(file.attrs.get("format") == FORMAT)
    except OSError:
        return False


def require_texts_place(path: Path) -> None:
    """Checks, before long work, that texts can be added to ``path``, or it can be made.

    Raises:
        OutputError: If it cannot be written.
        ResultsError: If it is there, and neither results of an evaluation nor a file of texts.
    """
    claim(path, force=True)
    if path.exists():
        with _opened(path):
            pass


def add_texts(path: Path, texts: Texts) -> None:
    """Adds a table to results of its model, or to a file of texts, which is made if need be.

    It takes the place of a table of the same name.

    Raises:
        OutputError: If the file cannot be written. It is then as it was.
        ResultsError: If it is another kind of file, holds results of another model, or is being
            written.
    """
    require_texts_place(path)
    with locked(path):
        buffer = io.BytesIO()
        if path.exists():
            with _opened(path) as file:
                _require_model(path, file, texts)
            buffer.write(path.read_bytes())
        else:
            with h5py.File(buffer, "w", track_order=True) as file:
                file.attrs.update(
                    format=FORMAT,
                    schema_version=VERSION,
                    created=datetime.now(UTC).isoformat(),
                    versions=to_json(versions()),
                )
        with h5py.File(buffer, "r+") as file:
            store(file, texts)
        write_atomically(path, buffer.getbuffer())


def read_texts(path: Path | str) -> dict[str, Texts]:
    """The tables of a file by name, such as ``prior_greedy`` or ``reconstruction_sampled``.

    Raises:
        ResultsError: If it is missing, damaged, foreign or too new, or holds no texts.
    """
    path = Path(path)
    with _opened(path) as file:
        found = load(file)
    if not found:
        raise ResultsError(
            f"{path} holds no texts; add some with `mrtc sample`, `reconstruct` or `interpolate` "
            f"CHECKPOINT --out {path}"
        )
    return found


def _opened(path: Path) -> AbstractContextManager[h5py.File]:
    return opened(path, FORMAT, VERSION) if is_texts_file(path) else opened(path)


def _require_model(path: Path, file: h5py.File, texts: Texts) -> None:
    """Checks that texts are of the model of a results file; a file of texts holds those of any."""
    there = file.attrs.get("fingerprint")
    here = [model.fingerprint for model in texts.models]
    if there is not None and there not in here:
        raise ResultsError(
            f"{path} holds results of another model, {there}, and the texts are of "
            f"{', '.join(here)}; give the results of that checkpoint, or another --out"
        )
