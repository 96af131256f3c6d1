"""The HDF5 layout: which groups, dimension scales and attributes make up a results file.

It follows netCDF-4, so that xarray and every other netCDF reader open it: dimensions are scales
at the root, attached to each variable, and links and attributes keep their order of creation.
"""

import json
from datetime import UTC, datetime
from typing import Any

import h5py
import numpy as np
from jaxtyping import Shaped

from mrtc.results.header import Header, to_json, versions
from mrtc.results.schema import CLASSES, FORMAT, VERSION, VERSION_WITHOUT_GROUPS, Variable

LONG_NAMES = {
    "seed": "seed of the run",
    "run": "run of a seed",
    "beta": "rate weight",
    "code": "code",
    "factor": "ground-truth factor",
    "example": "index of the example in the data",
    "group": "latent group, the top one first",
}


def write_header(file: h5py.File, header: Header) -> None:
    """Fills an empty file: attributes, dimensions, flags, and the classes of the kept examples."""
    file.attrs.update(
        format=FORMAT,
        schema_version=VERSION if header.groups else VERSION_WITHOUT_GROUPS,
        fingerprint=header.fingerprint,
        seed=header.seed,
        data_source=header.source,
        created=datetime.now(UTC).isoformat(),
        versions=to_json(versions()),
        parameters=to_json(header.parameters),
        config=to_json(header.config),
        cost=to_json(header.cost),
    )
    scales = {
        "beta": header.beta,
        "code": np.arange(header.num_codes),
        "factor": np.array(header.factors, dtype=h5py.string_dtype()),
        "example": header.index,
    }
    if header.groups:
        scales["group"] = np.arange(len(header.groups))
    for name, values in scales.items():
        scale = file.create_dataset(name, data=values)
        scale.make_scale(name)
        scale.attrs["long_name"] = LONG_NAMES[name]
    file["beta"].attrs["units"] = "1"

    flags = file.create_dataset("evaluated", data=np.zeros(len(header.beta), np.uint8))
    flags.dims[0].attach_scale(file["beta"])
    flags.attrs["long_name"] = "whether the rate weight is evaluated"
    flags.attrs["flag_values"] = np.array([0, 1], np.uint8)
    flags.attrs["flag_meanings"] = "pending evaluated"

    for group in ("metrics", "moments"):
        file.create_group(group, track_order=True)
    if header.classes is not None:
        add_variable(file, CLASSES, {}, header.sizes)[...] = header.classes


def add_variable(
    file: h5py.File, variable: Variable, parameters: dict[str, Any], sizes: dict[str, int]
) -> h5py.Dataset:
    """Adds ``variable``, all NaN, with its dimensions and attributes."""
    shape = tuple(sizes[name] for name in variable.dims)
    is_large = "example" in variable.dims and "beta" in variable.dims
    dataset = file[variable.group].create_dataset(
        variable.name,
        shape=shape,
        dtype=variable.dtype,
        fillvalue=None if variable.dtype.startswith("i") else np.nan,
        # A chunk a beta: betas that are not evaluated yet take no room.
        chunks=(1, *shape[1:]) if is_large else None,
        track_order=True,
    )
    for axis, name in enumerate(variable.dims):
        dataset.dims[axis].attach_scale(file[name])
    dataset.attrs.update(units=variable.unit, long_name=variable.long_name, source=variable.source)
    if variable.direction:
        dataset.attrs["direction"] = variable.direction
    dataset.attrs["parameters"] = to_json(parameters)
    return dataset


def read_header(file: h5py.File) -> Header:
    """The header that :func:`write_header` wrote."""
    return Header(
        beta=file["beta"][...],
        num_codes=len(file["code"]),
        factors=tuple(file["factor"].asstr()[...].tolist()),
        config=json.loads(file.attrs["config"]),
        fingerprint=str(file.attrs["fingerprint"]),
        seed=int(file.attrs["seed"]),
        source=str(file.attrs["data_source"]),
        parameters=json.loads(file.attrs["parameters"]),
        index=file["example"][...],
        classes=file["moments/classes"][...] if "moments/classes" in file else None,
        cost=json.loads(file.attrs.get("cost", "{}")),
    )


def require_shape(
    variable: Variable, value: Shaped[np.ndarray, "*dims"], sizes: dict[str, int]
) -> None:
    """Checks ``value``, given for one beta, against the dimensions of the file.

    Raises:
        ValueError: If it does not fit.
    """
    dims = [name for name in variable.dims if name != "beta"]
    expected = tuple(sizes[name] for name in dims)
    if value.shape != expected or 0 in expected:
        raise ValueError(
            f"{variable.name} has the shape {value.shape}, but its axes ({', '.join(dims)}) have "
            f"the lengths {expected} in this file; give one value for each"
        )
