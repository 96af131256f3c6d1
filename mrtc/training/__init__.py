"""Training: one plain loop, its state on disk, and the engine it runs on."""

from mrtc.training.config import TrainingConfig
from mrtc.training.loop import train
from mrtc.training.stacked import train_stacked
from mrtc.training.state import Checkpoint, TrainingState

__all__ = ["Checkpoint", "TrainingConfig", "TrainingState", "train", "train_stacked"]
