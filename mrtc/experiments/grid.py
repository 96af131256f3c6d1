"""A grid of runs: its folder, what of it is done, what failed and why."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mrtc.errors import MrtcError, OutputError, ResultsError
from mrtc.experiments.config import RunConfig
from mrtc.experiments.execute import Executor
from mrtc.experiments.presets import baseline
from mrtc.experiments.tasks import Protocol, Task
from mrtc.files import reporting, write_atomically
from mrtc.progress import Progress
from mrtc.results import Results, read
from mrtc.trees import differing

OURS = ("*.pt", "*.h5", "*.h5.lock", "*.failed", "grid.json")
"""What a grid keeps in its folder."""


def baseline_tasks(
    config: RunConfig,
    folder: Path,
    betas: Sequence[float],
    seeds: Sequence[int],
    protocol: Protocol,
) -> list[Task]:
    """One plain run for each beta and seed, evaluated at its beta."""
    return [
        Task(
            f"beta{beta:.6g}-seed{seed}",
            folder,
            replace(baseline(config, beta), seed=seed),
            (beta,),
            protocol,
        )
        for seed in seeds
        for beta in betas
    ]


def multirate_tasks(
    config: RunConfig,
    folder: Path,
    betas: Sequence[float],
    seeds: Sequence[int],
    protocol: Protocol,
    name: str = "multirate",
) -> list[Task]:
    """One multi-rate run for each seed, evaluated at all betas."""
    return [
        Task(f"{name}-seed{seed}", folder, replace(config, seed=seed), tuple(betas), protocol)
        for seed in seeds
    ]


@contextmanager
def grid_folder(
    folder: Path,
    config: RunConfig,
    protocol: Protocol,
    *,
    resume: bool = False,
    force: bool = False,
) -> Iterator[None]:
    """Holds ``folder`` for the runs of one configuration.

    Args:
        folder: Where checkpoints and results of the runs go.
        config: What the runs have in common.
        protocol: How they are trained and evaluated.
        resume: Go on with what is there.
        force: Remove what is there.

    Raises:
        OutputError: If the folder holds runs and neither is given, or cannot be written, or
            another process works in it.
        MrtcError: If it holds runs of another configuration.
    """
    with reporting(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / "grid.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise OutputError(
                f"another process works in {folder}; wait for it to end, or choose another --out"
            ) from None
    try:
        found = [path for pattern in OURS for path in folder.glob(pattern)]
        if found and force:
            for path in found:
                path.unlink()
        elif found and not resume:
            raise OutputError(
                f"{folder} holds {len(found)} files of earlier runs; go on with --resume, begin "
                "anew with --force, or choose another --out"
            )
        _require_same(folder / "grid.json", _identity(config, protocol))
        yield
    finally:
        lock.release()


def perform_all(
    tasks: Sequence[Task], executor: Executor, *, title: str, quiet: bool = False
) -> dict[str, str]:
    """Performs what is not done, and records what failed.

    Returns:
        Why tasks failed, by their names.
    """
    pending = [task for task in tasks if not is_done(task)]
    failures: dict[str, str] = {}
    done = len(tasks) - len(pending)
    with Progress(title, len(tasks), done=done, unit="run", quiet=quiet) as progress:
        outcomes = executor(pending)
        for outcome in outcomes:
            note = outcome.task.folder / f"{outcome.task.name}.failed"
            if outcome.reason is None:
                note.unlink(missing_ok=True)
            else:
                failures[outcome.task.name] = outcome.reason
                write_atomically(note, outcome.reason.encode())
            progress.advance()
    return failures


def is_done(task: Task) -> bool:
    """Whether the task's results are there, at all betas and with all scores."""
    if not task.results.exists():
        return False
    try:
        results = read(task.results)
    except ResultsError:
        return False
    scored = all(name in results.scores for name in task.protocol.metrics)
    return bool(results.evaluated.all()) and scored


def results_of(tasks: Sequence[Task]) -> list[Results]:
    """The results of the tasks that have them."""
    return [read(task.results) for task in tasks if is_done(task)]


def _identity(config: RunConfig, protocol: Protocol) -> dict[str, Any]:
    """What runs of one folder have in common; scores may be added later."""
    evaluation = {name: getattr(protocol, name) for name in ("part", "examples", "keep")}
    return {"run": json.loads(config.to_json()), "evaluation": evaluation}


def _require_same(path: Path, identity: dict[str, Any]) -> None:
    if not path.exists():
        write_atomically(path, json.dumps(identity).encode())
        return
    found = differing(identity, _read_identity(path))
    if found:
        listed = "; ".join(f"{name} was {old}, now {new}" for name, (new, old) in found.items())
        raise MrtcError(
            f"{path.parent} holds runs of another configuration: {listed}. Ask for the same, "
            "choose another --out, or begin anew with --force"
        )


def _read_identity(path: Path) -> dict[str, Any]:
    """What an earlier grid wrote, with the defaults of what its version did not know yet."""
    try:
        before: dict[str, Any] = json.loads(path.read_text())
        run = RunConfig.from_json(json.dumps(before["run"]))
    except (KeyError, TypeError, ValueError):
        return {}
    return before | {"run": json.loads(run.to_json())}
