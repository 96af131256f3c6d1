"""What only a multi-rate checkpoint can give, asked of something else: one message, and status 2.

Goals that are not met, or met twice, stand in ``test_find_beta.py``; networks without a layer to
gate, or with shared weights, in ``tests/architectures/test_gateable.py``.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mrtc.cli.app import main
from mrtc.cli.inputs import ZIP, require_checkpoint
from mrtc.errors import CheckpointError
from mrtc.frozen import frozen_vae
from mrtc.training import Checkpoint
from tests.cli.conftest import TINY, Command

IMAGES = 60
MISSING = (
    ("find-beta", "no.pt", "--target-rate", "5"),
    ("find-beta", "zip.pt"),
    ("freeze", "no.pt", "--beta", "1"),
    ("doctor", "no.pt"),
    ("report", "no.h5"),
)


def refused(mrtc: Command, *arguments: str | Path) -> str:
    done = mrtc(*arguments)
    assert done.status == 2, done
    assert done.out == ""
    assert done.err.startswith("mrtc: ")
    assert done.err.count("mrtc: ") == 1
    return done.err


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, a multi-rate model and a baseline of them, and results of both."""
    folder = tmp_path_factory.mktemp("made")
    draw = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for number in range(IMAGES):
        pixels = draw.integers(256, size=(28, 28), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / f"{number}.png")
    evaluation = ("--data", "pictures", "--metrics", "rate", "--quiet")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MRTC_CACHE", str(folder / "cache"))
        train = ("train", "pictures", "--arch", "mlp", "--size", "28", *TINY)
        for command in (
            (*train, "--betas", "0.1:10", "--out", "multi.pt"),
            (*train, "--beta", "4", "--out", "base.pt"),
            ("eval", "multi.pt", *evaluation, "--betas", "0.1,1,10", "--out", "multi.h5"),
            ("eval", "base.pt", *evaluation, "--out", "base.h5"),
        ):
            patch.setattr(sys, "argv", ["mrtc", *command])
            with pytest.raises(SystemExit) as done:
                main()
            assert not done.value.code
    return folder


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that, as the folder to work in."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("MRTC_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_what_is_missing_is_said_before_anything_slow_is_imported(tmp_path: Path) -> None:
    """Neither numpy nor torch."""
    program = (
        "import json, sys\n"
        "from mrtc.cli.app import main\n"
        "for arguments in json.loads(sys.argv[1]):\n"
        "    sys.argv[1:] = arguments\n"
        "    try:\n"
        "        main()\n"
        "    except SystemExit as done:\n"
        "        assert done.code == 2\n"
        "print([name for name in ('numpy', 'torch') if name in sys.modules])\n"
    )
    (tmp_path / "zip.pt").write_bytes(ZIP)
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(MISSING)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "[]\n", done.stderr
    said = done.stderr.splitlines()
    assert len(said) == len(MISSING)
    for at in (0, 2, 3):
        assert said[at].startswith("mrtc: there is no checkpoint at no.pt; `mrtc train` writes one")
    assert said[1].startswith("mrtc: one goal is needed, and none was given; give one of --target")
    assert said[4].startswith("mrtc: cannot read no.h5: there is no such file; give the .h5 file")


def test_the_same_is_said_with_and_without_torch(tmp_path: Path) -> None:
    path, messages = tmp_path / "no.pt", []
    for reader in (require_checkpoint, Checkpoint.load):
        with pytest.raises(CheckpointError) as said:
            reader(path)
        messages.append(str(said.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("command", ["freeze", "doctor", "find-beta"])
def test_files_of_another_kind_are_told_apart(mrtc: Command, here: Path, command: str) -> None:
    options = ("--target-rate", "5") if command == "find-beta" else ()
    assert "multi.h5 is no checkpoint, it is a results file; give a checkpoint that `mrtc tr" in (
        refused(mrtc, command, "multi.h5", *options)
    )
    (here / "notes.pt").write_text("my notes")
    assert "it starts with b'my notes'; give" in refused(mrtc, command, "notes.pt", *options)
    torch.save({"w": torch.ones(1)}, "foreign.pt")
    assert "is no checkpoint of mrtc" in refused(mrtc, command, "foreign.pt", *options)
    assert "pictures; `mrtc train`" in refused(mrtc, command, "pictures", *options)


@pytest.mark.usefixtures("here")
def test_a_baseline_has_no_range(mrtc: Command) -> None:
    """It is refused where betas are compared, and otherwise is what it is."""
    for command, options in (("find-beta", ("--target-rate", "5")), ("doctor", ())):
        message = refused(mrtc, command, "base.pt", *options)
        assert "a baseline, trained at beta 4 alone" in message
        assert "give a" in message
        assert "`mrtc eval`" in message
    assert mrtc("freeze", "base.pt").out.startswith("base-beta4.safetensors\n")
    assert "0.1:10; give one of that range" in refused(mrtc, "freeze", "multi.pt")
    message = refused(mrtc, "freeze", "base.pt", "--beta", "1")
    assert "beta 1 lies outside the trained range, 4, and" in message
    message = refused(mrtc, "plot", "base.h5", "--kind", "lifelines")
    assert "values at 1 beta" in message
    assert "evaluate a multi-rate model (a baseline has one beta) at two betas" in message
    auto = ("--betas", "auto", "--data", "pictures", "--metrics", "rate", "--out", "auto.h5", "-q")
    assert mrtc("eval", "base.pt", *auto).status == 0


def test_a_report_without_pictures_or_of_a_baseline(mrtc: Command, here: Path) -> None:
    pytest.importorskip("plotly")
    for name in ("base", "multi"):
        assert mrtc("report", f"{name}.h5", "-q").status == 0
        page = (here / f"{name}-report.html").read_text("utf-8")
        assert f"There are no pictures in {name}.h5" in " ".join(page.split())
    message = refused(mrtc, "report", "base.h5", "--pictures", "2")
    assert "--pictures 2 was given without --checkpoint" in message
    message = refused(mrtc, "report", "base.h5", "--checkpoint", "multi.pt", "-q")
    assert "multi.pt is the model of none of the results files" in message
    message = refused(mrtc, "report", "multi.pt")
    assert "give the .h5 file that `mrtc eval multi.pt` writes" in message


def broken(name: str, out: str, value: float) -> str:
    loaded = Checkpoint.load(Path("multi.pt"))
    loaded.weights[name].fill_(value)
    loaded.save(Path(out))
    return out


@pytest.mark.usefixtures("here")
def test_a_model_that_is_not_finite_gets_no_clean_bill(mrtc: Command) -> None:
    """NaN is not below a threshold, so no finding would tell of it."""
    path = broken("decoder.second.gate.offset", "nan.pt", float("nan"))
    message = refused(mrtc, "doctor", path)
    assert "nan.pt cannot be examined: 1 of its " in message
    assert "decoder.second.gate.offset first; train again" in message
    path = broken("encoder.head.layer.bias", "huge.pt", 3e38)
    assert mrtc("doctor", path).status == 0
    message = refused(mrtc, "doctor", path, "--data", "pictures", "-q")
    assert "cannot be examined at beta 0.1: " in message
    assert "are not finite there; train again" in message


@pytest.mark.usefixtures("here")
def test_few_images_are_all_examined(mrtc: Command) -> None:
    """Fewer than the usual thousand: every tenth image is kept for testing."""
    done = mrtc("doctor", "multi.pt", "--data", "pictures", "--json", "-q")
    assert done.status == 0, done.err
    assert len(json.loads(done.out)["curve"]["beta"]) == 8
    message = refused(mrtc, "doctor", "multi.pt", "--data", "pictures", "--examples", "55", "-q")
    assert "the data have 54 examples for training, 55 were asked for; choose" in message


@pytest.mark.usefixtures("here")
def test_what_freeze_tells_to_type_works_whatever_the_name(
    mrtc: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "frozen_vae", frozen_vae)
    name = "a 'model', \"mine\" \\ <b>.safetensors"
    done = mrtc("freeze", "multi.pt", "--beta", "1", "--out", name)
    assert done.status == 0, done.err
    found = {"x": torch.zeros(2, 1, 28, 28)}
    exec(done.out.split("\n\n")[1], found)
    assert found["mean"].shape == (2, 3)
