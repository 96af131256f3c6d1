"""What does not answer as a Ray cluster is told in time, and leaves the process as it was."""

import os
import signal
import socket
import sys
import time
import warnings
from collections.abc import Iterator

import pytest

from mrtc.errors import MrtcError
from mrtc.experiments import ray_connection
from mrtc.experiments.ray_connection import SILENCE, connection, import_ray

os.environ.update(SILENCE)  # Ray reads it when it is imported
ray = pytest.importorskip("ray")


@pytest.fixture
def mute() -> Iterator[str]:
    """Where something listens that says nothing."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.mark.parametrize(
    ("address", "seen"),
    [
        ("127.0.0.1:1", "refused"),
        ("ray://127.0.0.1:1", "refused"),
        ("nonsense", "no HOST:PORT"),
        ("here:there", "Port"),
    ],
)
def test_a_dead_address_is_an_error_at_once(address: str, seen: str) -> None:
    start = time.monotonic()
    with (
        pytest.raises(MrtcError, match=rf"no Ray cluster answers at {address}: .*{seen}"),
        connection(ray, address),
    ):
        pass
    assert time.monotonic() - start < 10


def test_something_else_at_an_address_is_an_error_in_time(
    mute: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself, ``ray.init`` would try for minutes, or end this process."""
    monkeypatch.setattr(ray_connection, "SECONDS_TO_CONNECT", 3.0)
    monkeypatch.setenv("RAY_ADDRESS", mute)
    with (
        pytest.raises(MrtcError, match="not as Ray does within 3 seconds"),
        connection(ray, "auto"),
    ):
        pass


def test_what_keeps_ray_from_connecting_is_told(mute: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when something else listens where a client's port is said to be."""

    def init(address: str, **_: object) -> None:
        warnings.warn("Ray Client connection timed out", stacklevel=1)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise ConnectionError(f"nothing at {address}")

    monkeypatch.setattr(ray, "init", init)
    handler = signal.getsignal(signal.SIGTERM)
    with (
        pytest.raises(MrtcError, match=f"ConnectionError: nothing at ray://{mute}"),
        connection(ray, f"ray://{mute}"),
    ):
        pass
    assert signal.getsignal(signal.SIGTERM) is handler


def test_ray_may_be_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MrtcError, match=r"pip install 'mrtc\[ray\]'"):
        import_ray()
