"""Where the runs of a grid are performed: here one after another, or in processes of their own."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import IO, NamedTuple

from mrtc.experiments.tasks import Outcome, Task, attempt
from mrtc.training.interrupts import deferred_interrupts

Executor = Callable[[Sequence[Task]], Iterator[Outcome]]
"""Performs tasks and yields their outcomes as they come, in any order. What a task writes is in
its folder when its outcome is yielded. Closing the iterator ends what is under way."""

SECONDS_BETWEEN_LOOKS = 0.1


def one_after_another(tasks: Sequence[Task], *, quiet: bool = False) -> Iterator[Outcome]:
    """In this process, with the progress of each."""
    for number, task in enumerate(tasks, start=1):
        if not quiet:
            sys.stderr.write(f"run {number} of {len(tasks)}: {task.name}\n")
        yield attempt(task, quiet=quiet)


def in_processes(tasks: Sequence[Task], workers: int) -> Iterator[Outcome]:
    """In ``workers`` processes at a time, each with its share of the cores.

    A process that dies, for want of memory for example, takes its own run with it and no other.

    Raises:
        KeyboardInterrupt: On Ctrl-C or a scheduler's signal, after all processes have saved.
    """
    threads = max(1, (os.cpu_count() or 1) // workers)
    waiting, running = list(tasks)[::-1], list[_Process]()
    with deferred_interrupts() as asked_to_stop:
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    running.append(_start(waiting.pop(), threads))
                time.sleep(SECONDS_BETWEEN_LOOKS)
                if asked_to_stop():
                    raise KeyboardInterrupt
                ended = [process for process in running if process.child.poll() is not None]
                for process in ended:
                    running.remove(process)
                    yield _outcome(process)
        finally:
            for process in running:
                process.child.terminate()
            for process in running:
                process.child.wait()
                process.errors.close()


class _Process(NamedTuple):
    task: Task
    child: "subprocess.Popen[bytes]"
    errors: IO[str]


def _start(task: Task, threads: int) -> _Process:
    errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 -- closed when the process has ended
    with tempfile.TemporaryFile("w+") as order:
        order.write(task.to_json())
        order.seek(0)
        child = subprocess.Popen(
            [sys.executable, "-m", "mrtc.experiments.tasks"],
            stdin=order,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        )
    return _Process(task, child, errors)


def _outcome(process: _Process) -> Outcome:
    status = process.child.returncode
    process.errors.seek(0)
    said = " ".join(process.errors.read().split())
    process.errors.close()
    if status == 0:
        return Outcome(process.task)
    if status == 2:
        return Outcome(process.task, said)
    if status < 0:
        return Outcome(
            process.task,
            f"its process was killed by signal {-status}"
            + ("; was there enough memory? run fewer at once" if status == -9 else ""),
        )
    return Outcome(process.task, f"its process ended with status {status}: {said[-300:]}")
