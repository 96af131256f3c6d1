"""``mrtc baselines``, ``compare`` and ``figure``, as a newcomer would run them."""

import json
from pathlib import Path

import numpy as np
import pytest

from mrtc.datasets.dsprites import DSprites
from mrtc.results import read_runs
from tests.cli.conftest import TINY, Command

SMALL = (*TINY[:-1], "--examples", "200", "--quiet")


@pytest.fixture
def compared(mrtc: Command, dsprites: DSprites) -> None:
    """Two seeds of a multi-rate model at three betas, and baselines at two of them."""
    assert len(dsprites)
    for seed in "01":
        done = mrtc("train", "dsprites", *TINY, "--seed", seed, "--out", f"m{seed}.pt")
        assert done.status == 0, done.err
        grid = ("--betas", "0.1:10:3", "--examples", "200", "--out", f"m{seed}.h5", "--quiet")
        done = mrtc("eval-mig", f"m{seed}.pt", *grid)
        assert done.status == 0, done.err
    done = mrtc("baselines", "dsprites", *SMALL, "--betas", "1,10", "--seeds", "2", "--out", "b.h5")
    assert done.status == 0, done.err
    assert "b.h5: 4 runs" in done.out


@pytest.mark.usefixtures("compared")
def test_from_runs_to_a_comparison(mrtc: Command) -> None:
    done = mrtc("compare", "m0.h5", "b.h5", "m1.h5", "--margins", "mig_chen=0.1")
    assert done.status == 0, done.err
    assert "## mig_chen (1), margin 0.1" in done.out
    assert "no slope test" in done.out
    written = {path.name for path in Path("comparison").iterdir()}
    assert {"comparison.md", "differences.csv", "cost.csv", "rd.png", "mig_chen.png"} <= written
    done = mrtc("compare", "m0.h5", "m1.h5", "b.h5", "--json", "--metrics", "mig_chen,rate")
    rows = json.loads(done.out)["differences"]
    runs = read_runs(Path("b.h5"))
    assert [row["beta"] for row in rows if row["metric"] == "rate"] == [1.0, 10.0, None]
    expected = " ".join(f"{value:.4g}" for value in runs.value("rate")[:, 0])
    assert rows[3]["baselines"] == expected


@pytest.mark.usefixtures("compared")
def test_what_cannot_be_compared_is_refused(mrtc: Command) -> None:
    for arguments, words in {
        ("m0.h5",): "needs one set of baselines runs, and 0 were given",
        ("b.h5",): "needs one set of multi-rate runs, and 0 were given",
        ("b.h5", "m0.h5", "nowhere.h5"): "cannot read nowhere.h5",
        ("b.h5", "m0.h5", "--margins", "rate=none"): "is no positive margin",
        ("b.h5", "m0.h5", "--metrics", "dci_fast", "--margins", "dci_fast=1"): "hold no dci_fast",
        ("b.h5", "b.h5", "m0.h5"): "needs one set of baselines runs, and 2 were given",
    }.items():
        done = mrtc("compare", *arguments)
        assert done.status == 2, arguments
        assert words in done.err
    mrtc("eval-mig", "m0.pt", "--betas", "0.1:5:3", "--examples", "200", "--out", "o.h5", "--quiet")
    done = mrtc("compare", "o.h5", "b.h5")
    assert done.status == 2
    assert "have no beta 1, 10" in done.err


@pytest.mark.usefixtures("compared")
def test_one_seed_is_told(mrtc: Command) -> None:
    done = mrtc("compare", "m0.h5", "b.h5")
    assert done.status == 0, done.err
    assert "there is one seed of multi-rate: differences have no intervals" in done.out


@pytest.mark.usefixtures("dsprites")
def test_a_grid_that_failed_in_part_says_so(mrtc: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from mrtc.errors import DivergenceError
    from mrtc.experiments import tasks

    perform = tasks.perform

    def failing(task: tasks.Task, *, quiet: bool = True) -> None:
        if task.betas == (10.0,):
            raise DivergenceError("the objective is not finite at step 1")
        perform(task, quiet=quiet)

    monkeypatch.setattr(tasks, "perform", failing)
    grid = ("baselines", "dsprites", *SMALL, "--betas", "1,10", "--seeds", "1", "--out", "b.h5")
    done = mrtc(*grid)
    assert done.status == 2
    assert "1 runs failed and are not in b.h5; the first, beta 10 and seed 0" in done.err
    monkeypatch.undo()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--betas", "1:0.1:3"), "is reversed"),
        (("--workers", "2", "--stack", "2"), "--workers and --stack each say where"),
        (("--learning-rates", "fast"), "is no list of positive numbers"),
        (("--rate-schedule", "cyclic", "--batch", "15", "--estimator", "stratified"), ""),
        (("--metrics", "nonsense"), "nonsense"),
        (("--ray", "127.0.0.1:1"), "127.0.0.1:1"),
    ],
)
@pytest.mark.usefixtures("dsprites")
def test_bad_options_of_a_grid(mrtc: Command, options: tuple[str, ...], words: str) -> None:
    done = mrtc("baselines", "dsprites", *SMALL, "--betas", "1", "--seeds", "1", *options)
    if words:
        assert done.status == 2
        assert words in done.err
    else:
        assert done.status == 0, done.err


@pytest.mark.usefixtures("dsprites")
def test_a_figure_from_training_to_picture(mrtc: Command) -> None:
    assert "fig8-mig" in mrtc("figure").out
    done = mrtc("figure", "nonsense")
    assert done.status == 2
    assert "choose among fig4, fig5-mnist" in done.err
    done = mrtc("figure", "table-cost", "--steps", "100", "--device", "cpu", "--quiet")
    assert done.status == 0, done.err
    table = np.genfromtxt("table-cost-quick/table-cost.csv", delimiter=",", names=True)
    one, eight, ours = table["parameters"]
    assert eight == 8 * one
    assert 0 < ours - one == 2 * 2 * 2 * 256  # slopes and offsets of four layers of 256
