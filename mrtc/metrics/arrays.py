"""What scores are given: numpy arrays or torch tensors, one row an example, checked here."""

from typing import TypeAlias

import numpy as np
from jaxtyping import Float64, Int64, Shaped
from numpy.typing import ArrayLike

from mrtc.metrics.checks import check_finite

Array: TypeAlias = ArrayLike
"""A numpy array, a torch tensor on any device, or a nested list."""


def as_numpy(values: Array) -> Shaped[np.ndarray, "..."]:
    """The numbers of an array or of a tensor, which may need a gradient and live on a GPU."""
    if hasattr(values, "detach"):  # torch is not imported for those who do not use it
        tensor = values.detach().cpu()
        return np.asarray(tensor.float() if "bfloat16" in str(tensor.dtype) else tensor)
    return np.asarray(values)


def as_codes(values: Array, name: str = "codes") -> Float64[np.ndarray, "example code"]:
    """Codes as float64.

    Raises:
        ValueError: If they are not numbers, have other axes than example and code, no example or
            no code, or are not finite.
    """
    codes = as_numpy(values)
    if codes.ndim != 2 or not codes.size:
        raise ValueError(
            f"{name} need the shape (example, code), at least one of each; got {codes.shape}"
        )
    if codes.dtype.kind not in "fiu":
        raise ValueError(f"{name} are real numbers; got the type {codes.dtype}")
    codes = codes.astype(np.float64)
    check_finite(name, codes)
    return codes


def as_factors(values: Array, examples: int) -> Int64[np.ndarray, "example factor"]:
    """Class indices of the factors; those of each factor need not be consecutive.

    Args:
        values: Whole numbers from 0 on.
        examples: How many rows there are of codes.

    Raises:
        ValueError: If they are not whole numbers from 0 on, have other axes than example and
            factor, or another number of examples than the codes.
    """
    factors = as_numpy(values)
    if factors.ndim != 2 or not factors.shape[1]:
        raise ValueError(
            f"factors need the shape (example, factor), at least one factor; got {factors.shape}"
        )
    if factors.dtype.kind not in "iub":
        raise ValueError(
            f"factors are class indices, whole numbers from 0 on; got the type {factors.dtype}: "
            "turn each column into indices by np.unique(column, return_inverse=True)[1]"
        )
    if len(factors) != examples:
        raise ValueError(
            f"codes and factors need one row for each example; got {examples} and {len(factors)}"
        )
    factors = factors.astype(np.int64)
    if factors.size and factors.min() < 0:
        raise ValueError(f"class indices count from 0; got a lowest index of {factors.min()}")
    return factors


def varying(factors: Int64[np.ndarray, "example factor"]) -> Int64[np.ndarray, " varying"]:
    """Positions of the factors that have at least two classes in these examples."""
    return np.flatnonzero((factors != factors[:1]).any(axis=0)).astype(np.int64)


def classes_of(factor: Int64[np.ndarray, " example"]) -> Int64[np.ndarray, " example"]:
    """The same classes counted without gaps, from 0 on."""
    return np.unique(factor, return_inverse=True)[1].astype(np.int64)
