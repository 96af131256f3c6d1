"""One run of a grid, from training to its results file; it can be sent to another process."""

import sys
from dataclasses import dataclass as plain_dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from mrtc.devices import Precision
from mrtc.errors import MrtcError
from mrtc.evaluation.scoring import ScoringConfig, score_results
from mrtc.experiments.config import RunConfig
from mrtc.experiments.evaluate import evaluate
from mrtc.experiments.run import run


@dataclass(frozen=True)
class Protocol:
    """How every run of a grid is trained and evaluated, beside its configuration."""

    data: Path | None = None
    """The dataset's official files, where they are at hand."""
    device: str = "auto"
    precision: Precision = "auto"
    part: str | None = None
    """Of the dataset's split, for the evaluation."""
    examples: int | None = None
    """Encoded by the evaluation; ``None`` for all."""
    keep: int = 10_000
    """Of these, decoded and stored."""
    metrics: tuple[str, ...] = ()
    """Scores that are computed of the stored moments."""
    recalibrate: int = 0
    """Batches for batch normalisation at each beta, see :func:`mrtc.experiments.evaluate`."""


@dataclass(frozen=True)
class Task:
    """One run: what is trained, where its files are, at which betas it is evaluated."""

    name: str
    folder: Path
    config: RunConfig
    betas: tuple[float, ...]
    protocol: Protocol

    @property
    def checkpoint(self) -> Path:
        """Where the model is."""
        return self.folder / f"{self.name}.pt"

    @property
    def results(self) -> Path:
        """Where its evaluation is."""
        return self.folder / f"{self.name}.h5"

    def to_json(self) -> str:
        """For another process."""
        return _ADAPTER.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str) -> "Task":
        """What :meth:`to_json` wrote."""
        return _ADAPTER.validate_json(text)


@plain_dataclass(frozen=True)
class Outcome:
    """How a task ended."""

    task: Task
    reason: str | None = None
    """Why it failed; ``None`` if it did not."""


_ADAPTER = TypeAdapter(Task)


def perform(task: Task, *, quiet: bool = True) -> None:
    """Trains and evaluates one run; what is done already is not done again.

    Raises:
        MrtcError: Whatever keeps it from its end.
        KeyboardInterrupt: On Ctrl-C or a scheduler's signal, after saving.
    """
    protocol = task.protocol
    run(
        task.config,
        task.checkpoint,
        data=protocol.data,
        device=protocol.device,
        precision=protocol.precision,
        resume=True,
        quiet=quiet,
    )
    evaluate_task(task, quiet=quiet)


def evaluate_task(task: Task, *, quiet: bool = True) -> None:
    """The second half of :func:`perform`, of a model that is trained."""
    protocol = task.protocol
    evaluate(
        task.checkpoint,
        task.results,
        betas=np.array(task.betas),
        data=protocol.data,
        part=protocol.part,
        examples=protocol.examples,
        keep=protocol.keep,
        recalibrate=protocol.recalibrate,
        device=protocol.device,
        precision=protocol.precision,
        quiet=quiet,
    )
    if protocol.metrics:
        score_results(task.results, protocol.metrics, ScoringConfig(), quiet=quiet)


def attempt(task: Task, *, quiet: bool = True) -> Outcome:
    """Performs ``task``; an error that is the run's own is told in the outcome."""
    try:
        perform(task, quiet=quiet)
    except (MrtcError, MemoryError, RuntimeError) as error:
        return Outcome(task, reason_of(error))
    return Outcome(task)


def reason_of(error: BaseException) -> str:
    """Why a run failed, in a line."""
    text = " ".join(str(error).split())[:400]
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in text:
        return (
            f"out of memory ({text or type(error).__name__}); run fewer at once, or use a "
            "smaller --batch"
        )
    return text if isinstance(error, MrtcError) else f"{type(error).__name__}: {text}"


def _main() -> None:
    """Performs the task that stands on standard input, for :mod:`mrtc.experiments.execute`."""
    try:
        perform(Task.from_json(sys.stdin.read()))
    except (MrtcError, MemoryError, RuntimeError) as error:
        sys.stderr.write(reason_of(error))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    _main()
