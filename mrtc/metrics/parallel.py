"""Factors worked on at once."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from jaxtyping import Int64
from joblib import Parallel, delayed

Part = TypeVar("Part")


def over_factors(
    part: Callable[[int], Part], factors: Int64[np.ndarray, " factor"], workers: int
) -> list[Part]:
    """``part`` of each factor, in their order, on so many threads: fits release the lock.

    The result does not depend on ``workers`` as long as ``part`` depends on its argument alone.
    """
    return list(
        Parallel(n_jobs=workers, prefer="threads")(delayed(part)(k) for k in factors.tolist())
    )
