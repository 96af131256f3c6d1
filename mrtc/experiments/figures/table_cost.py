"""The table in figure 1: what one multi-rate run takes, beside a baseline and eight of them."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import pandas as pd
import torch

from mrtc.devices import resolve_device, resolve_precision
from mrtc.experiments.config import RunConfig
from mrtc.experiments.data import load_images
from mrtc.experiments.figures.options import FigureOptions
from mrtc.experiments.figures.published import FIG1_COST, Cost
from mrtc.experiments.presets import baseline, preset
from mrtc.experiments.run import build_vae
from mrtc.files import write_atomically
from mrtc.progress import Progress
from mrtc.training import TrainingState, train

BASELINES = 8
"""As in the paper's table."""

ROUNDS, STEPS = 9, 40
"""Of timing: both kinds of model train in turns, so that both meet what else the machine does."""


def draw(options: FigureOptions) -> list[Path]:
    """Counts parameters, and times steps of both kinds in turns; writes ``table-cost.csv``.

    Seconds of a run are those of a step, median over rounds, times the steps of the budget; those
    of eight baselines are eight times those of one: they are not all run.
    """
    config = preset("dsprites", options.preset, "tcvae")
    if options.steps is not None:
        config = replace(config, training=replace(config.training, steps=options.steps))
    kinds = {"one baseline": baseline(config, 1.0), "multi-rate": config}
    device = resolve_device(options.protocol.device)
    with Progress("timing", 2 * ROUNDS, unit="round", quiet=options.quiet) as progress:
        timers = {name: _timer(kind, options, device) for name, kind in kinds.items()}
        seconds: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(ROUNDS):
            for name, timer in timers.items():
                seconds[name].append(timer())
                progress.advance()
    table = _table(config, kinds, seconds)
    texts = {
        "table-cost.csv": table.to_csv(index=False, float_format="%.6g"),
        "table-cost.md": _page(config, device, table, seconds),
    }
    for name, text in texts.items():
        write_atomically(options.folder / name, text.encode())
    return [options.folder / name for name in texts]


def _timer(config: RunConfig, options: FigureOptions, device: torch.device) -> Callable[[], float]:
    """Trains on by some steps, and returns the seconds of one."""
    examples = load_images(config, options.protocol.data, device, quiet=options.quiet)
    vae, state = build_vae(config), TrainingState()
    schedule = replace(config.training, schedule="constant", warmup=0)
    precision = resolve_precision(options.protocol.precision, device)

    def one_round() -> float:
        nonlocal state
        start, first = time.perf_counter(), state.step
        state = train(
            vae,
            examples,
            config.objective,
            replace(schedule, steps=first + STEPS),
            seed=config.seed,
            device=device,
            precision=precision,
            state=state,
            quiet=True,
        )
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return (time.perf_counter() - start) / STEPS

    one_round()  # the first one warms up
    return one_round


def _table(
    config: RunConfig, kinds: dict[str, RunConfig], seconds: dict[str, list[float]]
) -> pd.DataFrame:
    costs = {
        name: Cost(
            sum(weight.numel() for weight in build_vae(kind).parameters()),
            median(seconds[name]) * config.training.steps,
        )
        for name, kind in kinds.items()
    }
    one = costs["one baseline"]
    costs[f"{BASELINES} baselines"] = Cost(BASELINES * one.parameters, BASELINES * one.seconds)
    return pd.DataFrame(
        [
            {
                "what": name,
                "parameters": costs[name].parameters,
                "seconds": costs[name].seconds,
                "parameters / baseline's": costs[name].parameters / one.parameters,
                "seconds / baseline's": costs[name].seconds / one.seconds,
                "published parameters": published.parameters,
                "published seconds": published.seconds,
                "published seconds / baseline's": published.seconds
                / FIG1_COST["one baseline"].seconds,
            }
            for name, published in FIG1_COST.items()
        ]
    )


def _page(
    config: RunConfig, device: torch.device, table: pd.DataFrame, seconds: dict[str, list[float]]
) -> str:
    ratios = [
        ours / theirs
        for ours, theirs in zip(seconds["multi-rate"], seconds["one baseline"], strict=True)
    ]
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    threads = f", {torch.get_num_threads()} threads" if device.type == "cpu" else ""
    rows = [table.columns.tolist(), ["---"] * table.shape[1], *table.to_numpy().tolist()]
    lines = ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    how = (
        f"{name}{threads}; {config.training.steps} steps of {config.training.batch}. Seconds are "
        f"those of a step, median of {ROUNDS} rounds of {STEPS} steps in turns, times the steps; "
        f"{BASELINES} baselines are {BASELINES} times one. Published: ResNet, P100."
    )
    found = (
        f"A multi-rate step takes {median(ratios):.3f} of a baseline's ({min(ratios):.3f} to "
        f"{max(ratios):.3f} over rounds): one run is the cheaper way from "
        f"{math.ceil(median(ratios))} betas on."
    )
    title = f"# Cost of a curve: {config.dataset}, {config.preset} budget"
    return "\n\n".join([title, how, "\n".join(lines), found]) + "\n"


def _cell(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) and value < 1e4 else str(value)
