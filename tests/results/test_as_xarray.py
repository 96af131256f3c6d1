"""The data set in memory against what xarray itself reads of the file."""

import builtins
import json
from pathlib import Path

import numpy as np
import pytest
import xarray

from mrtc.errors import MrtcError
from mrtc.results import ScoreRecord, Variable, read, reopen

from .conftest import PARAMETERS

SAP = Variable("sap", ("beta",), "1", "SAP", "Kumar et al.", "higher is better")
KEPT = [0, 2]
"""Betas that are evaluated."""


@pytest.fixture
def scored(filled: Path) -> Path:
    with reopen(filled) as writer:
        parts = {"_factor": np.array([0.25, np.nan, 0.5]), "_low": 0.2, "_high": 0.3}
        writer.write_scores(2, [ScoreRecord(SAP, 0.25, parts)])
    return filled


def test_it_is_what_the_file_holds(scored: Path) -> None:
    found = read(scored).to_xarray()
    with xarray.open_datatree(scored, engine="h5netcdf") as tree:
        metrics, scores = tree["metrics"].to_dataset(), tree["scores"].to_dataset()
        expected = {**metrics.data_vars, **scores.drop_vars("sap_details").data_vars}
        assert set(found.data_vars) == set(expected)
        for name, theirs in expected.items():
            theirs = theirs.isel(beta=KEPT) if "beta" in theirs.dims else theirs
            assert found[name].dims == theirs.dims
            np.testing.assert_array_equal(found[name], theirs)
            for attribute in ("units", "long_name", "source", "direction"):
                assert found[name].attrs.get(attribute) == theirs.attrs.get(attribute)
        for coordinate in ("beta", "code", "factor"):
            ours = found[coordinate].to_numpy().tolist()
            theirs = tree[coordinate].to_numpy()
            assert ours == (theirs[KEPT] if coordinate == "beta" else theirs).tolist()


def test_it_is_asked_by_labels_and_says_what_it_is(scored: Path) -> None:
    found = read(scored).to_xarray()
    results = read(scored)
    assert (
        found["information"].sel(beta=10.0, code=1, factor="scale").item()
        == (results.metrics["information"][2, 1, 1])
    )
    assert found["mig_chen"].attrs["units"] == "1"
    assert json.loads(found["mig_chen"].attrs["parameters"]) == PARAMETERS["mig_chen"]
    assert found.attrs["data_source"] == "dSprites, rendered"
    assert json.loads(found.attrs["config"]) == results.config


def test_it_can_be_written_as_netcdf(scored: Path, tmp_path: Path) -> None:
    found = read(scored).to_xarray()
    found.to_netcdf(tmp_path / "copy.nc", engine="h5netcdf")
    with xarray.open_dataset(tmp_path / "copy.nc", engine="h5netcdf") as again:
        xarray.testing.assert_identical(again.load(), found)


def test_pandas_has_metrics_and_scores_beside_each_other(scored: Path) -> None:
    results = read(scored)
    table = results.to_pandas()
    assert list(table) == ["beta", "rate", "active_units", "mig_chen", "sap"]
    assert table["beta"].tolist() == [0.1, 10.0]
    np.testing.assert_array_equal(table["sap"], [np.nan, 0.25])
    np.testing.assert_array_equal(table["rate"], results.metric("rate"))


def test_without_xarray_it_is_said_what_to_do(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == "xarray":
            raise ImportError(name)
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MrtcError, match=r"xarray is not installed.*pip install xarray"):
        read(filled).to_xarray()
