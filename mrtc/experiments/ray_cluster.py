"""The runs of a grid on the nodes of a Ray cluster, which need not share a file system."""

import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from mrtc.errors import MrtcError
from mrtc.experiments.ray_connection import connection, import_ray
from mrtc.experiments.tasks import Outcome, Task, attempt, reason_of
from mrtc.files import write_atomically
from mrtc.training.interrupts import deferred_interrupts

SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_TO_CANCEL = 30.0
SECONDS_WITHOUT_NODES = 60.0
"""How long runs wait when no node is left that could perform them."""

Files = dict[str, bytes]
"""A task's files as they travel: what they hold, by suffix."""


class _Need(NamedTuple):
    cpus: float
    gpus: float

    def __str__(self) -> str:
        return f"{self.cpus:g} CPUs and {self.gpus:g} GPUs"


class _Try(NamedTuple):
    task: Task
    number: int


def on_ray(
    tasks: Sequence[Task],
    *,
    address: str | None = None,
    gpus_per_run: float = 0.0,
    cpus_per_run: float = 1.0,
    retries: int = 3,
    quiet: bool = False,
) -> Iterator[Outcome]:
    """On the nodes of a Ray cluster, as many at a time as there is room for.

    A node performs a run in a temporary folder of its own and sends the files back; they are
    written here, whole, before the outcome is yielded. What is here of a run that was interrupted
    goes along, so that it is gone on with. A run whose node or process dies is performed again; one
    that ends with an error of its own is not. Should the cluster's head die, Ray ends this process;
    what was done is kept, and can be gone on with.

    Args:
        tasks: To perform. Their data are read on the nodes, at the same path as here.
        address: Of the cluster: ``"10.0.0.1:6379"`` on one of its nodes,
            ``"ray://10.0.0.1:10001"`` elsewhere. ``None`` or ``"auto"`` for the one that this
            process is connected to, that ``RAY_ADDRESS`` names, or that runs on this machine; if
            there is none, one is started here, and shut down in the end.
        gpus_per_run: GPUs that a run has to itself, or its share of one; without, a run whose
            device is ``"auto"`` keeps to the CPU.
        cpus_per_run: Cores of a run.
        retries: How often a run is performed again whose node or process died.
        quiet: Do not say where runs are performed, and which are performed again.

    Raises:
        MrtcError: If Ray is not installed, no cluster is at ``address``, or no node of it has what
            a run needs.
        KeyboardInterrupt: On Ctrl-C or a scheduler's signal; runs that are not done are cancelled.
    """
    if not tasks:
        return
    ray, need = import_ray(), _Need(cpus_per_run, gpus_per_run)
    with connection(ray, address), deferred_interrupts() as asked_to_stop:
        _require_room(ray, need)
        if not quiet:
            sys.stderr.write(f"{len(tasks)} runs on a Ray cluster of {_sum(_nodes(ray))}\n")
        perform = ray.remote(_perform_there).options(
            num_cpus=need.cpus,
            num_gpus=need.gpus,
            max_retries=0,  # counted here: Ray itself retries without end what lacks memory
        )
        running: dict[Any, _Try] = {}  # by Ray's references; a task is in it until it has ended

        def submit(task: Task, number: int) -> None:
            arguments = _portable(task), _files_of(task), need.cpus, need.gpus
            running[perform.remote(*arguments)] = _Try(task, number)

        try:
            for task in tasks:
                submit(task, 0)
            last_room = time.monotonic()
            while running:
                done, _ = ray.wait(list(running), timeout=SECONDS_BETWEEN_LOOKS)
                if asked_to_stop():
                    raise KeyboardInterrupt
                for reference in done:
                    task, number = running.pop(reference)
                    reason, is_lost = _ending(ray, reference, task)
                    if not is_lost:
                        yield Outcome(task, reason)
                    elif number == retries:
                        yield Outcome(task, f"{reason}, in all of {number + 1} attempts")
                    else:
                        if not quiet:
                            sys.stderr.write(f"{task.name}: {reason}; it is performed again\n")
                        submit(task, number + 1)
                if done or any(_has(node, need) for node in _nodes(ray)):
                    last_room = time.monotonic()
                elif time.monotonic() - last_room > SECONDS_WITHOUT_NODES:
                    left = [running.pop(reference).task for reference in list(running)]
                    reason = f"the cluster has no node left with {need}; add one, and --resume"
                    yield from (Outcome(task, reason) for task in left)
        finally:
            _cancel(ray, list(running))


# On a node.


def _perform_there(text: str, files: Files, cpus: float, gpus: float) -> tuple[str | None, Files]:
    """Why the task failed, if it did, and what there is of its files."""
    torch.set_num_threads(max(1, int(cpus)))
    task = Task.from_json(text)
    protocol = task.protocol
    if protocol.data is not None and not protocol.data.exists():
        return (
            f"there are no data at {protocol.data} on the node {socket.gethostname()}; put them "
            "at this path on all nodes, or leave out --data"
        ), {}
    if gpus == 0 and protocol.device == "auto":  # GPUs are for runs that asked Ray for them
        protocol = replace(protocol, device="cpu")
    with tempfile.TemporaryDirectory(prefix="mrtc-") as folder:
        task = replace(task, folder=Path(folder), protocol=protocol)
        _write(task, files)
        return attempt(task).reason, _files_of(task)


# Here and there.


def _portable(task: Task) -> str:
    data = task.protocol.data
    if data is not None:  # without ".." in it
        data = Path(os.path.abspath(data))  # noqa: PTH100 -- links may differ between nodes
    return replace(task, protocol=replace(task.protocol, data=data)).to_json()


def _files_of(task: Task) -> Files:
    places = (task.checkpoint, task.results)
    return {path.suffix: path.read_bytes() for path in places if path.exists()}


def _write(task: Task, files: Files) -> None:
    for path in (task.checkpoint, task.results):
        if path.suffix in files:
            write_atomically(path, files[path.suffix])


# Here.


def _cancel(ray: Any, references: list[Any]) -> None:  # noqa: ANN401 -- a module, and its types
    """Asks until they have ended: Ray forgets a request that meets a run on its way to a node."""
    deadline = time.monotonic() + SECONDS_TO_CANCEL
    while references and time.monotonic() < deadline:
        for reference in references:
            ray.cancel(reference, force=True)
        _, references = ray.wait(
            references, num_returns=len(references), timeout=SECONDS_BETWEEN_LOOKS
        )
    if references:
        sys.stderr.write(
            f"mrtc: {len(references)} runs have not ended {SECONDS_TO_CANCEL:g} s after they were "
            "cancelled, and may go on; `ray list tasks` on the cluster shows them\n"
        )


def _ending(
    ray: Any,  # noqa: ANN401 -- a module that may be absent
    reference: Any,  # noqa: ANN401 -- of a type of that module
    task: Task,
) -> tuple[str | None, bool]:
    """Why a task failed, if it did, and whether its node or process is to blame.

    The files of one that was not lost are put in their place.
    """
    errors = ray.exceptions
    try:
        reason, files = ray.get(reference)
        _write(task, files)
    except errors.OutOfMemoryError:
        return "its node ran out of memory (give each run more CPUs, or a smaller --batch)", True
    except errors.WorkerCrashedError:
        return "its process died (killed, perhaps for want of memory)", True
    except (errors.NodeDiedError, errors.LocalRayletDiedError, errors.ObjectLostError):
        return "its node died or cannot be reached", True
    except errors.RayTaskError as error:
        return reason_of(error.cause), False
    except (errors.RayError, MrtcError) as error:
        return reason_of(error), False
    return reason, False


def _nodes(ray: Any) -> list[_Need]:  # noqa: ANN401 -- as above
    """What each living node has."""
    resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [_Need(float(each.get("CPU", 0)), float(each.get("GPU", 0))) for each in resources]


def _sum(nodes: list[_Need]) -> _Need:
    return _Need(sum(node.cpus for node in nodes), sum(node.gpus for node in nodes))


def _has(node: _Need, need: _Need) -> bool:
    return node.cpus >= need.cpus and node.gpus >= need.gpus


def _require_room(ray: Any, need: _Need) -> None:  # noqa: ANN401 -- as above
    if need.cpus <= 0 or need.gpus < 0 or (need.gpus > 1 and not need.gpus.is_integer()):
        raise MrtcError(
            f"a run cannot have {need}; give it some CPUs, and a share of one GPU or whole GPUs"
        )
    nodes = _nodes(ray)
    if not any(_has(node, need) for node in nodes):
        raise MrtcError(
            f"no node of the Ray cluster has the {need} that a run is to have, all {len(nodes)} "
            f"together have {_sum(nodes)}; ask for less, or add a node"
        )
