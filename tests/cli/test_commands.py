"""Every command, as a newcomer would use it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import xarray

from mrtc.cli.app import app
from mrtc.training import Checkpoint
from tests.cli.conftest import TINY, Command

PNG = b"\x89PNG"


def test_the_way_of_the_readme(mrtc: Command, tmp_path: Path) -> None:
    done = mrtc("train", "dsprites", "--objective", "tcvae", *TINY, "--out", "ckpt.pt")
    assert done.status == 0
    assert done.out.startswith("ckpt.pt: 3 steps")

    evaluate = ("eval-mig", "ckpt.pt", "--betas", "0.1:10:3", "--examples", "300", "--quiet")
    done = mrtc(*evaluate, "--out", "results.h5")
    assert done.status == 0
    assert done.out.startswith("results.h5, results.png: 3 betas, best MIG (Chen)")
    assert (tmp_path / "results.png").read_bytes().startswith(PNG)
    metrics = xarray.load_dataset("results.h5", engine="h5netcdf", group="metrics")
    assert metrics["mig_chen"].shape == (3,)
    assert metrics["information"].dims == ("beta", "code", "factor")
    assert json.loads(metrics["mig_chen"].attrs["parameters"])["scored_factors"] == [
        "scale",
        "orientation",
        "x",
        "y",
    ]

    done = mrtc("plot", "results.h5", "--format", "svg", "--out", "pictures")
    assert done.status == 0
    assert len(list((tmp_path / "pictures").glob("results-*.svg"))) == 3

    done = mrtc("traverse", "ckpt.pt", "--betas", "0.1,1,10", "--columns", "3")
    assert done.status == 0
    assert (tmp_path / "ckpt-traverse.png").read_bytes().startswith(PNG)


def test_files_get_telling_names(mrtc: Command, tmp_path: Path) -> None:
    assert mrtc("train", "dsprites", *TINY, "--beta", "4", "--objective", "beta").status == 0
    (path,) = tmp_path.glob("*.pt")
    assert path.name == "dsprites-beta-quick-beta4-seed0.pt"
    done = mrtc("eval-mig", path.name, "--examples", "200", "--quiet", "--json")
    assert done.status == 0
    table = json.loads(done.out)
    assert table["beta"]["value"] == [4.0]
    assert table["rate"]["unit"] == "nats"
    assert (tmp_path / f"{path.stem}-mig.h5").exists()


def test_a_run_resumes_and_ends_in_the_same_weights(mrtc: Command, checkpoint: Path) -> None:
    """Stopped after one step, then asked for three."""
    tiny = list(TINY)
    tiny[1] = "1"
    assert mrtc("train", "dsprites", *tiny, "--out", "a.pt").status == 0
    stopped = Checkpoint.load(Path("a.pt"))
    stopped.config = Checkpoint.load(checkpoint).config  # as if the one step were one of three
    stopped.save(Path("a.pt"))
    done = mrtc("train", "dsprites", *TINY, "--out", "a.pt", "--resume")
    assert done.status == 0
    whole, resumed = Checkpoint.load(checkpoint), Checkpoint.load(Path("a.pt"))
    assert resumed.fingerprint() == whole.fingerprint()
    done = mrtc("train", "dsprites", *TINY, "--out", "a.pt", "--resume")
    assert (done.status, done.out.startswith("a.pt: 3 steps")) == (0, True)


def test_bfloat16_can_be_asked_for(mrtc: Command) -> None:
    assert mrtc("train", "dsprites", *TINY, "--precision", "bf16", "--out", "b.pt").status == 0
    assert json.loads(Checkpoint.load(Path("b.pt")).config)["precision"] == "bf16"


def test_tensorboard_gets_the_terms(mrtc: Command, tmp_path: Path) -> None:
    done = mrtc("train", "dsprites", *TINY, "--out", "a.pt", "--tensorboard", "log")
    assert done.status == 0
    assert any("tfevents" in path.name for path in (tmp_path / "log").iterdir())


def test_extrapolation_must_be_insisted_on(mrtc: Command, checkpoint: Path) -> None:
    arguments = ("eval-mig", checkpoint, "--betas", "20", "--examples", "200", "--quiet")
    done = mrtc(*arguments, "--out", "r.h5")
    assert done.status == 2
    assert "trained for beta in 0.1:10" in done.err
    assert mrtc(*arguments, "--out", "r.h5", "--extrapolate").status == 0


def test_presets_and_data_are_listed(mrtc: Command) -> None:
    assert "dsprites quick mlp" in mrtc("presets").out
    listed = json.loads(mrtc("presets", "--json").out)
    assert listed["dsprites paper mlp"]["training"]["steps"] == 18_000
    assert mrtc("data", "list").out.startswith("dsprites: 737,280")
    assert "dsprites" in json.loads(mrtc("data", "list", "--json").out)
    assert "737280 examples (dSprites, rendered)" in mrtc("data", "get", "dsprites", "-q").out
    assert "crc32:" in mrtc("data", "check", "dsprites", "-q").out


def test_every_command_has_help_with_an_example(mrtc: Command) -> None:
    names = [command.name for command in app.registered_commands]
    with_example = {"train", "eval-mig", "eval", "rescore", "score", "plot", "traverse"}
    with_example |= {"baselines", "compare", "figure", "sample", "reconstruct", "interpolate"}
    with_example |= {"doctor", "find-beta", "freeze", "report"}
    assert with_example | {"presets"} == set(names)
    for name in sorted(with_example):
        done = mrtc(name, "--help")
        assert done.status == 0
        assert f"mrtc {name}" in done.out.split("Options")[0].split("Example")[1]


def test_help_does_not_import_torch() -> None:
    program = (
        "import sys\nsys.argv = ['mrtc', '--help']\nfrom mrtc.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'numpy', 'h5py', 'matplotlib', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_gpu_trains_and_evaluates(mrtc: Command) -> None:
    assert mrtc("train", "dsprites", *TINY, "--out", "a.pt", "--device", "cuda").status == 0
    done = mrtc("eval-mig", "a.pt", "--betas", "0.1,10", "--examples", "300", "--device", "cuda")
    assert done.status == 0
