"""What codes tell of factors, as an evaluation stores it."""

import numpy as np
from jaxtyping import Float32, Int

from mrtc.errors import ResultsError
from mrtc.evaluation.config import EvaluationConfig, Values
from mrtc.factors import FactorGrid
from mrtc.metrics.information import Information, information_matrix
from mrtc.metrics.mig import mutual_information_gap, score_gaps
from mrtc.randomness import numpy_stream


def information_values(
    mean: Float32[np.ndarray, "example code"],
    log_sigma: Float32[np.ndarray, "example code"],
    index: Int[np.ndarray, " example"],
    grid: FactorGrid,
    config: EvaluationConfig,
    beta: float,
) -> Values:
    """Mutual information, entropies and gaps.

    Args:
        mean: Of the posteriors.
        log_sigma: Of the posteriors.
        index: Which examples of the grid they are of.
        grid: Of the factors.
        config: Estimator, and which factors are scored.
        beta: For messages.

    Raises:
        ResultsError: If the moments are not finite, or too extreme for the quadrature.
    """
    information = _information(mean, log_sigma, grid.classes(index), config, beta)
    values: Values = {
        "mig_chen": score_gaps(information, grid.names, config.scored_factors).score,
        "mig_chen_factor": mutual_information_gap(information.information, information.entropy),
        "information": information.information,
        "code_entropy": information.code_entropy,
        "factor_entropy": information.entropy,
    }
    if information.information_error is not None:
        values["information_error"] = information.information_error
    return values


def _information(
    mean: Float32[np.ndarray, "example code"],
    log_sigma: Float32[np.ndarray, "example code"],
    factors: Int[np.ndarray, "example factor"],
    config: EvaluationConfig,
    beta: float,
) -> Information:
    try:
        return information_matrix(
            mean,
            log_sigma,
            factors,
            estimator=config.estimator,
            samples=config.samples,
            generator=numpy_stream(config.seed, "entropies"),
        )
    except ValueError as error:  # moments that are not finite, or a sigma too small for a grid
        raise ResultsError(
            f"there is no MIG at beta {beta:g}: {error}; leave out that beta, or use --estimator "
            "sampling"
        ) from error
