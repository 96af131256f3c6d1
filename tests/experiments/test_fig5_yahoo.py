"""The figure of Yahoo answers, on a few made-up answers and with the smallest networks.

What is written is checked against the results files of the runs, which other tests check.
"""

import gzip
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mrtc.architectures import LSTMConfig
from mrtc.errors import DataError, MrtcError
from mrtc.experiments.config import RunConfig
from mrtc.experiments.execute import one_after_another
from mrtc.experiments.figures import FigureOptions, draw, fig5_yahoo
from mrtc.experiments.figures.fig5_yahoo import (
    LEAST_RATE,
    by_beta,
    latent_use,
    published_curves,
    substitute_train_file,
    with_latent,
)
from mrtc.experiments.figures.published import FIG5_YAHOO
from mrtc.experiments.presets import preset
from mrtc.experiments.run import load_vae
from mrtc.experiments.tasks import Outcome, Protocol, Task
from mrtc.results import read

STEMS = {
    "multi-rate": "multirate",
    "baselines, constant beta": "baselines-beta{}",
    "baselines, monotonic schedule": "baselines-monotonic-beta{}",
    "baselines, constant beta, two extra layers": "baselines-extra-layers-beta{}",
}
SMALL = LSTMConfig(embedding=6, encoder=5, decoder=7, codes=3)
METRICS = ("rate", "distortion", "active_units")


def silent(tasks: Sequence[Task]) -> Iterator[Outcome]:
    return one_after_another(tasks, quiet=True)


def never(tasks: Sequence[Task]) -> Iterator[Outcome]:
    """Fails if anything is to be trained."""
    assert not list(tasks), [task.name for task in tasks]
    return iter(())


class Refusing:
    """Trains nothing, and notes what was to be trained."""

    def __init__(self) -> None:
        self.asked: list[Task] = []

    def __call__(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        self.asked.extend(tasks)
        return (Outcome(task, "not now") for task in tasks)


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    """A folder without a training file, as it is where that could not be had."""
    folder = tmp_path / "yahoo"
    folder.mkdir()
    rng = np.random.default_rng(0)
    words = np.array(["a", "cat", "dog", "is", "was", "_UNK", "here"])
    lines = [" ".join(rng.choice(words, rng.integers(2, 7))) for _ in range(120)]
    text = "".join(f"{line}\n" for line in lines)
    (folder / "yahoo.valid.txt.gz").write_bytes(gzip.compress(text.encode()))
    (folder / "yahoo.test.txt").write_text("".join(f"{line}\n" for line in lines[:40]))
    return folder


@pytest.fixture
def options(tmp_path: Path, answers: Path, monkeypatch: pytest.MonkeyPatch) -> FigureOptions:
    """Twenty steps of one small LSTM."""

    def small(*names: str) -> RunConfig:
        return replace(preset(*names), model=SMALL)

    monkeypatch.setattr(fig5_yahoo, "preset", small)
    protocol = Protocol(data=answers, device="cpu", precision="fp32")
    return FigureOptions(
        tmp_path / "figure", seeds=2, steps=20, protocol=protocol, executor=silent, quiet=True
    )


@pytest.fixture
def titles(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of the pictures."""
    found: list[str] = []
    save: Callable[..., None] = fig5_yahoo.save

    def noted(figure: Any, path: Path) -> None:
        found.append(figure.get_suptitle())
        save(figure, path)

    monkeypatch.setattr(fig5_yahoo, "save", noted)
    return found


def test_from_text_to_picture(options: FigureOptions, titles: list[str]) -> None:
    written = draw("fig5-yahoo", options)
    folder, names = options.folder, ("", "-active-units")
    pictures = [folder / f"fig5-yahoo{name}.png" for name in names]
    assert written == [*pictures, folder / "fig5-yahoo.csv", folder / "fig5-yahoo.md"]
    assert all(path.is_file() for path in written)
    table = pd.read_csv(folder / "fig5-yahoo.csv")
    assert list(table.columns) == ["runs", "seed", "beta", *METRICS, "latent"]
    sizes = table.groupby("runs", sort=False).size().to_dict()
    assert sizes == {label: 2 * (10 if label == "multi-rate" else 4) for label in STEMS}
    for _, row in table.iterrows():
        stem = STEMS[row.runs].format(f"{row.beta:.6g}")
        results = read(folder / "runs" / f"{stem}-seed{row.seed}.h5")
        (at,) = np.flatnonzero(np.isclose(results.beta, row.beta))
        for name in METRICS:
            assert row[name] == pytest.approx(float(results.metric(name)[at]), rel=1e-5)
        is_used = results.metric("rate")[at] > 0.1 and results.metric("active_units")[at] > 0
        assert row.latent == ("used" if is_used else "collapsed")

    source = "yahoo yahoo.valid.txt.gz, train part, 120 documents"
    assert all(f"Trained on {source}" in " ".join(title.split()) for title in titles)
    assert all("yahoo.test.txt, test part, 40 documents" in " ".join(t.split()) for t in titles)
    assert len(titles) == 2

    page = (folder / "fig5-yahoo.md").read_text()
    assert f"Trained on {source}" in page
    assert "20 steps of 32 examples a run" in page
    means = table[(table.runs == "multi-rate") & np.isclose(table.beta, 10)]
    first = f"| multi-rate | 10 | {means.rate.mean():.4g} | {means.distortion.mean():.4g} | "
    assert first in page
    vae, _, _ = load_vae(folder / "runs" / "baselines-extra-layers-beta1-seed0.pt")
    count = sum(weight.numel() for weight in vae.parameters())
    assert f"two extra layers {count:,}" in page
    # What is trained already is not trained again.
    assert draw("fig5-yahoo", replace(options, executor=never)) == written


def test_sets_differ_in_what_they_are_called_and_in_nothing_else(
    options: FigureOptions,
) -> None:
    """Budgets are equal, and the third baseline differs from multi-rate networks by gates alone."""
    refusing = Refusing()
    with pytest.raises(MrtcError, match="not now"):
        draw("fig5-yahoo", replace(options, seeds=1, executor=refusing))
    configs = {task.name: task.config for task in refusing.asked}
    assert len({config.training for config in configs.values()}) == 1
    multirate, plain, monotonic, extra = (
        configs[f"{stem.format('0.01')}-seed0"] for stem in STEMS.values()
    )
    assert multirate.model == SMALL
    assert extra.model == replace(SMALL, gated=False)
    assert plain.model == replace(SMALL, gated=False, head_hidden=False)
    monotone = replace(plain.objective, rate_schedule="monotonic")
    assert monotonic == replace(plain, objective=monotone)
    assert plain.objective.rate_schedule == extra.objective.rate_schedule == "constant"
    assert extra == replace(plain, model=extra.model)


def test_the_published_budget_has_ten_betas_a_set(
    options: FigureOptions,
) -> None:
    refusing = Refusing()
    with pytest.raises(MrtcError, match="not now"):
        draw("fig5-yahoo", replace(options, preset="paper", seeds=1, executor=refusing))
    asked = refusing.asked
    assert len({task.name for task in asked}) == len(asked) == 1 + 3 * 10
    assert {task.config.preset for task in asked} == {"paper"}
    betas = np.geomspace(0.01, 10, 10)
    np.testing.assert_allclose(asked[0].betas, betas)
    theirs = [beta for task in asked[1:] for beta in task.betas]
    np.testing.assert_allclose(theirs, np.tile(betas, 3))


@pytest.mark.parametrize("quiet", [True, False])
def test_the_substitute_is_said_in_one_line(
    options: FigureOptions, answers: Path, capsys: pytest.CaptureFixture[str], quiet: bool
) -> None:
    with pytest.raises(MrtcError, match="not now"):
        draw("fig5-yahoo", replace(options, executor=Refusing(), quiet=quiet))
    lines = [line for line in capsys.readouterr().err.splitlines() if "train" in line]
    note = f"{answers} has no yahoo.train.txt: runs are trained on yahoo.valid.txt.gz"
    assert lines == [note] * (not quiet)


def test_a_training_file_is_used_where_there_is_one(answers: Path) -> None:
    assert substitute_train_file(None) == ""
    assert substitute_train_file(answers / "nowhere") == ""
    assert substitute_train_file(answers / "yahoo.test.txt") == ""
    assert substitute_train_file(answers) == "yahoo.valid.txt.gz"
    (answers / "yahoo.valid.txt").write_text("a\n")
    assert substitute_train_file(answers) == "yahoo.valid.txt"
    (answers / "yahoo.train.txt.gz").write_bytes(b"")
    assert substitute_train_file(answers) == ""


def test_data_that_are_missing_are_told_before_the_folder_is_made(
    options: FigureOptions, answers: Path
) -> None:
    """Else the folder would be of a run without these data, and refuse the one with them."""
    protocol = replace(options.protocol, data=None)
    with pytest.raises(DataError, match="yahoo has no usual place"):
        draw("fig5-yahoo", replace(options, protocol=protocol, executor=never))
    (answers / "yahoo.test.txt").unlink()
    with pytest.raises(DataError, match=r"should hold one file test\.txt"):
        draw("fig5-yahoo", replace(options, executor=never))
    assert not options.folder.exists()


def test_a_failed_run_is_a_gap_that_is_told(options: FigureOptions) -> None:
    def failing(tasks: Sequence[Task]) -> Iterator[Outcome]:
        for task in tasks:
            if task.name == "baselines-monotonic-beta10-seed0":
                yield Outcome(task, "it diverged")
            else:
                yield from silent([task])

    draw("fig5-yahoo", replace(options, seeds=1, executor=failing))
    page = (options.folder / "fig5-yahoo.md").read_text()
    assert "| baselines, monotonic schedule | 10 | - | - | - | - |" in page
    assert "baselines, monotonic schedule, seed 0, beta 10 failed: it diverged" in page


def test_what_counts_as_collapsed() -> None:
    assert latent_use(LEAST_RATE, 3.0) == "collapsed"
    assert latent_use(math.nextafter(LEAST_RATE, 1), 1.0) == "used"
    assert latent_use(5.0, 0.0) == "collapsed"
    assert latent_use(math.nan, math.nan) == ""


def test_the_latent_of_several_seeds_in_words() -> None:
    rows = [
        *(("one", 0, 0.1, 8.0, 2.0), ("one", 0, 10.0, 0.02, 0.0)),
        *(("one", 1, 0.1, 6.0, 1.0), ("one", 1, 10.0, 0.04, 0.0)),
        *(("two", 0, 0.1, 3.0, 1.0), ("two", 0, 10.0, math.nan, math.nan)),
        *(("two", 1, 0.1, 0.05, 0.0), ("two", 1, 10.0, math.nan, math.nan)),
        *(("two", 2, 0.1, 0.4, 0.0), ("two", 2, 10.0, 2.0, 1.0)),
    ]
    table = pd.DataFrame(rows, columns=["runs", "seed", "beta", "rate", "active_units"])
    found = by_beta(with_latent(table))
    assert found.runs.tolist() == ["one", "one", "two", "two"]
    assert found.latent.tolist() == ["used", "collapsed", "used in 1 of 3 runs", "used"]
    np.testing.assert_allclose(found.rate, [7.0, 0.03, 1.15, 2.0])


def test_the_published_curves_stand_beside_runs_of_that_budget() -> None:
    assert not published_curves("quick")
    curves = published_curves("paper")
    assert [label.split(", ")[1] for label in curves] == ["baselines", "multi-rate"]
    assert curves["Bae et al., baselines, 100,000 documents"][0] is FIG5_YAHOO["baselines"].rate


def test_the_published_numbers_are_consistent() -> None:
    """Two curves that are read apart are one where both use the latent, to a few nats."""
    ours, theirs = FIG5_YAHOO["multi-rate"], FIG5_YAHOO["baselines"]
    for points in (ours, theirs):
        assert (np.diff(points.rate) <= 0).all()
        assert points.distortion[-1] - points.distortion[0] > 25
    known = np.interp(ours.rate, theirs.rate[-2::-1], theirs.distortion[-2::-1])
    is_used = ours.rate > 5
    assert is_used.sum() == 7
    np.testing.assert_allclose(ours.distortion[is_used], known[is_used], atol=2)
