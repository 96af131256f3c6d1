"""Results as an xarray data set: every array with its axes, unit and source."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from mrtc.errors import MrtcError
from mrtc.results.header import to_json
from mrtc.results.layout import LONG_NAMES
from mrtc.results.reader import Results
from mrtc.results.schema import VARIABLES, Variable, unit_of
from mrtc.results.scores import DIMENSIONS

if TYPE_CHECKING:
    import xarray


def to_dataset(results: Results) -> "xarray.Dataset":
    """Metrics and scores at the evaluated betas, over the coordinates beta, code and factor.

    Attributes are texts and numbers, so ``to_netcdf`` can write them.

    Raises:
        MrtcError: If xarray is not installed.
    """
    try:
        import xarray
    except ImportError:
        raise MrtcError(
            "xarray is not installed, and to_xarray() makes one of its data sets; install it with "
            "`pip install xarray`, or use to_pandas()"
        ) from None
    arrays = {}
    for variable, values in _arrays(results):
        attributes = {
            "units": unit_of(variable, results.config),
            "long_name": variable.long_name,
            "source": variable.source,
            "direction": variable.direction,
            "parameters": to_json(results.parameters.get(variable.name, {})),
        }
        kept = values[results.evaluated] if "beta" in variable.dims else values
        arrays[variable.name] = (variable.dims, kept, _without_empty(attributes))
    labels = {
        "beta": results.beta[results.evaluated],
        "code": np.arange(results.header.num_codes),
        "factor": np.array(results.factors, dtype=object),
        "group": np.arange(len(results.header.groups)),
    }
    used = {dim for dims, *_ in arrays.values() for dim in dims} | {"beta"}
    return xarray.Dataset(
        arrays,
        {
            name: (name, label, {"long_name": LONG_NAMES[name]})
            for name, label in labels.items()
            if name in used
        },
        _without_empty(
            {
                "title": results.path.name,
                "data_source": results.header.source,
                "fingerprint": results.header.fingerprint,
                "seed": results.header.seed,
                "created": results.created,
                "versions": to_json(results.versions),
                "parameters": to_json(results.header.parameters),
                "config": to_json(results.config),
            }
        ),
    )


def _arrays(results: Results) -> Iterator[tuple[Variable, Float[np.ndarray, "..."]]]:
    for name, values in results.metrics.items():
        yield VARIABLES[name], values
    for name, series in results.scores.items():
        for ending, values in series.values.items():
            yield replace(series.variable, name=name + ending, dims=DIMENSIONS[ending]), values


def _without_empty(attributes: Mapping[str, str | int]) -> dict[str, str | int]:
    return {name: value for name, value in attributes.items() if value not in ("", "{}")}
