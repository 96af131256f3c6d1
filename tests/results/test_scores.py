"""Scores in a results file: they come back as written, by any reader, and never half."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from mrtc.results import ScoreRecord, Variable, open_writer, read, reopen

from .conftest import PARAMETERS, make_header, make_values

SAP = Variable("sap", ("beta",), "1", "SAP", "Kumar et al.", "higher is better")
PARTS = {"_factor": np.array([0.25, np.nan, 0.5])}


@pytest.fixture
def scored(filled: Path) -> Path:
    with reopen(filled) as writer:
        record = ScoreRecord(
            SAP, 0.25, {**PARTS, "_low": 0.2, "_high": 0.3}, {"seed": 3, "reason": "why"}
        )
        writer.write_scores(1, [record])
    return filled


def test_scores_come_back_as_written(scored: Path) -> None:
    series = read(scored).scores["sap"]
    assert (series.variable.unit, series.variable.direction) == ("1", "higher is better")
    np.testing.assert_array_equal(series.value[:2], [np.nan, 0.25])
    np.testing.assert_array_equal(series.values["_factor"][1], PARTS["_factor"])
    assert (series.values["_low"][1], series.values["_high"][1]) == (0.2, 0.3)
    assert series.details[0] is None
    details = series.details[1]
    assert details is not None
    assert (details["seed"], details["reason"]) == (3, "why")
    assert set(details["versions"]) >= {"mrtc", "numpy", "scipy"}


def test_a_score_is_replaced_and_others_are_kept(scored: Path) -> None:
    with reopen(scored) as writer:
        writer.write_scores(1, [ScoreRecord(SAP, 0.5, PARTS)])
        writer.write_scores(0, [ScoreRecord(SAP, 0.75, PARTS)])
    np.testing.assert_array_equal(read(scored).scores["sap"].value[:2], [0.75, 0.5])


def test_xarray_sees_named_dimensions_and_units(scored: Path) -> None:
    tree = xr.open_datatree(scored, engine="h5netcdf")
    scores = tree["scores"]
    assert scores["sap"].dims == ("beta",)
    assert scores["sap"].attrs["units"] == "1"
    assert scores["sap_factor"].dims == ("beta", "factor")
    assert scores["sap_details"].dims == ("beta",)
    tree.close()


def test_a_part_that_does_not_fit_leaves_the_file_as_it_was(scored: Path) -> None:
    before = scored.read_bytes()
    with (
        reopen(scored) as writer,
        pytest.raises(ValueError, match=r"sap_factor has the shape \(5,\)"),
    ):
        writer.write_scores(0, [ScoreRecord(SAP, 0.1, {"_factor": np.zeros(5)})])
    assert scored.read_bytes() == before


def test_an_evaluation_goes_on_beside_scores(scored: Path) -> None:
    with open_writer(scored, make_header()) as writer:
        for at in writer.pending:
            writer.write(at, make_values(at), PARAMETERS)
    assert read(scored).scores["sap"].value[1] == 0.25
