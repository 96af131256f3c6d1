"""One checkpoint over a dense range of beta."""

from mrtc.evaluation.config import EvaluationConfig
from mrtc.evaluation.encode import PosteriorEncoder
from mrtc.evaluation.sweep import sweep

__all__ = ["EvaluationConfig", "PosteriorEncoder", "sweep"]
