"""What is minimised: named terms per example, in nats."""

from mrtc.objectives.objective import ObjectiveConfig, ObjectiveName, objective_terms
from mrtc.objectives.schedules import RateSchedule, rate_weight
from mrtc.objectives.total_correlation import Estimator, RateTerms, rate_terms

__all__ = [
    "Estimator",
    "ObjectiveConfig",
    "ObjectiveName",
    "RateSchedule",
    "RateTerms",
    "objective_terms",
    "rate_terms",
    "rate_weight",
]
