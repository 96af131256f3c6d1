"""Runs in processes of their own: the same results, and one that dies alone."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from mrtc.experiments import RunConfig, execute
from mrtc.experiments.execute import in_processes, one_after_another
from mrtc.experiments.grid import baseline_tasks, is_done
from mrtc.experiments.tasks import Protocol, Task
from mrtc.training import Checkpoint


def remember_children(monkeypatch: pytest.MonkeyPatch) -> list[execute._Process]:
    children: list[execute._Process] = []
    start = execute._start

    def remembered(task: Task, threads: int) -> execute._Process:
        children.append(start(task, threads))
        return children[-1]

    monkeypatch.setattr(execute, "_start", remembered)
    return children


def test_processes_train_what_one_process_trains(
    tiny: RunConfig, tmp_path: Path, protocol: Protocol
) -> None:
    here, there = (
        baseline_tasks(tiny, tmp_path / name, (0.5, 4.0), (0,), protocol) for name in "ab"
    )
    assert [outcome.reason for outcome in one_after_another(here, quiet=True)] == [None, None]
    assert {outcome.reason for outcome in in_processes(there, 2)} == {None}
    for one, other in zip(here, there, strict=True):
        fingerprints = {Checkpoint.load(task.checkpoint).fingerprint() for task in (one, other)}
        assert len(fingerprints) == 1


def test_a_process_that_is_killed_and_one_that_fails_take_no_other_with_them(
    tiny: RunConfig, tmp_path: Path, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = baseline_tasks(tiny, tmp_path / "runs", (0.5, 1.0, 4.0), (0,), protocol)
    endless = replace(tasks[0].config.training, steps=10_000_000)
    tasks[0] = replace(tasks[0], config=replace(tasks[0].config, training=endless))
    tasks[1] = replace(tasks[1], protocol=replace(protocol, device="nowhere"))
    children = remember_children(monkeypatch)
    reasons = {}
    for outcome in in_processes(tasks, 2):
        reasons[outcome.task.name] = outcome.reason
        if len(reasons) == 2:  # all but the endless one
            os.kill(children[0].child.pid, signal.SIGKILL)
    assert "the device 'nowhere' cannot be used" in reasons[tasks[1].name]
    assert reasons[tasks[2].name] is None
    assert "killed by signal 9; was there enough memory?" in reasons[tasks[0].name]
    assert [is_done(task) for task in tasks] == [False, False, True]


def test_an_interrupt_ends_all_processes(
    tiny: RunConfig, tmp_path: Path, protocol: Protocol, monkeypatch: pytest.MonkeyPatch
) -> None:
    longer = replace(tiny, training=replace(tiny.training, steps=10_000_000))
    tasks = baseline_tasks(longer, tmp_path / "runs", (0.5, 1.0), (0,), protocol)
    children = remember_children(monkeypatch)
    monkeypatch.setattr(
        "mrtc.experiments.execute.time.sleep", lambda _: os.kill(os.getpid(), signal.SIGTERM)
    )
    with pytest.raises(KeyboardInterrupt):
        list(in_processes(tasks, 2))
    assert [process.child.returncode is None for process in children] == [False, False]
