"""Figures of the paper, from training to picture, at a budget of seconds."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mrtc.architectures import LinearOptimum
from mrtc.datasets.binarized_mnist import BinarizedMNIST
from mrtc.datasets.dsprites import DSprites
from mrtc.experiments import data
from mrtc.experiments.execute import one_after_another
from mrtc.experiments.figures import FigureOptions, draw, fig4
from mrtc.experiments.figures.published import (
    FIG1_COST,
    FIG4_BASELINES,
    FIG4_MULTIRATE,
    FIG8_BASELINES,
    FIG8_MULTIRATE,
)
from mrtc.experiments.tasks import Outcome, Protocol, Task
from mrtc.results import read_runs
from mrtc.statistics import slopes


def silent(tasks: Sequence[Task]) -> Iterator[Outcome]:
    return one_after_another(tasks, quiet=True)


@pytest.fixture
def options(tmp_path: Path) -> FigureOptions:
    protocol = Protocol(examples=200, keep=100, device="cpu", precision="fp32")
    return FigureOptions(
        tmp_path / "figure", seeds=1, steps=3, protocol=protocol, executor=silent, quiet=True
    )


@pytest.mark.usefixtures("dsprites")
def test_fig8_mig(options: FigureOptions) -> None:
    written = {path.name for path in draw("fig8-mig", options)}
    assert {"fig8-mig.png", "comparison.md", "differences.csv", "slopes.png"} <= written
    ours, theirs = (read_runs(options.folder / f"{n}.h5") for n in ("multirate", "baselines"))
    assert (ours.cost["steps"] == 3).all()
    assert (theirs.cost["steps"] == 3).all()
    assert theirs.beta == pytest.approx(FIG8_BASELINES.beta)
    assert len(ours.beta) == 25
    table = pd.read_csv(options.folder / "differences.csv")
    row = table[(table.metric == "mig_chen") & np.isclose(table.beta, 10)].iloc[0]
    expected = ours.value("mig_chen")[0, -1] - theirs.value("mig_chen")[0, -1]
    assert row.difference == pytest.approx(expected, rel=1e-4)
    # What is trained is not trained again: a task that was to be performed would fail.
    again = replace(options, executor=lambda tasks: (Outcome(task, "again") for task in tasks))
    draw("fig8-mig", again)


def test_fig4(options: FigureOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """On noise in place of digits: what is written is the distance from the exact curve."""
    bits = np.random.default_rng(0).integers(0, 256, (300, 98), np.uint8)
    noise = BinarizedMNIST(torch.from_numpy(bits), "noise")
    entry = replace(data.DATASETS["binarized-mnist"], load=lambda _, **__: noise)
    monkeypatch.setitem(data.DATASETS, "binarized-mnist", entry)
    monkeypatch.setattr(fig4, "COUNTS", {"quick": (3, 5)})
    monkeypatch.setattr(fig4, "LEARNING_RATES", {"quick": (1e-2,)})
    options = replace(options, steps=201)  # one more than those of warm-up
    assert {path.name for path in draw("fig4", options)} == {"fig4.png", "fig4.csv", "fig4.md"}
    table = pd.read_csv(options.folder / "fig4.csv")
    assert table.groupby("runs").size().to_dict() == {
        "multi-rate, exact gates": 5,
        "multi-rate, gates of the paper": 5,
        "baselines": 3,
    }
    assert (table.excess_at_equal_rate > -1e-9).all()  # nothing is better than the best
    assert (table.objective_gap > -1e-9).all()
    x = noise.images(torch.arange(300)).flatten(1).double().numpy()
    optimum = LinearOptimum.of(np.cov(x, rowvar=False, bias=True), 32)
    best = optimum.rate(table.beta.to_numpy())
    np.testing.assert_allclose(table.rate - table.rate_error, best, rtol=1e-4, atol=1e-4)
    # The sweep draws from the posteriors, and finds the same within its error.
    runs = read_runs(options.folder / "baselines.h5")
    exact = table[table.runs == "baselines"].sort_values("beta")
    np.testing.assert_allclose(runs.value("rate")[0], exact.rate, rtol=1e-3)
    error = runs.value("distortion_error")[0]
    assert (np.abs(runs.value("distortion")[0] - exact.distortion) < 5 * error).all()


def test_the_published_numbers_are_consistent() -> None:
    """As far as they can be: known means, and curves whose slopes are those of an optimum."""
    means = [0.037, 0.038, 0.065, 0.044, 0.222, 0.336, 0.247]
    np.testing.assert_allclose(FIG8_BASELINES.mean, means, atol=6e-4)
    assert len(FIG8_MULTIRATE.beta) == len(FIG8_MULTIRATE.mean) == len(FIG8_MULTIRATE.half) == 10
    for curve in (FIG4_BASELINES, FIG4_MULTIRATE):
        assert len(curve.beta) == len(curve.rate) == len(curve.distortion)
    ratio = slopes(*FIG4_BASELINES).ratio
    assert (np.abs(np.log(ratio)) < 0.15).all()
    eight, one = FIG1_COST["8 baselines"], FIG1_COST["one baseline"]
    assert eight.parameters == 8 * one.parameters


@pytest.mark.usefixtures("dsprites")
def test_a_budget_that_changes_is_refused(options: FigureOptions, dsprites: DSprites) -> None:
    from mrtc.errors import MrtcError

    def nothing(tasks: Sequence[Task]) -> Iterator[Outcome]:
        return (Outcome(task, "not now") for task in tasks)

    with pytest.raises(MrtcError, match="all 1 runs failed; the first, multirate-seed0: not now"):
        draw("fig8-mig", replace(options, executor=nothing))
    with pytest.raises(MrtcError, match=r"run\.training\.steps was 3, now 4"):
        draw("fig8-mig", replace(options, executor=nothing, steps=4))
    assert len(dsprites)
