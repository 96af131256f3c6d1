"""Figure 4: linear VAEs on binarised MNIST, where the best curve is known exactly."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64

from mrtc.architectures import (
    LinearConfig,
    LinearDecoder,
    LinearEncoder,
    LinearGates,
    LinearOptimum,
    linear_rate_distortion,
    read_parameters,
)
from mrtc.datasets.examples import Images
from mrtc.experiments.baselines import PAPER_LEARNING_RATES
from mrtc.experiments.config import RunConfig
from mrtc.experiments.data import load_images
from mrtc.experiments.figures.options import FigureOptions
from mrtc.experiments.figures.published import FIG4_BASELINES, FIG4_MULTIRATE
from mrtc.experiments.figures.sets import train_sets
from mrtc.experiments.grid import baseline_tasks, is_done, multirate_tasks
from mrtc.experiments.presets import baseline, preset
from mrtc.experiments.run import load_vae
from mrtc.experiments.tasks import Task
from mrtc.files import write_atomically
from mrtc.plots import save
from mrtc.plots.linear import linear_curves

COUNTS = {"quick": (7, 25), "paper": (10, 28)}
"""Betas of the baselines, and of the multi-rate runs, which have those of the baselines too."""

LEARNING_RATES = {"quick": (1e-2, 5e-3), "paper": PAPER_LEARNING_RATES}
"""From which each kind of run gets its own, by the ELBO at beta 1."""

GATES: dict[LinearGates, str] = {
    "exact": "multi-rate, exact gates",
    "paper": "multi-rate, gates of the paper",
}


def draw(options: FigureOptions) -> list[Path]:
    """Trains multi-rate runs with both kinds of gates and baselines, and measures them exactly.

    Rate and distortion of a trained model follow from its weights and the covariance of the
    training images, without a draw; so does the curve that no linear VAE can be below. Written are
    the picture and ``fig4.csv``: for each run and beta how far its rate is from the best one's, and
    its distortion above the best at equal rate.
    """
    config = preset("binarized-mnist", options.preset, "beta", "linear")
    low, high = config.betas.low, config.betas.high
    few, dense = (np.geomspace(low, high, count) for count in COUNTS[options.preset])
    if options.steps is not None:
        config = replace(config, training=config.training.with_steps(options.steps))
    protocol = replace(options.protocol, part="train", keep=1000)
    common: Any = {"seeds": range(options.seeds), "protocol": protocol}
    ours = {
        f"multirate-{gates}": (
            replace(config, model=LinearConfig(config.model.codes, gates)),
            partial(
                multirate_tasks,
                **common,
                betas=dense.tolist(),
                name=f"multirate-{gates}",
            ),
        )
        for gates in GATES
    }
    theirs = (baseline(config, 1.0), partial(baseline_tasks, **common, betas=few.tolist()))
    trained = train_sets(
        config,
        {**ours, "baselines": theirs},
        options,
        protocol,
        LEARNING_RATES[options.preset],
        part="train",  # as in the paper, which has this figure's learning rates by training loss
    )

    train = load_images(
        config, protocol.data, torch.device("cpu"), part="train", quiet=options.quiet
    )
    mean, covariance = _moments(train)
    optimum = LinearOptimum.of(covariance, config.model.codes)
    labels: dict[str, str] = {f"multirate-{gates}": label for gates, label in GATES.items()}
    tables = [
        _measured(task, labels.get(name, name), mean, covariance, optimum)
        for name, part in trained.items()
        for task in part.tasks
        if is_done(task)
    ]
    table = pd.concat(tables, ignore_index=True)
    texts = {
        "fig4.csv": table.to_csv(index=False, float_format="%.6g"),
        "fig4.md": _page(table, train, config),
    }
    for name, text in texts.items():
        write_atomically(options.folder / name, text.encode())
    figure = linear_curves(
        {str(label): part for label, part in table.groupby("runs", sort=False)},
        optimum.rate(np.geomspace(0.005, 20, 400)),
        optimum.distortion(np.geomspace(0.005, 20, 400)),
        {
            "multi-rate, published": (FIG4_MULTIRATE.rate, FIG4_MULTIRATE.distortion),
            "baselines, published": (FIG4_BASELINES.rate, FIG4_BASELINES.distortion),
        },
        title=f"{train.source}; linear VAEs with {config.model.codes} codes",
    )
    picture = options.folder / "fig4.png"
    save(figure, picture)
    return [picture, *(options.folder / name for name in texts)]


def _moments(
    examples: Images,
) -> tuple[Float64[np.ndarray, " pixel"], Float64[np.ndarray, "pixel pixel"]]:
    """Mean and covariance of all examples."""
    everything = torch.arange(len(examples))
    x = examples.images(everything).flatten(1).double().numpy()
    return x.mean(0), np.cov(x, rowvar=False, bias=True)


def _measured(
    task: Task,
    label: str,
    mean: Float64[np.ndarray, " pixel"],
    covariance: Float64[np.ndarray, "pixel pixel"],
    optimum: LinearOptimum,
) -> pd.DataFrame:
    """Rate and distortion of one run at its betas, beside the best ones."""
    vae, config, _ = load_vae(task.checkpoint)
    encoder, decoder = cast(LinearEncoder, vae.encoder), cast(LinearDecoder, vae.decoder)
    rows = []
    for beta in task.betas:
        code = config.betas.standardise(torch.tensor([beta])).item()
        parameters = read_parameters(encoder, decoder, code, mean)
        found = linear_rate_distortion(covariance, parameters)
        at = np.array([beta])
        best_rate, best_distortion = optimum.rate(at).item(), optimum.distortion(at).item()
        at_rate = optimum.distortion_at_rate(np.array([found.rate])).item()
        rows.append(
            {
                "runs": label,
                "seed": config.seed,
                "learning_rate": config.training.learning_rate,
                "beta": beta,
                "rate": found.rate,
                "distortion": found.distortion,
                "rate_error": found.rate - best_rate,
                "excess_at_equal_rate": found.distortion / at_rate - 1,
                "objective_gap": found.distortion
                + beta * found.rate
                - best_distortion
                - beta * best_rate,
            }
        )
    return pd.DataFrame(rows)


def _page(table: pd.DataFrame, train: Images, config: RunConfig) -> str:
    """Per kind of runs: greatest distances from the best curve, in the middle of the range."""
    ends = config.betas.low, config.betas.high
    low, high = (ends[0] ** (1 - part) * ends[1] ** part for part in (0.1, 0.9))
    middle = table[(table.beta > low) & (table.beta < high)]
    head = (
        f"{train.source}, {len(train)} examples; {config.training.steps} steps a run. Middle: "
        f"beta {low:.2g} to {high:.2g}, 80 % of the range of log beta. Values are exact for the "
        "trained weights; where there are several, they are those of the seeds in order."
    )
    columns = [
        *("runs", "learning rate", "greatest distortion above the best at equal rate, middle (%)"),
        "greatest rate error, middle (nats)",
        *(f"rate error at beta {beta:g} (nats)" for beta in ends),
    ]
    lines = ["# Linear VAEs beside the exact curve", "", head, ""]
    lines += ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for label, part in table.groupby("runs", sort=False):
        inside = middle[middle.runs == label].groupby("seed")
        excess = 100 * inside.excess_at_equal_rate.max()
        error = inside.rate_error.agg(lambda errors: errors[errors.abs().idxmax()])
        at_ends = [
            part[np.isclose(part.beta, beta)].sort_values("seed").rate_error for beta in ends
        ]
        cells = [f"{part.learning_rate.iloc[0]:g}"]
        cells += [" ".join(f"{value:.2f}" for value in each) for each in (excess, error, *at_ends)]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
