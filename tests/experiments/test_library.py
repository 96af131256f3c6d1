"""Runs as objects: they do what the commands do, and say what they are."""

import os
from inspect import Parameter, signature
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mrtc.cli.train import train as command
from mrtc.datasets.dsprites import DSprites
from mrtc.errors import BetaError, CheckpointError, MrtcError
from mrtc.experiments import pictures
from mrtc.experiments.config import RunConfig
from mrtc.experiments.evaluate import default_betas, evaluate
from mrtc.experiments.library import train
from mrtc.experiments.one_run import Run, load
from mrtc.experiments.run import load_vae
from mrtc.rates import BetaRange, parse_grid

TINY = {"steps": 3, "batch": 16, "hidden": 8, "codes": 3, "quiet": True}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, dsprites: DSprites) -> Run:
    """Three steps; the rendering of dSprites is made before it."""
    assert len(dsprites)
    out = tmp_path_factory.mktemp("library") / "ckpt.pt"
    return train("dsprites", objective="tcvae", out=out, device="cpu", **TINY)


def test_training_is_that_of_the_command(trained: Run, tmp_path: Path) -> None:
    """The same configuration, and the same weights bit for bit."""
    command("dsprites", objective="tcvae", out=tmp_path / "ckpt.pt", device="cpu", **TINY)
    again = load(tmp_path / "ckpt.pt")
    assert again.config == trained.config
    assert again.checkpoint.fingerprint() == trained.checkpoint.fingerprint()


def test_options_and_defaults_are_those_of_the_command() -> None:
    def options(function: object) -> dict[str, object]:
        parameters = signature(function).parameters  # type: ignore[arg-type]
        return {name: parameter.default for name, parameter in parameters.items()}

    assert options(train) == options(command)
    kinds = [parameter.kind for parameter in signature(train).parameters.values()]
    assert set(kinds[1:]) == {Parameter.KEYWORD_ONLY}


def test_numbers_stand_for_the_texts_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[RunConfig] = []

    def noted(config: RunConfig, *_: object, **__: object) -> None:
        asked.append(config)
        raise KeyboardInterrupt

    monkeypatch.setattr("mrtc.experiments.library.run", noted)
    texts = {"betas": "0.5:2", "groups": "4", "sigma": "0.1", "likelihood": "gaussian"}
    numbers = texts | {"betas": (0.5, 2), "groups": 4, "sigma": 0.1}
    ranges = texts | {"betas": BetaRange(0.5, 2.0)}
    for options in (texts, numbers, ranges):
        with pytest.raises(KeyboardInterrupt):
            train("dsprites", arch="conv", out=tmp_path / "x.pt", **options)
    assert asked[0] == asked[1] == asked[2]
    assert (asked[0].betas.low, asked[0].sigma, asked[0].objective.groups) == (0.5, 0.1, 4)


def test_a_file_is_named_after_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = train("dsprites", beta=4, seed=2, device="cpu", **TINY)
    assert done.path == Path("dsprites-tcvae-quick-beta4-seed2.pt")
    assert done.path.is_file()
    assert done.config.is_baseline
    with pytest.raises(BetaError, match=r"--betas 0\.1:1 asks for a multi-rate model"):
        train("dsprites", beta=4, betas=(0.1, 1.0))


def test_a_loaded_run_is_the_one_that_was_trained(trained: Run) -> None:
    loaded = load(trained.path)
    assert loaded.config == trained.config
    assert (loaded.steps, loaded.seconds) == (3, trained.seconds)
    for ours, theirs in zip(
        loaded.vae.state_dict().values(),
        load_vae(trained.path)[0].state_dict().values(),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    assert not trained.vae.training
    pd.testing.assert_frame_equal(loaded.history, trained.history)
    assert {"step", "rate", "distortion"} <= set(loaded.history)
    with pytest.raises(CheckpointError, match=r"no checkpoint at nowhere\.pt"):
        load("nowhere.pt")


def test_a_run_shows_itself(trained: Run) -> None:
    assert repr(trained) == "<Run ckpt.pt: dsprites, tcvae, mlp, beta 0.1:10, 3 steps>"
    shown = trained._repr_html_()
    weights = sum(weight.numel() for weight in trained.checkpoint.weights.values())
    for text in ("dSprites", "mlp, 3 codes", "tcvae", "3 of 3", f"{weights:,}", "0.1:10"):
        assert text in shown
    assert str(trained.path.parent) not in shown


def test_what_a_run_shows_is_escaped(trained: Run, tmp_path: Path) -> None:
    path = tmp_path / "<b>.pt"
    path.write_bytes(trained.path.read_bytes())
    assert "<b>" not in load(path)._repr_html_()


def test_an_evaluation_is_that_of_the_function(trained: Run, tmp_path: Path) -> None:
    options = {"examples": 200, "keep": 100, "device": "cpu", "quiet": True}
    ours = trained.evaluate("0.1:10:3", tmp_path / "a.h5", **options)
    theirs = evaluate(trained.path, tmp_path / "b.h5", betas=np.geomspace(0.1, 10, 3), **options)
    pd.testing.assert_frame_equal(ours.table(), theirs.table())
    third = evaluate(trained, betas=[0.1, 1, 10], **options)
    assert third.path == trained.path.with_name("ckpt-results.h5")
    pd.testing.assert_frame_equal(third.table(), theirs.table())
    assert trained.evaluate(4.0, tmp_path / "c.h5", **options).beta.tolist() == [4.0]


def test_scores_are_computed_where_they_are_asked_for(trained: Run, tmp_path: Path) -> None:
    results = trained.evaluate(
        "0.1,10",
        tmp_path / "s.h5",
        metrics="sap_continuous",
        examples=200,
        keep=200,
        device="cpu",
        quiet=True,
    )
    assert "sap_continuous" in results.to_pandas()
    with pytest.raises(MrtcError, match="nonsense"):
        trained.evaluate("0.1,10", tmp_path / "t.h5", metrics="nonsense")


@pytest.mark.parametrize(
    ("betas", "message"),
    [([1.0, 0.5], "do not increase"), ([0.0, 1.0], "not positive"), (50, "outside the trained")],
)
def test_betas_that_cannot_be_used(trained: Run, betas: object, message: str) -> None:
    with pytest.raises(BetaError, match=message):
        evaluate(trained, betas=betas, device="cpu", quiet=True)  # type: ignore[arg-type]


def test_without_betas_the_trained_range_is_evaluated(
    trained: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def noted(_self: BetaRange, betas: list[float], **_: object) -> None:
        seen.append(betas)
        raise KeyboardInterrupt

    monkeypatch.setattr(BetaRange, "require", noted)
    with pytest.raises(KeyboardInterrupt):
        trained.evaluate()
    assert seen == [default_betas(trained.path).tolist()] == [parse_grid("0.1:10:50").tolist()]


def test_the_data_of_training_are_those_of_evaluation(trained: Run) -> None:
    missing = load(trained.path, data="no-such-file.npz")
    with pytest.raises(MrtcError, match="no-such-file"):
        missing.evaluate("0.1:10:3", device="cpu", quiet=True)


def test_samples_are_those_of_the_picture(trained: Run) -> None:
    ours = trained.sample(0.5, 4, seed=3)
    theirs = pictures.sample([trained.path], betas=np.array([0.5]), count=4, seed=3)
    np.testing.assert_array_equal(ours[:, 0].numpy(), theirs.models[0].images[0])
    with pytest.raises(BetaError, match="outside the trained range"):
        trained.sample(50)


def test_frozen_models_are_written(trained: Run, tmp_path: Path) -> None:
    frozen = trained.freeze(4, out=tmp_path / "four.safetensors")
    assert frozen.paths[0] == tmp_path / "four.safetensors"
    assert all(path.is_file() for path in frozen.paths)


def test_a_run_stands_for_its_path(trained: Run) -> None:
    assert Path(trained) == trained.path
    assert os.fspath(trained) == str(trained.path)


def test_documents_have_no_mean(tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("a cat runs .\na dog sleeps .\n" * 20)
    done = train(
        lines, steps=2, warmup=1, batch=8, codes=3, device="cpu", quiet=True, out=tmp_path / "t.pt"
    )
    assert done.data == lines
    with pytest.raises(MrtcError, match=r"model of documents.*texts\.sample"):
        done.sample(1.0)
