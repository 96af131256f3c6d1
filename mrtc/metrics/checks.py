"""What every metric asks of the arrays it is given."""

import numpy as np
from jaxtyping import Float, Int, Integer


def check_finite(name: str, values: Float[np.ndarray, "..."]) -> None:
    """Refuses values that are not finite.

    Raises:
        ValueError: With their number and the places of the first three.
    """
    finite = np.isfinite(values)
    if not finite.all():
        bad = np.argwhere(~finite)
        places = ", ".join(str(tuple(place.tolist())) for place in bad[:3])
        more = ", ..." if len(bad) > 3 else ""
        raise ValueError(
            f"{name} holds {len(bad)} values of {values.size} that are not finite, at {places}"
            f"{more}; the encoder has probably diverged"
        )


def check_moments(mean: Float[np.ndarray, "..."], log_sigma: Float[np.ndarray, "..."]) -> None:
    """Refuses moments of no example, of unequal shapes, or not finite.

    Raises:
        ValueError: With the shapes, or with the number and places of the values.
    """
    if mean.shape != log_sigma.shape or not len(mean):
        raise ValueError(
            "mean and log_sigma need one shape and at least one example, got "
            f"{mean.shape} and {log_sigma.shape}"
        )
    check_finite("mean", mean)
    check_finite("log_sigma", log_sigma)


def count_classes(classes: Integer[np.ndarray, " example"]) -> Int[np.ndarray, " class"]:
    """Number of examples of each class, from 0 to the highest there is.

    Raises:
        ValueError: If there is no example, or a class index is negative.
    """
    if not len(classes) or classes.min() < 0:
        seen = f"a lowest index of {classes.min()}" if len(classes) else "no example"
        raise ValueError(f"class indices count from 0, and one is needed for each example; {seen}")
    return np.bincount(classes.astype(np.int64, copy=False))
