"""Figure 6: active units over beta, and for natural images how far samples are from data."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mrtc.errors import MrtcError
from mrtc.evaluation.feature_networks import FeatureNetwork, load_feature_network
from mrtc.evaluation.realism_config import RealismConfig
from mrtc.experiments.figures.image_runs import ImageRuns, train_images
from mrtc.experiments.figures.options import FigureOptions
from mrtc.experiments.figures.published import FIG6_ACTIVE_UNITS, FIG6_FID, Marks
from mrtc.experiments.figures.sets import Trained
from mrtc.experiments.figures.tables import (
    budget,
    evaluation,
    failures,
    markdown,
    mean_table,
    run_table,
    write_tables,
)
from mrtc.experiments.grid import is_done, results_of
from mrtc.experiments.realism import evaluate_realism
from mrtc.metrics.catalogue import distance_metric
from mrtc.plots import over_beta, save, theme
from mrtc.plots.comparison import Published
from mrtc.progress import Progress
from mrtc.results import RunSet, collect, write_runs

DATASETS = ("omniglot", "omniglot-28", "svhn", "celeba")

NATURAL = ("svhn", "celeba")
"""Those whose samples are compared with data."""

REALISM = {
    "quick": RealismConfig(samples=1_000, reference_examples=1_000),
    "paper": RealismConfig(samples=50_000),
}
"""``paper`` has the usual numbers: 50,000 samples, and all of the training part."""


class _Network(NamedTuple):
    network: FeatureNetwork
    remark: str
    """Why it is not Inception, if it is not."""


def draw(dataset: str, options: FigureOptions) -> list[Path]:
    """Draws the residual networks of figure 5; what ``fig5`` trained in this folder is used again.

    The distance is FID where the weights of Inception are at hand, and only then are the published
    values, which are FID, drawn beside it. Else it is the Frechet distance in the features of
    EfficientNet-Lite0, under that name, whose values say nothing beside FID. Distances of
    few samples, as ``quick`` has them, are too high, and to be compared within the picture alone.
    """
    runs = train_images(dataset, "resnet", options)
    sets = _sets(runs)
    names, remarks, figures = ["active_units"], [], {}
    name = f"fig6-{dataset}"
    if dataset in NATURAL:
        network, remark = _network()
        sets = _with_distance(runs, network, options)
        distance = distance_metric("frechet", network.name)
        names.append(distance.name)
        numbers = _numbers(REALISM[options.preset])
        remarks += [f"{distance.title}: {numbers}.", remark]
        figure = over_beta(
            sets,
            distance.name,
            published=_published(FIG6_FID.get(dataset, {})) if distance.name == "fid" else {},
        )
        with theme():
            figure.suptitle(f"{figure.get_suptitle()}\n{numbers}")
        figures[distance.name] = figure
    figures["active-units"] = over_beta(
        sets, "active_units", published=_published(FIG6_ACTIVE_UNITS.get(dataset, {}))
    )
    pictures = {runs.folder / f"{name}-{kind}.png": figure for kind, figure in figures.items()}
    for path, figure in pictures.items():
        save(figure, path)
    table = run_table(sets, names)
    page = [
        f"# Active units{' and distance from data' * (len(names) > 1)}",
        f"{budget(runs.config, options)} {evaluation(runs.multirate.runs)} Means over seeds:",
        markdown(mean_table(table)),
        *remarks,
        *failures(sets),
    ]
    return [*pictures, *write_tables(runs.folder, name, table, page)]


def _sets(runs: ImageRuns) -> dict[str, RunSet]:
    return {"multi-rate": runs.multirate.runs, "baselines": runs.baselines.runs}


def _published(series: Mapping[str, Marks]) -> dict[str, Published]:
    return {
        f"Bae et al., {kind}": (marks.beta, marks.value, None) for kind, marks in series.items()
    }


def _network() -> _Network:
    """Inception if it is at hand, else EfficientNet-Lite0.

    Raises:
        MrtcError: If neither is.
    """
    try:
        return _Network(load_feature_network("inception"), "")
    except MrtcError as error:
        lite = load_feature_network("efficientnet-lite0")
        reason = str(error).split(";")[0]  # what follows are options of other commands
        return _Network(lite, f"Not FID, and not to be compared with it: {reason}.")


def _with_distance(
    runs: ImageRuns, network: FeatureNetwork, options: FigureOptions
) -> dict[str, RunSet]:
    """The sets with the distance at each beta; what is computed already is not computed again."""
    both = {"multirate": runs.multirate, "baselines": runs.baselines}
    tasks = [task for trained in both.values() for task in trained.tasks if is_done(task)]
    with Progress("distances", len(tasks), unit="run", quiet=options.quiet) as progress:
        for task in tasks:
            evaluate_realism(
                task.checkpoint,
                task.results,
                network,
                distances=("frechet",),
                config=REALISM[options.preset],
                data=options.protocol.data,
                device=options.protocol.device,
                quiet=True,
            )
            progress.advance()
    collected = {name: _again(trained) for name, trained in both.items()}
    for name, found in collected.items():
        write_runs(runs.folder / f"{name}.h5", found)
    return dict(zip(_sets(runs), collected.values(), strict=True))


def _again(trained: Trained) -> RunSet:
    return collect(results_of(trained.tasks), trained.runs.failures)


def _numbers(config: RealismConfig) -> str:
    reference = config.reference_examples
    images = "all images" if reference is None else f"{reference:,} images"
    return f"{config.samples:,} samples at each beta, {images} of the training part"
