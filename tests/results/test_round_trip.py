"""What is read is what was written, by mrtc itself and by xarray, which knows nothing of mrtc."""

import json
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import xarray

import mrtc
from mrtc.errors import ResultsError
from mrtc.results import VARIABLES, Results, open_writer, read

from .conftest import BETA, FACTORS, PARAMETERS, make_header, make_values


def test_values_come_back_as_written(filled: Path) -> None:
    """Each value stands at its beta; the beta in between, not evaluated, is NaN."""
    results = read(filled)

    assert results.evaluated.tolist() == [True, False, True]
    for beta_index in (0, 2):
        moments = results.moments(beta_index)
        for name, value in make_values(beta_index).items():
            if name in ("mean", "log_sigma"):
                np.testing.assert_array_equal(getattr(moments, name), value)
            elif "beta" in VARIABLES[name].dims:
                np.testing.assert_array_equal(results.metrics[name][beta_index], value)
            else:
                np.testing.assert_array_equal(results.metrics[name], value)
    assert np.isnan(results.metrics["information"][1]).all()
    assert results.metrics["information"].shape == (3, 2, 3)


def test_header_comes_back_as_written(filled: Path) -> None:
    """Also a configuration above the 64 kB that HDF5 allows an attribute in its header."""
    results, header = read(filled), make_header()

    np.testing.assert_array_equal(results.beta, BETA)
    np.testing.assert_array_equal(results.header.index, header.index)
    np.testing.assert_array_equal(results.moments(0).index, header.index)
    np.testing.assert_array_equal(results.header.classes, header.classes)
    for name in ("num_codes", "factors", "config", "fingerprint", "seed", "source", "parameters"):
        assert getattr(results.header, name) == getattr(header, name)
    assert results.factors == FACTORS
    assert results.config["model"] == {"features": 1200}
    assert results.parameters["mig_chen"] == PARAMETERS["mig_chen"]
    assert results.versions["mrtc"] == mrtc.__version__
    assert results.versions["torch"] == torch.__version__
    assert datetime.fromisoformat(results.created).utcoffset() == UTC.utcoffset(None)


def test_every_variable_says_what_it_is(filled: Path) -> None:
    """Unit, name, source and parameters stand on every array, the direction on every score."""
    with h5py.File(filled) as file:
        assert file.attrs["format"] == "mrtc-results"
        assert file.attrs["schema_version"] == 1
        for name in make_values(0):
            attributes = file[f"{VARIABLES[name].group}/{name}"].attrs
            assert attributes["units"] == VARIABLES[name].unit
            assert attributes["long_name"]
            assert attributes["source"]
            assert json.loads(attributes["parameters"]) == PARAMETERS.get(name, {})
        assert file["metrics/mig_chen"].attrs["direction"] == "higher is better"
        assert "direction" not in file["metrics/rate"].attrs


def test_every_variable_of_the_schema_can_be_written(path: Path) -> None:
    """Also those that an evaluation rarely has, such as the error of a sampled information."""
    header = make_header(parameters={"group": 0, "groups": [[2, 1], [2, 4], [2, 4]]})
    sizes = header.sizes
    with open_writer(path, header) as writer:
        writer.write(
            1,
            {
                name: np.full([sizes[dim] for dim in variable.dims if dim != "beta"], number)
                for number, (name, variable) in enumerate(VARIABLES.items())
            },
        )

    results = read(path)
    for number, (name, variable) in enumerate(VARIABLES.items()):
        if variable.group == "metrics":
            assert (results.metric(name) == number).all()


def test_xarray_opens_the_whole_file(filled: Path) -> None:
    """Groups inherit the coordinates of the root."""
    with xarray.open_datatree(filled, engine="h5netcdf") as tree:
        metrics = tree["metrics"]
        np.testing.assert_array_equal(metrics.coords["beta"], BETA)
        assert metrics.coords["factor"].values.tolist() == list(FACTORS)
        assert metrics["information"].dims == ("beta", "code", "factor")
        assert float(metrics["mig_chen"].sel(beta=10.0)) == make_values(2)["mig_chen"]
        assert (
            float(metrics["mig_chen_factor"].sel(beta=0.1, factor="größe"))
            == (
                make_values(0)["mig_chen_factor"][2]  # type: ignore[index]
            )
        )
        assert tree["moments"]["mean"].dims == ("beta", "example", "code")
        assert tree["moments"].coords["example"].values.tolist() == [3, 5, 8, 13]
        assert tree["evaluated"].values.tolist() == [1, 0, 1]


def test_xarray_opens_one_group(filled: Path) -> None:
    with xarray.open_dataset(filled, engine="h5netcdf", group="metrics") as metrics:
        assert metrics["rate_code"].dims == ("beta", "code")
        assert metrics["rate_code"].attrs["units"] == "nats"
        assert float(metrics["rate"][2]) == make_values(2)["rate"]


def test_data_without_factors_and_without_kept_examples(path: Path) -> None:
    """MNIST, say: no factor, no moments, and xarray still opens it."""
    header = make_header(factors=(), index=np.empty(0, np.int64), classes=None)
    with open_writer(path, header) as writer:
        writer.write(0, {"rate": 1.5})

    results = read(path)
    assert results.factors == ()
    with pytest.raises(ResultsError, match=r"no moments at beta 0\.1; evaluate"):
        results.moments(0)
    with xarray.open_datatree(path, engine="h5netcdf") as tree:
        assert float(tree["metrics"]["rate"][0]) == 1.5


def test_table_has_one_row_for_each_evaluated_beta(filled: Path) -> None:
    table = read(filled).table()

    assert table.columns.tolist() == ["beta", "rate", "active_units", "mig_chen"]
    assert table["beta"].tolist() == [0.1, 10.0]
    assert table["rate"].tolist() == [make_values(i)["rate"] for i in (0, 2)]


def test_long_table_labels_every_value(filled: Path) -> None:
    results = read(filled)
    table = results.long_table("information").set_index(["beta", "code", "factor"])

    assert len(table) == 2 * 2 * 3
    for beta_index in (0, 2):
        for code in range(2):
            for position, factor in enumerate(FACTORS):
                assert (
                    table.loc[(BETA[beta_index], code, factor), "information"]
                    == (
                        make_values(beta_index)["information"][code, position]  # type: ignore[index]
                    )
                )
    assert results.long_table("factor_entropy").columns.tolist() == ["factor", "factor_entropy"]


def test_a_metric_that_is_not_there_is_named(filled: Path) -> None:
    with pytest.raises(ResultsError, match=r"holds no elbo, only rate, .*; evaluate the run again"):
        read(filled).metric("elbo")


def test_moments_of_a_file_that_was_replaced_are_refused(filled: Path) -> None:
    """Metrics of one evaluation never meet moments of another."""
    results: Results = read(filled)
    with open_writer(filled, make_header(), force=True) as writer:
        writer.write(0, make_values(1))

    with pytest.raises(ResultsError, match="read it again"):
        results.moments(0)
