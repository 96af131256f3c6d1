"""Two processes that share every batch train as one does on the whole of it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.training.worker import fit


def launch(
    *arguments: str | Path, processes: int = 2, program: str = "worker.py"
) -> list[tuple[int, str, str]]:
    """Status, output and errors of each process, started as ``torchrun`` starts them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    common = os.environ | {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "WORLD_SIZE": str(processes),
        "OMP_NUM_THREADS": "1",
    }
    started = [
        subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name(program)), *map(str, arguments)],
            env=common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for rank in range(processes)
    ]
    ended = [process.communicate(timeout=120) for process in started]
    return [(process.returncode, *said) for process, said in zip(started, ended, strict=True)]


@pytest.mark.parametrize(
    ("objective", "groups"),
    [("beta", "example"), ("tcvae", "1"), ("tcvae", "4"), ("tcvae", "example")],
)
def test_two_processes_train_as_one(objective: str, groups: str, tmp_path: Path) -> None:
    """One estimate of q(z) over both, groups within each, and a beta for every example."""
    out = tmp_path / "weights.pt"
    ended = launch(objective, groups, "12", "16", out)
    assert [status for status, _, _ in ended] == [0, 0], ended
    assert [said.strip() for _, said, _ in ended] == ["saved 1", "saved 0"]
    together, alone = torch.load(out, weights_only=True), fit(objective, groups, 12, 16)
    assert len(together["history"]) == len(alone["history"]) > 1
    for ours, theirs in zip(together["history"], alone["history"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9)
    for name, weight in alone["weights"].items():
        torch.testing.assert_close(together["weights"][name], weight, rtol=1e-7, atol=1e-9)


def test_the_whole_batch_matters() -> None:
    """The estimate of q(z) is not the mean of two estimates from halves."""
    halves, whole = fit("tcvae", "2", 2, 16), fit("tcvae", "1", 2, 16)
    name = "total_correlation"
    assert halves["history"][0][name] != pytest.approx(whole["history"][0][name], rel=1e-3)


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path: Path) -> None:
    ended = launch("beta", "1", "3", "15", tmp_path / "weights.pt")
    assert all(status == 1 for status, _, _ in ended)
    assert all("a batch of 15 cannot be shared by 2 processes" in error for _, _, error in ended)
