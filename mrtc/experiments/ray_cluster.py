"""The runs of a grid on the nodes of a Ray cluster, which need not share a file system."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import torch

from mrtc.errors import MrtcError
from mrtc.experiments.tasks import Outcome, Task, attempt, reason_of
from mrtc.files import write_atomically
from mrtc.training.interrupts import deferred_interrupts

SECONDS_TO_CONNECT = 30.0
"""Enough for a busy machine; a machine that is off or has nothing there is found out before."""
SECONDS_TO_ANSWER = 10.0
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_WITHOUT_NODES = 60.0
"""How long runs wait when no node is left that could perform them."""

SILENCE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SCHEDULER_EVENTS": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # else it prints of each worker that dies
}
"""Environment in which Ray reports to nobody and prints nothing."""

PROBE = """
import sys, ray
try:
    ray.init(address=sys.stdin.read(), log_to_driver=False)
except BaseException as error:
    print(" ".join(f"{type(error).__name__}: {error}".split()))
    sys.exit(1)
"""

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
    ray, need = _import_ray(), _Need(cpus_per_run, gpus_per_run)
    with _connection(ray, address), deferred_interrupts() as asked_to_stop:
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
            for reference in running:
                ray.cancel(reference, force=True)


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
    protocol = replace(task.protocol, data=None if data is None else data.absolute())
    return replace(task, protocol=protocol).to_json()


def _files_of(task: Task) -> Files:
    places = (task.checkpoint, task.results)
    return {path.suffix: path.read_bytes() for path in places if path.exists()}


def _write(task: Task, files: Files) -> None:
    for path in (task.checkpoint, task.results):
        if path.suffix in files:
            write_atomically(path, files[path.suffix])


# Here.


def _ending(ray: Any, reference: Any, task: Task) -> tuple[str | None, bool]:  # noqa: ANN401
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


def _import_ray() -> Any:  # noqa: ANN401 -- a module that may be absent
    for name, value in SILENCE.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError:
        raise MrtcError(
            "Ray is not installed; install it with `pip install 'mrtc[ray]'`, or leave out --ray"
        ) from None
    return ray


@contextmanager
def _connection(ray: Any, address: str | None) -> Iterator[None]:  # noqa: ANN401
    """Ends with this process as it was: also Ray's own handler of SIGTERM is taken back."""
    if ray.is_initialized():
        if address not in (None, "auto"):
            raise MrtcError(
                f"this process is connected to a Ray cluster already, and {address} was asked for; "
                "leave out the address, or call ray.shutdown() first"
            )
        yield
        return
    address = _find(address)
    choice = {"include_dashboard": False} if address == "local" else {}
    in_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        try:
            with warnings.catch_warnings(action="ignore"):
                ray.init(address, log_to_driver=False, logging_level="CRITICAL", **choice)
        except (OSError, RuntimeError, ValueError, ImportError, ray.exceptions.RayError) as error:
            raise MrtcError(
                f"no Ray cluster can be used at {address}: {reason_of(error)}; look into Ray's "
                "logs, or leave out --ray"
            ) from error
        finally:
            if in_main_thread:
                signal.signal(signal.SIGTERM, handler)
        yield
    finally:
        ray.shutdown()


def _find(address: str | None) -> str:
    """The address of a cluster that answers, or ``"local"`` to start one.

    Raises:
        MrtcError: If the cluster that was asked for does not answer.
    """
    if address in (None, "auto"):
        address = os.environ.get("RAY_ADDRESS")
    if address == "local":
        return address
    if address is None or address == "auto":
        folder = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
        note = Path(folder, "ray", "ray_current_cluster")  # where `ray start` leaves the address
        address = note.read_text().strip() if note.exists() else ""
        return address if address and _silence_at(address) is None else "local"
    seen = _silence_at(address)
    if seen is not None:
        raise MrtcError(
            f"no Ray cluster answers at {address}: {seen}; start one with `ray start --head`, "
            "correct the address (from a machine that is not one of its nodes, ray://HOST:10001), "
            "or leave it out to use this machine"
        )
    return address


def _silence_at(address: str) -> str | None:
    """Why no cluster answers at ``address``, if none does.

    Another process tries first: where there is no cluster, ``ray.init`` may try for minutes, print
    what it likes, and end the process that it runs in. Ray's client, for ``ray://``, gives up by
    itself after half a minute.
    """
    try:
        place = urlsplit(f"//{address.rpartition('://')[2]}")
        if not place.hostname or place.port is None:
            return "it has no HOST:PORT"
        socket.create_connection((place.hostname, place.port), SECONDS_TO_ANSWER).close()
        if "://" in address:
            return None
        probe = subprocess.run(  # noqa: S603 -- our own interpreter, and words of ours
            [sys.executable, "-c", PROBE],
            input=address,
            capture_output=True,
            text=True,
            timeout=SECONDS_TO_CONNECT,
        )
    except subprocess.TimeoutExpired:
        return f"something listens there, but not as Ray does within {SECONDS_TO_CONNECT:g} seconds"
    except (OSError, ValueError) as error:
        return str(error)
    said = probe.stdout.strip().splitlines() or [f"Ray ended with status {probe.returncode}"]
    return said[-1][:400] if probe.returncode else None


def _nodes(ray: Any) -> list[_Need]:  # noqa: ANN401
    """What each living node has."""
    resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [_Need(float(each.get("CPU", 0)), float(each.get("GPU", 0))) for each in resources]


def _sum(nodes: list[_Need]) -> _Need:
    return _Need(sum(node.cpus for node in nodes), sum(node.gpus for node in nodes))


def _has(node: _Need, need: _Need) -> bool:
    return node.cpus >= need.cpus and node.gpus >= need.gpus


def _require_room(ray: Any, need: _Need) -> None:  # noqa: ANN401
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
