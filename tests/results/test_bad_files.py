"""Files that are not whole results of this version are refused, each for its own reason."""

from pathlib import Path

import h5py
import pytest

from mrtc.errors import ResultsError
from mrtc.results import open_writer, read
from mrtc.results.schema import VERSION

from .conftest import make_header


def refuse(path: Path, *parts: str) -> None:
    with pytest.raises(ResultsError) as caught:
        read(path)
    for part in (str(path), *parts):
        assert part in str(caught.value)


def test_missing(path: Path) -> None:
    refuse(path, "cannot read", "No such file or directory", "give the .h5 file")


def test_folder(tmp_path: Path) -> None:
    refuse(tmp_path, "cannot read", "Is a directory", "give the .h5 file")


def test_not_hdf5(path: Path) -> None:
    path.write_bytes(b"beta,mig\n0.1,0.2\n")
    refuse(path, "is not an HDF5 file", "beta,mig", "give the .h5 file")


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.99])
def test_truncated(filled: Path, kept: float) -> None:
    data = filled.read_bytes()
    filled.write_bytes(data[: int(kept * len(data))])
    refuse(filled, "is damaged", f"{int(kept * len(data))} bytes", "restore it", "--force")


def test_open_elsewhere_is_not_damaged(filled: Path) -> None:
    with h5py.File(filled, "r", locking=True):
        refuse(filled, "is open elsewhere in this process", "close it there")


@pytest.mark.parametrize("entry", ["beta", "code", "evaluated"])
def test_incomplete(filled: Path, entry: str) -> None:
    with h5py.File(filled, "r+") as file:
        del file[entry]
    refuse(filled, "is damaged", "restore it")


def test_attribute_that_is_not_json(filled: Path) -> None:
    with h5py.File(filled, "r+") as file:
        file.attrs["config"] = "{"
    refuse(filled, "is damaged", "restore it")


def test_foreign(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = 1
    refuse(path, "another kind", "format is None", "give the .h5 file")


def test_newer(filled: Path) -> None:
    with h5py.File(filled, "r+") as file:
        file.attrs["schema_version"] = VERSION + 1
    refuse(filled, f"schema version {VERSION + 1}", f"reads up to {VERSION}", "upgrade mrtc")


def test_nothing_evaluated(path: Path) -> None:
    with open_writer(path, make_header()):
        refuse(path, "holds nothing yet", "0 of its 3 betas", "wait for its evaluation")


def test_a_damaged_file_is_not_gone_on_with(filled: Path) -> None:
    """Only --force replaces it."""
    filled.write_bytes(filled.read_bytes()[:5000])
    with pytest.raises(ResultsError, match="is damaged"), open_writer(filled, make_header()):
        pass
    with open_writer(filled, make_header(), force=True) as writer:
        assert writer.pending == [0, 1, 2]
