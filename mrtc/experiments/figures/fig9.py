"""Figure 9: which layers have gates, and how the gates start."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from mrtc.architectures.mlp import GatedLayers
from mrtc.experiments.config import RunConfig
from mrtc.experiments.figures.image_runs import image_config, train_variants
from mrtc.experiments.figures.options import FigureOptions
from mrtc.experiments.figures.published import FIG5
from mrtc.experiments.figures.tables import (
    budget,
    evaluation,
    failures,
    markdown,
    run_table,
    write_tables,
)
from mrtc.layers import GateInit
from mrtc.plots import rate_distortion_of, save

DATASETS: Mapping[str, str] = {"": "omniglot", "-28": "omniglot-28"}
"""By the ending of the figure's name."""


@dataclass(frozen=True)
class Gates:
    """One kind of gating of the residual network."""

    layers: GatedLayers
    init: GateInit

    def __str__(self) -> str:
        return f"{self.layers}, {self.init}"

    def of(self, config: RunConfig) -> RunConfig:
        """The run with these gates."""
        model = cast(Any, config.model)  # of the two architectures that have both options
        return replace(config, model=replace(model, gated=self.layers, gate_init=self.init))


VARIANTS: Mapping[str, tuple[Gates, ...]] = {
    "quick": (Gates("all", "open"), Gates("all", "paper"), Gates("inner", "open")),
    "paper": (
        *(Gates("all", "open"), Gates("all", "paper"), Gates("hidden", "open")),
        *(Gates("inner", "open"), Gates("inner", "paper")),
    ),
}
"""The first is the one that figure 5 has."""

SHOWN = (0, 3, 6, 9)
"""Of the betas of the evaluation, those in the table: each a decade from the next."""

HOW = (
    "Gates: which layers have them, and how they start. Below is distortion + beta x rate, mean "
    "over seeds and, with several seeds, their standard deviation; lower is better."
)


def draw(dataset: str, options: FigureOptions) -> list[Path]:
    """Trains residual networks that differ in their gates alone, with one budget.

    The paper's appendix D varies the function between beta and a gate, and the gates' kind. Here a
    gate is one function of log beta, sigmoid in encoders and square root in decoders, and there are
    no networks that make gates; what can be varied is which layers have gates (``gated``) and how
    gates start (``gate_init``). Published values are those of figure 5, whose network has the
    paper's gates. The table has what a run minimises, distortion plus beta times rate.
    """
    config = image_config(dataset, "resnet", options)
    variants = {f"gates-{one.layers}-{one.init}": one for one in VARIANTS[options.preset]}
    trained, folder = train_variants(
        config, {key: one.of(config) for key, one in variants.items()}, options, "resnet"
    )
    sets = {str(variants[key]): part.runs for key, part in trained.items()}
    name = f"fig9-{dataset}"
    picture = folder / f"{name}.png"
    published = {}
    if dataset in FIG5:
        theirs = FIG5[dataset]["multi-rate"]
        published["Bae et al., multi-rate"] = theirs.rate, theirs.distortion
    save(rate_distortion_of(sets, published=published), picture)
    table = run_table(sets, ["rate", "distortion"])
    table["objective"] = table.distortion + table.beta * table.rate
    first = next(iter(sets.values()))
    page = [
        "# Gates of residual networks",
        f"{budget(config, options)} {evaluation(first)} {HOW}",
        markdown(_objectives(table, first.beta[list(SHOWN)])),
        *failures(sets),
    ]
    return [picture, *write_tables(folder, name, table, page)]


def _objectives(table: pd.DataFrame, betas: np.ndarray) -> pd.DataFrame:
    """A row for each variant, a column for each beta."""
    rows = []
    for label, part in table.groupby("runs", sort=False):
        row = {"gates": str(label)}
        for beta in betas.tolist():
            values = part[np.isclose(part.beta, beta)].objective.dropna()
            spread = f" (sd {values.std():.2f})" if len(values) > 1 else ""
            row[f"beta {beta:.3g}"] = f"{values.mean():.2f}{spread}" if len(values) else "-"
        rows.append(row)
    return pd.DataFrame(rows)
