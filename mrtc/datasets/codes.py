"""Codes of any model from a file: ``.npz``, HDF5 or Parquet.

Arrays of ``.npz`` and HDF5 files: ``mean`` (or ``codes``), of shape (example, code) or (beta,
example, code); ``log_sigma`` or ``sigma`` of the same shape, if there are posteriors; ``factors``
(example, factor), class indices; ``factor_names``; ``beta``. All but the first may be left out.
A Parquet table has the columns ``mean_0``, ``mean_1``, ...; ``sigma_0``, ... or ``log_sigma_0``,
...; and ``factor_shape``, ``factor_x``, and so on.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from jaxtyping import Float32, Float64, Int64, Shaped

from mrtc.errors import DataError

FORM = (
    "mean (example, code), with log_sigma or sigma, factors (example, factor), factor_names and "
    "beta if there are any; or in Parquet columns mean_0, sigma_0, factor_NAME"
)
KNOWN = ("mean", "codes", "log_sigma", "sigma", "factors", "factor_names", "beta")
ENDINGS = (".npz", ".h5", ".hdf5", ".parquet")


@dataclass(frozen=True, eq=False)
class CodesFile:
    """What a file of codes holds."""

    mean: Float32[np.ndarray, "beta example code"]
    log_sigma: Float32[np.ndarray, "beta example code"] | None
    factors: Int64[np.ndarray, "example factor"] | None
    factor_names: tuple[str, ...]
    beta: Float64[np.ndarray, " beta"] | None
    """``None`` where the file says none; ``mean`` then has one beta."""


def read_codes(path: Path) -> CodesFile:
    """Reads a file of codes; never unpickles.

    Raises:
        DataError: If it is missing, damaged, of another form, or its arrays do not fit together.
    """
    arrays = _arrays(path)
    mean = _moments(path, arrays, "mean" if "mean" in arrays else "codes")
    log_sigma = None
    if "log_sigma" in arrays:
        log_sigma = _moments(path, arrays, "log_sigma")
    elif "sigma" in arrays:
        sigma = _moments(path, arrays, "sigma")
        if (sigma <= 0).any():
            raise DataError(
                f"{path}: a sigma is a standard deviation, above 0; got a lowest of "
                f"{sigma.min():g}; if these are logarithms, call the array log_sigma"
            )
        log_sigma = np.log(sigma)
    if log_sigma is not None and log_sigma.shape != mean.shape:
        raise DataError(
            f"{path}: means and sigmas need one shape; got {mean.shape} and {log_sigma.shape}"
        )
    beta = None
    if "beta" in arrays:
        beta = np.atleast_1d(arrays["beta"]).astype(np.float64)
    count = 1 if beta is None else len(beta)
    if len(mean) != count or (beta is not None and not (np.diff(beta) > 0).all()):
        raise DataError(
            f"{path}: codes at several betas have the shape (beta, example, code), with an "
            f"increasing array beta; got codes of {mean.shape} and "
            f"{'no beta' if beta is None else f'{count} betas'}"
        )
    factors, names = _factors(path, arrays, mean.shape[1])
    return CodesFile(mean, log_sigma, factors, names, beta)


def _arrays(path: Path) -> Mapping[str, Shaped[np.ndarray, "..."]]:
    if path.suffix not in ENDINGS:
        raise DataError(f"{path} ends in none of {', '.join(ENDINGS)}; it should hold {FORM}")
    if not path.is_file():
        raise DataError(f"cannot read {path}: there is no such file; check the name")
    try:
        arrays = READERS[path.suffix](path)
    except ImportError as error:
        raise DataError(
            f"cannot read {path}: Parquet needs pyarrow; install mrtc[parquet], or give an .npz"
        ) from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is damaged, or no {path.suffix} file ({error}); it should hold {FORM}"
        ) from error
    if not {"mean", "codes"} & arrays.keys():
        raise DataError(
            f"{path} holds no codes, only {', '.join(arrays) or 'nothing'}; it should hold {FORM}"
        )
    return arrays


def _read_npz(path: Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("one array without a name")  # noqa: TRY004 -- as np.load says it
        return {name: archive[name] for name in KNOWN if name in archive}


def _read_hdf5(path: Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    with h5py.File(path, "r") as file:
        found = {name: file[name] for name in KNOWN if isinstance(file.get(name), h5py.Dataset)}
        return {
            name: (data.asstr() if h5py.check_string_dtype(data.dtype) else data)[...]
            for name, data in found.items()
        }


def _read_parquet(path: Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    table = pd.read_parquet(path)
    arrays = {}
    for name in ("mean", "codes", "log_sigma", "sigma"):
        columns = [f"{name}_{at}" for at in range(len(table.columns))]
        present = [column for column in columns if column in table]
        if present:
            arrays[name] = table[present].to_numpy()
    factors = [str(c) for c in table.columns if str(c).startswith("factor_")]
    if factors:
        arrays["factors"] = table[factors].to_numpy()
        arrays["factor_names"] = np.array([name.removeprefix("factor_") for name in factors])
    return arrays


READERS = {
    ".npz": _read_npz,
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
    ".parquet": _read_parquet,
}


def _moments(
    path: Path, arrays: Mapping[str, Shaped[np.ndarray, "..."]], name: str
) -> Float32[np.ndarray, "beta example code"]:
    values = arrays[name]
    if values.dtype.kind not in "fiu":
        raise DataError(f"{path}: {name} holds real numbers, got the type {values.dtype}")
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3 or not values.size:
        raise DataError(
            f"{path}: {name} needs the shape (example, code), or (beta, example, code), at least "
            f"one of each; got {values.shape}"
        )
    if not np.isfinite(values).all():
        raise DataError(
            f"{path}: {name} holds {int((~np.isfinite(values)).sum())} values that are not "
            "finite; the encoder has probably diverged"
        )
    return values.astype(np.float32)


def _factors(
    path: Path, arrays: Mapping[str, Shaped[np.ndarray, "..."]], examples: int
) -> tuple[Int64[np.ndarray, "example factor"] | None, tuple[str, ...]]:
    if "factors" not in arrays:
        return None, ()
    factors = arrays["factors"]
    if factors.dtype.kind not in "iub":
        raise DataError(
            f"{path}: factors are class indices, whole numbers from 0 on; got the type "
            f"{factors.dtype}: np.unique(column, return_inverse=True)[1] makes them"
        )
    if factors.ndim != 2 or len(factors) != examples or not factors.size or factors.min() < 0:
        lowest = f", lowest {factors.min()}" if factors.size else ""
        raise DataError(
            f"{path}: factors need the shape (example, factor), one row for each of {examples} "
            f"examples, counted from 0; got {factors.shape}{lowest}"
        )
    names = tuple(str(name) for name in arrays.get("factor_names", range(factors.shape[1])))
    if len(names) != factors.shape[1] or len(set(names)) < len(names):
        raise DataError(
            f"{path}: factor_names needs {factors.shape[1]} different names, got {names}"
        )
    return factors.astype(np.int64), names
