"""How a Ray cluster is found and connected to, or one started on this machine."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mrtc.errors import MrtcError
from mrtc.experiments.tasks import reason_of

SECONDS_TO_CONNECT = 30.0
"""Enough for a busy machine; a machine that is off or has nothing there is found out before."""
SECONDS_TO_ANSWER = 10.0

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


def import_ray() -> Any:  # noqa: ANN401 -- a module that may be absent
    """Ray, told to be silent.

    Raises:
        MrtcError: If it is not installed.
    """
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
def connection(ray: Any, address: str | None) -> Iterator[None]:  # noqa: ANN401 -- as above
    """This process connected to a cluster, for as long as the context lasts.

    Ends with this process as it was: also Ray's own handler of SIGTERM is taken back.

    Args:
        ray: The module, of :func:`import_ray`.
        address: Of the cluster, as :func:`mrtc.experiments.ray_cluster.on_ray` takes it.

    Raises:
        MrtcError: If this process is connected to another cluster, or none answers at ``address``.
    """
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
