"""Whatever the user gets wrong is one message and exit status 2, and nothing is lost."""

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from mrtc.training import Checkpoint
from tests.cli.conftest import TINY, Command

EVAL = ("--betas", "0.1,10", "--examples", "200", "--quiet", "--out", "r.h5")


def refused(mrtc: Command, *arguments: str | Path) -> str:
    done = mrtc(*arguments)
    assert done.status == 2, done
    assert done.out == ""
    assert done.err.startswith("mrtc: ")
    return done.err


@pytest.mark.parametrize("command", ["eval-mig", "traverse"])
def test_bad_checkpoints(mrtc: Command, checkpoint: Path, command: str) -> None:
    assert "there is no checkpoint at no.pt" in refused(mrtc, command, "no.pt")
    Path("cut.pt").write_bytes(checkpoint.read_bytes()[:1000])
    assert "is no checkpoint of mrtc" in refused(mrtc, command, "cut.pt")
    torch.save({"w": torch.ones(1)}, "foreign.pt")
    assert "is no checkpoint of mrtc" in refused(mrtc, command, "foreign.pt")
    torch.save({"format": "mrtc-checkpoint", "version": 99}, "new.pt")
    assert "has checkpoint format 99, and this mrtc reads up to 1" in refused(
        mrtc, command, "new.pt"
    )
    odd = Checkpoint.load(checkpoint)
    odd.config = '{"dataset": "cats"}'
    odd.save(Path("odd.pt"))
    assert "the configuration in odd.pt cannot be read" in refused(mrtc, command, "odd.pt")
    bare = Checkpoint.load(checkpoint)
    bare.weights = {}
    bare.save(Path("bare.pt"))
    message = refused(mrtc, command, "bare.pt", "--betas", "1")
    assert "do not fit its configuration" in message


@pytest.mark.parametrize(
    ("betas", "message"),
    [
        ("0.1:10", "is not a grid of betas"),
        ("x", "'x' in 'x' is not a number"),
        ("0:10:5", "beta 0 in '0:10:5' is not positive"),
        ("10:0.1:5", "is reversed; write 0.1:10:5"),
        ("0.01:10:5", "outside the trained range"),
    ],
)
def test_bad_betas(mrtc: Command, checkpoint: Path, betas: str, message: str) -> None:
    assert message in refused(mrtc, "eval-mig", checkpoint, "--betas", betas)
    assert message in refused(mrtc, "traverse", checkpoint, "--betas", betas)
    assert not Path("r.h5").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--betas", "0.1:10", "--beta", "4"], "give one of them"),
        (["--betas", "10:0.1"], "is reversed"),
        (["--betas", "4"], "is not a range of betas"),
        (["--beta", "-1"], "beta -1 in range"),
        (["--groups", "7"], "cannot be cut into 7 equal groups"),
        (["--groups", "many"], "neither a positive number nor `example`"),
        (["--learning-rate", "-1"], "learning_rate: Input should be greater than 0"),
        (["--warmup", "9"], "a warm-up of 9 steps needs more than 3 steps"),
        (["--preset", "huge"], "no preset 'huge' for dsprites"),
        (["--device", "abacus"], "the device 'abacus' cannot be used here"),
        (["--data", "nowhere.npz"], "is missing"),
    ],
)
def test_bad_training_options(mrtc: Command, options: list[str], message: str) -> None:
    assert message in refused(mrtc, "train", "dsprites", *TINY, "--out", "a.pt", *options)
    assert not Path("a.pt").exists()


def test_unknown_names(mrtc: Command, checkpoint: Path) -> None:
    assert "no dataset 'cats', nor a folder" in refused(mrtc, "train", "cats")
    assert "no dataset 'cats'" in refused(mrtc, "data", "get", "cats")
    message = refused(mrtc, "eval-mig", checkpoint, *EVAL, "--factors", "x,colour")
    assert "no factor colour; choose --factors among shape,scale" in message
    assert mrtc("eval-mig", checkpoint, *EVAL).status == 0
    assert "no picture 'xyz'; choose among mig, rd, au" in refused(
        mrtc, "plot", "r.h5", "--kind", "xyz"
    )
    assert "there is no example -1" in refused(mrtc, "traverse", checkpoint, "--example", "-1")
    assert ".bmp" in refused(mrtc, "traverse", checkpoint, "--out", "t.bmp")


def test_bad_data_files(mrtc: Command) -> None:
    page = Path("dsprites.npz")
    page.write_text("<!DOCTYPE html><html>404</html>")
    assert "is a web page" in refused(mrtc, "data", "check", "dsprites", "--data", page)
    assert "is a web page" in refused(mrtc, "train", "dsprites", *TINY, "--data", page)


def test_outputs_are_not_overwritten_unasked(mrtc: Command, checkpoint: Path) -> None:
    shutil.copy(checkpoint, "a.pt")
    before = Path("a.pt").read_bytes()
    message = refused(mrtc, "train", "dsprites", *TINY, "--out", "a.pt")
    assert "exists already; choose another --out, or overwrite it with --force" in message
    message = refused(mrtc, "train", "dsprites", *TINY, "--out", "a.pt", "--resume", "--seed", "5")
    assert "seed is 0, asked for 5" in message
    assert Path("a.pt").read_bytes() == before
    assert mrtc("train", "dsprites", *TINY, "--out", "a.pt", "--force", "--seed", "5").status == 0


def test_results_of_another_run_are_kept(mrtc: Command, checkpoint: Path) -> None:
    assert mrtc("eval-mig", checkpoint, *EVAL).status == 0
    before = Path("r.h5").read_bytes()
    assert mrtc("train", "dsprites", *TINY, "--seed", "5", "--out", "b.pt").status == 0
    assert "fingerprint of the run" in refused(mrtc, "eval-mig", "b.pt", *EVAL)
    assert "parameter examples: 200 in the file, 300 now" in refused(
        mrtc, "eval-mig", checkpoint, *EVAL, "--examples", "300"
    )
    assert Path("r.h5").read_bytes() == before
    assert mrtc("eval-mig", "b.pt", *EVAL, "--force").status == 0


def test_bad_results_files(mrtc: Command, checkpoint: Path) -> None:
    assert mrtc("eval-mig", checkpoint, *EVAL).status == 0
    whole = Path("r.h5").read_bytes()
    Path("r.h5").write_bytes(whole[: len(whole) // 2])
    assert "is damaged" in refused(mrtc, "plot", "r.h5")
    assert "is damaged" in refused(mrtc, "eval-mig", checkpoint, *EVAL)
    Path("r.h5").write_text("no results")
    assert "is not an HDF5 file" in refused(mrtc, "plot", "r.h5")
    assert "cannot read no.h5" in refused(mrtc, "plot", "no.h5")


def test_a_locked_results_file(mrtc: Command, checkpoint: Path) -> None:
    with FileLock("r.h5.lock"):
        assert "is being written by another process" in refused(mrtc, "eval-mig", checkpoint, *EVAL)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_full_disk_and_a_read_only_one(
    mrtc: Command, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail(_: int) -> None:
        raise OSError(code, os.strerror(code))

    shutil.copy(checkpoint, "a.pt")
    before = Path("a.pt").read_bytes()
    monkeypatch.setattr(os, "fsync", fail)
    advice = {errno.ENOSPC: "the disk is full", errno.EROFS: "the file system is read-only"}[code]
    assert advice in refused(mrtc, "train", "dsprites", *TINY, "--out", "a.pt", "--force")
    assert Path("a.pt").read_bytes() == before
    assert advice in refused(mrtc, "eval-mig", checkpoint, *EVAL)
    assert advice in refused(mrtc, "traverse", checkpoint, "--columns", "2", "--out", "t.png")
    assert not list(Path().glob(".*.tmp"))


def test_a_folder_that_cannot_be_written(mrtc: Command, checkpoint: Path) -> None:
    """A file stands where a folder should be; root may write into read-only folders."""
    Path("file").touch()
    for arguments in (("train", "dsprites", *TINY), ("eval-mig", checkpoint, *EVAL)):
        assert "is a file, not a folder" in refused(mrtc, *arguments, "--out", "file/below/x")


def test_nan_stops_and_keeps_the_last_good_checkpoint(mrtc: Command) -> None:
    huge = ("--learning-rate", "1e30", "--steps", "50")
    assert mrtc("train", "dsprites", *TINY, "--out", "a.pt").status == 0
    before = Path("a.pt").read_bytes()
    message = refused(mrtc, "train", "dsprites", *TINY, *huge, "--out", "a.pt", "--force")
    assert "not finite" in message
    assert "at step" in message
    assert "beta" in message
    assert Path("a.pt").read_bytes() == before


def started(*arguments: str | Path) -> subprocess.Popen[str]:
    program = (
        "import mrtc.progress\nmrtc.progress.SECONDS_BETWEEN_LINES = 0\n"
        "from mrtc.cli.app import main\nmain()\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_ctrl_c_in_training_saves(tmp_path: Path, checkpoint: Path) -> None:
    assert checkpoint.exists()  # and so dSprites is rendered
    out = tmp_path / "a.pt"
    process = started("train", "dsprites", *TINY[:-1], "--steps", "1000000", "--out", out)
    assert process.stderr is not None
    while "training: " not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "--resume" in err
    assert Checkpoint.load(out).state.step > 0


@pytest.mark.slow
def test_a_kill_in_the_middle_of_saving_loses_nothing(tmp_path: Path, checkpoint: Path) -> None:
    """SIGKILL while a checkpoint is being written: the one before is whole, and resumes."""
    out = tmp_path / "a.pt"
    program = (
        "import os, signal, sys\nfrom mrtc import files\nfrom mrtc.cli.app import main\n"
        "import mrtc.training.loop as loop\nloop.SECONDS_BETWEEN_SAVES = -1\n"
        "sync, count = os.fsync, [0]\n"
        "def kill_at_second(handle):\n    count[0] += 1\n"
        "    os.kill(os.getpid(), signal.SIGKILL) if count[0] == 2 else sync(handle)\n"
        "os.fsync = kill_at_second\nmain()\n"
    )
    arguments = ["train", "dsprites", *TINY, "--out", str(out)]
    done = subprocess.run([sys.executable, "-c", program, *arguments], check=False)
    assert done.returncode == -signal.SIGKILL
    assert Checkpoint.load(out).state.step == 1
    assert list(tmp_path.glob(".*.tmp"))

    process = started(*arguments, "--resume")
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert Checkpoint.load(out).fingerprint() == Checkpoint.load(checkpoint).fingerprint()
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.slow
def test_ctrl_c_in_evaluation_keeps_what_is_done(tmp_path: Path, checkpoint: Path) -> None:
    from mrtc.errors import ResultsError
    from mrtc.results import read

    out = tmp_path / "r.h5"
    arguments = ("eval-mig", checkpoint, "--betas", "0.1:10:500", "--examples", "2000")
    process = started(*arguments, "--quiet", "--out", out)

    def has_begun() -> bool:
        try:
            return out.exists() and read(out).evaluated.sum() >= 2
        except ResultsError:
            return False

    wait_for(has_begun, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert 2 <= read(out).evaluated.sum() < 500
