"""Pictures in a results file: they come back as written, beside numbers that go on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from filelock import FileLock

from mrtc.errors import ResultsError
from mrtc.results import open_writer, read, reopen
from mrtc.results.pictures import StoredPictures, read_pictures, write_pictures

from .conftest import PARAMETERS, make_header, make_values


def make(beta: list[float], shape: tuple[int, ...] = (4, 6)) -> StoredPictures:
    draw = np.random.default_rng(0)

    def images(*places: int) -> np.ndarray:
        return draw.integers(0, 256, (*places, *shape), np.uint8)

    count = len(beta)
    return StoredPictures(
        fingerprint="a1b2",
        source="größe",
        beta=np.array(beta),
        example=np.array([5, 8]),
        code=np.array([1, 0]),
        value=np.array([-1.5, 0.0, 1.5]),
        originals=images(2),
        reconstructions=images(count, 2),
        samples=images(count, 3),
        traversals=images(count, 2, 3),
        parameters={"seed": 0, "traversed": 5},
    )


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3)])
def test_pictures_come_back_as_written(filled: Path, shape: tuple[int, ...]) -> None:
    assert read_pictures(filled) is None
    written = make([0.1, 10.0], shape)
    write_pictures(filled, written)
    found = read_pictures(filled)
    assert found is not None
    for name, value in vars(written).items():
        np.testing.assert_array_equal(getattr(found, name), value)


def test_numbers_stay_and_the_evaluation_goes_on(filled: Path) -> None:
    before = read(filled)
    write_pictures(filled, make([0.1, 10.0]))
    np.testing.assert_array_equal(read(filled).metrics["rate"], before.metrics["rate"])
    with open_writer(filled, make_header()) as writer:
        for at in writer.pending:
            writer.write(at, make_values(at), PARAMETERS)
    found = read_pictures(filled)
    assert found is not None
    assert found.beta.tolist() == [0.1, 10.0]


def test_new_pictures_replace_old_ones(filled: Path) -> None:
    write_pictures(filled, make([0.1, 10.0]))
    write_pictures(filled, make([10.0]))
    found = read_pictures(filled)
    assert found is not None
    assert found.beta.tolist() == [10.0]


def test_xarray_sees_named_axes(filled: Path) -> None:
    pictures = make([0.1, 10.0], (4, 6, 3))
    write_pictures(filled, pictures)
    with xr.open_datatree(filled, engine="h5netcdf") as tree:
        found = tree["pictures"]["traversals"]
        assert found.dims == (
            "picture_beta",
            "picture_code",
            "picture_value",
            "picture_row",
            "picture_column",
            "picture_channel",
        )
        one = found.sel(picture_beta=10.0, picture_code=0, picture_value=1.5)
        np.testing.assert_array_equal(one, pictures.traversals[1, 1, 2])


def test_pictures_that_do_not_belong_leave_the_file_as_it_was(filled: Path) -> None:
    before = filled.read_bytes()
    with pytest.raises(ResultsError, match=r"another model .* a1b2, theirs ffff; give the check"):
        write_pictures(filled, replace(make([0.1]), fingerprint="ffff"))
    with pytest.raises(ResultsError, match="no evaluated beta 1, and the pictures have; make"):
        write_pictures(filled, make([0.1, 1.0]))
    assert filled.read_bytes() == before


def test_one_process_writes_at_a_time(filled: Path) -> None:
    with (
        FileLock(f"{filled}.lock"),
        pytest.raises(ResultsError, match="being written by another process"),
    ):
        write_pictures(filled, make([0.1]))
    with reopen(filled):
        pass
