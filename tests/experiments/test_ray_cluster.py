"""A grid on a real cluster of three nodes on this machine, some of which die."""

import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch

from mrtc.architectures import MLPConfig
from mrtc.errors import MrtcError
from mrtc.experiments import ray_cluster
from mrtc.experiments.execute import one_after_another
from mrtc.experiments.grid import baseline_tasks
from mrtc.experiments.presets import preset
from mrtc.experiments.ray_cluster import on_ray
from mrtc.experiments.ray_connection import SILENCE
from mrtc.experiments.run import read_config
from mrtc.experiments.tasks import Outcome, Protocol, Task
from mrtc.results import read
from mrtc.training import Checkpoint, TrainingConfig

os.environ.update(SILENCE)  # Ray reads it when it is imported
ray = pytest.importorskip("ray")
from ray._private.node import Node  # noqa: E402
from ray.cluster_utils import Cluster  # noqa: E402

pytestmark = [
    pytest.mark.usefixtures("dsprites"),  # rendered once, here, before nodes ask for it
    # Ray leaves sockets and log files of its processes to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
]

PROTOCOL = Protocol(examples=200, keep=100, device="cpu")


def grid(folder: Path, betas: list[float], *, steps: int = 30, rate: float = 1e-3) -> list[Task]:
    """Tiny baselines, one for each beta."""
    config = replace(
        preset("dsprites", "quick", "tcvae"),
        model=MLPConfig(hidden=8, codes=3),
        training=TrainingConfig(steps=steps, batch=16, learning_rate=rate),
    )
    return baseline_tasks(config, folder, betas, [0], PROTOCOL)


def busy(*nodes: Node) -> bool:
    """Whether a task is performed on one of ``nodes``."""
    title = f"ray::{ray_cluster._perform_there.__name__}"
    raylets = [psutil.Process(n.all_processes["raylet"][0].process.pid) for n in nodes]
    processes = [process for raylet in raylets for process in raylet.children(recursive=True)]
    return any(title in " ".join(command(process)) for process in processes)


def wait_until(holds, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def client_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def cluster(client_port: int) -> Iterator[Cluster]:
    """A head that performs nothing, and two nodes of one core each."""
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")  # short: Ray's sockets are in it
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # The head forks for each client while other threads of it are in gRPC, whose fork handlers
        # then break the new server now and then; it is for programs that exec after a fork, as
        # the head does, to leave them out.
        patch.setenv("GRPC_ENABLE_FORK_SUPPORT", "0")
        # Ray looks five times, every three seconds, before it calls a node dead. One that is slow
        # still has ten seconds to answer each time.
        looks = {"health_check_initial_delay_ms": 500, "health_check_period_ms": 500}
        head = {
            "num_cpus": 0,
            "include_dashboard": False,
            "ray_client_server_port": client_port,
            "_system_config": looks,
        }
        cluster = Cluster(initialize_head=True, head_node_args=head)
        for _ in range(2):
            cluster.add_node(num_cpus=1)
        try:
            yield cluster
        finally:
            ray.shutdown()
            cluster.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def connected(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, to which this process is connected already, as in a notebook."""
    handler = signal.getsignal(signal.SIGTERM)
    ray.init(cluster.address, log_to_driver=False, logging_level="CRITICAL")
    yield cluster
    assert ray.is_initialized(), "whoever connected may go on"
    ray.shutdown()
    signal.signal(signal.SIGTERM, handler)


def assert_same_files(mine: list[Task], theirs: list[Task]) -> None:
    """Equal weights, bit for bit, and equal numbers; the times they took may differ."""
    for here, there in zip(mine, theirs, strict=True):
        ours, other = Checkpoint.load(here.checkpoint), Checkpoint.load(there.checkpoint)
        assert ours.fingerprint() == other.fingerprint()
        assert ours.weights.keys() == other.weights.keys()
        for name in ours.weights:
            assert torch.equal(ours.weights[name], other.weights[name])
        for metric in ("rate", "distortion", "mig_chen"):
            np.testing.assert_array_equal(
                read(here.results).metric(metric), read(there.results).metric(metric)
            )


@pytest.mark.slow
def test_a_node_that_dies_in_the_middle_costs_no_run(
    cluster: Cluster, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    """Each outcome comes once, and the files are those of runs without any cluster."""
    there = grid(tmp_path / "ray", [0.5, 1.0, 2.0, 4.0], steps=200)
    here = grid(tmp_path / "here", [0.5, 1.0, 2.0, 4.0], steps=200)
    doomed = sorted(cluster.worker_nodes, key=id)[0]

    outcomes = on_ray(there, address=cluster.address)
    ended = [next(outcomes)]
    wait_until(lambda: busy(doomed))
    cluster.remove_node(doomed, allow_graceful=False)
    try:
        for outcome in outcomes:
            assert outcome.task.results.exists(), "files are in their place before the outcome"
            ended.append(outcome)
    finally:
        cluster.add_node(num_cpus=1)

    assert sorted(o.task.name for o in ended) == sorted(task.name for task in there)
    assert [o.reason for o in ended] == [None] * 4
    output = capfd.readouterr()
    assert output.err.count("its node died or cannot be reached; it is performed again") == 1
    assert output.err.count("\n") == 2, "Ray itself prints nothing"
    assert output.out == ""
    assert all(o.reason is None for o in one_after_another(here, quiet=True))
    assert_same_files(there, here)
    assert not ray.is_initialized()


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_errors_of_a_run_are_outcomes_and_what_is_there_is_gone_on_with(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    good = grid(tmp_path / "ray", [1.0], steps=20)
    bad = grid(tmp_path / "ray", [4.0], rate=1e30)
    elsewhere = grid(tmp_path / "ray", [8.0])[0]
    nowhere = Path(os.path.relpath(tmp_path / "nowhere"))
    elsewhere = replace(elsewhere, protocol=replace(PROTOCOL, data=nowhere))
    half_done(good[0], steps=20)

    outcomes = list(on_ray([*good, *bad, elsewhere]))

    reasons = {outcome.task.name: outcome.reason for outcome in outcomes}
    assert len(outcomes) == len(reasons) == 3
    assert all(outcome.task in [*good, *bad, elsewhere] for outcome in outcomes)
    here = list(one_after_another(grid(tmp_path / "bad", [4.0], rate=1e30), quiet=True))
    assert reasons[bad[0].name] == here[0].reason is not None
    assert str(tmp_path / "nowhere") in reasons[elsewhere.name]
    assert socket.gethostname() in reasons[elsewhere.name]
    assert "performed again" not in capfd.readouterr().err
    fresh = grid(tmp_path / "here", [1.0], steps=20)
    assert all(o.reason is None for o in one_after_another(fresh, quiet=True))
    assert_same_files(good, fresh)
    assert Checkpoint.load(good[0].checkpoint).state.history[0] == {"step": -7}


def half_done(task: Task, *, steps: int) -> None:
    """Leaves what an interrupted run leaves; its history has a mark that a new run has not."""
    short = replace(
        task, config=replace(task.config, training=replace(task.config.training, steps=steps // 2))
    )
    assert [o.reason for o in one_after_another([short], quiet=True)] == [None]
    short.results.unlink()
    half = Checkpoint.load(short.checkpoint)
    config = read_config(half, short.checkpoint)
    half.config = replace(config, training=task.config.training).to_json()
    half.state.history.insert(0, {"step": -7})
    half.save(task.checkpoint)


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_a_run_whose_process_dies_each_time_is_a_failed_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried as often as is allowed, and takes no other run with it."""
    tasks = grid(tmp_path / "runs", [0.5, 1.0, 2.0])
    dies, breaks, works = (task.name for task in tasks)
    attempts = tmp_path / "attempts"

    def perform(text: str, *_: object) -> tuple:
        with attempts.open("a") as file:
            file.write("dies\n" if dies in text else "other\n")
        if dies in text:
            os._exit(1)
        if breaks in text:
            raise TypeError("two\nlines")
        return None, {".h5": b"whole"}

    monkeypatch.setattr(ray_cluster, "_perform_there", perform)
    outcomes = list(on_ray(tasks, retries=2, quiet=True))

    reasons = {outcome.task.name: outcome.reason for outcome in outcomes}
    assert len(outcomes) == 3
    assert "its process died" in reasons[dies]
    assert "in all of 3 attempts" in reasons[dies]
    assert reasons[breaks] == "TypeError: two lines"
    assert reasons[works] is None
    assert tasks[2].results.read_bytes() == b"whole"
    assert attempts.read_text().split().count("dies") == 3
    assert attempts.read_text().split().count("other") == 2


@pytest.mark.slow
@pytest.mark.parametrize("how", ["closed", "signal"])
def test_what_is_under_way_is_cancelled_and_a_cluster_of_others_left(
    connected: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    def perform(text: str, *_: object) -> tuple:
        if "beta1-" not in text:
            time.sleep(600)
        return None, {}

    monkeypatch.setattr(ray_cluster, "_perform_there", perform)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    outcomes = on_ray(grid(tmp_path, [1.0, 2.0, 4.0]), quiet=True)
    assert next(outcomes).task.name == "beta1-seed0"
    wait_until(lambda: busy(*connected.worker_nodes))
    if how == "closed":
        outcomes.close()
    else:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        with pytest.raises(KeyboardInterrupt):
            next(outcomes)
    wait_until(lambda: not busy(*connected.worker_nodes))
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.slow
@pytest.mark.usefixtures("connected")
def test_another_cluster_than_the_connected_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MrtcError, match="connected to a Ray cluster already"):
        next(on_ray(grid(tmp_path, [1.0]), address="10.0.0.1:6379"))


@pytest.mark.slow
def test_a_cluster_without_room_says_so(
    connected: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once if it never had any; after a while if the only node that had is gone."""
    tasks = grid(tmp_path, [1.0, 2.0])
    with pytest.raises(MrtcError, match=r"1 CPUs and 1 GPUs .* together have 2 CPUs and 0 GPUs"):
        next(on_ray(tasks, gpus_per_run=1.0))

    monkeypatch.setattr(ray_cluster, "SECONDS_WITHOUT_NODES", 1.0)
    monkeypatch.setattr(ray_cluster, "_perform_there", lambda *_: time.sleep(600))
    large = connected.add_node(num_cpus=2)

    def kill() -> None:
        wait_until(lambda: busy(large))
        connected.remove_node(large, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    outcomes = list(on_ray(tasks, cpus_per_run=2.0, quiet=True))
    killer.join()
    assert {o.task.name for o in outcomes} == {task.name for task in tasks}
    assert all("no node left with 2 CPUs" in o.reason for o in outcomes)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_cluster_is_reached_through_its_client_port(tmp_path: Path, client_port: int) -> None:
    tasks = grid(tmp_path, [1.0])
    outcomes = on_ray(tasks, address=f"ray://127.0.0.1:{client_port}", quiet=True)
    assert list(outcomes) == [Outcome(tasks[0])]
    assert read(tasks[0].results).evaluated.all()


@pytest.mark.slow
def test_without_a_cluster_one_is_started_and_shut_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    """A note of a cluster that is gone does not mislead; nothing of Ray's stays or is printed."""
    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    (folder / "ray").mkdir()
    (folder / "ray" / "ray_current_cluster").write_text("127.0.0.1:1")
    handler = signal.getsignal(signal.SIGTERM)
    try:
        tasks = grid(tmp_path, [1.0])
        monkeypatch.setattr(ray_cluster, "_perform_there", lambda *_: (None, {".h5": b"whole"}))
        assert list(on_ray(tasks, quiet=True)) == [Outcome(tasks[0])]
        assert tasks[0].results.read_bytes() == b"whole"
        assert not ray.is_initialized()
        assert signal.getsignal(signal.SIGTERM) is handler
        ours = [p for p in psutil.process_iter() if str(folder) in " ".join(command(p))]
        _, alive = psutil.wait_procs(ours, timeout=60)
        assert not alive
        assert capfd.readouterr() == ("", "")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_cancellation_that_is_forgotten_is_asked_for_again() -> None:
    """The second run heeds the third request; the first one ended by itself."""
    asked = []

    def wait(references: list[str], **_: float) -> tuple:
        left = [r for r in references if r == "second" and asked.count(r) < 3]
        return [r for r in references if r not in left], left

    stand_in = SimpleNamespace(cancel=lambda r, **_: asked.append(r), wait=wait)
    ray_cluster._cancel(stand_in, ["first", "second"])
    assert asked == ["first", "second", "second", "second"]


def test_a_cancellation_that_is_never_heeded_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ray_cluster, "SECONDS_TO_CANCEL", 0.01)
    stand_in = SimpleNamespace(cancel=lambda *_, **__: None, wait=lambda left, **_: ([], left))
    ray_cluster._cancel(stand_in, ["first", "second"])
    assert "2 runs have not ended 0.01 s after they were cancelled" in capsys.readouterr().err


@pytest.mark.parametrize(("cpus", "gpus"), [(0.0, 0.0), (-1.0, 0.0), (1.0, -1.0), (1.0, 1.5)])
def test_shares_that_ray_does_not_know_are_refused(cpus: float, gpus: float) -> None:
    with pytest.raises(MrtcError, match="a run cannot have"):
        ray_cluster._require_room(ray, ray_cluster._Need(cpus, gpus))


@pytest.mark.parametrize(
    ("error", "said", "lost"),
    [
        (ray.exceptions.OutOfMemoryError("the\nnode"), "ran out of memory", True),
        (ray.exceptions.WorkerCrashedError(), "its process died", True),
        (ray.exceptions.NodeDiedError("gone"), "its node died", True),
        (ray.exceptions.LocalRayletDiedError(), "its node died", True),
        (ray.exceptions.ObjectLostError("ab", None, ""), "its node died", True),
        (ray.exceptions.OutOfDiskError("full"), "OutOfDiskError: ", False),
        (ray.exceptions.TaskCancelledError(), "TaskCancelledError: ", False),
        (ray.exceptions.GetTimeoutError("slow"), "GetTimeoutError: slow", False),
        (ray.exceptions.RayTaskError("f", "a trace", TypeError("a\nb")), "TypeError: a b", False),
    ],
)
def test_what_ray_says_is_told_in_a_line(tmp_path: Path, error, said: str, lost: bool) -> None:
    """Only what is not a run's fault may be performed again."""

    def get(_: object) -> None:
        raise error

    reason, is_lost = ray_cluster._ending(
        SimpleNamespace(exceptions=ray.exceptions, get=get), None, grid(tmp_path, [1.0])[0]
    )
    assert said in reason
    assert "\n" not in reason
    assert is_lost is lost
