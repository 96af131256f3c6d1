"""What every figure can be told."""

from dataclasses import dataclass, field
from pathlib import Path

from mrtc.experiments.execute import Executor
from mrtc.experiments.tasks import Protocol


@dataclass(frozen=True)
class FigureOptions:
    """Where a figure goes, and how its runs are trained."""

    folder: Path
    """Gets the picture, its numbers and, in ``runs``, every run."""
    preset: str = "quick"
    """Budget: ``quick`` for two cores, ``paper`` for the published one."""
    seeds: int = 3
    steps: int | None = None
    """Gradient steps of each run; ``None`` for those of the figure's budget."""
    protocol: Protocol = field(default_factory=Protocol)
    executor: Executor | None = None
    """Where runs are performed; here, one after another, if left out."""
    force: bool = False
    """Begin anew, whatever the folder holds."""
    quiet: bool = False
