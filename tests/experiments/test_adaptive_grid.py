"""Evaluations that choose their betas: the numbers of a fixed grid, at fewer betas."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mrtc.datasets.dsprites import DSprites
from mrtc.errors import MrtcError, ResultsError
from mrtc.evaluation.adaptive import AdaptiveGrid
from mrtc.evaluation.encode import PosteriorEncoder
from mrtc.experiments.evaluate import evaluate
from mrtc.experiments.library import train
from mrtc.experiments.one_run import Run
from mrtc.experiments.refinement import certainty, refining
from mrtc.plots import KINDS
from mrtc.results import ADAPTIVE, collect, read

TINY = {"batch": 16, "hidden": 8, "codes": 3, "device": "cpu", "quiet": True}
OPTIONS = {"examples": 200, "keep": 100, "device": "cpu"}
GRID = AdaptiveGrid(tolerance=0.01, most_betas=8)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, dsprites: DSprites) -> Run:
    """Twenty steps; the rendering of dSprites is made before it."""
    assert len(dsprites)
    return train("dsprites", steps=20, out=tmp_path_factory.mktemp("auto") / "ckpt.pt", **TINY)


def test_the_numbers_are_those_of_a_fixed_grid(trained: Run, tmp_path: Path) -> None:
    chosen = trained.evaluate(GRID, tmp_path / "auto.h5", quiet=True, **OPTIONS)
    assert len(chosen.beta) == 8
    assert chosen.evaluated.all()
    candidates = np.geomspace(0.1, 10, 65)
    assert np.isclose(chosen.beta[:, None], candidates).any(1).all()
    assert np.isclose(chosen.beta[:, None], candidates[[0, 16, 32, 48, 64]]).any(0).all()
    fixed = evaluate(trained, tmp_path / "fixed.h5", betas=chosen.beta, quiet=True, **OPTIONS)
    pd.testing.assert_frame_equal(chosen.table(), fixed.table())
    np.testing.assert_array_equal(chosen.moments(5).mean, fixed.moments(5).mean)
    # What is put side by side need not have chosen its betas alike.
    assert collect([chosen]).parameters == collect([fixed]).parameters
    for kind in ("mig", "rd", "au"):
        assert KINDS[kind](chosen)


def test_a_stopped_evaluation_goes_on_to_the_same_betas(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained.evaluate(GRID, tmp_path / "whole.h5", quiet=True, **OPTIONS)
    path, moments, left = tmp_path / "parts.h5", PosteriorEncoder.moments, [6]

    def interrupted(self: PosteriorEncoder, beta: float):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return moments(self, beta)

    with monkeypatch.context() as patch:
        patch.setattr(PosteriorEncoder, "moments", interrupted)
        with pytest.raises(KeyboardInterrupt):
            trained.evaluate(GRID, path, quiet=True, **OPTIONS)
    stopped = read(path)
    assert (stopped.evaluated.sum(), len(stopped.beta)) == (6, 65)
    resumed = trained.evaluate(GRID, path, quiet=True, **OPTIONS)
    pd.testing.assert_frame_equal(resumed.table(), whole.table())

    monkeypatch.setattr(PosteriorEncoder, "__init__", None)
    again = trained.evaluate(GRID, path, quiet=True, **OPTIONS)  # there is nothing left to do
    pd.testing.assert_frame_equal(again.table(), whole.table())
    with pytest.raises(ResultsError, match=r'parameter adaptive: .*"tolerance": 0\.01.* 0\.5'):
        trained.evaluate(AdaptiveGrid(tolerance=0.5), path, quiet=True, **OPTIONS)


def test_auto_is_the_usual_grid(
    trained: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = trained.evaluate("auto", tmp_path / "a.h5", **OPTIONS)
    assert results.header.parameters[ADAPTIVE] == {
        "tolerance": 0.02,
        "most_betas": 25,
        "refined": ["rate", "distortion", "mig_chen"],
    }
    assert 5 <= len(results.beta) <= 25
    assert f"mrtc: {len(results.beta)} betas" in capsys.readouterr().err


def test_a_baseline_has_its_one_beta(dsprites: DSprites, tmp_path: Path) -> None:
    assert len(dsprites)
    baseline = train("dsprites", beta=4, steps=3, out=tmp_path / "ckpt.pt", **TINY)
    results = baseline.evaluate("auto", quiet=True, **OPTIONS)
    assert results.beta.tolist() == [4.0]
    assert ADAPTIVE not in results.header.parameters


def test_the_words_say_what_is_left_in_doubt(trained: Run, tmp_path: Path) -> None:
    grid = AdaptiveGrid(tolerance=1e-9, most_betas=5, refined=("rate",))
    results = trained.evaluate(grid, tmp_path / "a.h5", quiet=True, **OPTIONS)
    words = certainty(results, grid)
    assert words.startswith("5 betas; between ")
    assert words.endswith("of its span: allow more betas")
    assert "miss rate by" in words
    loose = AdaptiveGrid(tolerance=0.99, refined=("rate",))
    assert (
        certainty(results, loose) == "5 betas are enough for lines within 0.99 of the span of rate"
    )


class Plain:
    """Images of which no factors are known."""

    source = "nothing"

    def __len__(self) -> int:
        return 1

    def images(self, index: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(index), 1, 8, 8)


def test_curves_must_be_measured(dsprites: DSprites) -> None:
    assert refining(AdaptiveGrid(), dsprites).refined == ("rate", "distortion", "mig_chen")
    with pytest.raises(MrtcError, match=r"cannot go by fid, .*choose among rate,.*,mig_chen"):
        refining(AdaptiveGrid(refined=("rate", "fid")), dsprites)
    assert refining(AdaptiveGrid(), Plain()).refined == ("rate", "distortion")
    with pytest.raises(MrtcError, match="cannot go by mig_chen"):
        refining(AdaptiveGrid(refined=("mig_chen",)), Plain())
