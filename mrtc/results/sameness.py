"""What runs must have in common to be put side by side, and which betas are the same."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int

from mrtc.errors import ResultsError
from mrtc.results.header import ADAPTIVE
from mrtc.results.reader import Results
from mrtc.trees import differing, flat

Kind = Literal["multi-rate", "baselines"]

OF_ONE_RUN = ("seed", "betas.low", "betas.high")
"""Entries of a configuration in which the runs of one set differ; all others are equal."""

SAME = 1e-6
"""Betas are the same if their logarithms differ by less: they are written with few digits."""


def kind_of(results: Results) -> Kind:
    """Whether these are of a multi-rate model or of a baseline.

    Raises:
        ResultsError: If they are of no training run of mrtc.
    """
    betas = results.config.get("betas")
    if not isinstance(betas, Mapping):
        raise ResultsError(
            f"{results.path} does not say which run it is of; give results of `mrtc eval-mig` or "
            "`mrtc eval`"
        )
    return "baselines" if betas["low"] == betas["high"] else "multi-rate"


def require_same(one: Results, two: Results) -> None:
    """Checks that two evaluations differ in nothing but the runs' seeds and baselines' betas.

    Raises:
        ResultsError: The message names what differs.
    """
    found = differing(shared_config(one), shared_config(two))
    found |= differing(evaluation_of(one), evaluation_of(two))
    if kind_of(one) == "multi-rate" and not found:
        mine, theirs = one.beta, two.beta
        if len(mine) != len(theirs) or not np.allclose(mine, theirs, rtol=1e-6, atol=0):
            found["betas"] = (_brief(mine), _brief(theirs))
    if found:
        raise ResultsError(
            f"{one.path} and {two.path} cannot be put together: {listed(found)}. Give results of "
            "runs that differ in seed and beta only, evaluated alike"
        )


def listed(found: Mapping[str, tuple[Any, Any]]) -> str:
    """What differs, each with both values."""
    return "; ".join(f"{name}: {mine} and {theirs}" for name, (mine, theirs) in found.items())


def evaluation_of(results: Results) -> dict[str, Any]:
    """How it was evaluated, and on what; precision and the choice of betas may differ."""
    header = results.header
    parameters = {
        name: value
        for name, value in header.parameters.items()
        if name not in ("precision", ADAPTIVE)
    }
    return parameters | {
        "data": header.source,
        "codes": header.num_codes,
        "factors": list(header.factors),
        "seed of the evaluation": header.seed,
    }


def shared_config(results: Results) -> dict[str, Any]:
    """The configuration, by dotted names, without what differs from run to run."""
    config = flat(results.config)
    multirate = kind_of(results) == "multi-rate"
    left_out = OF_ONE_RUN[:1] if multirate else OF_ONE_RUN
    return {name: value for name, value in config.items() if name not in left_out}


def distinct_betas(betas: Sequence[float]) -> Float[np.ndarray, " beta"]:
    """In order, each once; last digits do not count."""
    ordered = np.sort(np.array(betas, np.float64))
    is_new = np.diff(np.log(ordered), prepend=-np.inf) > SAME
    distinct: Float[np.ndarray, " beta"] = ordered[is_new]
    return distinct


def positions(
    beta: Float[np.ndarray, " beta"], wanted: Float[np.ndarray, " wanted"]
) -> Int[np.ndarray, " wanted"]:
    """Where in ``beta`` each wanted one stands, -1 if nowhere; last digits do not count."""
    distance = np.abs(np.log(wanted[:, None] / beta))
    nearest = distance.argmin(1)
    return np.where(distance.min(1) < SAME, nearest, -1)


def _brief(beta: Float[np.ndarray, " beta"]) -> str:
    return f"{beta[0]:g} to {beta[-1]:g} ({len(beta)})"
