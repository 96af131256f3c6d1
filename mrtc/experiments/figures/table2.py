"""Table 2: the best ELBO of multi-rate runs and of baselines, with its rate and distortion."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from mrtc.experiments.figures.image_runs import ARCHITECTURES, DATASETS, train_images
from mrtc.experiments.figures.options import FigureOptions
from mrtc.experiments.figures.published import TABLE2
from mrtc.experiments.figures.tables import (
    budget,
    evaluation,
    failures,
    markdown,
    run_table,
    write_tables,
)

NAMES: Mapping[str, tuple[str, ...]] = {
    "": ("mnist", "omniglot"),
    "-28": ("mnist", "omniglot-28"),
}
"""Endings of the names of the fig5 whose runs are read, by the ending of this table's name."""

HOW = (
    "Nats per example, means over seeds at the beta with the least -ELBO, which is chosen on the "
    "same examples; sd is over seeds. Published: 200 epochs, means of 3 seeds."
)


def draw(ending: str, options: FigureOptions) -> list[Path]:
    """Takes of each kind of runs the beta with the greatest ELBO on the test part, mean over seeds.

    Runs are those of figure 5, in ``mnist`` and ``omniglot`` below the folder: ``mrtc figure
    fig5-mnist --out FOLDER/mnist`` trains what ``mrtc figure table2 --out FOLDER`` reads, and the
    other way round. ``quick`` has the residual networks only, as ``fig5`` does.

    As in the paper, beta is chosen on the part that the ELBO is of. Multi-rate runs have more betas
    to choose from than baselines in ``quick``; the column ``betas`` says how many.
    """
    rows, remarks = [], []
    for name in NAMES[ending]:
        dataset, folder = DATASETS[name], options.folder / name
        for arch in ARCHITECTURES[options.preset]:
            trained = train_images(dataset, arch, replace(options, folder=folder))
            sets = {"multi-rate": trained.multirate.runs, "baselines": trained.baselines.runs}
            table = run_table(sets, ["elbo", "rate", "distortion"])
            table["-ELBO"] = -table.elbo
            for kind, part in table.groupby("runs", sort=False):
                of = {"data": dataset, "network": arch, "runs": str(kind)}
                rows.append({**of, **_best(part), **_published(dataset, arch, str(kind))})
            text = f"{budget(trained.config, options)} {evaluation(sets['multi-rate'])}"
            remarks += [text, *failures(sets)]
    best = pd.DataFrame(rows)
    page = [
        "# Best ELBO on the test part",
        HOW,
        markdown(best),
        *remarks,
    ]
    name = f"table2{ending}"
    return write_tables(options.folder, name, best, page)


def _best(part: pd.DataFrame) -> dict[str, float | int]:
    """The beta whose runs have the least negative ELBO on average; failed ones do not count."""
    means = part.groupby("beta", as_index=False)[["-ELBO", "rate", "distortion"]].mean().dropna()
    best = means.sort_values("-ELBO").iloc[0]
    chosen = part[part.beta == best.beta]["-ELBO"].dropna()
    return {
        "betas": len(means),
        **{str(name): float(value) for name, value in best.items()},
        "sd": float(chosen.std()),
        "seeds": len(chosen),
    }


def _published(dataset: str, arch: str, kind: str) -> dict[str, float | None]:
    elbo = TABLE2.get((dataset, arch, kind))
    values = (None,) * 3 if elbo is None else tuple(elbo)
    names = ("published -ELBO", "published rate", "published distortion")
    return dict(zip(names, values, strict=True))
