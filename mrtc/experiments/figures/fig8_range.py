"""Figure 8, left and middle: what a multi-rate VAE is at the ends of the range it is trained on."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from mrtc.experiments.figures.image_runs import image_config, train_variants
from mrtc.experiments.figures.options import FigureOptions
from mrtc.experiments.figures.published import FIG8_RANGES, Points
from mrtc.experiments.figures.tables import (
    budget,
    evaluation,
    failures,
    markdown,
    mean_table,
    run_table,
    write_tables,
)
from mrtc.plots import save, title_of
from mrtc.plots.ranges import range_curves
from mrtc.rates import BetaRange
from mrtc.results import RunSet

DATASETS: Mapping[str, str] = {"": "omniglot", "-28": "omniglot-28"}
"""By the ending of the figure's name."""

PUBLISHED = "omniglot"
"""The dataset of the paper's figure."""

RANGES: Mapping[str, tuple[tuple[float, float], ...]] = {
    "quick": ((0.01, 10.0), (1.0, 10.0), (0.01, 1.0)),
    "paper": tuple(FIG8_RANGES),
}
"""Smallest and greatest beta."""


def draw(dataset: str, options: FigureOptions) -> list[Path]:
    """Trains residual networks on each range with one budget, and evaluates each over its own.

    The paper's curves of all ranges are one, but betas stand elsewhere on it: at the lower end of
    its range a network has too low a rate, at the upper end too high a one. Rates over beta stand
    beside the curves, and the page has the numbers at both ends. What ``fig5`` trained
    in this folder, on its own range, is used again.
    """
    config = image_config(dataset, "resnet", options)
    ranges = {
        f"range-{low:g}-{high:g}": replace(config, betas=BetaRange(low, high))
        for low, high in RANGES[options.preset]
    }
    trained, folder = train_variants(config, ranges, options, "resnet")
    labels = {key: f"beta {one.betas.low:g} to {one.betas.high:g}" for key, one in ranges.items()}
    sets = {labels[key]: trained[key].runs for key in ranges}
    published = {}
    if dataset == PUBLISHED:
        published = {
            labels[key]: FIG8_RANGES[one.betas.low, one.betas.high] for key, one in ranges.items()
        }
    name = f"fig8-range-{dataset}"
    picture = folder / f"{name}.png"
    save(range_curves(sets, title=title_of(sets), published=published), picture)
    table = run_table(sets, ["rate", "distortion"])
    first = next(iter(sets.values()))
    page = [
        "# Both ends of ranges of beta",
        f"{budget(config, options)} {evaluation(first)} Means over seeds:",
        markdown(_ends(sets, published)),
        *failures(sets),
    ]
    return [picture, *write_tables(folder, name, table, page)]


def _ends(sets: Mapping[str, RunSet], published: Mapping[str, Points]) -> pd.DataFrame:
    """Rate and distortion at both ends of each range, beside the published ones."""
    means = mean_table(run_table(sets, ["rate", "distortion"]))
    rows = []
    for label, part in means.groupby("runs", sort=False):
        for at in (0, -1):
            ours = part.iloc[at]
            row = {"range": label, "beta": ours.beta, "rate": ours.rate}
            row["distortion"] = ours.distortion
            theirs = published.get(str(label))
            if theirs is not None:
                row["published rate"] = theirs.rate[at]
                row["published distortion"] = theirs.distortion[at]
            rows.append(row)
    return pd.DataFrame(rows)
