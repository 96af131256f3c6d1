"""Figures and tables of images, from training to picture, on noise and with the smallest networks.

What is written is checked against the results files of the runs, which other tests check.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from mrtc.architectures import MLPConfig
from mrtc.datasets.images import ByteImages
from mrtc.errors import DataError
from mrtc.evaluation.feature_networks import FeatureNetwork
from mrtc.evaluation.realism_config import RealismConfig
from mrtc.experiments import data
from mrtc.experiments.execute import one_after_another
from mrtc.experiments.figures import FIGURES, FigureOptions, draw, fig6, fig7, image_runs
from mrtc.experiments.figures.published import (
    FIG5,
    FIG6_ACTIVE_UNITS,
    FIG6_FID,
    FIG8_RANGES,
    TABLE1,
    TABLE2,
)
from mrtc.experiments.presets import ImageSetup, preset
from mrtc.experiments.run import load_vae
from mrtc.experiments.tasks import Outcome, Protocol, Task
from mrtc.plots.pictures import Picture
from mrtc.randomness import torch_stream
from mrtc.results import RunSet, read, read_runs

SMALL = RealismConfig(samples=60, reference_examples=100)
NAMES = ("binarized-mnist", "omniglot", "omniglot-28", "svhn", "celeba")


class Rows(nn.Module):
    """The mean of every eighth of an image, by rows."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, 0].float().reshape(len(images), 8, -1).mean(2) / 255


def silent(tasks: Sequence[Task]) -> Iterator[Outcome]:
    return one_after_another(tasks, quiet=True)


def never(tasks: Sequence[Task]) -> Iterator[Outcome]:
    """Fails if anything is to be trained."""
    assert not list(tasks), [task.name for task in tasks]
    return iter(())


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise in place of images, and one small MLP in place of every network."""
    for name in NAMES:
        entry = data.DATASETS[name]
        shape = (200, *entry.image_shape)
        noise = np.random.default_rng(0).integers(0, 2, shape, np.uint8) * np.uint8(255)
        images = ByteImages(torch.from_numpy(noise), "noise")
        monkeypatch.setitem(
            data.DATASETS, name, replace(entry, load=lambda *_, found=images, **__: found)
        )
    monkeypatch.setattr(ImageSetup, "_model", lambda *_: MLPConfig(hidden=8, codes=5, gated="all"))


@pytest.fixture
def options(tmp_path: Path) -> FigureOptions:
    protocol = Protocol(examples=150, keep=100, device="cpu", precision="fp32")
    return FigureOptions(
        tmp_path / "figure", seeds=2, steps=3, protocol=protocol, executor=silent, quiet=True
    )


def value_of(folder: Path, row: pd.Series, name: str) -> float:
    """What the results file of the run of a row holds; a baseline's name has its beta."""
    stem = "multirate" if row.runs == "multi-rate" else f"beta{row.beta:.6g}"
    results = read(folder / "runs" / f"{stem}-seed{row.seed:.0f}.h5")
    (at,) = np.flatnonzero(np.isclose(results.beta, row.beta))
    found = results.metrics | {key: one.value for key, one in results.scores.items()}
    return float(found[name][at])


def require_values(folder: Path, table: pd.DataFrame, *names: str) -> None:
    for _, row in table.iterrows():
        for name in names:
            assert row[name] == pytest.approx(value_of(folder, row, name), rel=1e-5)


def test_fig5(options: FigureOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every architecture of the budget has its folder, and all that is written is there."""
    monkeypatch.setitem(image_runs.ARCHITECTURES, "quick", ("resnet", "conv"))
    options = replace(options, seeds=1)
    written = {path.relative_to(options.folder) for path in draw("fig5-mnist", options)}
    for arch in ("resnet", "conv"):
        name = f"fig5-binarized-mnist-{arch}"
        for file in (f"{name}.png", f"{name}.csv", "comparison.md", "rd.png"):
            assert Path(arch) / file in written
        table = pd.read_csv(options.folder / arch / f"{name}.csv")
        assert table.groupby("runs").size().to_dict() == {"baselines": 4, "multi-rate": 10}
        require_values(options.folder / arch, table, "rate", "distortion")
    assert all((options.folder / path).is_file() for path in written)


def test_seeds_are_added_to_those_there_are(options: FigureOptions) -> None:
    image_runs.train_images("omniglot", "resnet", replace(options, seeds=1))
    more: list[str] = []

    def noted(tasks: Sequence[Task]) -> Iterator[Outcome]:
        more.extend(task.name for task in tasks)
        return silent(tasks)

    image_runs.train_images("omniglot", "resnet", replace(options, executor=noted))
    assert len(more) == 1 + 4
    assert {name[-5:] for name in more} == {"seed1"}


def test_warm_up_keeps_its_share(options: FigureOptions) -> None:
    config = image_runs.image_config("omniglot", "resnet", replace(options, steps=625))
    assert (config.training.steps, config.training.warmup) == (625, 31)  # a twentieth, as before
    config = image_runs.image_config("omniglot", "resnet", replace(options, steps=None))
    assert config == preset("omniglot", "quick", "beta", "resnet")


def test_fig6_of_binary_images(options: FigureOptions) -> None:
    """Runs of fig5 in the same folder are used; there is no distance."""
    draw("fig5-omniglot", options)
    written = draw("fig6-omniglot", replace(options, executor=never))
    folder = options.folder / "resnet"
    suffixes = ("-active-units.png", ".csv", ".md")
    assert written == [folder / f"fig6-omniglot{suffix}" for suffix in suffixes]
    table = pd.read_csv(folder / "fig6-omniglot.csv")
    assert list(table.columns) == ["runs", "seed", "beta", "active_units"]
    assert len(table) == 2 * (10 + 4)
    require_values(folder, table, "active_units")
    page = (folder / "fig6-omniglot.md").read_text()
    assert "omniglot, mlp, quick budget: 3 steps of 64 examples" in page
    assert "seeds 0, 1. Evaluated on noise: 150 examples, 100 of them decoded" in page


@pytest.mark.parametrize("is_inception", [True, False])
def test_fig6_of_natural_images(
    options: FigureOptions, monkeypatch: pytest.MonkeyPatch, is_inception: bool
) -> None:
    """FID, and published values beside it, only in the features of Inception."""

    def load(name: str) -> FeatureNetwork:
        if name == "inception" and not is_inception:
            raise DataError("no weights; get them")
        return FeatureNetwork(name, Rows())

    published: dict[str, set[str]] = {}
    over_beta = fig6.over_beta

    def noted(sets: dict[str, RunSet], name: str, **options: dict[str, tuple]) -> object:
        published[name] = set(options["published"])
        return over_beta(sets, name, **options)

    monkeypatch.setattr(fig6, "load_feature_network", load)
    monkeypatch.setattr(fig6, "over_beta", noted)
    monkeypatch.setitem(fig6.REALISM, "quick", SMALL)
    options = replace(options, seeds=1)
    written = {path.name for path in draw("fig6-svhn", options)}
    folder = options.folder / "resnet"
    name = "fid" if is_inception else "frechet_efficientnet_lite0"
    assert f"fig6-svhn-{name}.png" in written
    table = pd.read_csv(folder / "fig6-svhn.csv")
    assert list(table.columns) == ["runs", "seed", "beta", "active_units", name]
    assert table[name].gt(0).all()
    require_values(folder, table, "active_units", name)
    both = {"Bae et al., baselines", "Bae et al., multi-rate"}
    assert published == {"active_units": both, name: both if is_inception else set()}
    page = (folder / "fig6-svhn.md").read_text()
    assert "60 samples at each beta, 100 images of the training part" in page
    assert ("Not FID, and not to be compared with it: no weights" in page) != is_inception
    details = read(folder / "runs" / "multirate-seed0.h5").scores[name].details[0]
    assert details is not None
    assert details["parameters"]["samples"] == 60
    assert details["parameters"]["reference_examples"] == 100
    # What is measured is kept, and figure 5 goes on with the same runs.
    monkeypatch.setattr("mrtc.evaluation.realism.features_of_data", None)
    draw("fig6-svhn", replace(options, executor=never))
    draw("fig5-svhn", replace(options, executor=never))
    assert name in read_runs(folder / "baselines.h5").values


def test_fig7(options: FigureOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same draws for all: rows are what each model makes of them at its beta."""
    drawn: list[Picture] = []
    figure = Picture.figure
    monkeypatch.setattr(Picture, "figure", lambda self: drawn.append(self) or figure(self))
    image_runs.train_images("celeba", "resnet", options)
    before = (options.folder / "resnet" / "multirate.h5").read_bytes()
    written = draw("fig7-celeba", replace(options, executor=never))
    folder = options.folder / "resnet"
    assert [path.name for path in written] == [
        "fig7-celeba.png",
        "fig7-celeba.csv",
        "fig7-celeba.md",
    ]
    assert (folder / "multirate.h5").read_bytes() == before  # of both seeds still
    (picture,) = drawn
    ours, theirs = picture.models
    assert ours.images.shape == theirs.images.shape == (4, fig7.COUNT, 64, 64, 3)
    betas = np.geomspace(0.01, 10, 4)
    for model in picture.models:
        np.testing.assert_allclose(model.beta, betas)
    z = torch.randn(fig7.COUNT, 5, generator=torch_stream(0, "samples"))
    for row, beta in enumerate(betas.tolist()):
        for stem, model in (("multirate", ours), (f"beta{beta:.6g}", theirs)):
            vae, _, _ = load_vae(folder / "runs" / f"{stem}-seed0.pt")
            with torch.inference_mode():
                mean = vae.decode(z, torch.tensor([beta])).mean.movedim(1, -1)
            np.testing.assert_allclose(model.images[row], mean, atol=1e-5)
    table = pd.read_csv(folder / "fig7-celeba.csv")
    assert set(table.seed) == {0}
    assert len(table) == 8
    require_values(folder, table, "rate", "distortion")


@pytest.mark.parametrize("budget", ["quick", "paper"])
def test_fig8_range(options: FigureOptions, budget: str) -> None:
    """Each range has its own grid; that of figure 5 is not trained twice."""
    options = replace(options, preset=budget, seeds=1 if budget == "paper" else 2)
    image_runs.train_images("omniglot", "resnet", options)
    trained: list[str] = []

    def noted(tasks: Sequence[Task]) -> Iterator[Outcome]:
        trained.extend(task.name for task in tasks)
        return silent(tasks)

    written = draw("fig8-range", replace(options, executor=noted))
    folder = options.folder / "resnet"
    names = [f"fig8-range-omniglot.{suffix}" for suffix in ("png", "csv", "md")]
    assert written == [folder / name for name in names]
    count = {"quick": 3, "paper": 6}[budget]
    assert len(trained) == options.seeds * (count - 1)
    assert not any(name.startswith(("multirate", "range-0.01-10-")) for name in trained)
    table = pd.read_csv(folder / names[1])
    assert len(table) == count * options.seeds * 10
    for label, part in table.groupby("runs"):
        low, high = map(float, str(label)[5:].split(" to "))
        stem = "multirate" if (low, high) == (0.01, 10) else f"range-{low:g}-{high:g}"
        for seed, own in part.groupby("seed"):
            results = read(folder / "runs" / f"{stem}-seed{seed}.h5")
            assert results.config["betas"] == {"low": low, "high": high}
            np.testing.assert_allclose(results.beta, np.geomspace(low, high, 10))
            for name in ("rate", "distortion"):
                np.testing.assert_allclose(own[name], results.metric(name), rtol=1e-5)
    page = (folder / names[2]).read_text()
    rate = table[(table.runs == "beta 1 to 10") & np.isclose(table.beta, 1)].rate.mean()
    assert f"| beta 1 to 10 | 1 | {rate:.4g} |" in page
    assert "| 26.4 | 85.2 |" in page


def test_ranges_of_other_data_stand_without_published_values(options: FigureOptions) -> None:
    draw("fig8-range-28", replace(options, seeds=1))
    page = (options.folder / "resnet" / "fig8-range-omniglot-28.md").read_text()
    assert "published" not in page


@pytest.mark.parametrize(("budget", "count"), [("quick", 3), ("paper", 5)])
def test_fig9(options: FigureOptions, budget: str, count: int) -> None:
    """Runs differ in gates alone; the table is distortion + beta x rate."""
    options = replace(options, preset=budget)
    draw("fig9", options)
    folder = options.folder / "resnet"
    table = pd.read_csv(folder / "fig9-omniglot.csv")
    assert len(table) == count * 2 * 10
    seen = set()
    for label, part in table.groupby("runs"):
        layers, init = str(label).split(", ")
        stem = "multirate" if label == "all, open" else f"gates-{layers}-{init}"
        results = read(folder / "runs" / f"{stem}-seed1.h5")
        model = results.config["model"]
        assert (model["gated"], model["gate_init"]) == (layers, init)
        seen.add((layers, init))
        objective = results.metric("distortion") + results.beta * results.metric("rate")
        np.testing.assert_allclose(part[part.seed == 1].objective, objective, rtol=1e-5)
    assert len(seen) == count
    page = (folder / "fig9-omniglot.md").read_text()
    assert "| gates | beta 0.01 | beta 0.1 | beta 1 | beta 10 |" in page
    own = table[(table.runs == "inner, open") & np.isclose(table.beta, 10)].objective
    assert f"{own.mean():.2f} (sd {own.std():.2f}) |" in page


def test_table2(options: FigureOptions) -> None:
    """The beta with the least mean of rate and distortion, of the runs of figure 5."""
    for name, data_set in (("mnist", "binarized-mnist"), ("omniglot", "omniglot")):
        own = replace(options, folder=options.folder / name)
        image_runs.train_images(data_set, "resnet", own)
    written = draw("table2", replace(options, executor=never))
    assert [path.name for path in written] == ["table2.csv", "table2.md"]
    table = pd.read_csv(options.folder / "table2.csv")
    assert len(table) == 4
    for _, row in table.iterrows():
        name = {"binarized-mnist": "mnist"}.get(row["data"], row["data"])
        kind = {"multi-rate": "multirate"}.get(row.runs, row.runs)
        runs = read_runs(options.folder / name / "resnet" / f"{kind}.h5")
        negative = -runs.value("elbo")
        at = negative.mean(0).argmin()
        assert row.beta == pytest.approx(runs.beta[at], rel=1e-5)
        assert row["-ELBO"] == pytest.approx(negative[:, at].mean(), rel=1e-5)
        assert row.sd == pytest.approx(negative[:, at].std(ddof=1), rel=1e-4)
        for part in ("rate", "distortion"):
            assert row[part] == pytest.approx(runs.value(part)[:, at].mean(), rel=1e-5)
        assert row["published -ELBO"] == TABLE2[row["data"], "resnet", row.runs].negative
        assert row.betas == len(runs.beta)


def test_a_failed_run_is_a_gap_that_is_told(options: FigureOptions) -> None:
    def failing(tasks: Sequence[Task]) -> Iterator[Outcome]:
        for task in tasks:
            if task.name == "beta10-seed1":
                yield Outcome(task, "it diverged")
            else:
                yield from silent([task])

    draw("fig6-omniglot", replace(options, executor=failing))
    folder = options.folder / "resnet"
    table = pd.read_csv(folder / "fig6-omniglot.csv")
    assert table.active_units.isna().sum() == 1
    note = "baselines, seed 1, beta 10 failed: it diverged"
    assert note in (folder / "fig6-omniglot.md").read_text()


def test_table1_against_the_published_networks(
    options: FigureOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Baselines are exact; multi-rate networks are, or differ by what the page says."""
    monkeypatch.undo()
    draw("table1", options)
    table = pd.read_csv(options.folder / "table1.csv").set_index(["data", "network"])
    for key, published in TABLE1.items():
        assert table.loc[key, "plain"] == published.plain
    for data_set in ("MNIST, Omniglot", "CelebA"):
        row = table.loc[data_set, "resnet"]
        assert row["multi-rate, inner"] == TABLE1[data_set, "resnet"].multirate
        assert row["agree"] == "plain, multi-rate, inner"
    # On pre-activations, as the published code has them in another form.
    on_all = table["multi-rate, all"]
    assert on_all["MNIST, Omniglot", "resnet"] == 1_888_513
    assert on_all["MNIST, Omniglot", "conv"] == 17_565_249
    assert on_all["CIFAR-10", "conv"] == 40_600_195
    assert on_all["CelebA", "conv"] == 34_731_523
    # One kernel; and networks for batch normalisation with 1024 + 2 x (512 + 256) + 128 channels.
    inner = table["multi-rate, inner"]
    assert inner["CIFAR-10", "resnet"] - TABLE1["CIFAR-10", "resnet"].multirate == 64 * 3 * (16 - 9)
    conditioning = sum(2 * (64 + 64 + 64 * c + c) for c in (128, 256, 512, 1024, 512, 256))
    assert inner["CIFAR-10", "conv"] + conditioning == TABLE1["CIFAR-10", "conv"].multirate
    page = (options.folder / "table1.md").read_text()
    assert "it is 1,344 smaller" in page
    assert page.count("exactly what is published") == 1
    assert "2,048 less than is published" in page
    assert "1,024 less than is published" in page
    assert table.loc["SVHN", "conv"]["plain"] == 23_947_203
    assert table.loc["SVHN", "resnet"]["plain"] == 2_391_491


def test_the_published_numbers_are_consistent() -> None:
    """Rates and distortions add up, ends of ranges lie on figure 5's curve, counts never rise."""
    for elbo in TABLE2.values():
        assert elbo.negative == pytest.approx(elbo.rate + elbo.distortion, abs=0.015)
    curve = FIG5["omniglot"]["multi-rate"]
    order = np.argsort(curve.rate)
    for ends in FIG8_RANGES.values():
        known = np.interp(ends.rate, curve.rate[order], curve.distortion[order])
        np.testing.assert_allclose(ends.distortion, known, atol=2)  # as far as those ranges agree
        assert ends.rate[0] > ends.rate[1]
    codes = {"omniglot": 32, "svhn": 32, "celeba": 64}
    for dataset, kinds in FIG6_ACTIVE_UNITS.items():
        for marks in kinds.values():
            assert len(marks.beta) == len(marks.value)
            assert marks.beta[-1] == pytest.approx(10)
            assert marks.value[0] == codes[dataset]
            assert (np.diff(marks.value) <= 0).all()
    for kinds in FIG6_FID.values():
        for marks in kinds.values():
            assert len(marks.beta) == len(marks.value) == 10
            assert (np.diff(marks.value[-4:]) > 0).all()


def test_every_figure_has_a_name_and_a_summary() -> None:
    assert {"fig6-celeba", "fig7-celeba", "fig8-range-28", "fig9", "table1", "table2"} <= set(
        FIGURES
    )
    assert all(figure.summary for figure in FIGURES.values())
