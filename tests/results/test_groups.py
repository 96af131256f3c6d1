"""Latent groups in results files: sizes, rates and counts of each, and which one is kept."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray

from mrtc.errors import ResultsError
from mrtc.hierarchy import LatentGroup
from mrtc.results import Results, collect, open_writer, read, read_runs, write_runs
from mrtc.results.groups import all_groups, group_parameters, one_group, scales

from .conftest import make_header

GROUPS = (LatentGroup(2, 1), LatentGroup(2, 4), LatentGroup(2, 4), LatentGroup(1, 8))
RUN = {
    "dataset": "toys",
    "likelihood": "bernoulli",
    "objective": {"name": "beta", "groups": 1},
    "model": {"kind": "nvae"},
    "seed": 0,
    "betas": {"low": 0.1, "high": 10.0},
}
RATES = np.array([[4.0, 3.0, 2.0, 1.0], [2.0, 2.0, 0.5, 0.0], [1.0, 0.0, 0.0, 0.0]])


@pytest.fixture
def hierarchy(path: Path) -> Results:
    """Of 2, 32, 32 and 64 codes, those of the top group kept; evaluated at two of three betas."""
    header = make_header(parameters=group_parameters(GROUPS, 0), config=RUN)
    with open_writer(path, header) as writer:
        for at in (0, 2):
            writer.write(
                at,
                {
                    "rate": RATES[at].sum(),
                    "rate_group": RATES[at],
                    "active_units_group": 10 * RATES[at],
                    "rate_code": np.ones(2),
                },
            )
    return read(path)


def test_groups_in_words() -> None:
    assert scales(GROUPS) == [(0, 0), (1, 2), (3, 3)]
    assert one_group(GROUPS, 2) == "group 2 of 4 (2 maps of 4 x 4)"
    assert all_groups(GROUPS) == "0 (2 maps of 1 x 1), 1 to 2 (2 maps of 4 x 4), 3 (1 map of 8 x 8)"


def test_what_is_of_groups_comes_back(hierarchy: Results) -> None:
    assert hierarchy.header.groups == GROUPS
    assert hierarchy.header.group == 0
    assert (hierarchy.header.num_codes, hierarchy.header.all_codes) == (2, 130)
    np.testing.assert_array_equal(hierarchy.rate_group, RATES[[0, 2]])
    np.testing.assert_array_equal(hierarchy.active_units_group, 10 * RATES[[0, 2]])
    assert "130 codes, those of group 0 of 4 (2 maps of 1 x 1) kept" in repr(hierarchy)
    assert "rate_group" not in hierarchy.table().columns


def test_tables_and_netcdf_readers_know_the_axis(hierarchy: Results) -> None:
    table = hierarchy.long_table("rate_group")
    assert table.columns.tolist() == ["beta", "group", "rate_group"]
    assert table["rate_group"].tolist() == RATES[[0, 2]].ravel().tolist()
    dataset = hierarchy.to_xarray()
    assert float(dataset["rate_group"].sel(beta=0.1, group=2)) == 2.0
    with xarray.open_datatree(hierarchy.path, engine="h5netcdf") as tree:
        assert tree["metrics"]["rate_group"].dims == ("beta", "group")
        assert tree["metrics"]["rate_group"].attrs["units"] == "nats"


def test_older_readers_are_kept_from_files_of_hierarchies_alone(
    hierarchy: Results, filled_flat: Path
) -> None:
    """To them the codes of a group would be all codes."""
    versions = []
    for path in (hierarchy.path, filled_flat):
        with h5py.File(path) as file:
            versions.append(int(file.attrs["schema_version"]))
            assert ("group" in file) == (path == hierarchy.path)
    assert versions == [2, 1]


@pytest.fixture
def filled_flat(tmp_path: Path) -> Path:
    flat = tmp_path / "flat.h5"
    with open_writer(flat, make_header()) as writer:
        writer.write(0, {"rate": 1.0})
    return flat


def test_a_flat_model_has_no_groups(filled_flat: Path) -> None:
    results = read(filled_flat)
    assert results.header.groups == ()
    assert results.kept_group == ""
    assert results.header.all_codes == 2
    with pytest.raises(ResultsError, match="no rate_group: it is of a model without latent groups"):
        _ = results.rate_group


def test_another_group_is_another_evaluation(hierarchy: Results) -> None:
    other = make_header(parameters=group_parameters(GROUPS, 1), config=RUN)
    with (
        pytest.raises(ResultsError, match="parameter group: 0 in the file, 1 now"),
        open_writer(hierarchy.path, other),
    ):
        pass


def test_rates_of_groups_stand_in_files_of_runs(hierarchy: Results, tmp_path: Path) -> None:
    runs = collect([hierarchy])
    assert runs.all_codes == 130
    write_runs(tmp_path / "runs.h5", runs)
    again = read_runs(tmp_path / "runs.h5")
    np.testing.assert_array_equal(again.value("rate_group"), runs.value("rate_group"))
    assert again.variables["rate_group"].dims == ("beta", "group")
    assert again.all_codes == 130
