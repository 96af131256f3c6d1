"""Taking pending betas out of a results file, where an evaluation ends without them."""

from datetime import UTC, datetime

import h5py
import numpy as np
from jaxtyping import Bool

from mrtc.results.layout import LONG_NAMES

GROUPS = ("metrics", "moments", "scores")


def keep_evaluated(file: h5py.File) -> None:
    """Leaves pending betas out of every array of a file that is open for writing.

    HDF5 removes no rows, so the arrays are made anew, and the room of the old ones is used again.
    Pictures and texts name their own betas, and stay. The time of creation is new as well: who
    reads by positions of before is told to read again.
    """
    kept = file["evaluated"][...] == 1
    names = ["evaluated"] + [f"{group}/{name}" for group in GROUPS for name in file.get(group, ())]
    old = [_Array(file[name], kept) for name in names if "beta" in file[name].dims[0].keys()]  # noqa: SIM118
    beta = file["beta"][kept]
    for array in old:
        del file[array.name]
    del file["beta"]
    file.create_dataset("beta", data=beta).make_scale("beta")
    file["beta"].attrs.update(long_name=LONG_NAMES["beta"], units="1")
    for array in old:
        array.write(file)
    file.attrs["created"] = datetime.now(UTC).isoformat()


class _Array:
    """An array over beta, with what makes it up, taken out of its file."""

    def __init__(self, dataset: h5py.Dataset, kept: Bool[np.ndarray, " beta"]) -> None:
        self.name = dataset.name
        self._values = dataset[kept]
        self._dims = [next(iter(dim.keys())) for dim in dataset.dims]
        self._attributes = {
            name: value for name, value in dataset.attrs.items() if name != "DIMENSION_LIST"
        }
        self._options = {"dtype": dataset.dtype, "chunks": dataset.chunks, "track_order": True}
        if dataset.dtype.kind == "f":
            self._options["fillvalue"] = dataset.fillvalue

    def write(self, file: h5py.File) -> None:
        dataset = file.create_dataset(self.name, data=self._values, **self._options)
        for axis, dim in enumerate(self._dims):
            dataset.dims[axis].attach_scale(file[dim])
        dataset.attrs.update(self._attributes)
