"""Trains and evaluates the quick preset over seeds, with both starts of the gates.

Run from the project's root: ``python docs/results/quick_preset.py``. Takes about an hour on two
cores; what is done already is not done again. Writes ``quick-preset.csv`` and ``quick-preset.png``
beside this file, and prints the tables of ``quick-preset.md``.
"""

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
BETAS = np.geomspace(0.1, 10, 10)
VARIANTS = ("open", "paper")


def one_run(folder: Path, init: str, seed: int) -> pd.DataFrame:
    """Trains and evaluates one seed, on one thread; seconds are those of the training."""
    import torch

    torch.set_num_threads(1)
    from mrtc.experiments import evaluate, preset, run

    config = preset("dsprites", "quick", "tcvae")
    config = replace(config, seed=seed, model=replace(config.model, gate_init=init))
    checkpoint, device = folder / f"{init}-{seed}.pt", torch.device("cpu")
    start = time.perf_counter()
    run(config, checkpoint, device=device, resume=True, quiet=True)
    seconds = time.perf_counter() - start
    results = evaluate(
        checkpoint,
        checkpoint.with_suffix(".h5"),
        betas=BETAS,
        examples=10_000,
        device=device,
        quiet=True,
    )
    table = results.table().assign(init=init, seed=seed, seconds=round(seconds))
    gaps = results.long_table("mig_chen_factor").pivot(
        index="beta", columns="factor", values="mig_chen_factor"
    )
    return table.merge(gaps.add_prefix("gap_"), on="beta")


def summary(table: pd.DataFrame) -> str:
    """Every seed's best MIG, and the mean over seeds at each beta."""
    lines = []
    for init, part in table.groupby("init"):
        mig = part.pivot(index="beta", columns="seed", values="mig_chen")
        best = mig.mean(axis=1).idxmax()
        loss = (part.distortion + part.rate).groupby(part.beta).agg(["mean", "std"])
        title = (
            f"{init}: best mean MIG {mig.loc[best].mean():.3f}, sd {mig.loc[best].std():.3f} over "
            f"{mig.shape[1]} seeds, at beta {best:.3g}"
        )
        lines += [
            title,
            "seeds there: " + ", ".join(f"{s}: {v:.3f}" for s, v in mig.loc[best].items()),
            mig.round(3).to_string(),
            "rate, distortion, active units: means over seeds",
            part.groupby("beta")[["rate", "distortion", "active_units"]]
            .mean()
            .round(2)
            .to_string(),
            f"-ELBO: {', '.join(f'{b:.2g}: {m:.2f} ({s:.2f})' for b, (m, s) in loss.iterrows())}",
            f"training: {part.groupby('seed').seconds.first().tolist()} s",
            "",
        ]
    return "\n".join(lines)


def draw(table: pd.DataFrame) -> None:
    """Every seed as a line, one panel a start of the gates."""
    import seaborn as sns

    from mrtc.plots import save, theme

    with theme():
        grid = sns.relplot(
            data=table,
            x="beta",
            y="mig_chen",
            col="init",
            hue="seed",
            kind="line",
            palette="colorblind",
            marker="o",
            height=3,
        )
        grid.set(xscale="log", ylim=(0, None))
        grid.set_axis_labels("beta", "MIG (Chen, 4 factors)")
        grid.set_titles("gates start {col_name}")
        save(grid.figure, HERE / "quick-preset.png")


def main() -> None:
    """Runs what is missing, two at a time, each on one thread."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("runs/quick-preset"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    tasks = [(options.folder, init, seed) for seed in range(options.seeds) for init in VARIANTS]
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(options.jobs) as pool:
        table = pd.concat(pool.map(one_run, *zip(*tasks, strict=True)))
    path = HERE / "quick-preset.csv"
    if path.exists():  # seconds of runs that were only read again are those of the first time
        before = pd.read_csv(path).groupby(["init", "seed"]).seconds.first()
        known = table.set_index(["init", "seed"]).index.map(before)
        table["seconds"] = np.fmax(table.seconds, np.nan_to_num(known.to_numpy(dtype=float)))
    table.to_csv(path, index=False, float_format="%.6g")
    print(summary(table))
    draw(table)


if __name__ == "__main__":
    main()
