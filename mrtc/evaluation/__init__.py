"""One checkpoint over a dense range of beta."""

from mrtc.evaluation.encode import PosteriorEncoder
from mrtc.evaluation.sweep import EvaluationConfig, sweep

__all__ = ["EvaluationConfig", "PosteriorEncoder", "sweep"]
