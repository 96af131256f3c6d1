"""Several runs in one HDF5 file, over (seed, beta); see :class:`mrtc.results.runs.RunSet`.

Groups: ``metrics`` (metrics and scores) and ``cost``. At the root stand the dimension scales and
``failure``: the reason why a run has no values, empty where it has.
"""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np

from mrtc.files import write_atomically
from mrtc.results.groups import groups_of
from mrtc.results.header import to_json, versions
from mrtc.results.layout import LONG_NAMES
from mrtc.results.reader import opened
from mrtc.results.runs import COST, RunSet
from mrtc.results.schema import Variable

FORMAT = "mrtc-runs"
VERSION = 1
COST_UNITS = {"steps": "count", "examples": "count", "seconds": "s", "parameters": "count"}


def write_runs(path: Path, runs: RunSet) -> None:
    """Writes ``runs`` as a whole.

    Raises:
        OutputError: If the file cannot be written.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", track_order=True) as file:
        file.attrs.update(
            format=FORMAT,
            schema_version=VERSION,
            kind=runs.kind,
            config=to_json(runs.config),
            parameters=to_json(runs.parameters),
            data_source=runs.source,
            created=datetime.now(UTC).isoformat(),
            versions=to_json(versions()),
        )
        scales = {
            "seed": runs.seed,
            "beta": runs.beta,
            "run": np.arange(runs.cost[COST[0]].shape[1]),
            "code": np.arange(runs.num_codes),
            "factor": np.array(runs.factors, dtype=h5py.string_dtype()),
        }
        if groups := groups_of(runs.parameters):
            scales["group"] = np.arange(len(groups))
        for name, values in scales.items():
            file.create_dataset(name, data=values).make_scale(name)
            file[name].attrs["long_name"] = LONG_NAMES[name]
        for name, variable in runs.variables.items():
            dataset = _add(file, f"metrics/{name}", runs.values[name], ("seed", *variable.dims))
            dataset.attrs.update(
                units=variable.unit, long_name=variable.long_name, source=variable.source
            )
            dataset.attrs["direction"] = variable.direction
        for name in COST:
            dataset = _add(file, f"cost/{name}", runs.cost[name], ("seed", "run"))
            dataset.attrs["units"] = COST_UNITS[name]
        reasons = np.full((len(runs.seed), len(runs.beta)), "", dtype=object)
        for (seed, beta), reason in runs.failures.items():
            row = int(np.searchsorted(runs.seed, seed))
            reasons[row, int(np.abs(np.log(runs.beta / beta)).argmin())] = reason
        failure = file.create_dataset("failure", data=reasons, dtype=h5py.string_dtype())
        for axis, name in enumerate(("seed", "beta")):
            failure.dims[axis].attach_scale(file[name])
    write_atomically(path, buffer.getbuffer())


def read_runs(path: Path | str) -> RunSet:
    """Reads what :func:`write_runs` wrote.

    Raises:
        ResultsError: If the file is missing, damaged, foreign or too new.
    """
    with opened(Path(path), FORMAT, VERSION) as file:
        seed, beta = file["seed"][...], file["beta"][...]
        variables = {
            name: Variable(
                name,
                tuple(dim.label or dim[0].name.removeprefix("/") for dim in dataset.dims)[1:],
                str(dataset.attrs["units"]),
                str(dataset.attrs["long_name"]),
                str(dataset.attrs["source"]),
                dataset.attrs["direction"],
            )
            for name, dataset in file["metrics"].items()
        }
        reasons = file["failure"].asstr()[...]
        return RunSet(
            kind=file.attrs["kind"],
            beta=beta,
            seed=seed,
            config=json.loads(file.attrs["config"]),
            parameters=json.loads(file.attrs["parameters"]),
            source=str(file.attrs["data_source"]),
            num_codes=len(file["code"]),
            factors=tuple(file["factor"].asstr()[...].tolist()),
            values={name: file[f"metrics/{name}"][...] for name in variables},
            variables=variables,
            cost={name: file[f"cost/{name}"][...] for name in COST},
            failures={
                (int(seed[row]), float(beta[column])): str(reasons[row, column])
                for row, column in np.argwhere(reasons != "").tolist()
            },
        )


def is_runs_file(path: Path) -> bool:
    """Whether the file holds several runs, rather than one evaluation; False if it cannot tell."""
    try:
        with h5py.File(path, "r", locking=False) as file:
            return bool(file.attrs.get("format") == FORMAT)
    except OSError:
        return False


def _add(file: h5py.File, name: str, values: np.ndarray, dims: tuple[str, ...]) -> h5py.Dataset:
    dataset = file.create_dataset(name, data=values, track_order=True)
    for axis, dim in enumerate(dims):
        dataset.dims[axis].attach_scale(file[dim])
    return dataset
