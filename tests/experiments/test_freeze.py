"""``mrtc freeze``: what is written, what is said, and what is refused."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mrtc.architectures import LSTMConfig
from mrtc.cli import app as cli
from mrtc.cli.freeze import freeze as command
from mrtc.datasets.text import TextConfig
from mrtc.datasets.vocabulary import Vocabulary
from mrtc.errors import BetaError, MrtcError, OutputError
from mrtc.experiments import RunConfig, preset
from mrtc.experiments import freeze as experiment
from mrtc.experiments.freeze import freeze
from mrtc.experiments.presets import baseline
from mrtc.experiments.run import build_vae
from mrtc.frozen import FrozenTextVAE, FrozenVAE, frozen_vae, load
from mrtc.training import Checkpoint, TrainingState

VOCABULARY = Vocabulary(tuple("abcdefgh"))


def image_run() -> RunConfig:
    run = preset("dsprites", "quick", "beta")
    return replace(run, model=replace(run.model, hidden=8, codes=3))


def text_run() -> RunConfig:
    return replace(
        preset("text", "quick", "beta"),
        model=LSTMConfig(embedding=8, encoder=8, decoder=8, codes=3),
        text=TextConfig(longest=12),
        tokens=len(VOCABULARY),
    )


def save(path: Path, run: RunConfig) -> Path:
    vocabulary = VOCABULARY.to_json() if run.text else ""
    weights = build_vae(run).state_dict()
    Checkpoint(run.to_json(), weights, TrainingState(), vocabulary).save(path)
    return path


def test_two_files_that_say_where_they_come_from(tmp_path: Path) -> None:
    checkpoint = save(tmp_path / "ckpt.pt", image_run())
    done = freeze(checkpoint, 4.0)
    assert done.paths == (tmp_path / "ckpt-beta4.safetensors", tmp_path / "frozen_vae.py")
    assert done.difference < 1e-6
    assert done.onnx_difference is None
    assert done.paths[1].read_bytes() == Path(frozen_vae.__file__).read_bytes()
    model = load(done.paths[0])
    assert isinstance(model, FrozenVAE)
    about = {key: model.about[key] for key in ("version", "architecture", "beta", "likelihood")}
    assert about == {"version": 1, "architecture": "mlp", "beta": 4.0, "likelihood": "bernoulli"}
    assert model.about["dataset"] == "dsprites"
    assert model.about["shape"] == [1, 64, 64]
    assert model.about["fingerprint"] == Checkpoint.load(checkpoint).fingerprint()


def test_documents_come_with_their_words(tmp_path: Path) -> None:
    done = freeze(save(tmp_path / "t.pt", text_run()), 0.5)
    model = load(done.paths[0])
    assert isinstance(model, FrozenTextVAE)
    assert model.about["words"] == list(VOCABULARY.known)
    assert model.words(model.tokens([["b", "h"]])) == [["b", "h"]]


def test_what_usage_says_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "frozen_vae", frozen_vae)
    for run, x in ((image_run(), torch.rand(2, 1, 64, 64)), (text_run(), None)):
        found = {"x": x}
        exec(freeze(save(tmp_path / "c.pt", run), 4.0, force=True).usage, found)
        assert found["mean"].shape == (1 if x is None else 2, 3)


@pytest.mark.parametrize("run", [image_run(), text_run()], ids=["images", "documents"])
def test_onnx_graphs_lie_beside_the_weights(run: RunConfig, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    done = freeze(save(tmp_path / "c.pt", run), 1.0, out=tmp_path / "m.safetensors", onnx=True)
    names = ["encoder", "start", "decoder"] if run.text else ["encoder", "decoder"]
    assert [path.name for path in done.paths[2:]] == [f"m-{name}.onnx" for name in names]
    assert done.onnx_difference is not None
    assert done.onnx_difference < 1e-5


def test_what_is_there_is_not_lost(tmp_path: Path) -> None:
    checkpoint = save(tmp_path / "c.pt", image_run())
    weights, reader = freeze(checkpoint, 1.0).paths
    freeze(checkpoint, 1.0)  # the same again is no loss
    freeze(checkpoint, 2.0)  # nor is another model beside it
    reader.write_text("mine")
    with pytest.raises(OutputError, match=r"frozen_vae\.py exists already.*--force"):
        freeze(checkpoint, 3.0)
    assert not (tmp_path / "c-beta3.safetensors").exists()
    weights.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        freeze(checkpoint, 1.0)
    assert weights.read_text() == "mine"
    freeze(checkpoint, 1.0, force=True)
    assert load(weights).about["beta"] == 1.0


def test_what_is_not_exact_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = save(tmp_path / "c.pt", image_run())
    monkeypatch.setattr(experiment, "LARGEST", 0.0)
    with pytest.raises(MrtcError, match=r"cannot be frozen exactly.*nothing was written"):
        freeze(checkpoint, 1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["c.pt"]
    monkeypatch.undo()
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(experiment, "LARGEST_ONNX", -1.0)
    with pytest.raises(MrtcError, match=r"encoder\.onnx cannot be frozen exactly"):
        freeze(checkpoint, 1.0, onnx=True)
    assert [path.name for path in tmp_path.iterdir()] == ["c.pt"]


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_onnx_it_says_what_to_install(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint = save(tmp_path / "c.pt", image_run())
    if missing == "onnx":  # which is imported with the module, at most once
        monkeypatch.delitem(sys.modules, "mrtc.frozen.onnx_graphs", raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MrtcError, match=r"ONNX is not installed.*mrtc\[onnx\]"):
        freeze(checkpoint, 1.0, onnx=True)
    assert [path.name for path in tmp_path.iterdir()] == ["c.pt"]


def test_a_baseline_is_frozen_at_its_beta(tmp_path: Path) -> None:
    checkpoint = save(tmp_path / "b.pt", baseline(image_run(), 4.0))
    assert freeze(checkpoint).paths[0].name == "b-beta4.safetensors"
    with pytest.raises(BetaError, match="beta 2 lies outside"):
        freeze(checkpoint, 2.0)


def run_command(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    """``mrtc freeze``, also where the table of commands does not have it yet."""
    table = cli.typer.Typer()
    table.command("freeze")(cli._reporting(command))
    table.callback()(lambda: None)
    monkeypatch.setattr(sys, "argv", ["mrtc", "freeze", *map(str, arguments)])
    try:
        table()
    except SystemExit as done:
        return int(done.code or 0)
    return 0


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint = save(tmp_path / "ckpt.pt", image_run()).relative_to(tmp_path)
    assert run_command(monkeypatch, checkpoint, "--beta", "4") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["ckpt-beta4.safetensors", "frozen_vae.py"]
    assert lines[2].startswith("largest difference from ckpt.pt: ")
    assert lines[4:6] == [
        "from frozen_vae import load",
        'model = load("ckpt-beta4.safetensors")',
    ]
    assert len(lines) == 7

    for arguments, message in (
        ((checkpoint,), "give one of that range"),
        ((checkpoint, "--beta", "40"), "beta 40 lies outside the trained range"),
        ((checkpoint, "--beta", "4", "--out", "a.onnx"), "got --out a.onnx; rename it"),
        (("nobody.pt", "--beta", "4"), "no checkpoint at nobody.pt"),
    ):
        assert run_command(monkeypatch, *arguments) == 2
        error = capsys.readouterr().err
        assert message in error
        assert "Traceback" not in error
