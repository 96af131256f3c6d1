"""Adaptive grids of an evaluation: which curves they go by, and what they leave in doubt."""

from dataclasses import replace

import numpy as np

from mrtc.datasets.examples import Examples, FactorExamples
from mrtc.errors import MrtcError
from mrtc.evaluation.adaptive import AdaptiveGrid, curves, doubts
from mrtc.results import Results

USUAL = ("rate", "distortion")
MEASURED = (*USUAL, "elbo", "active_units")
"""What every sweep measures at each beta."""
MIG = "mig_chen"


def refining(adaptive: AdaptiveGrid, dataset: Examples) -> AdaptiveGrid:
    """The grid with the names of the curves that it goes by.

    Raises:
        MrtcError: If one is not measured on these data.
    """
    has_mig = isinstance(dataset, FactorExamples)
    measured = (*MEASURED, MIG) if has_mig else MEASURED
    names = adaptive.refined or ((*USUAL, MIG) if has_mig else USUAL)
    unknown = [name for name in names if name not in measured]
    if unknown:
        raise MrtcError(
            f"an adaptive grid cannot go by {', '.join(unknown)}, which is not measured at each "
            f"beta of these data; choose among {','.join(measured)}"
        )
    return replace(adaptive, refined=tuple(names))


def certainty(results: Results, adaptive: AdaptiveGrid) -> str:
    """How well straight lines stand for the curves of a finished evaluation, in words."""
    beta, names = results.beta[results.evaluated], adaptive.refined or ()
    columns = results.table()
    metrics = {str(name): columns[name].to_numpy() for name in columns}
    doubt = np.stack(
        [doubts(np.log(beta), curves(metrics, [name], len(beta))).max(0) for name in names]
    )
    curve, interval = np.unravel_index(doubt.argmax(), doubt.shape)
    largest = float(doubt[curve, interval])
    if largest <= adaptive.tolerance:
        return (
            f"{len(beta)} betas are enough for lines within {adaptive.tolerance:g} of the span of "
            f"{', '.join(names)}"
        )
    is_spent = len(beta) >= adaptive.most_betas
    advice = "allow more betas" if is_spent else "the finest grid has no beta between them"
    return (
        f"{len(beta)} betas; between {beta[interval]:.4g} and {beta[interval + 1]:.4g} a line may "
        f"miss {names[curve]} by {largest:.2g} of its span: {advice}"
    )
